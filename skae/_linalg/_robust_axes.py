"""Robust principal axes, from a mean and covariance that a minority of outliers hardly changes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import linalg
from sklearn.utils.extmath import svd_flip

from skae._linalg._moments import (
    FloatArray,
    check_variance,
    constant_safe_scale,
    feature_ranges,
    weighted_covariance,
    weighted_mean,
    weighted_variance,
)
from skae._linalg._quantiles import weighted_quantile
from skae._rows._blocks import dense_rows, row_blocks
from skae._rows._row_source import RowSource
from skae._rows._strata import stratified_rows

# Each step keeps this share of the rows: those nearest to the centre in the metric of the previous step.
BULK = 0.8
N_STEPS = 3
# Added to variances when distances are computed, because axes with less variance are mostly rounding errors or ties.
VARIANCE_FLOOR = 0.05
# Values are clipped at this many standard deviations, so that one extreme value does not outweigh all others.
CLIP = 20.0
# For mean and deviation, distances from the median are clipped at EXTREME times their quantile USUAL (in a Gaussian:
# CLIP deviations). Otherwise one extreme value could make all others look equal. Quantiles are those of a sample.
USUAL, EXTREME, MAX_QUANTILE_ROWS = 0.95, CLIP / 1.96, 20_000
# Rows whose distance from the span of the axes is below this share of their length differ from it by rounding only.
ON_SPAN = 1e-9


@dataclass(frozen=True)
class RobustAxes:
    """Orthonormal axes for standardised, clipped rows, in the order of the bulk's variance along them.

    ``coordinates(X) = (clip((X - mean) / scale) - centre) @ axes``. If there are fewer rows than features, the axes
    span the training rows, and an additional last coordinate is the distance from this span.
    """

    mean: FloatArray
    scale: FloatArray
    centre: FloatArray
    axes: FloatArray
    variances: FloatArray

    @property
    def complete(self) -> bool:
        """Whether the axes span the whole space."""
        return self.axes.shape[0] == self.axes.shape[1]

    def standardised(self, X, rows=slice(None)) -> FloatArray:
        """Clipped deviations from the centre."""
        return _clipped(X, rows, self.mean, self.scale) - self.centre

    def coordinates(self, X, rows=slice(None)) -> FloatArray:
        """Rows in the axes' coordinates, in float64."""
        deviations = self.standardised(X, rows)
        coordinates = deviations @ self.axes
        if self.complete:
            return coordinates
        outside = np.linalg.norm(deviations - coordinates @ self.axes.T, axis=1)
        outside[outside < ON_SPAN * np.linalg.norm(deviations, axis=1)] = 0.0
        return np.column_stack([coordinates, outside])


@np.errstate(over="ignore", invalid="ignore")
def robust_axes(source: RowSource, scale_features: bool, sample_weight: FloatArray | None = None) -> RobustAxes:
    """Axes of the bulk of the rows, found by concentration steps (Rousseeuw & Van Driessen 1999) from all rows.

    They are robust to outliers that are far away. A cluster of more than a fifth of the rows is part of the bulk.
    """
    n_rows, n_features = source.shape
    mean = weighted_mean(source, sample_weight)
    variance = weighted_variance(source, mean, sample_weight)
    check_variance(variance.sum())
    _winsorise(source, mean, variance, sample_weight)
    scale = constant_safe_scale(mean, variance, n_rows) if scale_features else np.full(n_features, _unit(variance))
    rows = np.concatenate([_clipped(source.local, part, mean, scale) for part in row_blocks(n_rows, n_features)])
    span = None
    if n_features > n_rows:
        _, singular, axes = linalg.svd(rows - rows.mean(axis=0), full_matrices=False)
        span = axes[singular > 1e-9 * max(singular[0], 1e-300)].T
        rows = rows @ span
    weight = np.ones(n_rows) if sample_weight is None else sample_weight
    kept = np.ones(n_rows, dtype=bool)
    for step in range(N_STEPS + 1):
        bulk = RowSource(rows[kept])
        centre = weighted_mean(bulk, weight[kept])
        covariance = weighted_covariance(bulk, centre, np.ones(rows.shape[1]), weight[kept])
        variances, axes = linalg.eigh(covariance, check_finite=False)
        variances = np.clip(variances, 0.0, None)
        if step < N_STEPS:
            distances = (np.square((rows - centre) @ axes) / (variances + VARIANCE_FLOOR)).sum(axis=1)
            kept = distances <= weighted_quantile(distances, BULK, weight)
    axes, variances = axes[:, ::-1], variances[::-1]
    if span is not None:
        axes, centre = span @ axes, span @ centre
    axes = svd_flip(None, axes.T, u_based_decision=False)[1].T
    if axes.shape[1] < n_features:
        variances = np.append(variances, 0.0)
    return RobustAxes(mean, scale, centre, np.ascontiguousarray(axes), np.ascontiguousarray(variances))


def _winsorise(source: RowSource, mean: FloatArray, variance: FloatArray, sample_weight: FloatArray | None) -> None:
    """Replace the mean and variance of features with extreme values by those of the clipped values."""
    chosen = stratified_rows(source.n_rows, MAX_QUANTILE_ROWS)
    weight = None if sample_weight is None else sample_weight[chosen]
    lowest, highest = feature_ranges(source)
    for feature in range(source.n_features):
        # This is fast to check, and values within a few deviations cannot be extreme.
        if max(highest[feature] - mean[feature], mean[feature] - lowest[feature]) ** 2 <= EXTREME * variance[feature]:
            continue
        column = dense_rows(source.local[:, [feature]], slice(None))[:, 0]
        median = weighted_quantile(column[chosen], 0.5, weight)
        reach = EXTREME * weighted_quantile(np.abs(column[chosen] - median), USUAL, weight)
        if 0.0 < reach < max(highest[feature] - median, median - lowest[feature]):
            clipped = RowSource(np.clip(column, median - reach, median + reach)[:, np.newaxis])
            mean[feature] = weighted_mean(clipped, sample_weight)[0]
            variance[feature] = weighted_variance(clipped, mean[[feature]], sample_weight)[0]


@np.errstate(over="ignore")  # infinite deviations are clipped like other large ones
def _clipped(X, rows: slice, mean: FloatArray, scale: FloatArray) -> FloatArray:
    deviations = (dense_rows(X, rows) - mean) / scale
    return np.clip(deviations, -CLIP, CLIP, out=deviations)


def _unit(variance: FloatArray) -> float:
    return float(np.sqrt(variance.mean())) or 1.0
