"""One loop for every network: batches in, parameters moved, the best ones kept, the starting point among them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from skae._rows._standardised_rows import StandardisedRows, n_batches, split_evenly
from skae._rows._strata import stratified_rows
from skae._support._threads import single_thread_if
from skae._support._torch import to_tensor
from skae._training._groups import standard_error_of_groups
from skae._training._optimizer import AdamW
from skae._training._schedule import learning_rate_factor
from skae._training._settings import TrainingSettings

# Without a hold-out the start and the end are compared on this many training rows.
MAX_JUDGED_ROWS = 2048
# In averages over the steps step t has about the weight t^8: the last ninth of the steps has most of it.
AVERAGED_POWER = 8
# Below this many parameters times rows, a step of about a millisecond, threads wait for each other longer than they
# work.
SINGLE_THREAD_NUMBERS = 1 << 24

# Given the epoch, its losses, and whether another is to follow; True asks training to stop.
OnEpoch = Callable[[int, float, float | None, bool], bool]


class Network(Protocol):
    """What the loop needs of a network."""

    parameters: Tensor

    def row_losses(self, x: Tensor) -> Tensor:
        """The loss of each row."""

    def bind_gradient(self, gradient: Tensor) -> None:
        """Name the vector, as long as `parameters`, that `loss_and_gradient` writes to."""

    def loss_and_gradient(self, x: Tensor, weight: Tensor | None) -> Tensor:
        """The weighted mean loss of a batch; its gradient goes into the bound vector."""


@dataclass(frozen=True)
class Split:
    """Indices of the rows to train on and to hold out (None: no hold-out), and the rows' weights and groups, if any."""

    train: np.ndarray
    held_out: np.ndarray | None
    sample_weight: np.ndarray | None
    groups: np.ndarray | None = None


@dataclass
class TrainingResult:
    """What happened. Losses are means over rows of the row loss; index 0 of `held_out_losses` is the start's."""

    initial_loss: float = math.nan
    best_loss: float = math.nan
    best_iter: int = 0
    losses: list[float] = field(default_factory=list)
    held_out_losses: list[float] = field(default_factory=list)
    interrupted: bool = False
    reached_max_iter: bool = False

    @property
    def unfinished_gain(self) -> float:
        """Share of the loss that the last tenth of all epochs still removed; 0 if training stopped by itself.

        The loss is the held-out one where there is one.
        """
        if not self.reached_max_iter or not self.losses:
            return 0.0
        curve = self.held_out_losses or [self.initial_loss, *self.losses]
        before = curve[-1 - max(1, len(self.losses) // 10)]
        return (before - curve[-1]) / abs(before) if before else 0.0


class NonFiniteError(ArithmeticError):
    """The loss or a weight became infinite or NaN."""


@contextmanager
def _guarded(network: Network, settings: TrainingSettings) -> Iterator[None]:
    """Run the body, which trains, with as many threads as its steps can use; report divergence as a ValueError."""
    numbers_per_step = settings.batch_size * network.parameters.numel()
    try:
        with single_thread_if(numbers_per_step < SINGLE_THREAD_NUMBERS):
            yield
    except NonFiniteError:
        raise ValueError(
            "Training met infinite or NaN values: scale X or lower learning_rate_init "
            f"(now {settings.learning_rate_init:g})."
        ) from None


def train(
    network: Network,
    rows: StandardisedRows,
    split: Split,
    settings: TrainingSettings,
    random_state: np.random.RandomState,
    on_epoch: OnEpoch,
    result: TrainingResult,
    previous: Tensor | None = None,
) -> None:
    """Move ``network.parameters`` to the best point met, the starting point included.

    With a hold-out "best" is by its loss, and a point must beat the start by more than one standard error of the rows'
    differences; without one it is the last point, unless its training loss is above the start's. Training begins at
    `previous` parameters where there are any, which with a hold-out are among the points met. `result` is filled in as
    training goes. Raises ValueError if training diverges.
    """
    start = network.parameters.clone()
    with _guarded(network, settings):
        checkpoint = BestCheckpoint(network, rows, split, result)
        if previous is not None:
            network.parameters.copy_(previous)
            checkpoint.update(0, result)
        try:
            _run_epochs(_Stepper(network, rows, split, settings), checkpoint, random_state, on_epoch, result)
        except KeyboardInterrupt:
            result.interrupted = True
        checkpoint.restore_best(result, start)


@dataclass(frozen=True)
class OptimizerState:
    """Where training stands that continues with every chunk of rows.

    The parameters, their average over the last steps, the number of steps, and the optimiser's memory (empty: none).
    """

    parameters: Tensor
    average: Tensor
    n_steps: int = 0
    memory: tuple[Tensor, ...] = ()


def train_on_chunk(
    network: Network,
    rows: StandardisedRows,
    split: Split,
    settings: TrainingSettings,
    random_state: np.random.RandomState,
    state: OptimizerState,
    result: TrainingResult,
) -> OptimizerState:
    """Continue from `state`, once through ``split.train`` at a constant rate; returns where training stands then.

    How many chunks will come is unknown, so that no schedule can end: the average of the last steps replaces a rate
    that falls to zero. ``network.parameters`` are left there, or at the start under the rules of `train`. With
    ``settings.max_iter`` of 0 no step is made.
    """
    start = network.parameters.clone()
    with _guarded(network, settings):
        checkpoint = BestCheckpoint(network, rows, split, result)
        network.parameters.copy_(state.parameters)
        stepper = _AveragingStepper(network, rows, split, settings, state)
        if len(split.train) and settings.max_iter:
            result.losses.append(stepper.run_epoch(random_state))
        state = stepper.state()
        network.parameters.copy_(state.average)
        checkpoint.update(1, result, on_curve=True)
        checkpoint.restore_best(result, start)
    return state


def _run_epochs(
    stepper: _Stepper,
    checkpoint: BestCheckpoint,
    random_state: np.random.RandomState,
    on_epoch: OnEpoch,
    result: TrainingResult,
) -> None:
    settings = stepper.settings
    epochs_without_gain, mark = 0, result.best_loss
    for epoch in range(settings.max_iter):
        loss = stepper.run_epoch(random_state)
        result.losses.append(loss)
        held_out_loss = checkpoint.update(epoch + 1, result, on_curve=True)
        current = loss if held_out_loss is None else held_out_loss
        if current < mark - settings.tol * abs(mark):
            mark, epochs_without_gain = current, 0
        else:
            epochs_without_gain += 1
        patient = epochs_without_gain < settings.n_iter_no_change
        stop = on_epoch(epoch, loss, held_out_loss, patient and epoch + 1 < settings.max_iter)
        if stop or not patient:
            return
    result.reached_max_iter = True


class _Stepper:
    """The optimiser, its gradient buffer, its rows and its place in the schedule."""

    def __init__(self, network: Network, rows: StandardisedRows, split: Split, settings: TrainingSettings) -> None:
        self.settings = settings
        self._network, self._rows, self._train, self._weight = network, rows, split.train, split.sample_weight
        gradient = torch.zeros_like(network.parameters)
        network.bind_gradient(gradient)
        self._optimizer = AdamW(network.parameters, gradient, settings.alpha)
        self._n_steps = settings.max_iter * n_batches(len(split.train), settings.batch_size)
        self._step = 0

    @torch.no_grad()
    def run_epoch(self, random_state: np.random.RandomState) -> float:
        """One pass over the rows in random order; the mean loss over it, read from the device once."""
        total = torch.zeros((), dtype=self._network.parameters.dtype, device=self._network.parameters.device)
        total_weight = 0.0
        for x, weight, share in self._batches(random_state.permutation(self._train)):
            total.add_(self._network.loss_and_gradient(x, weight), alpha=share)
            total_weight += share
            self._update()
        loss = float(total) / total_weight
        if not (math.isfinite(loss) and bool(torch.isfinite(self._network.parameters).all())):
            raise NonFiniteError
        return loss

    def _batches(self, order: np.ndarray) -> Iterator[tuple[Tensor, Tensor | None, float]]:
        """Rows, their weights, and the sum of those (the number of rows where there are none), batch by batch."""
        batches = self._rows.batches(order, self.settings.batch_size)
        if self._weight is None:
            yield from ((x, None, float(len(indices))) for indices, x in batches)
            return
        # Copied once an epoch: a copy to a GPU waits until the GPU has done all that was asked of it before.
        weight = split_evenly(self._weight[order], self.settings.batch_size)
        # By powers of two near each batch's largest: float32 does not hold weights tiny beside other batches'.
        scaled = np.concatenate([np.ldexp(part, -np.frexp(part.max())[1]) for part in weight])
        moved = to_tensor(scaled, self._network.parameters.dtype, self._network.parameters.device)
        parts = moved.split([len(part) for part in weight])
        for (_, x), part, on_device in zip(batches, weight, parts, strict=True):
            yield x, on_device, float(part.sum())

    def _update(self) -> None:
        factor = learning_rate_factor(self._step, self._n_steps)
        self._optimizer.step(self.settings.learning_rate_init * factor)
        self._step += 1


class _AveragingStepper(_Stepper):
    """Steps at a constant rate from an optimiser state, and averages the parameters met."""

    def __init__(
        self,
        network: Network,
        rows: StandardisedRows,
        split: Split,
        settings: TrainingSettings,
        state: OptimizerState,
    ) -> None:
        super().__init__(network, rows, split, settings)
        self._average, self._step = state.average.clone(), state.n_steps
        for mine, previous in zip(self._optimizer.memory, state.memory, strict=False):
            mine.copy_(previous)

    def _update(self) -> None:
        self._optimizer.step(self.settings.learning_rate_init)
        self._step += 1
        # Weights that grow as a power of the step (Shamir & Zhang 2013).
        self._average.lerp_(self._network.parameters, (AVERAGED_POWER + 1) / (AVERAGED_POWER + self._step))

    def state(self) -> OptimizerState:
        return OptimizerState(self._network.parameters.clone(), self._average, self._step, self._optimizer.memory)


class BestCheckpoint:
    """Keeps the best parameters by held-out loss, at first the start's."""

    def __init__(self, network: Network, rows: StandardisedRows, split: Split, result: TrainingResult) -> None:
        self._network, self._split, self._rows = network, split, rows
        self.held_out = None if split.held_out is None else rows.take(split.held_out)
        self._judged = split.train[stratified_rows(len(split.train), MAX_JUDGED_ROWS)]
        self._start_rows = self._row_losses()
        self.start_loss = self._mean(self._start_rows)
        self._best = network.parameters.clone()
        result.initial_loss = result.best_loss = self.start_loss
        if self.held_out is not None:
            result.held_out_losses.append(self.start_loss)

    def update(self, epoch: int, result: TrainingResult, *, on_curve: bool = False) -> float | None:
        """Held-out loss of the present parameters (None without a hold-out); they are kept if they are the best.

        `on_curve` adds the loss to ``result.held_out_losses``.
        """
        if self.held_out is None:
            return None
        losses = self._row_losses()
        loss = self._mean(losses)
        if loss < result.best_loss and self._mean(self._start_rows - losses) > self._standard_error(losses):
            result.best_loss, result.best_iter = loss, epoch
            self._best.copy_(self._network.parameters)
        if on_curve:
            result.held_out_losses.append(loss)
        return loss

    def restore_best(self, result: TrainingResult, start: Tensor) -> None:
        if self.held_out is not None:
            self._network.parameters.copy_(self._best)
            return
        loss = self._mean(self._row_losses())
        if loss < self.start_loss:
            result.best_loss, result.best_iter = loss, len(result.losses)
        else:
            self._network.parameters.copy_(start)

    @torch.no_grad()
    def _row_losses(self) -> np.ndarray:
        """Row losses on the hold-out, or on training rows where there is none."""
        if self.held_out is not None:
            return self._network.row_losses(self.held_out).double().cpu().numpy()
        parts = [self._network.row_losses(self._rows.take(part)) for part in split_evenly(self._judged, 1024)]
        return torch.cat(parts).double().cpu().numpy()

    def _weight(self) -> np.ndarray | None:
        chosen = self._judged if self._split.held_out is None else self._split.held_out
        return None if self._split.sample_weight is None else self._split.sample_weight[chosen]

    def _mean(self, values: np.ndarray) -> float:
        return float(np.average(values, weights=self._weight()))

    def _standard_error(self, losses: np.ndarray) -> float:
        """Of the mean gain over the start; rows of unequal weight count as fewer (Kish 1965)."""
        gains, weight = self._start_rows - losses, self._weight()
        if self._split.groups is not None and self._split.held_out is not None:
            return standard_error_of_groups(gains, self._split.groups[self._split.held_out], weight)
        shares = np.full(len(gains), 1.0 / len(gains)) if weight is None else weight / weight.sum()
        n_effective = 1.0 / np.square(shares).sum()
        return float(np.sqrt(self._mean((gains - self._mean(gains)) ** 2) / n_effective))
