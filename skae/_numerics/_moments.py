"""Weighted mean, scale and covariance of rows, read a block at a time."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from skae._numerics._shards import Shards, own_rows, processes_of

FloatArray = NDArray[np.float64]

# 4 million numbers (32 MB in float64): large enough for BLAS, small beside any data that needs blocks.
BLOCK_ELEMENTS = 1 << 22


def row_blocks(n_rows: int, n_features: int, elements: int = BLOCK_ELEMENTS) -> Iterator[slice]:
    """Slices that cover `n_rows` rows with about `elements` numbers in each."""
    size = max(1, elements // max(1, n_features))
    for start in range(0, n_rows, size):
        yield slice(start, min(start + size, n_rows))


def row_indices(n_rows: int) -> NDArray[np.integer]:
    """Indices of all rows, in four bytes each where they fit: those of a large file are most of a fit's memory."""
    return np.arange(n_rows, dtype=np.int32 if n_rows <= np.iinfo(np.int32).max else np.int64)


def spread_rows(n_rows: int, at_most: int) -> NDArray[np.intp]:
    """Indices of at most `at_most` rows, evenly spread, so that sorted rows are all represented."""
    return np.unique(np.linspace(0, n_rows - 1, min(n_rows, at_most)).astype(np.intp))


def dense_rows(X, rows) -> np.ndarray:
    """Rows of an array, memmap or CSR matrix as a dense array; those of shards are brought to every process."""
    if isinstance(X, Shards):
        here, own = X.held(rows)
        block = np.zeros((len(here), X.shape[1]), X.dtype)
        block[here] = dense_rows(X.local, own)
        return X.processes.sum("rows", block)
    block = X[rows]
    return block.toarray() if sparse.issparse(block) else block


def own_blocks(X) -> Iterator[tuple[slice, np.ndarray]]:
    """The rows that this process holds, a dense block at a time, and their indices."""
    local = own_rows(X)
    first = X.own.start if isinstance(X, Shards) else 0
    for rows in row_blocks(*local.shape):
        yield slice(first + rows.start, first + rows.stop), dense_rows(local, rows)


def stacked_rows(X, other: np.ndarray):
    """The rows of both; sparse if X is."""
    if sparse.issparse(X):
        return sparse.vstack([X, sparse.csr_array(other)], format="csr")
    return np.concatenate([X, other])


def weighted_mean(X, sample_weight: FloatArray | None = None) -> FloatArray:
    r"""Mean of the rows, :math:`\sum_i w_i x_i / \sum_i w_i`, in float64."""
    n_rows, n_features = X.shape
    total = np.zeros(n_features)
    for rows, block in own_blocks(X):
        if sample_weight is None:
            total += block.sum(axis=0, dtype=np.float64)
        else:
            total += sample_weight[rows] @ block.astype(np.float64, copy=False)
    return processes_of(X).sum("the mean", total) / (n_rows if sample_weight is None else sample_weight.sum())


def share_missing(X) -> float:
    """Share of the entries of X that are NaN."""
    count, local = np.zeros(1), own_rows(X)
    # The entries that a sparse matrix stores, as one row of them.
    stored = local.data[np.newaxis] if sparse.issparse(local) else local
    for rows in row_blocks(*stored.shape):
        block = np.asarray(stored[rows])
        with np.errstate(over="ignore", invalid="ignore"):
            suspicious = np.isnan(block.sum())
        count += np.isnan(block).sum() if suspicious else 0
    count = processes_of(X).sum("the share of missing entries", count)
    return float(count[0]) / max(1.0, float(np.prod(X.shape, dtype=float)))


def observed_moments(X, sample_weight: FloatArray | None = None) -> tuple[FloatArray, FloatArray]:
    """Mean and variance of each feature over its entries that are not NaN; NaN where there are none."""
    n_rows, n_features = X.shape
    weight = np.ones(n_rows) if sample_weight is None else sample_weight
    count, first, second = np.zeros((3, n_features))
    # About a typical row, so that large means cost no digits.
    shift = processes_of(X).first("a typical row", _typical_row(own_rows(X)))
    for rows, block in own_blocks(X):
        block = block.astype(np.float64)
        observed = ~np.isnan(block)
        block = np.where(observed, block - shift, 0.0)
        count += weight[rows] @ observed
        first += weight[rows] @ block
        second += weight[rows] @ np.square(block)
    count, first, second = processes_of(X).sum("the moments", np.stack([count, first, second]))
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = first / count
        return mean + shift, np.clip(second / count - np.square(mean), 0.0, None)


def _typical_row(X) -> FloatArray:
    """Mean of the first rows over their observed entries; zero where there are none."""
    block = dense_rows(X, next(row_blocks(*X.shape), slice(0))).astype(np.float64)
    observed = (~np.isnan(block)).sum(axis=0)
    return np.divide(np.nansum(block, axis=0), observed, out=np.zeros(X.shape[1]), where=observed > 0)


def feature_ranges(X) -> tuple[FloatArray, FloatArray]:
    """Lowest and highest entry of each feature, NaN left out."""
    lowest, highest = np.full(X.shape[1], np.nan), np.full(X.shape[1], np.nan)
    for _, block in own_blocks(X):
        lowest = np.fmin(lowest, np.fmin.reduce(block, axis=0))
        highest = np.fmax(highest, np.fmax.reduce(block, axis=0))
    ends = processes_of(X).exchange("the ranges", (lowest, highest))
    return np.fmin.reduce([low for low, _ in ends]), np.fmax.reduce([high for _, high in ends])


def weighted_variance(X, mean: FloatArray, sample_weight: FloatArray | None = None) -> FloatArray:
    """Variance of each feature about `mean` (divided by the total weight), in float64."""
    n_rows, n_features = X.shape
    total = np.zeros(n_features)
    for rows, block in own_blocks(X):
        squares = block - mean
        np.square(squares, out=squares)
        total += squares.sum(axis=0) if sample_weight is None else sample_weight[rows] @ squares
    return processes_of(X).sum("the variance", total) / (n_rows if sample_weight is None else sample_weight.sum())


def weighted_covariance(X, mean: FloatArray, scale: FloatArray, sample_weight: FloatArray | None = None) -> FloatArray:
    """Covariance of ``(X - mean) / scale`` (divided by the total weight), in float64."""
    n_rows, n_features = X.shape
    covariance = np.zeros((n_features, n_features))
    for rows, block in own_blocks(X):
        centred = block - mean
        centred /= scale
        if sample_weight is not None:
            centred *= np.sqrt(sample_weight[rows])[:, np.newaxis]
        covariance += centred.T @ centred
    covariance = processes_of(X).sum("the covariance", covariance)
    return covariance / (n_rows if sample_weight is None else sample_weight.sum())


def check_variance(variance) -> None:
    """Raise ValueError if a variance is beyond float64."""
    if not np.isfinite(variance).all():
        raise ValueError("The variance of X is too large for float64: divide X by a constant first.")


def constant_safe_scale(mean: FloatArray, variance: FloatArray, n_rows: int) -> FloatArray:
    """Standard deviations, with 1 for features that are constant up to rounding.

    The mean of `n_rows` equal numbers is off by up to `n_rows` units of rounding. A spread within that carries no
    information, and dividing by it would turn rounding into signal (scikit-learn's StandardScaler has the same bound).
    """
    check_variance(variance)
    rounding = n_rows * np.finfo(np.float64).eps * np.abs(mean)
    scale = np.sqrt(variance)
    return np.where(scale > rounding, scale, 1.0)
