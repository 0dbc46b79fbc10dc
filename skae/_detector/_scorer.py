"""The interface between the detector and its scorers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch

from skae._defaults._training_parameters import TrainingParameters
from skae._rows._training_rows import TrainingRows
from skae._support._callbacks import Report
from skae._training._interfaces import TrainingResult

# Added to mean square differences before the logarithm, so that it stays finite for rows that are equal.
SQUARED_FLOOR = 1e-3


@dataclass(frozen=True)
class ScorerParameters:
    """The parameters of the detector that its scorer needs. The scorer resolves "auto".

    `n_categories` is the number of categories of each feature, 0 for numeric features. Rows contain categories as
    codes. None means that all features are numeric.
    """

    novelty: bool
    n_components: int | float | None
    hidden_layer_sizes: tuple[int, ...] | str
    activation: str
    scale: bool
    training: TrainingParameters
    n_categories: np.ndarray | None


class Scorer(Protocol):
    """Measures how unusual rows are by several component scores: the higher, the more unusual.

    Component scores need no common scale, because the detector converts each to a surprisal.
    """

    @property
    def takes_missing(self) -> bool:
        """Whether training rows had missing entries."""

    @classmethod
    def fit(
        cls, rows: TrainingRows, parameters: ScorerParameters, random_state: np.random.RandomState, report: Report
    ) -> ScorerFit:
        """Fit to rows. `report` gets the progress of training, and a function that returns the present `ScorerFit`."""

    def component_scores(self, X, device: torch.device) -> np.ndarray:
        """The component scores of each row, shape (n_rows, n_scores); NaN for a row without observed entries."""

    def feature_shares(self, X, component_weights: np.ndarray, device: torch.device) -> np.ndarray:
        """The share of each feature in the weighted sum of a row's component scores, in the shape of X.

        Weights have shape (n_rows, n_scores). Each row of the result sums to one.
        """

    def codes(self, X, device: torch.device) -> np.ndarray:
        """Codes of rows, in the dtype of X. The detector returns the first `ScorerFit.n_components` columns."""

    def to_state(self) -> dict[str, Any]:
        """Arrays and plain values for a file."""

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Scorer:
        """The scorer that `to_state` described."""


@dataclass(frozen=True, eq=False)
class ScorerFit:
    """A fitted scorer, the number of columns of its codes, the course of training, and the calibration rows.

    `components` are the component scores of the calibration rows, each computed without the row. `weight` is the number
    of rows that each of them represents, and `groups` are their groups, if there are any. `component_weight` are
    the weights of the component scores, of which the largest is 1.
    """

    scorer: Scorer
    n_components: int
    training: TrainingResult
    components: np.ndarray
    weight: np.ndarray
    component_weight: np.ndarray
    groups: np.ndarray | None = None


def normalised(shares: np.ndarray) -> np.ndarray:
    """Divide rows by their sums. Rows of zeros become equal shares."""
    total = shares.sum(axis=1, keepdims=True)
    return np.divide(shares, total, out=np.full(shares.shape, 1.0 / shares.shape[1]), where=total > 0)
