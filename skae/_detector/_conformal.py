"""Conformal p-values."""

from __future__ import annotations

import numpy as np

from skae._linalg._moments import FloatArray


def conformal_p_values(scores: FloatArray, calibration: FloatArray, weight: FloatArray) -> FloatArray:
    r"""The share of calibration scores that are at least as high. The new score itself counts as one of them.

    .. math:: p = \frac{1 + \sum_i w_i\,1[s_i \ge s]}{1 + \sum_i w_i}

    If a new score is exchangeable with the calibration scores, the probability of ``p <= a`` is at most a, for every a
    and any number of scores (Vovk, Gammerman & Shafer 2005).
    """
    order = np.argsort(calibration)
    below = np.concatenate([[0.0], np.cumsum(weight[order])])
    total = below[-1]
    at_least = total - below[np.searchsorted(calibration[order], scores, side="left")]
    return (1.0 + at_least) / (1.0 + total)
