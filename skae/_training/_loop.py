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
from skae._support._threads import all_threads_if
from skae._support._torch import to_tensor
from skae._training._optimizer import AdamW
from skae._training._schedule import CosineSchedule, PlateauSchedule
from skae._training._settings import TrainingSettings
from skae._training._sign_flips import sign_flip_p_value

# Without a hold-out the start and the end are compared on this many training rows.
MAX_JUDGED_ROWS = 2048
# In averages over the steps step t has about the weight t^8: the last ninth of the steps has most of it.
AVERAGED_POWER = 8
# Level of the one-sided test by which an earlier epoch replaces the last one: a mistake costs little.
LEVEL_OF_LAST = 0.3
# From this many parameters times rows on (steps of some 25 ms) two threads take .6 to .8 of the time of one. Below they
# gain less, and beside other busy processes they may take many times as long.
MANY_NUMBERS = 1 << 28

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


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """Parameters after so many epochs, the losses of the rows that judge them, and the weighted mean of these."""

    epoch: int
    parameters: Tensor
    row_losses: np.ndarray
    loss: float


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
        with all_threads_if(numbers_per_step >= MANY_NUMBERS):
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
    limit: Callable[[], None] = lambda: None,
) -> None:
    """Move ``network.parameters`` to the last point, unless an earlier one is better.

    With a hold-out that is said by its rows: the point with the lowest loss is preferred to the last one, and the start
    to either, unless chance alone would hardly explain the difference (see `BestCheckpoint.restore_best`). Without one
    the last point is kept unless its training loss is above the start's. Training begins at `previous` parameters where
    there are any, which with a hold-out are among the points met. `limit` is called before what was trained is compared
    with the start, and may limit what the network does on new rows. `result` is filled in as training goes. Raises
    ValueError if training diverges.
    """
    with _guarded(network, settings):
        checkpoint = BestCheckpoint(network, rows, split, result)
        if previous is not None:
            network.parameters.copy_(previous)
            checkpoint.update(0, result)
        try:
            _run_epochs(_Stepper(network, rows, split, settings), checkpoint, random_state, on_epoch, result)
        except KeyboardInterrupt:
            result.interrupted = True
        checkpoint.restore_best(result, limit, settings.level)


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
    limit: Callable[[], None] = lambda: None,
) -> OptimizerState:
    """Continue from `state`, once through ``split.train`` at a constant rate; returns where training stands then.

    How many chunks will come is unknown, so that no schedule can end: the average of the last steps replaces a rate
    that falls to zero. ``network.parameters`` are left there, or at the start under the rules of `train`. With
    ``settings.max_iter`` of 0 no step is made.
    """
    with _guarded(network, settings):
        checkpoint = BestCheckpoint(network, rows, split, result)
        network.parameters.copy_(state.parameters)
        stepper = _AveragingStepper(network, rows, split, settings, state)
        if len(split.train) and settings.max_iter:
            result.losses.append(stepper.run_epoch(random_state))
        state = stepper.state()
        network.parameters.copy_(state.average)
        checkpoint.update(1, result, on_curve=True)
        checkpoint.restore_best(result, limit, settings.level)
    return state


def _run_epochs(
    stepper: _Stepper,
    checkpoint: BestCheckpoint,
    random_state: np.random.RandomState,
    on_epoch: OnEpoch,
    result: TrainingResult,
) -> None:
    schedule = stepper.schedule
    # Of the start and of every epoch, on the held-out rows where there are any.
    losses = [result.best_loss]
    for epoch in range(stepper.settings.max_iter):
        loss = stepper.run_epoch(random_state)
        result.losses.append(loss)
        held_out_loss = checkpoint.update(epoch + 1, result, on_curve=True)
        losses.append(loss if held_out_loss is None else held_out_loss)
        schedule.update(losses)
        is_last = epoch + 1 >= schedule.n_epochs
        if on_epoch(epoch, loss, held_out_loss, not is_last):
            return
        if is_last:
            break
    result.reached_max_iter = schedule.is_cut_short


class _Stepper:
    """The optimiser, its gradient buffer, its rows and its place in the schedule."""

    def __init__(self, network: Network, rows: StandardisedRows, split: Split, settings: TrainingSettings) -> None:
        self.settings = settings
        self._network, self._rows, self._train, self._weight = network, rows, split.train, split.sample_weight
        gradient = torch.zeros_like(network.parameters)
        network.bind_gradient(gradient)
        self._optimizer = AdamW(network.parameters, gradient, settings.alpha)
        kind = PlateauSchedule if settings.decays_at_plateau else CosineSchedule
        steps_per_epoch = n_batches(len(split.train), settings.batch_size)
        self.schedule = kind(settings.max_iter, steps_per_epoch, settings.n_iter_no_change, settings.tol)
        self._step = 0

    @torch.no_grad()
    def run_epoch(self, random_state: np.random.RandomState) -> float:
        """One pass over the rows in random order; the mean loss over it, read from the device once."""
        total = torch.zeros((), dtype=self._network.parameters.dtype, device=self._network.parameters.device)
        total_weight = 0.0
        for x, weight, share in self._batches(self._rows.shuffled(self._train, random_state)):
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
        self._optimizer.step(self.settings.learning_rate_init * self.schedule.factor(self._step))
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
    """Keeps the parameters with the lowest held-out loss and the last ones, to choose between them in the end."""

    def __init__(self, network: Network, rows: StandardisedRows, split: Split, result: TrainingResult) -> None:
        self._network, self._split, self._rows = network, split, rows
        self.held_out = None if split.held_out is None else rows.take(split.held_out)
        self._judged = split.train[stratified_rows(len(split.train), MAX_JUDGED_ROWS)]
        self._start = self._best = self._last = self._checkpoint(0)
        result.initial_loss = result.best_loss = self._start.loss
        if self.held_out is not None:
            result.held_out_losses.append(self._start.loss)

    def update(self, epoch: int, result: TrainingResult, *, on_curve: bool = False) -> float | None:
        """Held-out loss of the present parameters (None without a hold-out); they are kept if they are the best.

        `on_curve` adds the loss to ``result.held_out_losses``.
        """
        if self.held_out is None:
            return None
        self._last = self._checkpoint(epoch)
        if self._last.loss < self._best.loss:
            self._best = self._last
            result.best_loss, result.best_iter = self._best.loss, epoch
        if on_curve:
            result.held_out_losses.append(self._last.loss)
        return self._last.loss

    def restore_best(self, result: TrainingResult, limit: Callable[[], None], level: float) -> None:
        """Set the parameters to keep.

        The lowest of many losses on few rows is low by chance: the last point, where the rate has fallen to zero, is
        kept unless the best one beats it. The start is kept unless it is beaten at `level`.
        """
        if torch.equal(self._network.parameters, self._start.parameters):  # nothing was trained
            return
        if self.held_out is None:
            last = self._checkpoint(len(result.losses))
            kept = last if last.loss < self._start.loss else self._start
        else:
            kept = self._best if self._beats(self._best, self._last, LEVEL_OF_LAST) else self._last
            self._network.parameters.copy_(kept.parameters)
            limit()
            is_better = self._beats(self._checkpoint(kept.epoch), self._start, level)
            kept = kept if is_better else self._start
        result.best_loss, result.best_iter = kept.loss, kept.epoch
        self._network.parameters.copy_(kept.parameters)

    @torch.no_grad()
    def _checkpoint(self, epoch: int) -> Checkpoint:
        """The present parameters and their losses on the hold-out, or on training rows where there is none."""
        if self.held_out is not None:
            parts = [self._network.row_losses(self.held_out)]
        else:
            parts = [self._network.row_losses(self._rows.take(part)) for part in split_evenly(self._judged, 1024)]
        row_losses = torch.cat(parts).double().cpu().numpy()
        loss = float(np.average(row_losses, weights=self._weight()))
        return Checkpoint(epoch, self._network.parameters.clone(), row_losses, loss)

    def _weight(self) -> np.ndarray | None:
        chosen = self._judged if self._split.held_out is None else self._split.held_out
        return None if self._split.sample_weight is None else self._split.sample_weight[chosen]

    def _beats(self, one: Checkpoint, other: Checkpoint, level: float) -> bool:
        """Whether chance would hardly make the held-out loss of one so much lower than that of the other."""
        gains, groups = other.row_losses - one.row_losses, self._split.groups
        if (weight := self._weight()) is not None:
            gains = gains * weight / weight.max()
        if groups is not None:
            gains = np.bincount(groups[self._split.held_out], weights=gains)
        return sign_flip_p_value(gains) < level
