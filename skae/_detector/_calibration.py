"""Calibration: surprisals of component scores, the score that combines them, the threshold, and p-values.

It does not depend on the scorer. It gets the component scores of calibration rows, which were computed without them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from skae._detector._conformal import conformal_p_values
from skae._detector._tail_surprisal import TailSurprisal, cross_fitted_surprisals, mean_of_two_highest, surprisals_by
from skae._linalg._quantiles import lower_tail_threshold, weighted_quantile
from skae._support._state import fields_of

# With contamination="auto", a row is beyond the fence if its component scores are, on average, more than this many
# times as far above their medians as the third quartiles are. About 0.5 % of Gaussian rows are.
FENCE = 4.0
# Minimum of the distance between median and third quartile, for component scores that hardly vary, for instance because
# rows have only a few distinct values. Rows with a weight above MAX_WEIGHT never count as beyond the fence.
MIN_SPREAD, MAX_WEIGHT = 0.1, 20.0
# With contamination="auto", the share of new normal rows that are labelled if all training rows are normal.
SHARE_OF_NORMAL = 0.01


@dataclass(frozen=True, eq=False)
class Calibration:
    """The surprisals of the component scores, their weights, and the scores and weights of the calibration rows.

    The score of a row is minus the mean of its two highest weighted surprisals. If rows belong to groups, the weights
    of the calibration rows sum to the effective number of groups, because rows of the same group are not independent.
    """

    surprisals: tuple[TailSurprisal, ...]
    component_weight: np.ndarray
    scores: np.ndarray
    weight: np.ndarray

    @classmethod
    def of(
        cls,
        components: np.ndarray,
        weight: np.ndarray,
        component_weight: np.ndarray,
        groups: np.ndarray | None = None,
    ) -> Calibration:
        """Calibrate with the component scores of weighted calibration rows, which may belong to groups."""
        surprisals = tuple(TailSurprisal.of(values, weight) for values in components.T)
        scores = -mean_of_two_highest(cross_fitted_surprisals(components, weight, groups) * component_weight)
        if groups is not None:
            of_groups = np.bincount(groups, weights=weight)
            weight = weight * of_groups.sum() / np.square(of_groups).sum()  # Kish (1965)
        return cls(surprisals, component_weight, scores, weight)

    def to_state(self) -> dict[str, Any]:
        """Arrays and plain values for a file."""
        return fields_of(self) | {"surprisals": [fields_of(tail) for tail in self.surprisals]}

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Calibration:
        """The calibration that `to_state` described."""
        return cls(**state | {"surprisals": tuple(TailSurprisal(**tail) for tail in state["surprisals"])})

    def scores_of(self, components: np.ndarray) -> np.ndarray:
        """Scores of rows: at most zero, and the lower, the more unusual."""
        return 0.0 - mean_of_two_highest(self._surprisals_of(components))  # zero without a sign

    def contributions_of(self, components: np.ndarray) -> np.ndarray:
        """The contribution of each component score to minus the score."""
        surprisals = self._surprisals_of(components)
        places = np.argsort(np.argsort(-surprisals, axis=1, kind="stable"), axis=1)
        n_counted = min(2, surprisals.shape[1])
        return np.where(places < n_counted, surprisals / n_counted, 0.0)

    @property
    def lowest_p_value(self) -> float:
        """The p-value of a row that is more unusual than all calibration rows."""
        return float(self.p_values(np.array([-np.inf]))[0])

    def p_values(self, scores: np.ndarray) -> np.ndarray:
        """Conformal p-values of scores."""
        return conformal_p_values(-scores, -self.scores, self.weight)

    def _surprisals_of(self, components: np.ndarray) -> np.ndarray:
        """Weighted surprisals. They are zero for component scores that are NaN, because nothing was observed."""
        return np.nan_to_num(surprisals_by(self.surprisals, components) * self.component_weight, posinf=np.inf)


def normal_threshold(calibration: Calibration, contamination: float | str) -> float:
    """The threshold with a given share of new normal rows below it: `contamination`, or 0.01 for "auto"."""
    share = SHARE_OF_NORMAL if isinstance(contamination, str) else contamination
    weight = calibration.weight
    # A new row has a weight of one. If k of the total weight n is below the threshold, it is below with probability
    # k / (n + 1). `lower_tail_threshold` ensures that this is at most the share only if rows weigh at least one. In
    # groups they weigh less, so that the share is reduced.
    share -= (1.0 - share) * max(0.0, 1.0 - weight.max()) / weight.sum()
    return lower_tail_threshold(calibration.scores, max(share, 0.0), weight)


def threshold(
    calibration: Calibration,
    components: np.ndarray,
    contamination: float | str,
    scores: np.ndarray,
    weight: np.ndarray,
) -> float:
    """The score below which rows are outliers, if some training rows may be outliers.

    A number is the share of the training rows below it, given their scores and weights. "auto" takes the share of the
    calibration rows that are beyond the fence, given their component scores, and at least the most unusual training
    row.
    """
    if not isinstance(contamination, str):
        return lower_tail_threshold(scores, contamination, weight)
    of_most_unusual = lower_tail_threshold(scores, 1.0 / weight.sum(), weight)
    share = share_beyond_fence(components, calibration.weight)
    if share == 0.0:
        return of_most_unusual
    of_fence = lower_tail_threshold(calibration.scores_of(components), share, calibration.weight, margin=1.0)
    return max(of_fence, of_most_unusual)


def share_beyond_fence(components: np.ndarray, weight: np.ndarray) -> float:
    """Share of the weighted rows whose component scores are, on average, far above those of most rows.

    A row with the weight of many rows is a common state, not an outlier.
    """
    median, quartile = (
        np.array([weighted_quantile(values, share, weight) for values in components.T]) for share in (0.5, 0.75)
    )
    distances = ((components - median) / np.maximum(quartile - median, MIN_SPREAD)).mean(axis=1)
    beyond = (distances > FENCE) & (weight <= MAX_WEIGHT)
    return float(weight[beyond].sum() / weight.sum())
