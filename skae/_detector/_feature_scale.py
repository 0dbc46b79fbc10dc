"""Centre and unit of each feature, robust to extreme values."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from skae._detector._columns import FeatureColumns
from skae._linalg._quantiles import observed, weighted_quantile
from skae._rows._blocks import dense_rows

# Deviations beyond which a value counts as this far: one extreme value must not drown all others.
CLIP = 20.0
# Values further from the median than this many times the 95th percentile of the deviations that are not zero (in a
# Gaussian: CLIP deviations) are winsorised before mean and deviation are computed.
USUAL, EXTREME = 0.95, CLIP / 1.96
# A constant feature that changes by this share of its value changes by one deviation.
UNIT_OF_CONSTANT = 0.1
# The chance that two rows differ in a categorical feature is taken as this large, at least: one rare category must not
# drown all other features.
MIN_CHANCE = 0.1
# Values that differ by no more than roundings of float32, but at most by so many deviations, are the same, and so are
# those of a constant feature within as many of its units.
ROUNDING, MAX_TOLERANCE = 2.0**-22, 1e-3


@dataclass(frozen=True, eq=False)
class FeatureScale:
    """Centre and unit of each feature.

    The unit is a standard deviation, robust to extreme values; of a constant feature it is a tenth of its value, so
    that what is noticed of it does not depend on how it is measured.

    Where features are categorical, these are of columns: all indicators of a feature share a unit, so that two rows are
    as far apart on average as in a number. `rarity` has the factors that deviations of indicators are
    multiplied by instead of being ranked. The mean distance stays the same, but the square of a factor is proportional
    to the share of the category to the power of -1/2: rare categories are further away.
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
        """Of dense weighted rows; without `scale_features` all numeric features share one unit."""
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
        unit[np.isnan(X).all(axis=0)] = np.inf  # of a feature that was never observed nothing is known
        rounding = np.minimum(ROUNDING * (np.abs(centre) / unit + CLIP), MAX_TOLERANCE)
        return cls(centre, unit, np.where(constant, MAX_TOLERANCE, rounding), dtype)

    @classmethod
    def _of_categorical(
        cls, X: np.ndarray, weight: np.ndarray, scale_features: bool, dtype: str, columns: FeatureColumns
    ) -> FeatureScale:
        """Of numbers and indicators."""
        centre, tolerance = np.zeros(X.shape[1]), np.full(X.shape[1], ROUNDING)
        unit, rarity = np.ones(X.shape[1]), np.ones(X.shape[1])
        if columns.is_numeric.any():
            scale = cls.of(X[:, columns.is_numeric], weight, scale_features, dtype)
            for array, of_numbers in ((centre, scale.centre), (unit, scale.unit), (tolerance, scale.tolerance)):
                array[columns.is_numeric] = of_numbers
        for _, own in columns.categorical:
            known = ~np.isnan(X[:, own.start])
            if not known.any():  # of a feature that was never observed nothing is known
                unit[own] = np.inf
                continue
            share = centre[own] = np.average(X[known, own], axis=0, weights=weight[known])
            # Half the mean square of the difference of two rows: the chance that they differ, times these weights.
            unit[own] = math.sqrt(max(MIN_CHANCE, float(share @ (1.0 - share))))
            weights = np.maximum(share, 0.5 / weight[known].sum()) ** -0.5
            weights /= max(MIN_CHANCE, share @ ((1.0 - share) * weights))
            rarity[own] = np.minimum(np.sqrt(weights), CLIP) * unit[own]
        return cls(centre, unit, tolerance, dtype, columns, rarity)

    @np.errstate(over="ignore")  # infinite deviations are clipped like other large ones
    def deviations(self, X, rows=slice(None)) -> np.ndarray:
        """Clipped ``(X - centre) / unit`` of some rows, in `dtype`; NaN stays NaN."""
        values = dense_rows(X, rows)
        if self.columns is not None:
            values = self.columns.expanded(values)
        deviations = (values - self.centre) / self.unit
        deviations[np.abs(deviations) <= self.tolerance] = 0.0  # of a constant nothing is left
        return np.clip(deviations, -CLIP, CLIP, out=deviations).astype(self.dtype, copy=False)

    def nearest_category(self, deviations: np.ndarray, where: np.ndarray) -> np.ndarray:
        """Deviations in which indicators are replaced by those of the known category they are the nearest to."""
        for _, own in self.columns.categorical if self.columns is not None else ():
            chosen, centre, unit = where[:, own.start], self.centre[own], self.unit[own]
            expected = np.where(centre > 0, deviations[chosen, own] * unit + centre, -np.inf)
            indicators = expected.argmax(axis=1)[:, np.newaxis] == np.arange(len(centre))
            deviations[chosen, own] = np.clip((indicators - centre) / unit, -CLIP, CLIP)
        return deviations


def _centre_and_unit(values: np.ndarray, weight: np.ndarray) -> tuple[float, float]:
    """Winsorised mean and standard deviation; 0 for the latter if the values are constant up to rounding."""
    largest = np.abs(values).max()
    if largest == 0.0:
        return 0.0, 0.0
    values = values / largest  # whose squares are numbers
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
