"""Slices and dense blocks of rows of arrays, memmaps, CSR matrices and tensors."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

# 4 million numbers (32 MB in float64): large enough for BLAS, and small compared with data that need blocks.
BLOCK_ELEMENTS = 1 << 22
# A quarter of a gigabyte: smaller files stay in memory after the first pass.
LARGE_FILE_BYTES = 1 << 28
# Large files are read in runs of consecutive numbers (1 MB in float32); a window of 64 runs is in memory.
RUN_ELEMENTS, WINDOW_ELEMENTS = 1 << 18, 1 << 24


def row_blocks(n_rows: int, n_features: int, elements: int = BLOCK_ELEMENTS) -> Iterator[slice]:
    """Slices that cover `n_rows` rows, with about `elements` numbers per slice."""
    size = max(1, elements // max(1, n_features))
    for start in range(0, n_rows, size):
        yield slice(start, min(start + size, n_rows))


def row_indices(n_rows: int) -> NDArray[np.integer]:
    """Indices of all rows, as int32 if possible: for a large file, indices take most of the memory of a fit."""
    return np.arange(n_rows, dtype=np.int32 if n_rows <= np.iinfo(np.int32).max else np.int64)


def dense_rows(X, rows):
    """Rows of an array, memmap, CSR matrix or tensor as a dense array or tensor."""
    block = X[rows]
    return block.toarray() if sparse.issparse(block) else block


def stacked_rows(X, other: np.ndarray):
    """The rows of X followed by those of `other`; sparse if X is."""
    if sparse.issparse(X):
        return sparse.vstack([X, sparse.csr_array(other)], format="csr")
    return np.concatenate([X, other])
