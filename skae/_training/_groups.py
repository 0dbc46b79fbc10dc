"""The standard error of a mean over rows that belong together in groups."""

from __future__ import annotations

import numpy as np
from scipy.special import stdtr, stdtrit


def standard_error_of_groups(values: np.ndarray, groups: np.ndarray, weight: np.ndarray | None) -> float:
    r"""The cluster-robust standard error of a weighted mean, times a factor for few groups.

    .. math:: \mathrm{SE}^2 = \frac{m}{m - 1} \sum_c \Bigl(\sum_{i \in c} w_i (v_i - \bar v)\Bigr)^2,
              \qquad \sum_i w_i = 1, \qquad m = 1 \Big/ \sum_c \Bigl(\sum_{i \in c} w_i\Bigr)^2,

    where m is the effective number of groups (Kish 1965). The factor is the quantile of Student's t with m - 1 degrees
    of freedom that belongs to one deviation of a Gaussian. Infinite for a single group, which says nothing of others.
    """
    weight = np.ones(len(values)) if weight is None else weight
    weight = weight / weight.sum()
    shares = np.bincount(groups, weights=weight)
    n_effective = 1.0 / np.square(shares).sum()
    if n_effective < 1.0 + 1e-9:
        return np.inf
    sums = np.bincount(groups, weights=weight * (values - weight @ values))
    factor = stdtrit(n_effective - 1.0, stdtr(np.inf, 1.0))
    return float(factor * np.sqrt(n_effective / (n_effective - 1.0) * np.square(sums).sum()))
