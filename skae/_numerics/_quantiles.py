"""Quantiles of weighted values."""

from __future__ import annotations

import numpy as np

from skae._numerics._moments import FloatArray


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
