"""Principal axes of weighted rows: exact if the number of features allows it, else randomised."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import linalg, sparse
from sklearn.utils.extmath import randomized_svd, svd_flip

from skae._linalg._moments import (
    FloatArray,
    check_variance,
    constant_safe_scale,
    total_weight,
    weighted_covariance,
    weighted_mean,
    weighted_variance,
)
from skae._rows._row_source import RowSource

# Up to this number of features, the covariance matrix (32 MB) and its leading eigenvectors take about a second at most.
MAX_COVARIANCE_WIDTH = 2000
# If fewer axes are requested than this share of the smaller side, a randomised SVD is much faster than an exact one.
RANDOMIZED_SHARE = 0.25
# More numbers (512 MB in float64) are not made dense all at once; rows are read in blocks, several times.
MAX_DENSE_NUMBERS = 1 << 26
# Number of axes that are computed in addition, and of passes over the rows (Halko et al. 2011).
N_EXTRA_AXES, N_PASSES = 10, 8


@dataclass(frozen=True)
class PrincipalAxes:
    """Mean, scale and leading principal axes of ``(X - mean) / scale``.

    `components` has shape (n_components, n_features); axes beyond the rank are zero. `variances` are those along the
    axes, divided by the total weight. `total_variance` is their sum over *all* axes, not only the leading ones.
    """

    mean: FloatArray
    scale: FloatArray
    components: FloatArray
    variances: FloatArray
    total_variance: float


@np.errstate(over="ignore", invalid="ignore")
def principal_axes(
    rows: RowSource,
    n_components: int | float | None,
    *,
    sample_weight: FloatArray | None = None,
    scale_features: bool = False,
    random_state: np.random.RandomState,
) -> PrincipalAxes:
    """Principal axes of rows.

    If `n_components` is an int, it may exceed the rank; axes beyond the rank are zero. A float in (0, 1) finds the
    smallest number of axes that explains more than that share of the variance. None finds
    ``min(n_samples, n_features)`` axes.
    """
    n_rows, n_features = rows.shape
    mean = weighted_mean(rows, sample_weight)
    scale = np.ones(n_features)
    if scale_features:
        scale = constant_safe_scale(mean, weighted_variance(rows, mean, sample_weight), n_rows)

    if n_features <= MAX_COVARIANCE_WIDTH and n_features <= n_rows:
        covariance = weighted_covariance(rows, mean, scale, sample_weight)
        return axes_of_covariance(mean, scale, covariance, n_components, n_rows)
    requested = _n_requested(n_components, n_rows, n_features)
    few = requested < RANDOMIZED_SHARE * min(n_rows, n_features)
    find = _leading_axes_in_blocks if few and n_rows * n_features > MAX_DENSE_NUMBERS else _leading_singular_vectors
    variances, components, total = find(_CentredRows(rows, mean, scale, sample_weight), requested, random_state)
    return PrincipalAxes(mean, scale, *_cut_or_padded(variances, components, total, n_components), total)


def axes_of_covariance(
    mean: FloatArray, scale: FloatArray, covariance: FloatArray, n_components: int | float | None, n_rows: int
) -> PrincipalAxes:
    """Principal axes of rows with the given moments, the covariance that of ``(X - mean) / scale``."""
    total = _finite(np.trace(covariance))
    variances, components = _leading_eigenvectors(covariance, _n_requested(n_components, n_rows, len(mean)))
    return PrincipalAxes(mean, scale, *_cut_or_padded(variances, components, total, n_components), total)


def _n_requested(n_components: int | float | None, n_rows: int, n_features: int) -> int:
    """Number of axes to compute: all within the rank, unless fewer are requested."""
    rank = min(n_rows, n_features)
    return min(int(n_components), rank) if isinstance(n_components, int | np.integer) else rank


def _cut_or_padded(variances, components, total, n_components) -> tuple[FloatArray, FloatArray]:
    """Cut the axes at a share of the variance, or pad them with zeros up to a number beyond the rank."""
    if n_components is None:
        return components, variances
    if not isinstance(n_components, int | np.integer):
        count = n_axes_for_share(variances, total, n_components)
        return components[:count], variances[:count]
    missing = max(0, int(n_components) - len(variances))
    return np.pad(components, ((0, missing), (0, 0))), np.pad(variances, (0, missing))


def n_axes_for_share(variances: FloatArray, total_variance: float, share: float) -> int:
    """The smallest number of leading axes that explains more than a share of the variance; 1 if all rows are equal."""
    explained = np.cumsum(variances) / total_variance if total_variance > 0 else np.ones_like(variances)
    return int(np.searchsorted(explained, share, side="right")) + 1


def _finite(total_variance) -> float:
    check_variance(total_variance)
    return float(total_variance)


def _leading_eigenvectors(covariance: FloatArray, n_components: int) -> tuple[FloatArray, FloatArray]:
    n_features = len(covariance)
    first = n_features - n_components
    values, vectors = linalg.eigh(covariance, subset_by_index=[first, n_features - 1], check_finite=False)
    _, components = svd_flip(None, vectors[:, ::-1].T, u_based_decision=False)
    return np.clip(values[::-1], 0.0, None), np.ascontiguousarray(components)


@dataclass(frozen=True)
class _CentredRows:
    """Rows ``(X - mean) / scale``, with weights or None."""

    rows: RowSource
    mean: FloatArray
    scale: FloatArray
    sample_weight: FloatArray | None

    @property
    def total_weight(self) -> float:
        return total_weight(self.rows, self.sample_weight)

    def weight(self, part: slice) -> FloatArray | float:
        """Weights of some rows as a column, or 1."""
        return 1.0 if self.sample_weight is None else self.sample_weight[part, np.newaxis]

    def times_scatter(self, basis: FloatArray) -> FloatArray:
        """The sum of the outer products of the rows, times a basis; sparse rows stay sparse."""
        local = self.rows.local
        if sparse.issparse(local):
            products = local @ (basis / self.scale[:, np.newaxis]) - (self.mean / self.scale) @ basis
            products *= self.weight(self.rows.own)
            image = (local.T @ products - np.outer(self.mean, products.sum(axis=0))) / self.scale[:, np.newaxis]
            return self.rows.total(image)
        image = np.zeros_like(basis)
        for part, block in self.rows.blocks():
            centred = (block - self.mean) / self.scale
            image += centred.T @ (self.weight(part) * (centred @ basis))
        return self.rows.total(image)


def _leading_singular_vectors(
    centred_rows: _CentredRows, n_components: int, random_state: np.random.RandomState
) -> tuple[FloatArray, FloatArray, float]:
    """Variances along the leading axes, the axes, and the variance of all features together."""
    centred = (centred_rows.rows.take(slice(None)) - centred_rows.mean) / centred_rows.scale
    centred *= np.sqrt(centred_rows.weight(slice(None)))
    total = _finite(np.square(centred).sum() / centred_rows.total_weight)
    smaller_side = min(centred.shape)
    if smaller_side > 500 and n_components < RANDOMIZED_SHARE * smaller_side:
        _, singular, axes = randomized_svd(centred, n_components, flip_sign=False, random_state=random_state)
    else:
        _, singular, axes = linalg.svd(centred, full_matrices=False, check_finite=False)
        singular, axes = singular[:n_components], axes[:n_components]
    _, components = svd_flip(None, axes, u_based_decision=False)
    return singular**2 / centred_rows.total_weight, np.ascontiguousarray(components), total


def _leading_axes_in_blocks(
    centred_rows: _CentredRows, n_components: int, random_state: np.random.RandomState
) -> tuple[FloatArray, FloatArray, float]:
    """As `_leading_singular_vectors`, by subspace iteration on the covariance, which is never formed."""
    rows, mean, scale = centred_rows.rows, centred_rows.mean, centred_rows.scale
    total = _finite((weighted_variance(rows, mean, centred_rows.sample_weight) / scale**2).sum())
    basis = random_state.normal(size=(rows.n_features, n_components + N_EXTRA_AXES))
    for _ in range(N_PASSES):
        basis, _ = linalg.qr(basis, mode="economic", check_finite=False)
        previous, basis = basis, centred_rows.times_scatter(basis) / centred_rows.total_weight
    # The covariance within the subspace of the previous basis, of which `basis` is the image.
    variances, rotation = linalg.eigh(previous.T @ basis, check_finite=False)
    components = (previous @ rotation[:, ::-1][:, :n_components]).T
    _, components = svd_flip(None, components, u_based_decision=False)
    return np.clip(variances[::-1][:n_components], 0.0, None), np.ascontiguousarray(components), total
