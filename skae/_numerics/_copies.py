"""Rows that are copies of others."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from skae._numerics._moments import own_blocks
from skae._numerics._shards import Shards, own_rows, processes_of

# Of more rows copies are not sought.
MAX_ROWS = 1_000_000
# Rows alike that are more than this share of all are a state that new rows will often be in, rather than copies.
MAX_SHARE = 0.1


def first_copies(X) -> NDArray[np.intp] | None:
    """For each row the index of the first row that is the same, which may be itself; None where all are different."""
    n_rows = X.shape[0]
    if n_rows > MAX_ROWS:
        return None
    _, first, group, count = np.unique(_hashes(X), return_index=True, return_inverse=True, return_counts=True)
    copies = (1 < count) & (count <= MAX_SHARE * n_rows)
    return np.where(copies[group], first[group], np.arange(n_rows)) if copies.any() else None


def n_distinct_rows(X) -> int:
    """How many different rows there are, up to `MAX_ROWS`; beyond, how many rows."""
    return X.shape[0] if X.shape[0] > MAX_ROWS else len(np.unique(_hashes(X)))


def _hashes(X) -> NDArray[np.int64]:
    """A number for each row, the same for rows that are the same."""
    n_rows, n_features = X.shape
    # Rows are told apart by sums of products with random odd numbers, modulo 2^64.
    multipliers = np.random.RandomState(0).randint(2**64, size=n_features, dtype=np.uint64) | np.uint64(1)
    hashes = np.zeros(n_rows, dtype=np.uint64)
    local = own_rows(X)
    if sparse.issparse(local):  # what is not stored is zero, and adds nothing
        if not local.has_canonical_format:
            local = local.copy()
            local.sum_duplicates()
        own = X.own if isinstance(X, Shards) else slice(None)
        sums = np.append(np.uint64(0), np.cumsum(_mixed_bits(local.data) * multipliers[local.indices]))
        hashes[own] = np.diff(sums[local.indptr])
    else:
        for rows, block in own_blocks(X):
            hashes[rows] = _mixed_bits(block) @ multipliers
    return processes_of(X).sum("copies of rows", hashes.view(np.int64))


def _mixed_bits(values: np.ndarray) -> NDArray[np.uint64]:
    """The bits of numbers, the same for both zeros and for all NaN, so that short numbers differ in low ones as well.

    Products carry differences to higher digits only.
    """
    numbers = np.ascontiguousarray(values + 0.0, dtype=np.float64)
    numbers[np.isnan(numbers)] = np.nan
    bits = numbers.view(np.uint64)
    return bits ^ (bits >> np.uint64(40))
