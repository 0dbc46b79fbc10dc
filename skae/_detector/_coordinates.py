"""Coordinate systems in which distances between rows are measured: standardised, whitened, and ranks."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import torch
from scipy import linalg, special
from sklearn.utils.extmath import svd_flip

from skae._autoencoder._imputation import GaussianImputer, estimate_moments
from skae._detector._columns import FeatureColumns
from skae._linalg._quantiles import observed, weighted_quantile
from skae._rows._blocks import dense_rows
from skae._support._state import fields_of

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
# Distinct values kept per feature. Between two of them ranks are those of the gap or, where values were left out,
# interpolated.
MAX_KNOTS = 256
# Share of the rows that each concentration step keeps (Rousseeuw & Van Driessen 1999), and the number of steps.
BULK, N_STEPS = 0.8, 3
# Added to variances in the metric of the steps, and when whitening: axes along which the bulk hardly varies are
# magnified at most ((1 + .1) / .1)^(1/2) = 3.3 times.
STEP_FLOOR, WHITENING_FLOOR = 0.05, 0.1
# Along an axis that was found with few rows, these rows are unlike new ones: an axis for so many rows at most.
MIN_ROWS_PER_AXIS = 5

# Deviations beyond which a value counts as this far where the moments of rows with missing entries are estimated.
MOMENTS_CLIP = 4.0

# Of the systems, the one that needs all features.
N_SYSTEMS, WHITENED = 3, 1


class Systems(NamedTuple):
    """Rows in the three coordinate systems, missing entries filled, and which those are (None: there are none).

    `columns` say what the coordinates stand for (None: each for a feature).
    """

    deviations: np.ndarray
    whitened: np.ndarray
    ranks: np.ndarray
    missing: np.ndarray | None = None
    columns: FeatureColumns | None = None

    @property
    def filled(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The rows alone."""
        return self.deviations, self.whitened, self.ranks

    @property
    def observed(self) -> np.ndarray:
        """Deviations, with NaN for what is missing."""
        return self.deviations if self.missing is None else np.where(self.missing, np.nan, self.deviations)

    @property
    def values(self) -> np.ndarray:
        """Deviations of numbers and bins of categories, one for each feature, with NaN for what is missing."""
        return self.observed if self.columns is None else self.columns.joined(self.observed)

    def select(self, part) -> Systems:
        """Some of the rows."""
        missing = None if self.missing is None else self.missing[part]
        return Systems(self.deviations[part], self.whitened[part], self.ranks[part], missing, self.columns)


@dataclass(frozen=True, eq=False)
class FeatureScale:
    """Centre and unit of each feature.

    The unit is a standard deviation, robust to extreme values; of a constant feature it is a tenth of its value, so
    that what is noticed of it does not depend on how it is measured.

    Where features are categorical, these are of columns: all indicators of a feature share a unit, so that two rows are
    as far apart on average as in a number. `rarity` is what deviations of indicators are multiplied by in place of
    ranks: the same on average, but the square of it is proportional to the share of the category to the power of -1/2.
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


@dataclass(frozen=True, eq=False)
class RankTransform:
    """Normal quantiles of mid-ranks; beyond the range of the training rows plus the excess in deviations.

    Values within `tolerance` of a knot are equal to it. Feature j has the knots
    ``values[starts[j] : starts[j + 1]]``, at which ranks are `at`; between two knots (unless the feature is
    `interpolated`), below the first and above the last they are `between`, of which each feature has one more.
    """

    starts: np.ndarray
    values: np.ndarray
    at: np.ndarray
    between: np.ndarray
    interpolated: np.ndarray
    tolerance: np.ndarray

    @classmethod
    def of(cls, deviations: np.ndarray, weight: np.ndarray, tolerance: np.ndarray) -> RankTransform:
        """Of weighted rows in the units of a `FeatureScale`."""
        if not deviations.shape[1]:
            none = np.empty(0, np.float32)
            return cls(np.zeros(1, dtype=np.intp), none, none, none, np.empty(0, dtype=bool), tolerance)
        parts = [_knots(*observed(column, weight)) for column in deviations.T]
        starts = np.append(0, np.cumsum([len(values) for values, _, _, _ in parts]))
        *tables, interpolated = zip(*parts, strict=True)
        values, at, between = (np.concatenate(table) for table in tables)
        at, between = at.astype(np.float32), between.astype(np.float32)
        return cls(starts, values, at, between, np.array(interpolated), tolerance)

    def nearest_known(self, deviations: np.ndarray, where: np.ndarray) -> np.ndarray:
        """Deviations in which entries are replaced by the nearest knot of their feature."""
        for feature, column in enumerate(deviations.T):
            knots, chosen = self.values[self.starts[feature] : self.starts[feature + 1]], where[:, feature]
            column[chosen] = knots[np.searchsorted(0.5 * (knots[1:] + knots[:-1]), column[chosen])]
        return deviations

    def __call__(self, deviations: np.ndarray) -> np.ndarray:
        """Rank coordinates of rows in the units of the `FeatureScale`, in their dtype."""
        ranks = np.empty(deviations.shape, deviations.dtype)
        for feature in range(deviations.shape[1]):
            start, stop = self.starts[feature], self.starts[feature + 1]
            knots, at, column = self.values[start:stop], self.at[start:stop], deviations[:, feature]
            between = self.between[start + feature : stop + feature + 1]
            if self.interpolated[feature]:
                ranks[:, feature] = np.interp(column, knots, at, left=between[0], right=between[-1])
                continue
            after = np.searchsorted(knots, column + self.tolerance[feature], side="right")
            before = np.maximum(after - 1, 0)
            known = np.abs(knots[before] - column) <= self.tolerance[feature]
            ranks[:, feature] = np.where(known, at[before], between[after])
        lowest, highest = self.values[self.starts[:-1]], self.values[self.starts[1:] - 1]
        beyond = deviations - np.clip(deviations, lowest, highest)
        return ranks + np.clip(beyond, -CLIP, CLIP, out=beyond)


def _knots(column: np.ndarray, weight: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, bool]:
    """Distinct values of a feature, normal quantiles of their mid-ranks and of the gaps; whether not all are kept."""
    values, group = np.unique(column, return_inverse=True)
    counts = np.bincount(group, weights=weight)
    up_to = np.cumsum(counts)
    middle = up_to - 0.5 * counts
    too_many = len(values) > MAX_KNOTS
    if too_many:
        kept = np.unique(np.searchsorted(middle, np.linspace(middle[0], middle[-1], MAX_KNOTS)))
        values, middle, up_to = values[kept], middle[kept], up_to[kept]
    # A value below all others has half the share of the lowest row, at most.
    lowest = min(0.5, max(0.5 / weight.sum(), np.finfo(np.float32).eps))
    at, between = (
        special.ndtri(np.clip(share / weight.sum(), lowest, 1.0 - lowest)) for share in (middle, np.append(0.0, up_to))
    )
    return values, at, between, too_many


@dataclass(frozen=True, eq=False)
class Whitening:
    """Leading principal axes of the bulk of the rows, and what coordinates along them are multiplied by to whiten them.

    Variances are shrunk towards their mean (Ledoit & Wolf 2004). All other directions are multiplied by `rest`, so that
    nothing special happens where there are fewer rows than features.
    """

    axes: np.ndarray
    variances: np.ndarray
    factors: np.ndarray
    rest: float

    @classmethod
    def of(cls, deviations: np.ndarray, weight: np.ndarray) -> Whitening:
        """Of weighted rows, by concentration steps from all rows."""
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
        # Of mean square one over all directions: how long whitened rows are must not depend on the number of rows.
        n_features, n_axes = axes.shape
        length = math.sqrt((np.square(factors).sum() + (n_features - n_axes) * rest**2) / n_features)
        factors, rest = factors / length, rest / length
        axes, variances, factors = (np.ascontiguousarray(array, np.float32) for array in (axes, variances, factors))
        return cls(axes, variances, factors, rest)

    def __call__(self, deviations: np.ndarray) -> np.ndarray:
        """Whitened rows in the features' own basis."""
        return deviations @ self.product.astype(deviations.dtype, copy=False)

    @cached_property
    def imputer(self) -> GaussianImputer:
        """Fills missing deviations by their expectation given the others, for rows with these axes and variances."""
        n_features, n_axes = self.axes.shape
        floor = (self.variances[0] + WHITENING_FLOOR) * (self.factors[0] / self.rest) ** 2 - WHITENING_FLOOR
        total = self.variances.sum(dtype=np.float64) + max(floor, 0.0) * (n_features - n_axes)
        # In float64: a row is filled in the same way whichever other rows it comes with.
        return GaussianImputer.from_axes(self.axes.T.astype(np.float64), self.variances.astype(np.float64), total)

    @cached_property
    def product(self) -> np.ndarray:
        """What deviations are multiplied by."""
        product = (self.axes * (self.factors - np.float32(self.rest))) @ self.axes.T
        product[np.diag_indices(len(product))] += np.float32(self.rest)
        return product


def _leading(
    axes: np.ndarray, variances: np.ndarray, floor: float, at_most: int
) -> tuple[np.ndarray, np.ndarray, float]:
    """Leading axes, at least one, and the mean variance of all other directions."""
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
        kept[-1] = True  # at least one axis, even where all rows are equal
        variances = np.maximum(variances[kept], 1e-300)
        axes = centred.T @ left[:, kept] / np.sqrt(variances)
    variances = np.clip(variances, 0.0, None)
    mean, squares = variances.sum() / n_features, np.square(variances).sum()
    spread = squares - n_features * mean**2
    fourth = weight @ np.square(np.square(rows - centre).sum(axis=1)) / total
    shrinkage = min(1.0, max(0.0, (fourth - squares) / total / spread)) if spread > 0 else 1.0
    return centre, axes, (1.0 - shrinkage) * variances + shrinkage * mean, float(shrinkage * mean)


def _filled_at_random(deviations: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Deviations with missing entries drawn from what is possible there, so that rows vary as complete ones do."""
    if not np.isnan(deviations.sum()):
        return deviations
    generator = torch.Generator().manual_seed(0)
    rows = torch.from_numpy(deviations.astype(np.float64))
    mean, covariance = estimate_moments(
        rows.clamp(-MOMENTS_CLIP, MOMENTS_CLIP), torch.from_numpy(weight.astype(np.float64)), generator
    )
    filled = GaussianImputer.from_covariance(covariance).draw(rows - mean, generator) + mean
    return filled.numpy().astype(deviations.dtype)


@dataclass(frozen=True, eq=False)
class Coordinates:
    """Three coordinate systems: standardised features, those whitened, and normal quantiles of their ranks.

    Categories have no ranks: instead, indicators of rare ones are longer.
    """

    scale: FeatureScale
    whitening: Whitening
    ranks: RankTransform

    @classmethod
    def of(
        cls,
        X: np.ndarray,
        weight: np.ndarray,
        scale_features: bool,
        dtype: str,
        columns: FeatureColumns | None = None,
    ) -> Coordinates:
        """Of dense weighted rows; coordinates are in the given dtype."""
        scale = FeatureScale.of(X, weight, scale_features, dtype, columns)
        deviations = scale.deviations(X)
        numbers = slice(None) if columns is None else columns.is_numeric
        ranks = RankTransform.of(deviations[:, numbers], weight, scale.tolerance[numbers])
        return cls(scale, Whitening.of(_filled_at_random(deviations, weight), weight), ranks)

    def filled(self, deviations: np.ndarray) -> np.ndarray:
        """Deviations with missing entries replaced by the feature's known value nearest to their expectation.

        Expected given the other features; between the values of a discrete feature rows would look unlike any other.
        """
        if not np.isnan(deviations.sum()):
            return deviations
        incomplete = np.isnan(deviations).any(axis=1)
        rows = torch.from_numpy(deviations[incomplete].astype(np.float64))
        filled, missing, numbers = self.whitening.imputer(rows).numpy(), rows.isnan().numpy(), self._numbers
        filled[:, numbers] = self.ranks.nearest_known(filled[:, numbers], missing[:, numbers])
        deviations[incomplete] = self.scale.nearest_category(filled, missing)
        return deviations

    def __call__(self, deviations: np.ndarray) -> Systems:
        """Rows, given in the units of `scale`, in the three systems."""
        missing = np.isnan(deviations) if np.isnan(deviations.sum()) else None
        deviations, columns = self.filled(deviations), self.scale.columns
        if columns is None:
            ranks = self.ranks(deviations)
        else:
            ranks = (deviations * self.scale.rarity).astype(deviations.dtype, copy=False)
            ranks[:, columns.is_numeric] = self.ranks(deviations[:, columns.is_numeric])
        return Systems(deviations, self.whitening(deviations), ranks, missing, columns)

    @property
    def _numbers(self) -> slice | np.ndarray:
        """The columns that are numbers."""
        return slice(None) if self.scale.columns is None else self.scale.columns.is_numeric

    def to_state(self) -> dict[str, Any]:
        """Arrays and plain values for a file."""
        state = {name: fields_of(part) for name, part in vars(self).items()}
        columns = self.scale.columns
        return state | {"scale": state["scale"] | {"columns": None if columns is None else fields_of(columns)}}

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Coordinates:
        """The coordinates that `to_state` described."""
        scale = dict(state["scale"])
        if scale.get("columns") is not None:
            scale["columns"] = FeatureColumns(**scale["columns"])
        return cls(FeatureScale(**scale), Whitening(**state["whitening"]), RankTransform(**state["ranks"]))
