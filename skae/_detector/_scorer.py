"""What a detector needs of a scorer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from skae._defaults._training_parameters import TrainingParameters
from skae._rows._training_rows import TrainingRows
from skae._support._callbacks import Report
from skae._training._loop import TrainingResult


@dataclass(frozen=True)
class ScorerParameters:
    """The parameters of the detector that its scorer is fitted with; "auto" where a rule of the scorer decides."""

    n_components: int | float | None
    hidden_layer_sizes: tuple[int, ...] | str
    activation: str
    scale: bool
    training: TrainingParameters
    device: str


class Scorer(Protocol):
    """Says how unusual rows are, by several component scores: the higher, the more unusual.

    Components are logarithms of distances, each of which the detector measures by its own upper tail over the training
    rows; a row is as unusual as the highest of them.
    """

    # What a user can do where rows are too few for their features.
    overfitting_remedy: str

    @classmethod
    def fit(
        cls, rows: TrainingRows, parameters: ScorerParameters, random_state: np.random.RandomState, report: Report
    ) -> ScorerFit:
        """Fit to rows; `report` is told of training and packages `ScorerFit`."""

    @staticmethod
    def n_folds(n_rows: int, n_features: int) -> int:
        """How many folds of so many different rows calibrate; 0 where `ScorerFit.calibration_rows` do."""

    def component_scores(self, X, device: str) -> np.ndarray:
        """The components of each row, shape (n_rows, n_scores)."""

    def feature_shares(self, X, component: np.ndarray, device: str) -> np.ndarray:
        """Share of each feature in each row's `component` (an index per row), shape of X; rows sum to one."""

    def codes(self, X, device: str) -> np.ndarray:
        """Codes of rows, in X's dtype; the detector takes the first `ScorerFit.n_components` columns."""

    def to_state(self) -> dict[str, Any]:
        """Arrays and plain values for a file."""

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Scorer:
        """The scorer that `to_state` described."""


@dataclass(frozen=True, eq=False)
class ScorerFit:
    """A fitted scorer, the number of columns of its codes, how training went, and the rows that can calibrate it.

    `calibration_rows` are indices of rows that the scorer judges as it judges new ones, and `calibration_weight` how
    many rows each of them stands for.
    """

    scorer: Scorer
    n_components: int
    training: TrainingResult
    calibration_rows: np.ndarray
    calibration_weight: np.ndarray
