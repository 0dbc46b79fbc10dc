"""The learning rate during training, and when training ends."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

WARM_UP_SHARE = 0.05
# A warm-up of more epochs or steps than these gains nothing.
MAX_WARM_UP_EPOCHS, MAX_WARM_UP_STEPS = 2, 500
# The rate is constant for at most this share of the epochs. Then it falls, over half as many epochs.
CONSTANT_SHARE = 2 / 3


class CosineSchedule:
    """A half cosine that ends near zero, times a linear warm-up over the first 5 % of the steps.

    Without warm-up, the first steps would make the start worse, because Adam's second moments are not settled yet.
    Training ends early if `patience` epochs did not lower the loss by the share `tol`.

    `n_epochs` is the number of epochs to run. `is_cut_short` is True if the loss was not seen to settle.
    """

    def __init__(self, max_iter: int, steps_per_epoch: int, patience: int, tol: float) -> None:
        self.n_epochs, self.is_cut_short = max_iter, True
        self._steps_per_epoch, self._patience, self._tol = steps_per_epoch, patience, tol
        self._best, self._best_epoch = math.inf, 0

    def factor(self, step: int) -> float:
        """The learning rate of a step, as a share of the highest."""
        n_steps = self.n_epochs * self._steps_per_epoch
        return min(1.0, (step + 1) / (WARM_UP_SHARE * n_steps)) * _half_cosine(step / n_steps)

    def update(self, losses: Sequence[float]) -> None:
        """Update the number of epochs, given the losses before training and after each epoch so far."""
        if len(losses) == 2:
            self._best = losses[0]
        if losses[-1] < self._best - self._tol * abs(self._best):
            self._best, self._best_epoch = losses[-1], len(losses) - 1
        elif len(losses) - 1 - self._best_epoch >= self._patience:
            self.n_epochs, self.is_cut_short = len(losses) - 1, False


class PlateauSchedule:
    """A constant rate for as long as the loss falls, then a half cosine over half as many epochs.

    The loss no longer falls if its mean over `patience` epochs is less than the share `tol` below the mean over as many
    epochs before. Means are compared because at a constant rate single losses are noisy. The rate falls early enough to
    end after `max_iter` epochs. The attributes are those of `CosineSchedule`.
    """

    def __init__(self, max_iter: int, steps_per_epoch: int, patience: int, tol: float) -> None:
        self.n_epochs, self.is_cut_short = max_iter, True
        self._steps_per_epoch, self._patience, self._tol = steps_per_epoch, patience, tol
        warm_up_epochs = min(MAX_WARM_UP_EPOCHS, WARM_UP_SHARE * max_iter)
        self._warm_up_steps = min(MAX_WARM_UP_STEPS, warm_up_epochs * steps_per_epoch)
        # The number of epochs after which the rate starts to fall.
        self._n_constant = int(CONSTANT_SHARE * max_iter)

    def factor(self, step: int) -> float:
        """The learning rate of a step, as a share of the highest."""
        first = self._n_constant * self._steps_per_epoch
        n_steps = self.n_epochs * self._steps_per_epoch - first
        return min(1.0, (step + 1) / self._warm_up_steps) * _half_cosine(max(0, step - first) / n_steps)

    def update(self, losses: Sequence[float]) -> None:
        """Update the number of epochs, given the losses before training and after each epoch so far."""
        n_done, patience = len(losses) - 1, self._patience
        if n_done >= self._n_constant or n_done < 2 * patience or n_done % patience:
            return
        before, now = np.mean(losses[-2 * patience : -patience]), np.mean(losses[-patience:])
        if before - now < self._tol * abs(before):
            self._n_constant, self.is_cut_short = n_done, False
            self.n_epochs = min(self.n_epochs, math.ceil(n_done / CONSTANT_SHARE))


def _half_cosine(share: float) -> float:
    return 0.5 * (1.0 + math.cos(math.pi * share))
