"""How surprising a value is, given calibration values: minus the logarithm of the share that is at least as high."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

# Share of the highest calibration values whose mean excess is the unit of what lies beyond them all; and the smallest
# unit: by a tenth the distances of one row differ from bags to bags.
TAIL, MIN_TAIL_UNIT = 0.1, 0.1
# Calibration values that belong to groups are in at most so many parts, each measured by the others.
MAX_PARTS = 20
# Values kept of a table, evenly spread over the surprisals.
MAX_KNOTS = 256
# Values closer than this are equal: those of equal rows differ by roundings of float32, by where they are in a product.
TOLERANCE = 1e-6


@dataclass(frozen=True, eq=False)
class TailSurprisal:
    r"""Minus the logarithm of the share of calibration values at least as high; beyond the highest it grows linearly.

    .. math:: s(v) = -\log \frac{\sum_i w_i\,1[v_i \ge v]}{1 + \sum_i w_i}

    Values between two calibration values are interpolated. The unit of what lies beyond is the mean excess of the
    highest tenth, which of an exponential tail is its scale.
    """

    knots: np.ndarray
    surprisals: np.ndarray
    unit: float

    @classmethod
    def of(cls, values: np.ndarray, weight: np.ndarray) -> TailSurprisal:
        """Of weighted calibration values, those that are NaN left out; of none, no value is a surprise."""
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


def _table(values: np.ndarray, weight: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, float]:
    """Distinct values, where each value is among them, their weights and surprisals, and the unit of the tail."""
    knots, group = _distinct(values.astype(np.float64))
    counts = np.bincount(group, weights=weight)
    at_least = np.cumsum(counts[::-1])[::-1]
    total = at_least[0]
    tail = at_least <= max(TAIL * total, at_least[-1])
    below = knots[~tail][-1] if not tail.all() else knots[0]
    unit = max(MIN_TAIL_UNIT, float(np.average(knots[tail] - below, weights=counts[tail])))
    # Of equal values a new one is as likely to be any.
    surprisals = -np.log((at_least - 0.5 * np.maximum(counts - 1.0, 0.0)) / (total + 1.0))
    return knots, group, counts, surprisals, unit


def _distinct(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Distinct values, ascending, and where each value is among them."""
    order = np.argsort(values, kind="stable")
    is_new = np.append(True, np.diff(values[order]) > TOLERANCE)
    group = np.empty(len(values), dtype=np.intp)
    group[order] = np.cumsum(is_new) - 1
    return values[order][is_new], group


def cross_fitted_surprisals(values: np.ndarray, weight: np.ndarray, groups: np.ndarray | None = None) -> np.ndarray:
    """The surprisals of columns of calibration values, each found from the others, as that of a new value is.

    In its own table the highest value would be as surprising as the table allows, and new values more so. Values that
    belong to `groups` are found from those of other groups. What is missing (NaN) is no surprise.
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
    # A value that others share stays in the table without itself.
    return np.where(counts > 1.0, surprisals, own)[group]


def mean_of_two_highest(values: np.ndarray) -> np.ndarray:
    """Mean of the two highest of each row, or the only one."""
    return np.sort(values, axis=1)[:, -2:].mean(axis=1)
