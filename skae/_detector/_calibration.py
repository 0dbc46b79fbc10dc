"""Calibration of scores: folds, the scale of the components, the threshold and p-values. Knows no scorer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from skae._detector._conformal import conformal_p_values
from skae._detector._score_scale import ScoreScale
from skae._detector._scorer import ScorerFit
from skae._linalg._quantiles import lower_tail_threshold
from skae._rows._blocks import row_indices
from skae._rows._training_rows import TrainingRows
from skae._support._warnings import warn

# With contamination="auto" a row is an outlier from twice as far above the median as the 95th percentile is.
AUTO_THRESHOLD = 2.0
# It is raised until a training row is an outlier, if no more than this share of new rows are outliers then.
MAX_SHARE_FOR_ONE = 0.1
# Where more of the training rows than this are flagged, the threshold, which is for new rows, says nothing of them.
MAX_SHARE_FLAGGED = 0.25
# Scores this close, relative to themselves, are equal.
TIE = 1e-9
# Below this many rows, in all or per feature, what is learned depends so much on single rows that they look more usual
# than new ones: detectors fitted without them then tell how unusual they are.
MIN_ROWS, MIN_ROWS_PER_FEATURE = 200, 10
# Each fold of the rows is judged by a detector fitted to the others; of many rows one fold is enough.
N_FOLDS, MIN_ROWS_OF_FOLDS, MIN_ROWS_OF_ONE_FOLD = 5, 20, 1000
# Below this many rows per feature, the labels of the training rows can mean nothing.
MIN_ROWS_PER_FEATURE_TO_LABEL = 2


@dataclass(frozen=True, eq=False)
class Calibration:
    """The scale of the components, the scores of the calibration rows with their weights, and the threshold."""

    scale: ScoreScale
    scores: np.ndarray
    weight: np.ndarray
    offset: float

    def to_state(self) -> dict[str, Any]:
        """Arrays and plain values for a file."""
        return vars(self) | {"scale": dict(vars(self.scale))}

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Calibration:
        """The calibration that `to_state` described."""
        return cls(**state | {"scale": ScoreScale(**state["scale"])})

    def p_values(self, scores: np.ndarray) -> np.ndarray:
        """Conformal p-values of scores."""
        return conformal_p_values(-scores, -self.scores, self.weight)


def n_folds_of(n_rows: int, n_features: int) -> int:
    """How many folds of so many different rows calibrate; none where rows are so many that they look as new ones do."""
    if n_rows < MIN_ROWS_OF_FOLDS or n_rows >= max(MIN_ROWS, MIN_ROWS_PER_FEATURE * n_features):
        return 0
    return N_FOLDS if n_rows < MIN_ROWS_OF_ONE_FOLD else 1


def cross_fitted_components(
    fit: Callable[[TrainingRows], ScorerFit],
    rows: TrainingRows,
    n_folds: int,
    random_state: np.random.RandomState,
    device: str,
) -> tuple[np.ndarray, np.ndarray]:
    """Components of the rows in some folds, each by a scorer that was fitted without its fold, and the rows' weights.

    Equal rows are in one fold.
    """
    first = rows.first_occurrences
    occurrences, group = np.unique(row_indices(rows.n_rows) if first is None else first, return_inverse=True)
    fold = (random_state.permutation(len(occurrences)) % N_FOLDS)[group]
    judged, components = [], []
    for k in range(n_folds):
        fitted = fit(rows.select(fold != k))
        if fitted.training.interrupted:  # half of the folds would be no calibration
            raise KeyboardInterrupt
        judged.append(np.flatnonzero(fold == k))
        components.append(fitted.scorer.component_scores(rows.source.local[judged[-1]], device))
    return np.concatenate(components), rows.effective_counts[np.concatenate(judged)]


def calibrate(
    rows: TrainingRows,
    components: np.ndarray,
    weight: np.ndarray,
    all_components: Callable[[], np.ndarray],
    contamination: float | str,
    overfitting_remedy: str,
) -> Calibration:
    """The scale of the components and the threshold, from the components of weighted calibration rows.

    `all_components` are those of all training rows, by the scorer that new rows are judged by. Warns, with the remedy,
    where labels of the training rows mean nothing.
    """
    scale = ScoreScale.from_training(components, weight)
    scores = scale.scores(components)
    if isinstance(contamination, str):
        for_one = _next_to_lowest(scores)
        if rows.n_rows < MIN_ROWS_OF_ONE_FOLD and rows.n_distinct_rows >= MIN_ROWS_OF_FOLDS:
            # Rows look more usual to what was fitted to them: new ones must not pay for that.
            own = scale.scores(all_components())
            for_one = min(_next_to_lowest(own), lower_tail_threshold(scores, MAX_SHARE_FOR_ONE, weight))
            _warn_of_too_few_rows(rows, own, overfitting_remedy)
        offset = max(-np.logaddexp(0.0, AUTO_THRESHOLD), for_one)
    else:
        offset = lower_tail_threshold(scale.scores(all_components()), contamination, rows.effective_counts)
    return Calibration(scale, scores, weight, float(offset))


def _warn_of_too_few_rows(rows: TrainingRows, scores: np.ndarray, remedy: str) -> None:
    """Warn if labels of the training rows, which have these scores, mean nothing."""
    few = rows.n_distinct_rows < MIN_ROWS_PER_FEATURE_TO_LABEL * rows.n_features
    if few and (scores < -np.logaddexp(0.0, AUTO_THRESHOLD)).mean() > MAX_SHARE_FLAGGED:
        warn(
            "Rows are so few for their features that those fitted to look more unusual than new ones: labels are for "
            f"new rows only. {remedy} first.",
            UserWarning,
        )


def _next_to_lowest(scores: np.ndarray) -> float:
    """A threshold below which is the lowest score alone, and what ties with it."""
    lowest = scores.min()
    others = scores[scores > lowest + TIE * abs(lowest)]
    return float((lowest + others.min()) / 2.0 if len(others) else lowest)
