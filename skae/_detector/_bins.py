"""Bins of values, whose probabilities masked autoencoders predict."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from skae._detector._feature_scale import CLIP
from skae._linalg._quantiles import observed

# Maximum number of bins of a numeric feature, and minimum of the average number of rows per bin.
MAX_BINS, MIN_ROWS_PER_BIN = 20, 5
# The index of the bin of a missing entry.
MISSING = -1
# The log-frequency of bins that a feature does not have.
NO_BIN = -1e4


@dataclass(frozen=True, eq=False)
class Bins:
    """Bins of each feature: one per category, one per distinct value if there are few, else quantile bins.

    `edges`, of shape (n_features, max_bins - 1), are infinite beyond the last bin of a feature. `values`, of shape
    (n_features, max_bins), are the distinct values, and infinite for quantile bins. `log_widths` are the logarithms of
    the widths of quantile bins relative to their median, and zero for distinct values. `lowest` and `highest`, of shape
    (n_members, n_features), are the ranges of the rows that each member is trained on. Values within `tolerance` are
    equal. `log_weight` is the logarithm of the number of training rows.
    """

    edges: np.ndarray
    values: np.ndarray
    log_widths: np.ndarray
    lowest: np.ndarray
    highest: np.ndarray
    tolerance: np.ndarray
    log_weight: float

    @classmethod
    def of(
        cls,
        deviations: np.ndarray,
        weight: np.ndarray,
        member_weight: np.ndarray,
        tolerance: np.ndarray,
        categories: np.ndarray | None = None,
    ) -> Bins:
        """Choose the bins from weighted rows in the units of a `FeatureScale`; NaN is missing.

        `member_weight` are the weights of the rows for each member. `categories` is the number of categories of each
        feature, 0 for numeric features. Categories are numbered from 0.
        """
        n_features = deviations.shape[1]
        categories = np.zeros(n_features, dtype=np.intp) if categories is None else categories
        max_bins = max(MAX_BINS, categories.max())
        edges = np.full((n_features, max_bins - 1), np.inf, np.float32)
        values = np.full((n_features, max_bins), np.inf, np.float32)
        log_widths = np.zeros((n_features, max_bins), np.float32)
        n_bins = max(1, min(MAX_BINS, len(deviations) // MIN_ROWS_PER_BIN))
        for feature, column in enumerate(deviations.T):
            if categories[feature]:
                values[feature, : categories[feature]] = np.arange(categories[feature])
                edges[feature, : categories[feature] - 1] = np.arange(categories[feature] - 1) + 0.5
                continue
            column, weight_of_column = observed(column, weight)
            distinct, group = np.unique(column, return_inverse=True)
            if len(distinct) <= n_bins:
                edges[feature, : len(distinct) - 1] = 0.5 * (distinct[1:] + distinct[:-1])
                values[feature, : len(distinct)] = distinct
                continue
            cumulative = np.cumsum(np.bincount(group, weights=weight_of_column))
            places = np.searchsorted(cumulative, np.linspace(0.0, 1.0, n_bins + 1) * cumulative[-1])
            places = np.unique(np.clip(places[1:-1], 1, len(distinct) - 1))
            inner = 0.5 * (distinct[places - 1] + distinct[places])  # between values, rounding errors do not matter
            widths = np.maximum(np.diff(inner, prepend=distinct[0], append=distinct[-1]), 1e-3)
            log_widths[feature, : len(widths)] = np.log(widths / np.median(widths))
            edges[feature, : len(inner)] = inner
        own = [deviations[weight_of > 0] for weight_of in member_weight.T]
        # If a feature is missing in all rows of a member, the range is that of all rows.
        ranges = [np.stack([reduce.reduce(x, axis=0) for x in [*own, deviations]]) for reduce in (np.fmin, np.fmax)]
        lowest, highest = (np.nan_to_num(np.where(np.isnan(each[:-1]), each[-1], each[:-1])) for each in ranges)
        return cls(edges, values, log_widths, lowest, highest, tolerance, math.log(weight.sum() + 1.0))

    @property
    def n_bins(self) -> np.ndarray:
        """Number of bins of each feature."""
        return np.isfinite(self.edges).sum(axis=1) + 1

    def index(self, deviations: np.ndarray) -> np.ndarray:
        """The bin of each entry; `MISSING` for NaN."""
        columns = zip(self.edges, deviations.T, strict=True)
        index = np.stack([np.searchsorted(edges, column, side="right") for edges, column in columns], axis=1)
        index[np.isnan(deviations)] = MISSING
        return index

    def offset(self, deviations: np.ndarray, index: np.ndarray, member: int | None = None) -> np.ndarray:
        """What is added to the surprisal of each entry's bin: its log-width, and a penalty for unseen values.

        With quantile bins, the penalty is the distance from the range of the rows that the given member, or any member,
        was trained on. With distinct values, it increases with the distance from the nearest one. NaN remains NaN.
        """
        features = np.arange(deviations.shape[1])
        lowest = self.lowest.min(axis=0) if member is None else self.lowest[member]
        highest = self.highest.max(axis=0) if member is None else self.highest[member]
        beyond = np.clip(np.maximum(deviations - highest, lowest - deviations), 0.0, CLIP)
        nearest = self.values[features, index]
        off = np.abs(deviations - np.where(np.isfinite(nearest), nearest, deviations))
        penalty = np.where(off <= self.tolerance, 0.0, 0.5 * self.log_weight + np.minimum(off, CLIP))
        return self.log_widths[features, index] + np.where(np.isfinite(nearest), penalty, beyond)


def log_marginals(index: np.ndarray, n_bins: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Logarithms of the weighted relative frequencies of bins, shape (n_features, max_bins)."""
    result = np.full((len(n_bins), max(MAX_BINS, n_bins.max())), NO_BIN, np.float32)
    for feature, count in enumerate(n_bins):
        known = index[:, feature] != MISSING
        frequency = np.bincount(index[known, feature], weights=weight[known], minlength=count) + 0.5
        result[feature, :count] = np.log(frequency / frequency.sum())
    return result
