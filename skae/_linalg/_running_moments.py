"""Mean and covariance of rows that come in chunks, as exact as if all rows came at once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from skae._linalg._moments import (
    FloatArray,
    constant_safe_scale,
    total_weight,
    weighted_covariance,
    weighted_mean,
)
from skae._linalg._principal_axes import PrincipalAxes, axes_of_covariance
from skae._rows._row_source import RowSource


@dataclass(frozen=True)
class RunningMoments:
    """Number and total weight of rows, their mean, and their covariance (divided by the total weight), in float64."""

    n_rows: int
    weight: float
    mean: FloatArray
    covariance: FloatArray

    @classmethod
    @np.errstate(over="ignore", invalid="ignore")
    def of(cls, rows: RowSource, sample_weight: FloatArray | None = None) -> RunningMoments:
        """Moments of rows."""
        mean = weighted_mean(rows, sample_weight)
        covariance = weighted_covariance(rows, mean, np.ones(rows.n_features), sample_weight)
        return cls(rows.n_rows, total_weight(rows, sample_weight), mean, covariance)

    @classmethod
    def from_axes(cls, axes: PrincipalAxes, n_rows: int, weight: float) -> RunningMoments:
        """Moments from the leading axes; the remaining variance is assumed to be equal in all other directions."""
        n_components, n_features = axes.components.shape
        left = max(0.0, axes.total_variance - axes.variances.sum()) / max(1, n_features - n_components)
        covariance = (axes.components.T * (axes.variances - left)) @ axes.components
        covariance[np.diag_indices(n_features)] += left
        return cls(n_rows, weight, axes.mean, covariance * np.outer(axes.scale, axes.scale))

    @np.errstate(over="ignore", invalid="ignore")
    def merged(self, other: RunningMoments) -> RunningMoments:
        """Moments of the rows of both together (Chan, Golub & LeVeque 1983)."""
        weight = self.weight + other.weight
        share, difference = other.weight / weight, other.mean - self.mean
        covariance = self.covariance * (1.0 - share) + other.covariance * share
        covariance += np.outer(difference, difference) * (share * (1.0 - share))
        return RunningMoments(self.n_rows + other.n_rows, weight, self.mean + share * difference, covariance)

    @np.errstate(over="ignore", invalid="ignore")
    def axes(self, n_components: int | float | None, scale_features: bool) -> PrincipalAxes:
        """Principal axes of the rows, as `principal_axes` finds them."""
        scale, covariance = np.ones(len(self.mean)), self.covariance
        if scale_features:
            scale = constant_safe_scale(self.mean, np.diag(covariance), self.n_rows)
            covariance = covariance / np.outer(scale, scale)
        return axes_of_covariance(self.mean, scale, covariance, n_components, self.n_rows)
