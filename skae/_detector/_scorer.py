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
    """The parameters of the detector that its scorer is fitted with; "auto" where a rule of the scorer decides.

    `n_categories` says for each feature how many categories it has, of which rows contain codes, 0 for numbers; None
    stands for numbers only.
    """

    novelty: bool
    n_components: int | float | None
    hidden_layer_sizes: tuple[int, ...] | str
    activation: str
    scale: bool
    training: TrainingParameters
    device: str
    n_categories: np.ndarray | None = None


class Scorer(Protocol):
    """Says how unusual rows are, by several component scores: the higher, the more unusual.

    Components need no common scale: the detector measures each by how many calibration rows have it as high.
    """

    @property
    def takes_missing(self) -> bool:
        """Whether training rows had missing entries."""

    @classmethod
    def fit(
        cls, rows: TrainingRows, parameters: ScorerParameters, random_state: np.random.RandomState, report: Report
    ) -> ScorerFit:
        """Fit to rows; `report` is told of training and packages `ScorerFit`."""

    def component_scores(self, X, device: str) -> np.ndarray:
        """The components of each row, shape (n_rows, n_scores); NaN for a row of which nothing is observed."""

    def feature_shares(self, X, component_weights: np.ndarray, device: str) -> np.ndarray:
        """Share of each feature in each row's components, of which each counts as its weight, shape of X.

        Weights have shape (n_rows, n_scores); rows of the result sum to one.
        """

    def codes(self, X, device: str) -> np.ndarray:
        """Codes of rows, in X's dtype; the detector takes the first `ScorerFit.n_components` columns."""

    def to_state(self) -> dict[str, Any]:
        """Arrays and plain values for a file."""

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Scorer:
        """The scorer that `to_state` described."""


@dataclass(frozen=True, eq=False)
class ScorerFit:
    """A fitted scorer, the number of columns of its codes, how training went, and what calibrates its components.

    `components` are those of calibration rows, each found without the row's help, and `weight` how many rows each of
    them stands for. `component_weight` says how much each component counts, the most important one 1. `groups` are the
    groups of the calibration rows, if they belong to any.
    """

    scorer: Scorer
    n_components: int
    training: TrainingResult
    components: np.ndarray
    weight: np.ndarray
    component_weight: np.ndarray
    groups: np.ndarray | None = None


def normalised(shares: np.ndarray) -> np.ndarray:
    """Rows that sum to one; equal shares where all are zero."""
    total = shares.sum(axis=1, keepdims=True)
    return np.divide(shares, total, out=np.full(shares.shape, 1.0 / shares.shape[1]), where=total > 0)
