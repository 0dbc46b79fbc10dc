"""The parameters that training keeps: the last ones, those of an earlier epoch, or the start."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from skae._rows._standardised_rows import split_evenly
from skae._rows._strata import stratified_rows
from skae._training._interfaces import Network, Rows, Split, TrainingResult
from skae._training._sign_flips import sign_flip_p_value

# Without a hold-out, the start and the end are compared on at most this many training rows.
MAX_JUDGED_ROWS = 2048
# Level of the one-sided test by which an earlier epoch replaces the last one. It is high: a mistake costs little.
LEVEL_OF_LAST = 0.3


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """Parameters after a number of epochs, with their losses on the rows for comparison and the weighted mean loss."""

    epoch: int
    parameters: Tensor
    row_losses: np.ndarray
    loss: float


class BestCheckpoint:
    """Keeps the start, the parameters with the lowest held-out loss and the last ones, and chooses between them."""

    def __init__(self, network: Network, rows: Rows, split: Split, result: TrainingResult) -> None:
        self._network, self._split, self._rows, self._result = network, split, rows, result
        self.held_out = None if split.held_out is None else rows.take(split.held_out)
        self._judged = split.train[stratified_rows(len(split.train), MAX_JUDGED_ROWS)]
        self._start = self._best = self._last = self._checkpoint(0)
        result.initial_loss = result.best_loss = self._start.loss
        if self.held_out is not None:
            result.held_out_losses.append(self._start.loss)

    def update(self, epoch: int, *, on_curve: bool = False) -> float | None:
        """Compare the present parameters with the best ones; return their held-out loss (None without a hold-out).

        If `on_curve`, the loss is added to the held-out losses of the result.
        """
        if self.held_out is None:
            return None
        self._last = self._checkpoint(epoch)
        if self._last.loss < self._best.loss:
            self._best = self._last
            self._result.best_loss, self._result.best_iter = self._best.loss, epoch
        if on_curve:
            self._result.held_out_losses.append(self._last.loss)
        return self._last.loss

    def restore_best(self, limit: Callable[[], None], level: float) -> None:
        """Set the network to the parameters to keep.

        The lowest of many losses on few rows is partly low by chance. Therefore the last parameters, at which the rate
        has fallen to zero, are kept unless the best ones are significantly better. The start is kept unless the result
        is better in a test of `level`.
        """
        if torch.equal(self._network.parameters, self._start.parameters):  # nothing was trained
            return
        if self.held_out is None:
            last = self._checkpoint(len(self._result.losses))
            kept = last if last.loss < self._start.loss else self._start
        else:
            gains = self._last.row_losses - self._best.row_losses
            is_better = self._is_positive(gains.reshape(len(gains), -1).mean(1), LEVEL_OF_LAST)
            kept = self._best if is_better else self._last
            self._network.parameters.copy_(kept.parameters)
            limit()
            is_better = self._beats(self._checkpoint(kept.epoch), self._start, level)
            kept = kept if is_better else self._start
        self._result.best_loss, self._result.best_iter = kept.loss, kept.epoch
        self._network.parameters.copy_(kept.parameters)

    @torch.no_grad()
    def _checkpoint(self, epoch: int) -> Checkpoint:
        """The present parameters and their losses on the held-out rows, or without a hold-out on training rows."""
        if self.held_out is not None:
            parts = [self._network.row_losses(self.held_out)]
        else:
            parts = [self._network.row_losses(self._rows.take(part)) for part in split_evenly(self._judged, 1024)]
        row_losses = torch.cat(parts).double().cpu().numpy()
        weight = self._weight()
        if weight is not None and weight.ndim < row_losses.ndim:
            weight = np.broadcast_to(weight[:, np.newaxis], row_losses.shape)
        loss = float(np.average(row_losses, weights=weight))
        return Checkpoint(epoch, self._network.parameters.clone(), row_losses, loss)

    def _weight(self) -> np.ndarray | None:
        chosen = self._judged if self._split.held_out is None else self._split.held_out
        return None if self._split.sample_weight is None else self._split.sample_weight[chosen]

    def _beats(self, one: Checkpoint, other: Checkpoint, level: float) -> bool:
        """Whether every held-out loss of `one` is significantly lower than that of `other`."""
        gains = other.row_losses - one.row_losses
        return all(self._is_positive(column, level) for column in gains.reshape(len(gains), -1).T)

    def _is_positive(self, gains: np.ndarray, level: float) -> bool:
        """Whether gains of the held-out rows are significantly positive."""
        groups = self._split.groups
        if (weight := self._weight()) is not None:
            gains = gains * weight / weight.max()
        if groups is not None:
            gains = np.bincount(groups[self._split.held_out], weights=gains)
        return sign_flip_p_value(gains) < level
