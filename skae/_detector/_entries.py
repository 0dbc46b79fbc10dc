"""The rows that a scorer is fitted to: each row once, with its weight.

Their order does not depend on that in which they were given, nor on the units of the features.
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

# Each fold of the rows is judged by a scorer fitted to the others.
N_FOLDS = 3
# Rows that a scorer is fitted to; of more it takes a sample.
MAX_ROWS = 20_000
# Where more than this share of the rows repeat others, rows repeat by nature, and new rows will; elsewhere equal rows
# are copies, but not this many: those are a state that rows are often in.
MAX_SHARE_OF_COPIES, MAX_COPIES = 0.05, 20
# Sums of weights miss the whole number that they stand for by rounding.
SLACK = 1e-6


@dataclass(frozen=True, eq=False)
class Entries:
    """Dense rows with weights and folds.

    A row and its copies are one entry, which is `single`: rows that are equal to it may be that row. Of a row that
    repeats by nature each copy is in a fold of its own choice, and the copies in a fold are an entry. Integer weights
    are repetitions, and the order of the rows does not matter.

    Where rows belong to groups, these are in one fold each. Copies are equal rows of one group, and values that several
    groups have repeat by nature.

    `columns` say what stands for the features in coordinates, if some are categorical.
    """

    rows: np.ndarray
    weight: np.ndarray
    fold: np.ndarray
    single: np.ndarray
    group: np.ndarray | None = None
    columns: FeatureColumns | None = None

    @classmethod
    def of(cls, rows: TrainingRows, novelty: bool, random_state: np.random.RandomState) -> Entries:
        """The entries of training rows. Where all are normal (`novelty`), rows equal to one of them are as well."""
        values = np.unique(row_hashes(rows.source), return_inverse=True)[1]
        # Equal rows of different groups are no copies of each other.
        labels = values if rows.groups is None else values * (rows.groups.max() + 1) + rows.groups
        _, first, copy_of = np.unique(labels, return_index=True, return_inverse=True)
        count = _rounded(np.bincount(copy_of, weights=rows.effective_counts))
        count = count / _common_factor(count)
        if len(first) > MAX_ROWS:
            kept = draw_rows(MAX_ROWS, count, random_state)
            first, count = first[kept], np.ones(MAX_ROWS)
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
        """Some of the entries."""
        group = None if self.group is None else self.group[chosen]
        arrays = (self.rows[chosen], self.weight[chosen], self.fold[chosen], self.single[chosen])
        return Entries(*arrays, group, self.columns)

    def with_categories(self, n_categories: np.ndarray) -> Entries:
        """The same, where features of which this is not 0 are codes of as many categories."""
        return replace(self, columns=FeatureColumns.of(self.rows, self.weight, n_categories))

    @property
    def n_columns(self) -> int:
        """How many columns stand for the features in coordinates."""
        return self.rows.shape[1] if self.columns is None else len(self.columns.feature_of)


def _rounded(count: np.ndarray) -> np.ndarray:
    """Sums of weights, rounded to whole numbers where they differ from one by rounding errors only."""
    return np.where(np.abs(count - np.round(count)) <= SLACK * np.minimum(count, 1.0), np.round(count), count)


def _common_factor(count: np.ndarray) -> int:
    """How many copies there are of all rows: a table given twice is that table."""
    if (count != np.round(count)).any() or count.max() > 1.0 / np.finfo(np.float64).eps:
        return 1
    common = int(np.gcd.reduce(count.astype(np.int64)))
    return common if common <= MAX_COPIES or len(count) > MAX_COPIES else 1


def _copies_per_fold(count: np.ndarray, single: np.ndarray, random_state: np.random.RandomState) -> np.ndarray:
    """How many copies of each row are in each fold; folds have as many single rows each."""
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
    """The fold of each row: groups in random order, the heaviest first, go to the fold that is lightest so far."""
    sizes = np.bincount(group, weights=weight)
    order = random_state.permutation(len(sizes))
    fold, total = np.zeros(len(sizes), dtype=np.intp), np.zeros(N_FOLDS)
    for each in order[np.argsort(-sizes[order], kind="stable")]:
        fold[each] = total.argmin()
        total[fold[each]] += sizes[each]
    return fold[group]


def rounded_down(number: float) -> int:
    """A sum of weights, rounded down to a whole number, where a rounding error below one does not count."""
    return int(number + SLACK)


def _dense_ranks(X: np.ndarray) -> np.ndarray:
    """Ranks within each feature, equal for equal values."""
    ranks = np.empty(X.shape)
    for feature, column in enumerate(X.T):
        ranks[:, feature] = np.unique(column, return_inverse=True)[1]
    return ranks
