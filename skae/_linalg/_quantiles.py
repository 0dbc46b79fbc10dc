"""Quantiles of weighted values."""

from __future__ import annotations

import numpy as np

from skae._linalg._moments import FloatArray


def weighted_quantile(values: FloatArray, probability: float, weight: FloatArray) -> float:
    """The averaged inverted CDF of weighted values.

    A weight of two is equivalent to the value given twice, which is not so with interpolation. If the cumulative weight
    equals the probability exactly, the quantile is the mean of the two neighbours (Hyndman & Fan 1996, definition 2).
    """
    order = np.argsort(values, kind="stable")
    values, cumulative = values[order], np.cumsum(weight[order])
    target = probability * cumulative[-1]
    # Sums of weights that should equal the target may differ from it by rounding.
    slack = 1e-10 * cumulative[-1]
    lower = min(int(np.searchsorted(cumulative, target - slack)), len(values) - 1)
    upper = min(int(np.searchsorted(cumulative, target + slack)), len(values) - 1)
    return float(0.5 * (values[lower] + values[upper]))


def observed(values: FloatArray, weight: FloatArray) -> tuple[FloatArray, FloatArray]:
    """The values that are not NaN, with their weights; a single zero if all are NaN."""
    known = ~np.isnan(values)
    if known.all():
        return values, weight
    return (values[known], weight[known]) if known.any() else (np.zeros(1, values.dtype), np.ones(1))


def lower_tail_threshold(values: FloatArray, share: float, weight: FloatArray, margin: float = 1e-4) -> float:
    """The threshold below which are the lowest values, as many as make up at most this share of the weight.

    It is at most `margin` above the highest of these values, not halfway to the next value. A new value that is
    exchangeable with the n given ones is at most the k-th lowest with probability k / (n + 1), which is at most the
    share.
    """
    order = np.argsort(values, kind="stable")
    cumulative = np.cumsum(weight[order])
    # Equal values are on the same side: if not all of them fit below the threshold, all are above.
    levels, first = np.unique(values[order], return_index=True)
    weight_up_to = np.append(cumulative[first[1:] - 1], cumulative[-1])
    n_below = int(np.searchsorted(weight_up_to, (share + 1e-10) * cumulative[-1], side="right"))
    if n_below == 0:
        return float(levels[0] - margin)
    if n_below == len(levels):
        return float(levels[-1] + margin)
    return float(levels[n_below - 1] + min(margin, 0.5 * (levels[n_below] - levels[n_below - 1])))
