"""The reconstruction scorer: how unusual rows are to an autoencoder with a bottleneck."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from skae._autoencoder._config import AutoencoderConfig
from skae._autoencoder._fit import AutoencoderFit, fit
from skae._autoencoder._fitted import FittedAutoencoder
from skae._defaults._autoencoder import HIDDEN_LAYER_SIZES, autoencoder_settings
from skae._defaults._training_parameters import resolved
from skae._detector._calibration import MIN_ROWS_OF_FOLDS, N_FOLDS, n_folds_of
from skae._detector._scorer import ScorerFit, ScorerParameters
from skae._linalg._moments import weighted_mean
from skae._rows._blocks import dense_rows, row_blocks
from skae._rows._hold_out import split_rows
from skae._rows._row_source import RowSource
from skae._rows._training_rows import TrainingRows
from skae._support._callbacks import Report
from skae._support._validation import check_finite_result
from skae._training._loop import Split

# Added to mean squares before their logarithm: rows that are reconstructed exactly are not infinitely usual.
SQUARED_FLOOR = 1e-3
# Below this many rows per feature, whitened codes of new rows depend so much on how many rows there were that an
# autoencoder fitted to fewer says nothing of them: rows that it was not fitted to must.
MIN_ROWS_PER_FEATURE_TO_WHITEN = 2


@dataclass(frozen=True, eq=False)
class ReconstructionScorer:
    """Two logarithms of distances: of a row to its reconstruction, and of its code to the mean code.

    Codes are whitened over the training rows, so that the second is their Mahalanobis distance.
    """

    autoencoder: FittedAutoencoder
    code_mean: np.ndarray

    overfitting_remedy = "Try method='denoising'"

    @classmethod
    def fit(
        cls, rows: TrainingRows, parameters: ScorerParameters, random_state: np.random.RandomState, report: Report
    ) -> ScorerFit:
        config = AutoencoderConfig(
            parameters.n_components,
            hidden_layer_sizes=tuple(resolved(parameters.hidden_layer_sizes, lambda: HIDDEN_LAYER_SIZES)),
            activation=parameters.activation,
            whiten=True,
            scale=parameters.scale,
        )
        settings = autoencoder_settings(parameters.training, config, rows)
        train, held_out = split_rows(rows, settings.validation_fraction, random_state)
        split, calibration = Split(train, held_out, rows.sample_weight), held_out
        n_distinct = rows.n_distinct_rows
        if held_out is None and MIN_ROWS_OF_FOLDS <= n_distinct < MIN_ROWS_PER_FEATURE_TO_WHITEN * rows.n_features:
            train, calibration = split_rows(rows, 1.0 / N_FOLDS, random_state)
            split = Split(train, None, rows.sample_weight)
        # Rows that calibrate scores must be as new to all of the autoencoder as later ones, unless folds see to that.
        separate = calibration is not None and not cls.n_folds(n_distinct, rows.n_features)
        judged = split.train if calibration is None else calibration

        def scorer_fit(fitted: AutoencoderFit) -> ScorerFit:
            autoencoder = fitted.autoencoder
            codes = RowSource(autoencoder.encode(rows.source.local[split.train], parameters.device))
            scorer = cls(autoencoder, weighted_mean(codes, rows.effective_counts[split.train]))
            weight = rows.effective_counts[judged]
            return ScorerFit(scorer, autoencoder.n_components, fitted.training, judged, weight)

        fitted = fit(
            rows,
            config,
            settings,
            random_state,
            split=split,
            train_rows_only=separate,
            report=lambda max_iter, package: report(max_iter, lambda: scorer_fit(package())),
        )
        return scorer_fit(fitted)

    @staticmethod
    def n_folds(n_rows: int, n_features: int) -> int:
        n_folds = n_folds_of(n_rows, n_features)
        return n_folds if n_folds > 1 and n_rows >= MIN_ROWS_PER_FEATURE_TO_WHITEN * n_features else 0

    def codes(self, X, device: str) -> np.ndarray:
        return self.autoencoder.encode(X, device)

    @np.errstate(over="ignore")
    def component_scores(self, X, device: str) -> np.ndarray:
        errors, _ = self.autoencoder.squared_errors(X, device)
        # Whitened codes of far rows may be beyond float32, though the rows are not.
        deviations = self.autoencoder.encode(X, device, double=True) - self.code_mean
        means = np.column_stack([errors / X.shape[1], np.square(deviations).mean(axis=1)])
        return 0.5 * np.log(check_finite_result(means, self.autoencoder.weights.dtype) + SQUARED_FLOOR)

    def feature_shares(self, X, component: np.ndarray, device: str) -> np.ndarray:
        """Share of each feature in each row's component.

        Features share in the distance of a code by how far its reconstruction is from the mean row in each.
        """
        shares = np.empty(X.shape)
        mean, scale = self.autoencoder.linear.mean, self.autoencoder.linear.scale
        for part in row_blocks(*X.shape):
            rows = dense_rows(X, part).astype(np.float64)
            reconstructed = self.autoencoder.reconstruct(rows, device)
            origin = np.where(component[part, np.newaxis] == 0, rows, mean)
            shares[part] = np.square((reconstructed - origin) / scale)
        total = shares.sum(axis=1, keepdims=True)
        return np.divide(shares, total, out=np.full_like(shares, 1.0 / X.shape[1]), where=total > 0)

    def to_state(self) -> dict[str, Any]:
        return {"autoencoder": self.autoencoder.to_state(), "code_mean": self.code_mean}

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> ReconstructionScorer:
        return cls(FittedAutoencoder.from_state(state["autoencoder"]), state["code_mean"])
