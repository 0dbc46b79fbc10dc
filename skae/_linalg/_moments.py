"""Weighted mean, scale and covariance of rows, computed in blocks."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from skae._rows._blocks import dense_rows, row_blocks
from skae._rows._row_source import RowSource
from skae._rows._standardised_rows import float32_holds

# Sums of more products than these lose digits in float32.
FLOAT32_SUM_ROWS = 2048

FloatArray = NDArray[np.float64]


def total_weight(rows: RowSource, sample_weight: FloatArray | None) -> float:
    """The sum of the weights; the number of rows if there are none."""
    return float(rows.n_rows if sample_weight is None else sample_weight.sum())


def weighted_mean(rows: RowSource, sample_weight: FloatArray | None = None) -> FloatArray:
    r"""Mean of the rows, :math:`\sum_i w_i x_i / \sum_i w_i`, in float64."""
    total = np.zeros(rows.n_features)
    for part, block in rows.blocks():
        if sample_weight is None:
            total += block.sum(axis=0, dtype=np.float64)
        else:
            total += sample_weight[part] @ block.astype(np.float64, copy=False)
    return rows.total(total) / total_weight(rows, sample_weight)


def missing_share(rows: RowSource) -> float:
    """Share of the entries that are NaN."""
    count, local = np.zeros(1), rows.local
    # The entries that a sparse matrix stores, as one row of them.
    stored = local.data[np.newaxis] if sparse.issparse(local) else local
    for part in row_blocks(*stored.shape):
        block = np.asarray(stored[part])
        with np.errstate(over="ignore", invalid="ignore"):
            suspicious = np.isnan(block.sum())
        count += np.isnan(block).sum() if suspicious else 0
    count = rows.total(count)
    return float(count[0]) / max(1.0, float(np.prod(rows.shape, dtype=float)))


def observed_moments(rows: RowSource, sample_weight: FloatArray | None = None) -> tuple[FloatArray, FloatArray]:
    """Mean and variance of the observed entries of each feature; NaN if there are none."""
    weight = np.ones(rows.n_rows) if sample_weight is None else sample_weight
    count, first, second = np.zeros((3, rows.n_features))
    # Relative to a typical row, so that large means cause no loss of digits.
    shift = rows.broadcast(_typical_row(rows.local))
    for part, block in rows.blocks():
        block = block.astype(np.float64)
        observed = ~np.isnan(block)
        block = np.where(observed, block - shift, 0.0)
        count += weight[part] @ observed
        first += weight[part] @ block
        second += weight[part] @ np.square(block)
    count, first, second = rows.total(np.stack([count, first, second]))
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = first / count
        return mean + shift, np.clip(second / count - np.square(mean), 0.0, None)


def _typical_row(X) -> FloatArray:
    """Mean of the observed entries of the first rows; zero if there are none."""
    block = dense_rows(X, next(row_blocks(*X.shape), slice(0))).astype(np.float64)
    observed = (~np.isnan(block)).sum(axis=0)
    return np.divide(np.nansum(block, axis=0), observed, out=np.zeros(X.shape[1]), where=observed > 0)


def feature_ranges(rows: RowSource) -> tuple[FloatArray, FloatArray]:
    """Lowest and highest observed entry of each feature."""
    lowest, highest = np.full(rows.n_features, np.nan), np.full(rows.n_features, np.nan)
    for _, block in rows.blocks():
        lowest = np.fmin(lowest, np.fmin.reduce(block, axis=0))
        highest = np.fmax(highest, np.fmax.reduce(block, axis=0))
    ranges = rows.gather((lowest, highest))
    return np.fmin.reduce([low for low, _ in ranges]), np.fmax.reduce([high for _, high in ranges])


def weighted_variance(rows: RowSource, mean: FloatArray, sample_weight: FloatArray | None = None) -> FloatArray:
    """Variance of each feature about `mean` (divided by the total weight), in float64."""
    total = np.zeros(rows.n_features)
    for part, block in rows.blocks():
        squares = block - mean
        np.square(squares, out=squares)
        total += squares.sum(axis=0) if sample_weight is None else sample_weight[part] @ squares
    return rows.total(total) / total_weight(rows, sample_weight)


def weighted_covariance(
    rows: RowSource, mean: FloatArray, scale: FloatArray, sample_weight: FloatArray | None = None
) -> FloatArray:
    """Covariance of ``(X - mean) / scale`` (divided by the total weight), in float64.

    float32 rows are centred and multiplied in float32, and the products are summed in float64.
    """
    covariance = np.zeros((rows.n_features, rows.n_features))
    in_float32 = rows.dtype == np.float32 and float32_holds(mean, scale)
    rounded = mean.astype(np.float32) if in_float32 else mean
    for part, block in rows.blocks():
        centred = block - rounded
        if in_float32:
            centred -= (mean - rounded).astype(np.float32)
        centred /= scale.astype(centred.dtype)
        if sample_weight is not None:
            centred *= np.sqrt(sample_weight[part])[:, np.newaxis]
        covariance += _scatter(centred)
    return rows.total(covariance) / total_weight(rows, sample_weight)


def _scatter(rows: np.ndarray) -> FloatArray:
    """The sum of the outer products of the rows, in float64."""
    if rows.dtype == np.float64:
        return rows.T @ rows
    # Entries are scaled to at most one, because squares of the largest float32 numbers are beyond its range.
    exponent = np.frexp(np.abs(rows).max())[1]
    rows = np.ldexp(rows, -exponent)
    total = np.zeros((rows.shape[1], rows.shape[1]))
    for part in row_blocks(len(rows), 1, FLOAT32_SUM_ROWS):
        total += rows[part].T @ rows[part]
    return np.ldexp(total, 2 * exponent)


def check_variance(variance) -> None:
    """Raise ValueError if a variance is beyond float64."""
    if not np.isfinite(variance).all():
        raise ValueError(
            "The variance of X is too large for float64: divide X by a constant first. See "
            "docs/guide_troubleshooting.md."
        )


def constant_safe_scale(mean: FloatArray, variance: FloatArray, n_rows: int) -> FloatArray:
    """Standard deviations, with 1 for features that are constant up to rounding.

    The mean of `n_rows` equal numbers has a rounding error of up to `n_rows` units in the last place. A deviation that
    is not larger has no information, and division by it would turn rounding errors into signal. scikit-learn's
    StandardScaler has the same bound.
    """
    check_variance(variance)
    rounding = n_rows * np.finfo(np.float64).eps * np.abs(mean)
    scale = np.sqrt(variance)
    return np.where(scale > rounding, scale, 1.0)
