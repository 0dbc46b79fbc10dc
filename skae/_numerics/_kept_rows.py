"""Rows kept of a stream, each with a random key that says how long."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from skae._numerics._moments import FloatArray, dense_rows


@dataclass(frozen=True)
class KeptRows:
    """Dense rows in the order they came in, their weights and their keys."""

    rows: np.ndarray
    weight: FloatArray
    keys: FloatArray

    @classmethod
    def of(cls, X, sample_weight: FloatArray | None, keys: FloatArray, chosen: np.ndarray) -> KeptRows:
        """The chosen ones (a mask) of the rows of X."""
        weight = np.ones(len(keys)) if sample_weight is None else sample_weight
        return cls(dense_rows(X, np.flatnonzero(chosen)), weight[chosen], keys[chosen])

    def take(self, chosen: np.ndarray) -> KeptRows:
        """The rows chosen by a mask."""
        return KeptRows(self.rows[chosen], self.weight[chosen], self.keys[chosen])

    def followed_by(self, other: KeptRows) -> KeptRows:
        """The rows of both."""
        pairs = ((self.rows, other.rows), (self.weight, other.weight), (self.keys, other.keys))
        return KeptRows(*(np.concatenate(pair) for pair in pairs))


def with_largest_keys(keys: FloatArray, at_most: int) -> np.ndarray:
    """Mask of the keys that are largest."""
    chosen = np.ones(len(keys), dtype=bool)
    if len(keys) > at_most:
        chosen[np.argpartition(keys, len(keys) - at_most)[: len(keys) - at_most]] = False
    return chosen


def weighted_keys(weight: FloatArray, random_state: np.random.RandomState) -> FloatArray:
    """Draw keys the largest of which are a weighted sample without replacement (Efraimidis & Spirakis 2006)."""
    return np.log(random_state.uniform(size=len(weight))) / weight
