"""Views of how unusual a row is, put on one scale and joined."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from skae._numerics._moments import FloatArray
from skae._numerics._quantiles import weighted_quantile

UPPER = 0.95
# Spread of a view that hardly varies over the training rows; views are logarithms of distances.
MIN_SPREAD = 0.03


@dataclass(frozen=True)
class ViewScale:
    """Centre and upper spread of each view: 0 is the median of the training rows, 1 their 95th percentile.

    The upper tail itself is the yardstick, since views differ in how heavy theirs are.
    """

    centre: FloatArray
    spread: FloatArray

    @classmethod
    def from_training(cls, views: FloatArray, sample_weight: FloatArray | None = None) -> ViewScale:
        centre = np.array([weighted_quantile(view, 0.5, sample_weight) for view in views.T])
        upper = np.array([weighted_quantile(view, UPPER, sample_weight) for view in views.T])
        return cls(centre, np.maximum(upper - centre, MIN_SPREAD))

    def most_alarmed(self, views: FloatArray) -> FloatArray:
        """Index of the view that finds each row most unusual."""
        return np.argmax((views - self.centre) / self.spread, axis=1)

    def scores(self, views: FloatArray) -> FloatArray:
        r"""Negative :math:`\log(1 + e^u)` of the highest view u: below zero, and -u for unusual rows."""
        return -np.logaddexp(0.0, ((views - self.centre) / self.spread).max(axis=1))
