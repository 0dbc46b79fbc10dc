"""Surprisals of values: minus the logarithm of the share of calibration values that are at least as high."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

# Above the highest calibration value, excesses are divided by the mean excess of this share of the highest values, and
# of at least this many, but of half of all values at most. The mean of fewer excesses varies so much that the highest
# surprisal of many features is far too high. The mean excess is at least MIN_TAIL_UNIT, because log-distances of a row
# vary by about 0.1 between samples of bags.
TAIL, MIN_TAIL_VALUES, MIN_TAIL_UNIT = 0.1, 10.0, 0.1
# Groups of calibration values are divided into at most this many parts. Each part is compared with the others.
MAX_PARTS = 20
# Maximum number of knots of a table. They are evenly spaced in the surprisals.
MAX_KNOTS = 256
# Values closer than this count as equal, because products of float32 may round values of equal rows differently.
TOLERANCE = 1e-6


@dataclass(frozen=True, eq=False)
class TailSurprisal:
    r"""Minus the logarithm of the share of calibration values that are at least as high.

    .. math:: s(v) = -\log \frac{\sum_i w_i\,1[v_i \ge v]}{1 + \sum_i w_i}

    Between two calibration values it is interpolated. Above the highest one it increases linearly, by one per `unit`:
    the mean excess of the highest tenth of the values (of at least ten, or half of them if they are fewer than 20),
    which estimates the scale of an exponential tail.
    """

    knots: np.ndarray
    surprisals: np.ndarray
    unit: float

    @classmethod
    def of(cls, values: np.ndarray, weight: np.ndarray) -> TailSurprisal:
        """Compute the table from weighted calibration values that are not NaN. Without values, all surprisals are 0."""
        known = ~np.isnan(values)
        if not known.any():
            return cls(np.array([np.inf]), np.array([0.0]), 1.0)
        values, weight = values[known], weight[known]
        knots, _, _, surprisals, unit = _table(values, weight)
        if len(knots) > MAX_KNOTS:
            kept = np.searchsorted(surprisals, np.linspace(surprisals[0], surprisals[-1], MAX_KNOTS))
            kept = np.unique(np.clip(kept, 0, len(knots) - 1))
            knots, surprisals = knots[kept], surprisals[kept]
        return cls(knots, surprisals, unit)

    def __call__(self, values: np.ndarray) -> np.ndarray:
        """Surprisals of values, at least zero."""
        beyond = np.clip(values - self.knots[-1], 0.0, None) / self.unit
        return np.interp(values, self.knots, self.surprisals) + beyond


def surprisals_by(tails: tuple[TailSurprisal, ...], values: np.ndarray) -> np.ndarray:
    """The surprisals of columns of values, each by its own table."""
    return np.stack([tail(column) for tail, column in zip(tails, values.T, strict=True)], axis=1)


def _table(values: np.ndarray, weight: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, float]:
    """Distinct values, the index of each value among them, their weights and surprisals, and the unit of the tail."""
    knots, group = _distinct(values.astype(np.float64))
    counts = np.bincount(group, weights=weight)
    at_least = np.cumsum(counts[::-1])[::-1]
    total = at_least[0]
    tail = at_least <= max(TAIL * total, min(MIN_TAIL_VALUES, 0.5 * total), at_least[-1])
    below = knots[~tail][-1] if not tail.all() else knots[0]
    unit = max(MIN_TAIL_UNIT, float(np.average(knots[tail] - below, weights=counts[tail])))
    # A new value that equals several values is equally likely to rank anywhere among them.
    surprisals = -np.log((at_least - 0.5 * np.maximum(counts - 1.0, 0.0)) / (total + 1.0))
    return knots, group, counts, surprisals, unit


def _distinct(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Distinct values, ascending, and the index of each value among them."""
    order = np.argsort(values, kind="stable")
    is_new = np.append(True, np.diff(values[order]) > TOLERANCE)
    group = np.empty(len(values), dtype=np.intp)
    group[order] = np.cumsum(is_new) - 1
    return values[order][is_new], group


def cross_fitted_surprisals(values: np.ndarray, weight: np.ndarray, groups: np.ndarray | None = None) -> np.ndarray:
    """The surprisals of columns of calibration values, each computed from the other values of its column.

    This makes them comparable with surprisals of new values. If the values belong to `groups`, values of the same group
    are left out as well. The surprisal of NaN is zero.
    """
    part = None if groups is None else np.unique(groups, return_inverse=True)[1] % MAX_PARTS
    result = np.zeros(values.shape)
    for column, known, found in zip(values.T, ~np.isnan(values).T, result.T, strict=True):
        if part is None:
            found[known] = _leave_one_out(column[known], weight[known])
        else:
            found[known] = _leave_part_out(column[known], weight[known], part[known])
    return result


def _leave_part_out(values: np.ndarray, weight: np.ndarray, part: np.ndarray) -> np.ndarray:
    result = np.empty(len(values))
    for own in (part == each for each in np.unique(part)):
        result[own] = TailSurprisal.of(values[~own], weight[~own])(values[own])
    return result


def _leave_one_out(values: np.ndarray, weight: np.ndarray) -> np.ndarray:
    if not len(values):
        return values
    knots, group, counts, surprisals, unit = _table(values, weight)
    if len(knots) < 2:
        return surprisals[group]
    own = np.append(surprisals[:1], np.empty(len(knots) - 1))
    gaps = np.diff(knots)
    share = gaps[:-1] / (gaps[:-1] + gaps[1:])
    own[1:-1] = surprisals[:-2] + share * (surprisals[2:] - surprisals[:-2])
    own[-1] = surprisals[-1] + gaps[-1] / unit
    # A value that occurs several times remains in the table if one of them is left out.
    return np.where(counts > 1.0, surprisals, own)[group]


def mean_of_two_highest(values: np.ndarray) -> np.ndarray:
    """Mean of the two highest values of each row, or its only value."""
    return np.sort(values, axis=1)[:, -2:].mean(axis=1)
