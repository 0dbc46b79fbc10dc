"""Quantiles of weighted values."""

from __future__ import annotations

import numpy as np

from skae._linalg._moments import FloatArray


def weighted_quantile(values: FloatArray, probability: float, sample_weight: FloatArray | None = None) -> float:
    """The averaged inverted CDF of weighted values.

    A weight of two is the same as the value given twice, which interpolating definitions do not grant. Where the
    cumulative weight meets the probability exactly, the mean of the two neighbours is taken (Hyndman & Fan 1996, 2).
    """
    order = np.argsort(values, kind="stable")
    values = values[order]
    weight = np.ones(len(values)) if sample_weight is None else sample_weight[order]
    cumulative = np.cumsum(weight)
    target = probability * cumulative[-1]
    # Sums of weights differ from the target by rounding where they should meet it.
    slack = 1e-10 * cumulative[-1]
    lower = min(int(np.searchsorted(cumulative, target - slack)), len(values) - 1)
    upper = min(int(np.searchsorted(cumulative, target + slack)), len(values) - 1)
    return float(0.5 * (values[lower] + values[upper]))


def observed(values: FloatArray, weight: FloatArray) -> tuple[FloatArray, FloatArray]:
    """The values that are not NaN, or one zero if all are, and their weights."""
    known = ~np.isnan(values)
    if known.all():
        return values, weight
    return (values[known], weight[known]) if known.any() else (np.zeros(1, values.dtype), np.ones(1))


def lower_tail_threshold(
    values: FloatArray, share: float, sample_weight: FloatArray | None = None, margin: float = 1e-4
) -> float:
    """A threshold below which lie the lowest values that make up at most this share of the weight.

    It is at most `margin` above the highest of them, not halfway to the next: the chance that a new value, exchangeable
    with n given ones, is at most the k-th lowest is k / (n + 1) and so at most the share.
    """
    order = np.argsort(values, kind="stable")
    weight = np.ones(len(values)) if sample_weight is None else sample_weight[order]
    cumulative = np.cumsum(weight)
    # Equal values share a side: where they do not all fit, all stay above.
    levels, first = np.unique(values[order], return_index=True)
    weight_up_to = np.append(cumulative[first[1:] - 1], cumulative[-1])
    n_below = int(np.searchsorted(weight_up_to, (share + 1e-10) * cumulative[-1], side="right"))
    if n_below == 0:
        return float(levels[0] - margin)
    if n_below == len(levels):
        return float(levels[-1] + margin)
    return float(levels[n_below - 1] + min(margin, 0.5 * (levels[n_below] - levels[n_below - 1])))
