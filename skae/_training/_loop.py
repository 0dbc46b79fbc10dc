"""The training loop of every network."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from skae._rows._standardised_rows import n_batches, split_evenly
from skae._support._threads import all_threads_if
from skae._support._torch import to_tensor
from skae._training._checkpoints import BestCheckpoint
from skae._training._interfaces import Network, OnEpoch, Rows, Split, TrainingResult
from skae._training._optimizer import AdamW
from skae._training._schedule import CosineSchedule, PlateauSchedule
from skae._training._settings import TrainingSettings

# In averages over steps, step t has a weight of about t^8, so that the last ninth of the steps has most of the weight.
AVERAGED_POWER = 8
# Two threads are used if the parameters times the rows of a step are at least this many (steps of some 25 ms): they
# take .6 to .8 of the time of one. For smaller steps they gain less, and beside busy processes they may take many times
# as long.
MANY_NUMBERS = 1 << 28


class NonFiniteError(ArithmeticError):
    """The loss or a weight became infinite or NaN."""


@contextmanager
def _guarded(network: Network, settings: TrainingSettings) -> Iterator[None]:
    """Run the body, which trains, on as many threads as its steps can use. Raise ValueError if it diverges."""
    numbers_per_step = settings.batch_size * network.parameters.numel()
    try:
        with all_threads_if(numbers_per_step >= MANY_NUMBERS):
            yield
    except NonFiniteError:
        raise ValueError(
            "Training met infinite or NaN values: scale X or lower learning_rate_init "
            f"(now {settings.learning_rate_init:g}). See docs/guide_scaling.md."
        ) from None


def train(
    network: Network,
    rows: Rows,
    split: Split,
    settings: TrainingSettings,
    random_state: np.random.RandomState,
    on_epoch: OnEpoch,
    result: TrainingResult,
    previous: Tensor | None = None,
    limit: Callable[[], None] = lambda: None,
) -> None:
    """Train ``network.parameters`` and leave the best ones found there.

    With a hold-out, the last parameters are kept unless an earlier epoch has a significantly lower held-out loss, and
    the start is kept unless these are significantly better (see `BestCheckpoint.restore_best`). Without a hold-out, the
    last parameters are kept unless their training loss is above that of the start.

    Training begins at the `previous` parameters if they are given; with a hold-out, these may be kept as well. `limit`
    is called before the trained parameters are compared with the start, and may limit what the network does on new
    rows. `result` is filled in during training. Raises ValueError if training diverges.
    """
    with _guarded(network, settings):
        checkpoint = BestCheckpoint(network, rows, split, result)
        if previous is not None:
            network.parameters.copy_(previous)
            checkpoint.update(0)
        try:
            _run_epochs(_Stepper(network, rows, split, settings), checkpoint, random_state, on_epoch, result)
        except KeyboardInterrupt:
            result.interrupted = True
        checkpoint.restore_best(limit, settings.level)


@dataclass(frozen=True)
class OptimizerState:
    """The state of training that continues with every chunk of rows.

    It has the parameters, their average over the last steps, the number of steps, and the memory of the optimiser,
    which is empty at first.
    """

    parameters: Tensor
    average: Tensor
    n_steps: int = 0
    memory: tuple[Tensor, ...] = ()


def train_on_chunk(
    network: Network,
    rows: Rows,
    split: Split,
    settings: TrainingSettings,
    random_state: np.random.RandomState,
    state: OptimizerState,
    result: TrainingResult,
    limit: Callable[[], None] = lambda: None,
) -> OptimizerState:
    """Continue from `state` with one pass over ``split.train`` at a constant rate; return the new state.

    The number of chunks to come is unknown, so that the learning rate cannot fall to zero at the end. The average over
    the last steps takes its place. ``network.parameters`` become this average, or the start if the rules of `train`
    prefer it. If ``settings.max_iter`` is 0, no step is made.
    """
    with _guarded(network, settings):
        checkpoint = BestCheckpoint(network, rows, split, result)
        network.parameters.copy_(state.parameters)
        stepper = _AveragingStepper(network, rows, split, settings, state)
        if len(split.train) and settings.max_iter:
            result.losses.append(stepper.run_epoch(random_state))
        state = stepper.state()
        network.parameters.copy_(state.average)
        checkpoint.update(1, on_curve=True)
        checkpoint.restore_best(limit, settings.level)
    return state


def _run_epochs(
    stepper: _Stepper,
    checkpoint: BestCheckpoint,
    random_state: np.random.RandomState,
    on_epoch: OnEpoch,
    result: TrainingResult,
) -> None:
    schedule = stepper.schedule
    # Losses of the start and of every epoch, on the held-out rows if there are any.
    losses = [result.best_loss]
    for epoch in range(stepper.settings.max_iter):
        loss = stepper.run_epoch(random_state)
        result.losses.append(loss)
        held_out_loss = checkpoint.update(epoch + 1, on_curve=True)
        losses.append(loss if held_out_loss is None else held_out_loss)
        schedule.update(losses)
        is_last = epoch + 1 >= schedule.n_epochs
        if on_epoch(epoch, loss, held_out_loss, not is_last):
            return
        if is_last:
            break
    result.reached_max_iter = schedule.is_cut_short


class _Stepper:
    """Runs epochs: the optimiser, the gradient, the rows and the schedule."""

    def __init__(self, network: Network, rows: Rows, split: Split, settings: TrainingSettings) -> None:
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
        """Make one pass over the rows in random order; return its mean loss, which is read from the device once."""
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
        """Batches: the rows, their weights, and the sum of the weights (without weights, the number of rows)."""
        batches = self._rows.batches(order, self.settings.batch_size)
        if self._weight is None:
            yield from ((x, None, float(len(indices))) for indices, x in batches)
            return
        # Weights are copied once per epoch, because a copy to a GPU waits for all work that the GPU has yet to do.
        weight = split_evenly(self._weight[order], self.settings.batch_size)
        # Weights are divided by a power of two near the largest of their batch: float32 could not represent them if
        # those of other batches were much larger.
        scaled = np.concatenate([np.ldexp(part, -np.frexp(part.max())[1]) for part in weight])
        moved = to_tensor(scaled, self._network.parameters.dtype, self._network.parameters.device)
        parts = moved.split([len(part) for part in weight])
        for (_, x), part, on_device in zip(batches, weight, parts, strict=True):
            yield x, on_device, float(part.sum())

    def _update(self) -> None:
        self._optimizer.step(self.settings.learning_rate_init * self.schedule.factor(self._step))
        self._step += 1


class _AveragingStepper(_Stepper):
    """Continues from the state of an optimiser at a constant rate, and averages the parameters over the steps."""

    def __init__(
        self,
        network: Network,
        rows: Rows,
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
