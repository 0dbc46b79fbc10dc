"""Weighted mean, scale and covariance of rows, read a block at a time."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

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
    """Rows of an array, memmap or CSR matrix as a dense array."""
    block = X[rows]
    return block.toarray() if sparse.issparse(block) else block


def weighted_mean(X, sample_weight: FloatArray | None = None) -> FloatArray:
    r"""Mean of the rows, :math:`\sum_i w_i x_i / \sum_i w_i`, in float64."""
    n_rows, n_features = X.shape
    total = np.zeros(n_features)
    for rows in row_blocks(n_rows, n_features):
        block = dense_rows(X, rows)
        if sample_weight is None:
            total += block.sum(axis=0, dtype=np.float64)
        else:
            total += sample_weight[rows] @ block.astype(np.float64, copy=False)
    return total / (n_rows if sample_weight is None else sample_weight.sum())


def share_missing(X) -> float:
    """Share of the entries of X that are NaN."""
    if sparse.issparse(X):
        return float(np.isnan(X.data).sum() / max(1, np.prod(X.shape, dtype=float)))
    count = 0
    for rows in row_blocks(*X.shape):
        block = np.asarray(X[rows])
        with np.errstate(over="ignore", invalid="ignore"):
            suspicious = np.isnan(block.sum())
        count += int(np.isnan(block).sum()) if suspicious else 0
    return count / max(1.0, float(np.prod(X.shape, dtype=float)))


def observed_moments(X, sample_weight: FloatArray | None = None) -> tuple[FloatArray, FloatArray]:
    """Mean and variance of each feature over its entries that are not NaN; NaN where there are none."""
    n_rows, n_features = X.shape
    weight = np.ones(n_rows) if sample_weight is None else sample_weight
    count, first, second = np.zeros((3, n_features))
    shift = None
    for rows in row_blocks(n_rows, n_features):
        block = dense_rows(X, rows).astype(np.float64)
        observed = ~np.isnan(block)
        if shift is None:  # about a typical row, so that large means cost no digits
            total = observed.sum(axis=0)
            shift = np.divide(np.nansum(block, axis=0), total, out=np.zeros(n_features), where=total > 0)
        block = np.where(observed, block - shift, 0.0)
        count += weight[rows] @ observed
        first += weight[rows] @ block
        second += weight[rows] @ np.square(block)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = first / count
        return mean + shift, np.clip(second / count - np.square(mean), 0.0, None)


def feature_ranges(X) -> tuple[FloatArray, FloatArray]:
    """Lowest and highest entry of each feature, NaN left out."""
    lowest, highest = np.full(X.shape[1], np.nan), np.full(X.shape[1], np.nan)
    for rows in row_blocks(*X.shape):
        block = dense_rows(X, rows)
        lowest = np.fmin(lowest, np.fmin.reduce(block, axis=0))
        highest = np.fmax(highest, np.fmax.reduce(block, axis=0))
    return lowest, highest


def weighted_variance(X, mean: FloatArray, sample_weight: FloatArray | None = None) -> FloatArray:
    """Variance of each feature about `mean` (divided by the total weight), in float64."""
    n_rows, n_features = X.shape
    total = np.zeros(n_features)
    for rows in row_blocks(n_rows, n_features):
        squares = dense_rows(X, rows) - mean
        np.square(squares, out=squares)
        total += squares.sum(axis=0) if sample_weight is None else sample_weight[rows] @ squares
    return total / (n_rows if sample_weight is None else sample_weight.sum())


def weighted_covariance(X, mean: FloatArray, scale: FloatArray, sample_weight: FloatArray | None = None) -> FloatArray:
    """Covariance of ``(X - mean) / scale`` (divided by the total weight), in float64."""
    n_rows, n_features = X.shape
    covariance = np.zeros((n_features, n_features))
    for rows in row_blocks(n_rows, n_features):
        centred = dense_rows(X, rows) - mean
        centred /= scale
        if sample_weight is not None:
            centred *= np.sqrt(sample_weight[rows])[:, np.newaxis]
        covariance += centred.T @ centred
    return covariance / (n_rows if sample_weight is None else sample_weight.sum())


def constant_safe_scale(mean: FloatArray, variance: FloatArray, n_rows: int) -> FloatArray:
    """Standard deviations, with 1 for features that are constant up to rounding.

    The mean of `n_rows` equal numbers is off by up to `n_rows` units of rounding. A spread within that carries no
    information, and dividing by it would turn rounding into signal (scikit-learn's StandardScaler has the same bound).
    """
    rounding = n_rows * np.finfo(np.float64).eps * np.abs(mean)
    scale = np.sqrt(variance)
    return np.where(scale > rounding, scale, 1.0)
