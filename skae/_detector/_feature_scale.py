"""Standardisation of features, robust to extreme values."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from skae._detector._columns import FeatureColumns
from skae._linalg._quantiles import observed, weighted_quantile
from skae._rows._blocks import dense_rows

# Values are clipped at this many deviations, so that one extreme value does not outweigh all others.
CLIP = 20.0
# For mean and deviation, values are winsorised: distances from the median are clipped at EXTREME times their quantile
# USUAL (in a Gaussian: CLIP deviations). The quantile is that of the distances that are not zero.
USUAL, EXTREME = 0.95, CLIP / 1.96
# The unit of a constant feature, as a share of its value.
UNIT_OF_CONSTANT = 0.1
# Minimum of the probability that two rows differ in a categorical feature, so that one rare category does not outweigh
# all other features.
MIN_CHANCE = 0.1
# Values count as equal if rounding to float32 may explain their difference and it is at most MAX_TOLERANCE deviations.
# Values of a constant feature count as equal if they differ by at most MAX_TOLERANCE units.
ROUNDING, MAX_TOLERANCE = 2.0**-22, 1e-3


@dataclass(frozen=True, eq=False)
class FeatureScale:
    """Centre, unit and tolerance of each feature.

    The unit is a standard deviation that is robust to extreme values. For a constant feature it is a tenth of its
    value, so that the result does not depend on the unit of measurement. Values within `tolerance` units are equal.

    If some features are categorical, these are arrays over columns. All indicators of a feature have the same unit, so
    that two rows are, on average, as far apart in it as in a numeric feature. `rarity` contains the factors of the
    indicators in the rank coordinates. The square of a factor is proportional to the share of the category to the power
    of -1/2, so that rare categories are further away, and the mean square distance stays the same.
    """

    centre: np.ndarray
    unit: np.ndarray
    tolerance: np.ndarray
    dtype: str = "float32"
    columns: FeatureColumns | None = None
    rarity: np.ndarray | None = None

    @classmethod
    def of(
        cls,
        X: np.ndarray,
        weight: np.ndarray,
        scale_features: bool,
        dtype: str,
        columns: FeatureColumns | None = None,
    ) -> FeatureScale:
        """Fit to dense weighted rows. Without `scale_features`, all numeric features have the same unit."""
        if columns is not None:
            return cls._of_categorical(columns.expanded(X), weight, scale_features, dtype, columns)
        n_features = X.shape[1]
        centre, unit = np.empty(n_features), np.empty(n_features)
        for feature in range(n_features):
            centre[feature], unit[feature] = _centre_and_unit(*observed(X[:, feature], weight))
        constant = unit == 0.0
        if not scale_features:
            largest = unit.max() or 1.0
            unit = np.full(n_features, largest * math.sqrt(np.square(unit / largest).mean()) or 1.0)
            constant = np.zeros(n_features, dtype=bool)
        of_constant = np.where(centre == 0.0, 1.0, UNIT_OF_CONSTANT * np.abs(centre))
        unit = np.where(constant, of_constant, unit)
        unit[np.isnan(X).all(axis=0)] = np.inf  # features that were never observed have deviations of zero
        rounding = np.minimum(ROUNDING * (np.abs(centre) / unit + CLIP), MAX_TOLERANCE)
        return cls(centre, unit, np.where(constant, MAX_TOLERANCE, rounding), dtype)

    @classmethod
    def _of_categorical(
        cls, X: np.ndarray, weight: np.ndarray, scale_features: bool, dtype: str, columns: FeatureColumns
    ) -> FeatureScale:
        """Fit to rows of numbers and indicators."""
        centre, tolerance = np.zeros(X.shape[1]), np.full(X.shape[1], ROUNDING)
        unit, rarity = np.ones(X.shape[1]), np.ones(X.shape[1])
        if columns.is_numeric.any():
            scale = cls.of(X[:, columns.is_numeric], weight, scale_features, dtype)
            for array, of_numbers in ((centre, scale.centre), (unit, scale.unit), (tolerance, scale.tolerance)):
                array[columns.is_numeric] = of_numbers
        for _, own in columns.categorical:
            known = ~np.isnan(X[:, own.start])
            if not known.any():  # features that were never observed have deviations of zero
                unit[own] = np.inf
                continue
            share = centre[own] = np.average(X[known, own], axis=0, weights=weight[known])
            # Half the mean square distance of two rows, which is the probability that they have different categories.
            unit[own] = math.sqrt(max(MIN_CHANCE, float(share @ (1.0 - share))))
            weights = np.maximum(share, 0.5 / weight[known].sum()) ** -0.5
            weights /= max(MIN_CHANCE, share @ ((1.0 - share) * weights))
            rarity[own] = np.minimum(np.sqrt(weights), CLIP) * unit[own]
        return cls(centre, unit, tolerance, dtype, columns, rarity)

    @np.errstate(over="ignore")  # infinite deviations are clipped like other large ones
    def deviations(self, X, rows=slice(None)) -> np.ndarray:
        """Clipped ``(X - centre) / unit`` of the given rows, in `dtype`; NaN remains NaN."""
        values = dense_rows(X, rows)
        if self.columns is not None:
            values = self.columns.expanded(values)
        deviations = (values - self.centre) / self.unit
        deviations[np.abs(deviations) <= self.tolerance] = 0.0  # removes the rounding errors of constants
        return np.clip(deviations, -CLIP, CLIP, out=deviations).astype(self.dtype, copy=False)

    def nearest_category(self, deviations: np.ndarray, where: np.ndarray) -> np.ndarray:
        """Deviations in which the chosen indicators are replaced by those of the most probable known category."""
        for _, own in self.columns.categorical if self.columns is not None else ():
            chosen, centre, unit = where[:, own.start], self.centre[own], self.unit[own]
            expected = np.where(centre > 0, deviations[chosen, own] * unit + centre, -np.inf)
            indicators = expected.argmax(axis=1)[:, np.newaxis] == np.arange(len(centre))
            deviations[chosen, own] = np.clip((indicators - centre) / unit, -CLIP, CLIP)
        return deviations


def _centre_and_unit(values: np.ndarray, weight: np.ndarray) -> tuple[float, float]:
    """Winsorised mean and standard deviation. The latter is 0 if the values are constant up to rounding."""
    largest = np.abs(values).max()
    if largest == 0.0:
        return 0.0, 0.0
    values = values / largest  # their squares do not overflow
    median = weighted_quantile(values, 0.5, weight)
    sizes = np.abs(values - median)
    varied = sizes > 0
    reach = EXTREME * weighted_quantile(sizes[varied], USUAL, weight[varied]) if varied.any() else 0.0
    winsorised = np.clip(values, median - reach, median + reach)
    mean = float(np.average(winsorised, weights=weight))
    deviation = math.sqrt(np.average(np.square(winsorised - mean), weights=weight))
    if deviation <= len(values) * np.finfo(np.float64).eps * abs(mean):
        deviation = 0.0
    return mean * largest, deviation * largest
