"""Principal axes of weighted rows: exact where the width allows, randomised beyond."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import linalg, sparse
from sklearn.utils.extmath import randomized_svd, svd_flip

from skae._numerics._moments import (
    FloatArray,
    check_variance,
    constant_safe_scale,
    dense_rows,
    own_blocks,
    weighted_covariance,
    weighted_mean,
    weighted_variance,
)
from skae._numerics._shards import Shards, own_rows, processes_of

# Up to this width the covariance matrix (32 MB) and its leading eigenvectors take about a second at worst.
MAX_COVARIANCE_WIDTH = 2000
# Below this share of the smaller side, a randomised SVD needs far less work than an exact one.
RANDOMIZED_SHARE = 0.25
# Rows of more numbers (512 MB in float64) are not made dense all at once, but read in blocks, several times.
MAX_DENSE_NUMBERS = 1 << 26
# Axes sought besides those wanted, and times the rows are read to find them (Halko et al. 2011).
N_EXTRA_AXES, N_PASSES = 10, 8


@dataclass(frozen=True)
class PrincipalAxes:
    """Mean, scale and leading principal axes of ``(X - mean) / scale``.

    `components` has shape (n_components, n_features); axes beyond the rank are zero. `variances` are about the mean,
    divided by the total weight; `total_variance` is their sum over *all* axes.
    """

    mean: FloatArray
    scale: FloatArray
    components: FloatArray
    variances: FloatArray
    total_variance: float


@np.errstate(over="ignore", invalid="ignore")
def principal_axes(
    X,
    n_components: int | float | None,
    *,
    sample_weight: FloatArray | None = None,
    scale_features: bool = False,
    random_state: np.random.RandomState,
) -> PrincipalAxes:
    """Principal axes of the rows of X.

    An int `n_components` may exceed the rank: the axes beyond it are zero. A float in (0, 1) asks for the smallest
    number of axes that explains more than that share of the variance. None asks for ``min(n_samples, n_features)``.
    """
    n_rows, n_features = X.shape
    mean = weighted_mean(X, sample_weight)
    scale = np.ones(n_features)
    if scale_features:
        scale = constant_safe_scale(mean, weighted_variance(X, mean, sample_weight), n_rows)

    if n_features <= MAX_COVARIANCE_WIDTH and n_features <= n_rows:
        covariance = weighted_covariance(X, mean, scale, sample_weight)
        return axes_of_covariance(mean, scale, covariance, n_components, n_rows)
    sought = _n_sought(n_components, n_rows, n_features)
    few = sought < RANDOMIZED_SHARE * min(n_rows, n_features)
    find = _leading_axes_in_blocks if few and n_rows * n_features > MAX_DENSE_NUMBERS else _leading_singular_vectors
    variances, components, total = find(_StandardisedRows(X, mean, scale, sample_weight), sought, random_state)
    return PrincipalAxes(mean, scale, *_as_many_as_wanted(variances, components, total, n_components), total)


def axes_of_covariance(
    mean: FloatArray, scale: FloatArray, covariance: FloatArray, n_components: int | float | None, n_rows: int
) -> PrincipalAxes:
    """Principal axes of rows with the given moments, the covariance that of ``(X - mean) / scale``."""
    total = _finite(np.trace(covariance))
    variances, components = _leading_eigenvectors(covariance, _n_sought(n_components, n_rows, len(mean)))
    return PrincipalAxes(mean, scale, *_as_many_as_wanted(variances, components, total, n_components), total)


def _n_sought(n_components: int | float | None, n_rows: int, n_features: int) -> int:
    """Number of axes to compute: all within the rank, unless fewer are asked for."""
    rank = min(n_rows, n_features)
    return min(int(n_components), rank) if isinstance(n_components, int | np.integer) else rank


def _as_many_as_wanted(variances, components, total, n_components) -> tuple[FloatArray, FloatArray]:
    """Cut the axes at a share of the variance, or pad them with zeros up to a number beyond the rank."""
    if n_components is None:
        return components, variances
    if not isinstance(n_components, int | np.integer):
        wanted = n_axes_for_share(variances, total, n_components)
        return components[:wanted], variances[:wanted]
    lacking = max(0, int(n_components) - len(variances))
    return np.pad(components, ((0, lacking), (0, 0))), np.pad(variances, (0, lacking))


def n_axes_for_share(variances: FloatArray, total_variance: float, share: float) -> int:
    """The smallest number of leading axes that explains more than a share of the variance; rows alike need one."""
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
class _StandardisedRows:
    """Rows ``(X - mean) / scale``, with weights or None."""

    X: Any
    mean: FloatArray
    scale: FloatArray
    sample_weight: FloatArray | None

    @property
    def total_weight(self) -> float:
        return float(self.X.shape[0] if self.sample_weight is None else self.sample_weight.sum())

    def weight(self, rows: slice) -> FloatArray | float:
        """Weights of some rows as a column, or 1."""
        return 1.0 if self.sample_weight is None else self.sample_weight[rows, np.newaxis]

    def times_scatter(self, basis: FloatArray) -> FloatArray:
        """The sum of outer products of this process' rows, times a basis; sparse rows stay sparse."""
        local = own_rows(self.X)
        if sparse.issparse(local):
            own = self.X.own if isinstance(self.X, Shards) else slice(None)
            products = local @ (basis / self.scale[:, np.newaxis]) - (self.mean / self.scale) @ basis
            products *= self.weight(own)
            return (local.T @ products - np.outer(self.mean, products.sum(axis=0))) / self.scale[:, np.newaxis]
        image = np.zeros_like(basis)
        for rows, block in own_blocks(self.X):
            centred = (block - self.mean) / self.scale
            image += centred.T @ (self.weight(rows) * (centred @ basis))
        return image


def _leading_singular_vectors(
    rows: _StandardisedRows, n_components: int, random_state: np.random.RandomState
) -> tuple[FloatArray, FloatArray, float]:
    """Variances along the leading axes, the axes, and the variance of all features together."""
    centred = (dense_rows(rows.X, slice(None)) - rows.mean) / rows.scale
    centred *= np.sqrt(rows.weight(slice(None)))
    total = _finite(np.square(centred).sum() / rows.total_weight)
    smaller_side = min(centred.shape)
    if smaller_side > 500 and n_components < RANDOMIZED_SHARE * smaller_side:
        _, singular, axes = randomized_svd(centred, n_components, flip_sign=False, random_state=random_state)
    else:
        _, singular, axes = linalg.svd(centred, full_matrices=False, check_finite=False)
        singular, axes = singular[:n_components], axes[:n_components]
    _, components = svd_flip(None, axes, u_based_decision=False)
    return singular**2 / rows.total_weight, np.ascontiguousarray(components), total


def _leading_axes_in_blocks(
    rows: _StandardisedRows, n_components: int, random_state: np.random.RandomState
) -> tuple[FloatArray, FloatArray, float]:
    """As `_leading_singular_vectors`, by subspace iteration on the covariance, which is never formed."""
    total = _finite((weighted_variance(rows.X, rows.mean, rows.sample_weight) / rows.scale**2).sum())
    basis = random_state.normal(size=(rows.X.shape[1], n_components + N_EXTRA_AXES))
    for _ in range(N_PASSES):
        basis, _ = linalg.qr(basis, mode="economic", check_finite=False)
        image = processes_of(rows.X).sum("the principal axes", rows.times_scatter(basis))
        earlier, basis = basis, image / rows.total_weight
    # The covariance within the subspace: exact for the last basis but one, of which the last is the image.
    variances, rotation = linalg.eigh(earlier.T @ basis, check_finite=False)
    components = (earlier @ rotation[:, ::-1][:, :n_components]).T
    _, components = svd_flip(None, components, u_based_decision=False)
    return np.clip(variances[::-1][:n_components], 0.0, None), np.ascontiguousarray(components), total
