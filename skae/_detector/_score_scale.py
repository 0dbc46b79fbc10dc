"""Component scores of how unusual a row is, put on one scale and joined."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from skae._linalg._moments import FloatArray
from skae._linalg._quantiles import weighted_quantile

UPPER = 0.95
# Spread of a component that hardly varies over the training rows; components are logarithms of distances.
MIN_SPREAD = 0.03


@dataclass(frozen=True)
class ScoreScale:
    """Centre and upper spread of each component: 0 is the median of the training rows, 1 their 95th percentile.

    The upper tail itself is the yardstick, since components differ in how heavy theirs are.
    """

    centre: FloatArray
    spread: FloatArray

    @classmethod
    def from_training(cls, components: FloatArray, sample_weight: FloatArray | None = None) -> ScoreScale:
        centre = np.array([weighted_quantile(component, 0.5, sample_weight) for component in components.T])
        upper = np.array([weighted_quantile(component, UPPER, sample_weight) for component in components.T])
        return cls(centre, np.maximum(upper - centre, MIN_SPREAD))

    def argmax_component(self, components: FloatArray) -> FloatArray:
        """Index of the component that finds each row most unusual."""
        return np.argmax((components - self.centre) / self.spread, axis=1)

    def scores(self, components: FloatArray) -> FloatArray:
        r"""Negative :math:`\log(1 + e^u)` of the highest component u: below zero, and -u for unusual rows."""
        return -np.logaddexp(0.0, ((components - self.centre) / self.spread).max(axis=1))
