"""Whitening along robust principal axes."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import linalg
from sklearn.utils.extmath import svd_flip

from skae._autoencoder._imputation import GaussianImputer
from skae._linalg._quantiles import weighted_quantile

# The share of the rows that each concentration step keeps (Rousseeuw & Van Driessen 1999), and the number of steps.
BULK, N_STEPS = 0.8, 3
# Added to variances in the distances of the concentration steps, and in whitening. The latter limits the factor of axes
# with little variance to ((1 + .1) / .1)^(1/2) = 3.3.
STEP_FLOOR, WHITENING_FLOOR = 0.05, 0.1
# There is at most one axis per this many rows. Along more axes, training rows would differ from new rows.
MIN_ROWS_PER_AXIS = 5


@dataclass(frozen=True, eq=False)
class Whitening:
    """Leading principal axes of most of the rows, and the factors that whiten coordinates along them.

    Variances are shrunk towards their mean (Ledoit & Wolf 2004). All directions orthogonal to the axes are multiplied
    by `rest`. This works with fewer rows than features, too.
    """

    axes: np.ndarray
    variances: np.ndarray
    factors: np.ndarray
    rest: float

    @classmethod
    def of(cls, deviations: np.ndarray, weight: np.ndarray) -> Whitening:
        """Find the axes of weighted rows by concentration steps, which start from all rows."""
        rows, kept = deviations.astype(np.float64), np.ones(len(deviations), dtype=bool)
        for _ in range(N_STEPS):
            centre, axes, variances, floor = _shrunk_axes(rows[kept], weight[kept])
            centred = rows - centre
            squares = np.square(centred @ axes)
            outside = np.clip(np.square(centred).sum(axis=1) - squares.sum(axis=1), 0.0, None)
            distances = (squares / (variances + STEP_FLOOR)).sum(axis=1) + outside / (floor + STEP_FLOOR)
            kept = distances <= weighted_quantile(distances, BULK, weight)
        _, axes, variances, floor = _shrunk_axes(rows[kept], weight[kept])
        axes, variances = svd_flip(None, axes[:, ::-1].T, u_based_decision=False)[1].T, variances[::-1]
        axes, variances, floor = _leading(axes, variances, floor, int(kept.sum()) // MIN_ROWS_PER_AXIS)
        factors = np.sqrt((1.0 + WHITENING_FLOOR) / (variances + WHITENING_FLOOR))
        rest = math.sqrt((1.0 + WHITENING_FLOOR) / (floor + WHITENING_FLOOR))
        # Scaled to a mean square of one over all directions, so that norms do not depend on the number of axes.
        n_features, n_axes = axes.shape
        length = math.sqrt((np.square(factors).sum() + (n_features - n_axes) * rest**2) / n_features)
        factors, rest = factors / length, rest / length
        axes, variances, factors = (np.ascontiguousarray(array, np.float32) for array in (axes, variances, factors))
        return cls(axes, variances, factors, rest)

    def __call__(self, deviations: np.ndarray) -> np.ndarray:
        """Whitened rows, in the basis of the features."""
        return deviations @ self.product.astype(deviations.dtype, copy=False)

    @cached_property
    def imputer(self) -> GaussianImputer:
        """Replaces missing entries by their expectation given the others, for Gaussian rows with these variances."""
        n_features, n_axes = self.axes.shape
        floor = (self.variances[0] + WHITENING_FLOOR) * (self.factors[0] / self.rest) ** 2 - WHITENING_FLOOR
        total = self.variances.sum(dtype=np.float64) + max(floor, 0.0) * (n_features - n_axes)
        # In float64, so that the result for a row does not depend on the other rows of a block.
        return GaussianImputer.from_axes(self.axes.T.astype(np.float64), self.variances.astype(np.float64), total)

    @cached_property
    def product(self) -> np.ndarray:
        """The symmetric matrix that deviations are multiplied by."""
        product = (self.axes * (self.factors - np.float32(self.rest))) @ self.axes.T
        product[np.diag_indices(len(product))] += np.float32(self.rest)
        return product


def _leading(
    axes: np.ndarray, variances: np.ndarray, floor: float, at_most: int
) -> tuple[np.ndarray, np.ndarray, float]:
    """At least one and at most `at_most` leading axes, and the mean variance of all other directions."""
    n_features, n_axes = axes.shape
    n_kept = max(1, min(n_axes, at_most))
    if n_kept == n_features:
        return axes, variances, floor
    left = variances[n_kept:].sum() + floor * (n_features - n_axes)
    return axes[:, :n_kept], variances[:n_kept], float(left / (n_features - n_kept))


def _shrunk_axes(rows: np.ndarray, weight: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, float]:
    """Mean, principal axes, shrunk variances along them, and the shrunk variance of all other directions."""
    total, (n_rows, n_features) = weight.sum(), rows.shape
    centre = weight @ rows / total
    centred = (rows - centre) * np.sqrt(weight / total)[:, np.newaxis]
    if n_features <= n_rows:
        variances, axes = linalg.eigh(centred.T @ centred, check_finite=False)
    else:
        variances, left = linalg.eigh(centred @ centred.T, check_finite=False)
        kept = variances > 1e-9 * max(variances[-1], 1e-300)
        kept[-1] = True  # at least one axis, even if all rows are equal
        variances = np.maximum(variances[kept], 1e-300)
        axes = centred.T @ left[:, kept] / np.sqrt(variances)
    variances = np.clip(variances, 0.0, None)
    mean, squares = variances.sum() / n_features, np.square(variances).sum()
    spread = squares - n_features * mean**2
    fourth = weight @ np.square(np.square(rows - centre).sum(axis=1)) / total
    shrinkage = min(1.0, max(0.0, (fourth - squares) / total / spread)) if spread > 0 else 1.0
    return centre, axes, (1.0 - shrinkage) * variances + shrinkage * mean, float(shrinkage * mean)
