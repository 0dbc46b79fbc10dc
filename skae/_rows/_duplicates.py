"""Rows that are duplicates of others."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from skae._rows._row_source import RowSource

# Duplicates are not searched among more rows than these.
MAX_SEARCHED_ROWS = 1_000_000
# If equal rows are more than this share of all rows, they are a common state, in which new rows will often be, and do
# not count as duplicates.
MAX_SHARE = 0.1


def first_occurrences(rows: RowSource) -> NDArray[np.intp] | None:
    """For each row the index of the first row that equals it, or its own; None if all rows are different."""
    if rows.n_rows > MAX_SEARCHED_ROWS:
        return None
    _, first, group, count = np.unique(row_hashes(rows), return_index=True, return_inverse=True, return_counts=True)
    repeated = (1 < count) & (count <= MAX_SHARE * rows.n_rows)
    return np.where(repeated[group], first[group], np.arange(rows.n_rows)) if repeated.any() else None


def n_distinct_rows(rows: RowSource) -> int:
    """The number of different rows; for more than `MAX_SEARCHED_ROWS` rows, the number of rows."""
    return rows.n_rows if rows.n_rows > MAX_SEARCHED_ROWS else len(np.unique(row_hashes(rows)))


def row_hashes(rows: RowSource) -> NDArray[np.int64]:
    """Hashes of the rows: the sum of products with random odd numbers, modulo 2^64."""
    multipliers = np.random.RandomState(0).randint(2**64, size=rows.n_features, dtype=np.uint64) | np.uint64(1)
    hashes = np.zeros(rows.n_rows, dtype=np.uint64)
    local = rows.local
    if sparse.issparse(local):  # entries that are not stored are zero and add nothing
        if not local.has_canonical_format:
            local = local.copy()
            local.sum_duplicates()
        sums = np.append(np.uint64(0), np.cumsum(_mixed_bits(local.data) * multipliers[local.indices]))
        hashes[rows.own] = np.diff(sums[local.indptr])
    else:
        for part, block in rows.blocks():
            hashes[part] = _mixed_bits(block) @ multipliers
    return rows.total(hashes.view(np.int64))


def _mixed_bits(values: np.ndarray) -> NDArray[np.uint64]:
    """The bits of numbers, with high bits mixed into low ones; both zeros are equal, and all NaN.

    Products modulo 2^64 carry differences to higher bits only, and short numbers differ in high bits only.
    """
    numbers = np.ascontiguousarray(values + 0.0, dtype=np.float64)
    numbers[np.isnan(numbers)] = np.nan
    bits = numbers.view(np.uint64)
    return bits ^ (bits >> np.uint64(40))
