"""A random sample of the rows of a stream. A random priority decides how long each row stays in it."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from skae._rows._blocks import dense_rows
from skae._rows._row_source import RowSource
from skae._rows._training_rows import TrainingRows


@dataclass(frozen=True)
class Reservoir:
    """Dense rows in the order they came in, their weights and their priorities."""

    rows: np.ndarray
    weight: np.ndarray
    priorities: np.ndarray

    @classmethod
    def of(cls, X, sample_weight: np.ndarray | None, priorities: np.ndarray, mask: np.ndarray) -> Reservoir:
        """The rows of X chosen by a mask."""
        weight = np.ones(len(priorities)) if sample_weight is None else sample_weight
        return cls(dense_rows(X, np.flatnonzero(mask)), weight[mask], priorities[mask])

    def __len__(self) -> int:
        return len(self.priorities)

    def select(self, mask: np.ndarray) -> Reservoir:
        """The rows chosen by a mask."""
        return Reservoir(self.rows[mask], self.weight[mask], self.priorities[mask])

    def followed_by(self, other: Reservoir) -> Reservoir:
        """The rows of both."""
        pairs = ((self.rows, other.rows), (self.weight, other.weight), (self.priorities, other.priorities))
        return Reservoir(*(np.concatenate(pair) for pair in pairs))


def highest_priorities(priorities: np.ndarray, at_most: int) -> np.ndarray:
    """Mask of the `at_most` highest priorities."""
    mask = np.ones(len(priorities), dtype=bool)
    if len(priorities) > at_most:
        mask[np.argpartition(priorities, len(priorities) - at_most)[: len(priorities) - at_most]] = False
    return mask


def draw_priorities(weight: np.ndarray, random_state: np.random.RandomState) -> np.ndarray:
    """Draw priorities, the highest of which are a weighted sample without replacement (Efraimidis & Spirakis 2006)."""
    return np.log(random_state.uniform(size=len(weight))) / weight


def draw_rows(size: int, weight: np.ndarray, random_state: np.random.RandomState) -> np.ndarray:
    """Indices of a weighted sample without replacement; sorted."""
    return np.flatnonzero(highest_priorities(draw_priorities(weight, random_state), size))


def sample_rows(
    chunk: TrainingRows, before: Reservoir | None, n_before: int, at_most: int, random_state: np.random.RandomState
) -> tuple[TrainingRows, Reservoir]:
    """A sample of `at_most` of the rows seen: of the chunk, and of `before`, a sample of `n_before` earlier ones."""
    weight = np.ones(chunk.n_rows) if chunk.sample_weight is None else chunk.sample_weight
    priorities = draw_priorities(weight, random_state)
    reservoir = Reservoir.of(chunk.source.local, weight, priorities, highest_priorities(priorities, at_most))
    if before is not None:
        if len(before) < n_before:  # rows were left out: only a sample of at most this size is uniform
            at_most = min(at_most, len(before))
        reservoir = before.followed_by(reservoir)
        reservoir = reservoir.select(highest_priorities(reservoir.priorities, at_most))
    # Once rows are left out, weights have determined which rows are in the sample, and must not count twice.
    weigh = len(reservoir) == n_before + chunk.n_rows and (reservoir.weight != 1.0).any()
    rows = replace(chunk, source=RowSource(reservoir.rows), sample_weight=reservoir.weight if weigh else None)
    return rows, reservoir
