"""What training takes and returns: the interfaces of networks and rows, the split of the rows, and the result."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from torch import Tensor

# Called with the epoch, its losses, and whether another epoch follows. Returns True to stop training.
OnEpoch = Callable[[int, float, float | None, bool], bool]


class Rows(Protocol):
    """The interface of the rows that the loop trains on; `StandardisedRows` has it."""

    def __len__(self) -> int: ...

    def take(self, rows: np.ndarray) -> Tensor:
        """The given rows."""

    def shuffled(self, rows: np.ndarray, random_state: np.random.RandomState) -> np.ndarray:
        """The rows, given by sorted indices, in random order."""

    def batches(self, order: np.ndarray, batch_size: int) -> Iterator[tuple[np.ndarray, Tensor]]:
        """The rows of `order` in batches of about `batch_size` rows."""


class Network(Protocol):
    """The interface of a network that the loop can train."""

    parameters: Tensor

    def row_losses(self, x: Tensor) -> Tensor:
        """The loss of each row, or several losses of each in columns.

        Their mean is reported. With a hold-out, each of them must be lower than at the start.
        """

    def bind_gradient(self, gradient: Tensor) -> None:
        """Set the vector, of the length of `parameters`, that `loss_and_gradient` writes to."""

    def loss_and_gradient(self, x: Tensor, weight: Tensor | None) -> Tensor:
        """The weighted mean loss of a batch. Its gradient is written to the vector given to `bind_gradient`."""


@dataclass(frozen=True)
class Split:
    """Indices of the rows to train on and to hold out (None: no hold-out); weights and groups of all rows, if any."""

    train: np.ndarray
    held_out: np.ndarray | None
    sample_weight: np.ndarray | None
    groups: np.ndarray | None = None


@dataclass
class TrainingResult:
    """The course of training. Losses are means over rows; the first of `held_out_losses` is that of the start."""

    initial_loss: float = math.nan
    best_loss: float = math.nan
    best_iter: int = 0
    losses: list[float] = field(default_factory=list)
    held_out_losses: list[float] = field(default_factory=list)
    interrupted: bool = False
    reached_max_iter: bool = False

    @property
    def unfinished_gain(self) -> float:
        """Share of the loss that the last tenth of all epochs removed; 0 if training stopped before `max_iter`.

        With a hold-out, it is the loss on the held-out rows.
        """
        if not self.reached_max_iter or not self.losses:
            return 0.0
        curve = self.held_out_losses or [self.initial_loss, *self.losses]
        before = curve[-1 - max(1, len(self.losses) // 10)]
        return (before - curve[-1]) / abs(before) if before else 0.0
