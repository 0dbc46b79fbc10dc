"""The rows that a scorer is fitted to: different rows with their weights, in folds for cross-fitting.

Their order depends neither on the order of the training rows nor on the units of the features.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from skae._detector._columns import FeatureColumns
from skae._rows._blocks import dense_rows
from skae._rows._duplicates import row_hashes
from skae._rows._reservoir import draw_rows
from skae._rows._row_source import RowSource
from skae._rows._training_rows import TrainingRows

# In cross-fitting, each fold of the rows is scored by distances and networks that were fitted to the other folds.
N_FOLDS = 3
# Maximum number of rows that a scorer is fitted to. If there are more, a sample is drawn.
MAX_FITTED_ROWS = 20_000
# Equal rows count as copies of one row, unless more than this share of all rows are duplicates, or a row occurs more
# often than MAX_COPIES. They are then common states, in which new rows will often be.
MAX_SHARE_OF_COPIES, MAX_COPIES = 0.05, 20
# Sums of weights may differ from whole numbers by this much because of rounding.
SLACK = 1e-6


@dataclass(frozen=True, eq=False)
class Entries:
    """Dense rows with weights and folds.

    A row and its copies are one entry, which is `single`: a row that equals it is taken to be the same row, and is
    scored without it. Equal rows that are a common state are not `single`. They are distributed over the folds at
    random, with one entry per fold. An integer weight is equivalent to as many equal rows.

    If rows belong to groups, each group is in one fold. Equal rows of one group are copies; equal rows of several
    groups are not `single`.

    `columns` describes the columns that represent the features in coordinates, if some features are categorical.
    """

    rows: np.ndarray
    weight: np.ndarray
    fold: np.ndarray
    single: np.ndarray
    group: np.ndarray | None = None
    columns: FeatureColumns | None = None

    @classmethod
    def of(cls, rows: TrainingRows, novelty: bool, random_state: np.random.RandomState) -> Entries:
        """The entries of training rows.

        If many rows are duplicates, only rows without duplicates are `single`; with `novelty`, no row is.
        """
        values = np.unique(row_hashes(rows.source), return_inverse=True)[1]
        # Equal rows of different groups are not copies of each other.
        labels = values if rows.groups is None else values * (rows.groups.max() + 1) + rows.groups
        _, first, copy_of = np.unique(labels, return_index=True, return_inverse=True)
        count = _rounded(np.bincount(copy_of, weights=rows.effective_counts))
        count = count / _common_factor(count)
        if len(first) > MAX_FITTED_ROWS:
            kept = draw_rows(MAX_FITTED_ROWS, count, random_state)
            first, count = first[kept], np.ones(MAX_FITTED_ROWS)
        distinct = np.asarray(dense_rows(rows.source.local, first), dtype=np.float64)
        order = np.argsort(row_hashes(RowSource(_dense_ranks(distinct))), kind="stable")
        distinct, count, first = distinct[order], count[order], first[order]
        if rows.groups is not None:
            group = rows.groups[first]
            is_single = np.bincount(values[first])[values[first]] == 1
            return cls(distinct, count, _folds_of_groups(group, count, random_state), is_single, group)
        repeat: bool = len(first) < (1.0 - MAX_SHARE_OF_COPIES) * count.sum()
        max_copies = MAX_COPIES if not repeat else 0 if novelty else 1
        single = count <= max_copies + SLACK
        copies = _copies_per_fold(count, single, random_state)
        own, fold = np.nonzero(copies)
        return cls(distinct[own], copies[own, fold], fold, single[own])

    def __len__(self) -> int:
        return len(self.weight)

    def select(self, chosen: np.ndarray) -> Entries:
        """The entries chosen by a mask or by indices."""
        group = None if self.group is None else self.group[chosen]
        arrays = (self.rows[chosen], self.weight[chosen], self.fold[chosen], self.single[chosen])
        return Entries(*arrays, group, self.columns)

    def with_categories(self, n_categories: np.ndarray) -> Entries:
        """The entries with `columns`, given the number of categories of each feature, 0 for numeric features."""
        return replace(self, columns=FeatureColumns.of(self.rows, self.weight, n_categories))

    @property
    def n_columns(self) -> int:
        """The number of columns that represent the features in coordinates."""
        return self.rows.shape[1] if self.columns is None else len(self.columns.feature_of)


def _rounded(count: np.ndarray) -> np.ndarray:
    """Sums of weights, rounded to whole numbers if they differ from these by rounding errors only."""
    return np.where(np.abs(count - np.round(count)) <= SLACK * np.minimum(count, 1.0), np.round(count), count)


def _common_factor(count: np.ndarray) -> int:
    """The greatest common divisor of the counts, so that a table given twice is equivalent to the table given once."""
    if (count != np.round(count)).any() or count.max() > 1.0 / np.finfo(np.float64).eps:
        return 1
    common = int(np.gcd.reduce(count.astype(np.int64)))
    return common if common <= MAX_COPIES or len(count) > MAX_COPIES else 1


def _copies_per_fold(count: np.ndarray, single: np.ndarray, random_state: np.random.RandomState) -> np.ndarray:
    """The number of copies of each row in each fold. Single rows are divided equally among the folds."""
    copies = np.zeros((len(count), N_FOLDS))
    copies[np.arange(len(count)), random_state.permutation(len(count)) % N_FOLDS] = count
    repeated = np.flatnonzero(~single)
    left = np.maximum(np.floor(count[repeated] + SLACK), 1.0).astype(np.int64)
    unit = count[repeated] / left
    for fold in range(N_FOLDS):
        drawn = random_state.binomial(left, 1.0 / (N_FOLDS - fold))
        copies[repeated, fold] = drawn * unit
        left = left - drawn
    return copies


def _folds_of_groups(group: np.ndarray, weight: np.ndarray, random_state: np.random.RandomState) -> np.ndarray:
    """The fold of each row. Groups are assigned from the heaviest to the lightest, each to the lightest fold so far."""
    sizes = np.bincount(group, weights=weight)
    order = random_state.permutation(len(sizes))
    fold, total = np.zeros(len(sizes), dtype=np.intp), np.zeros(N_FOLDS)
    for each in order[np.argsort(-sizes[order], kind="stable")]:
        fold[each] = total.argmin()
        total[fold[each]] += sizes[each]
    return fold[group]


def rounded_down(number: float) -> int:
    """A sum of weights, rounded down to a whole number; a number just below a whole number counts as equal to it."""
    return int(number + SLACK)


def _dense_ranks(X: np.ndarray) -> np.ndarray:
    """Ranks of the values within each feature. Equal values have equal ranks."""
    ranks = np.empty(X.shape)
    for feature, column in enumerate(X.T):
        ranks[:, feature] = np.unique(column, return_inverse=True)[1]
    return ranks
