"""The checked rows that an estimator is fitted to, with weights, groups, dtype and device."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import torch

from skae._rows._duplicates import first_occurrences, n_distinct_rows
from skae._rows._row_source import RowSource
from skae._rows._standardised_rows import StandardisedRows


@dataclass(frozen=True)
class TrainingRows:
    """Checked rows and weights (None if all are equal), and the dtype and device to compute with.

    `groups` are the group numbers of the rows, if groups are given. `missing_share` is the share of the entries that
    are NaN. `n_seen` is the number of all rows seen if these are only the last chunk; "auto" depends on it.
    `feature_names` are for errors.
    """

    source: RowSource
    sample_weight: np.ndarray | None
    dtype: torch.dtype
    device: torch.device
    missing_share: float = 0.0
    n_seen: int | None = None
    groups: np.ndarray | None = None
    feature_names: np.ndarray | None = None

    @property
    def n_rows(self) -> int:
        return self.source.n_rows

    @property
    def n_features(self) -> int:
        return self.source.n_features

    @property
    def n_rows_seen(self) -> int:
        return self.n_seen or self.n_rows

    @cached_property
    def n_distinct_rows(self) -> int:
        return n_distinct_rows(self.source)

    @cached_property
    def first_occurrences(self) -> np.ndarray | None:
        return first_occurrences(self.source)

    @property
    def n_groups(self) -> int:
        """The number of groups; without groups, the number of rows, where duplicates count once unless very many."""
        if self.groups is not None:
            return len(np.unique(self.groups))
        return self.n_rows if self.first_occurrences is None else len(np.unique(self.first_occurrences))

    def select(self, mask: np.ndarray) -> TrainingRows:
        """The rows chosen by a mask."""
        weight = None if self.sample_weight is None else self.sample_weight[mask]
        groups = None if self.groups is None else self.groups[mask]
        return replace(self, source=self.source.select(mask), sample_weight=weight, groups=groups)

    def without_empty_rows(self) -> TrainingRows:
        """The rows with at least one observed entry."""
        if not self.missing_share:
            return self
        parts = [np.isnan(block).all(axis=1) for _, block in self.source.blocks()]
        is_empty = np.concatenate(parts)
        return self.select(~is_empty) if is_empty.any() else self

    def standardised(self, mean: np.ndarray, scale: np.ndarray) -> StandardisedRows:
        """The rows as ``(X - mean) / scale``."""
        return self.source.standardised(mean, scale, self.dtype, self.device)

    @cached_property
    def effective_counts(self) -> np.ndarray:
        """The number of rows that each row represents: its weight, increased if weights sum to less than all rows."""
        if self.sample_weight is None:
            return np.ones(self.n_rows)
        return self.sample_weight * max(1.0, self.n_rows / self.sample_weight.sum())
