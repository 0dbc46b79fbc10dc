"""The reconstruction scorer: errors of an autoencoder with a bottleneck, and distances between its codes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from skae._autoencoder._config import AutoencoderConfig
from skae._autoencoder._fit import fit
from skae._autoencoder._fitted import FittedAutoencoder
from skae._autoencoder._packaging import AutoencoderFit
from skae._defaults._autoencoder import autoencoder_settings, default_layer_sizes
from skae._defaults._training_parameters import resolved
from skae._detector._scorer import SQUARED_FLOOR, ScorerFit, ScorerParameters, normalised
from skae._linalg._moments import weighted_mean
from skae._rows._blocks import dense_rows, row_blocks, row_indices
from skae._rows._hold_out import split_rows
from skae._rows._row_source import RowSource
from skae._rows._training_rows import TrainingRows
from skae._support._callbacks import Report, silent
from skae._support._validation import check_finite_result
from skae._support._warnings import warn
from skae._training._interfaces import Split

# With fewer rows per feature than this, whitened codes of new rows depend strongly on the number of training rows.
# Autoencoders fitted to different numbers of rows are then not comparable: held-out rows calibrate instead of folds.
MIN_ROWS_PER_FEATURE_TO_WHITEN = 2
# With fewer rows than this, in total or per feature, an autoencoder depends so much on single rows that they look more
# normal than new rows. Scores are then calibrated by cross-fitting.
MIN_ROWS, MIN_ROWS_PER_FEATURE = 200, 10
# In cross-fitting, each fold of the rows is scored by an autoencoder fitted to the other folds. It needs at least
# MIN_ROWS_OF_FOLDS rows, and is not used from MIN_ROWS_WITHOUT_FOLDS rows.
N_FOLDS, MIN_ROWS_OF_FOLDS, MIN_ROWS_WITHOUT_FOLDS = 5, 20, 1000


@dataclass(frozen=True, eq=False)
class ReconstructionScorer:
    """Two log-distances as component scores: from a row to its reconstruction, and from its code to the mean code.

    Codes are whitened over the training rows, so that the second distance is the Mahalanobis distance.
    """

    autoencoder: FittedAutoencoder
    code_mean: np.ndarray

    @property
    def takes_missing(self) -> bool:
        return self.autoencoder.takes_mask

    @classmethod
    def fit(
        cls, rows: TrainingRows, parameters: ScorerParameters, random_state: np.random.RandomState, report: Report
    ) -> ScorerFit:
        fitted = cls._fit(rows, parameters, random_state, report)
        if needs_folds(rows):
            components, weight, groups = cross_fitted_components(rows, parameters, random_state)
            fitted = replace(fitted, components=components, weight=weight, groups=groups)
        if too_few_to_whiten(rows):
            warn(
                f"Found {rows.n_distinct_rows} different rows for {rows.n_features} features. With fewer than 2 rows "
                "per feature, training rows may look more unusual than new rows. Label only new rows, or use "
                "method='denoising'. See docs/guide_troubleshooting.md.",
                UserWarning,
            )
        return fitted

    @classmethod
    def _fit(
        cls, rows: TrainingRows, parameters: ScorerParameters, random_state: np.random.RandomState, report: Report
    ) -> ScorerFit:
        config = AutoencoderConfig(
            parameters.n_components,
            hidden_layer_sizes=resolved(
                parameters.hidden_layer_sizes, lambda: default_layer_sizes(parameters.n_components)
            ),
            activation=parameters.activation,
            whiten=True,
            scale=parameters.scale,
        )
        settings = autoencoder_settings(parameters.training, config, rows)
        train, held_out = split_rows(rows, settings.validation_fraction, random_state)
        calibration = held_out
        if held_out is None and too_few_to_whiten(rows):
            train, calibration = split_rows(rows, 1.0 / N_FOLDS, random_state)
        split = Split(train, held_out, rows.sample_weight, rows.groups)
        # Calibration rows must not have influenced any part of the autoencoder. With folds, this holds in any case.
        representative = None if calibration is None or needs_folds(rows) else split.train
        scored = split.train if calibration is None else calibration

        def scorer_fit(fitted: AutoencoderFit) -> ScorerFit:
            autoencoder = fitted.autoencoder
            codes = RowSource(autoencoder.encode(rows.source.local[split.train], rows.device))
            scorer = cls(autoencoder, weighted_mean(codes, rows.effective_counts[split.train]))
            components = scorer.component_scores(rows.source.local[scored], rows.device)
            weight = rows.effective_counts[scored]
            groups = None if rows.groups is None else rows.groups[scored]
            n_components = autoencoder.n_components
            return ScorerFit(scorer, n_components, fitted.training, components, weight, np.ones(2), groups)

        fitted = fit(
            rows,
            config,
            settings,
            random_state,
            split=split,
            representative=representative,
            report=lambda max_iter, package: report(max_iter, lambda: scorer_fit(package())),
        )
        return scorer_fit(fitted)

    def codes(self, X, device: torch.device) -> np.ndarray:
        return self.autoencoder.encode(X, device)

    @np.errstate(over="ignore")
    def component_scores(self, X, device: torch.device) -> np.ndarray:
        # Codes in float64, because whitened codes of extreme rows may be beyond the range of float32.
        errors, _, codes = self.autoencoder.errors_and_codes(X, device)
        n_observed, deviations = _n_observed(X), codes - self.code_mean
        means = np.column_stack([errors / np.maximum(n_observed, 1), np.square(deviations).mean(axis=1)])
        components = 0.5 * np.log(check_finite_result(means, self.autoencoder.weights.dtype) + SQUARED_FLOOR)
        components[n_observed == 0] = np.nan
        return components

    def feature_shares(self, X, component_weights: np.ndarray, device: torch.device) -> np.ndarray:
        """The share of each feature in the two component scores of each row.

        For the reconstruction error, shares are proportional to squared errors. For the distance of the code, they are
        proportional to squared differences between the reconstruction and the mean row.
        """
        shares = np.empty(X.shape)
        mean, scale = self.autoencoder.linear.mean, self.autoencoder.linear.scale
        for part in row_blocks(*X.shape):
            rows = dense_rows(X, part).astype(np.float64)
            reconstructed = self.autoencoder.reconstruct(rows, device)
            squares = (np.square((reconstructed - origin) / scale) for origin in (rows, mean))
            of_error, of_code = (normalised(np.where(np.isnan(rows), 0.0, each)) for each in squares)
            weights = component_weights[part]
            shares[part] = normalised(of_error * weights[:, :1] + of_code * weights[:, 1:])
        return shares

    def to_state(self) -> dict[str, Any]:
        return {"autoencoder": self.autoencoder.to_state(), "code_mean": self.code_mean}

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> ReconstructionScorer:
        return cls(FittedAutoencoder.from_state(state["autoencoder"]), state["code_mean"])


def _n_observed(X) -> np.ndarray:
    """The number of observed entries of each row."""
    parts = [np.isnan(dense_rows(X, part)).sum(axis=1) for part in row_blocks(*X.shape)]
    return X.shape[1] - np.concatenate(parts)


def too_few_to_whiten(rows: TrainingRows) -> bool:
    """Whether whitened codes of new rows depend strongly on the number of training rows."""
    return MIN_ROWS_OF_FOLDS <= rows.n_distinct_rows < MIN_ROWS_PER_FEATURE_TO_WHITEN * rows.n_features


def needs_folds(rows: TrainingRows) -> bool:
    """Whether scores are calibrated by cross-fitting: rows are too few for a hold-out, but enough for folds.

    If rows belong to groups, groups are counted instead: with few groups, too few are held out for calibration.
    """
    n_rows, n_features = rows.n_distinct_rows, rows.n_features
    enough_for_parts = max(MIN_ROWS_OF_FOLDS, MIN_ROWS_PER_FEATURE_TO_WHITEN * n_features)
    enough = min(MIN_ROWS_WITHOUT_FOLDS, max(MIN_ROWS, MIN_ROWS_PER_FEATURE * n_features))
    return enough_for_parts <= n_rows and (n_rows if rows.groups is None else rows.n_groups) < enough


def cross_fitted_components(
    rows: TrainingRows, parameters: ScorerParameters, random_state: np.random.RandomState
) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """Component scores of all rows, their weights and their groups, sorted by fold.

    Each fold is scored by a scorer that was fitted to the other folds. Rows of a group are in the same fold; without
    groups, equal rows are.
    """
    labels = rows.groups if rows.groups is not None else rows.first_occurrences
    occurrences, group = np.unique(row_indices(rows.n_rows) if labels is None else labels, return_inverse=True)
    fold = (random_state.permutation(len(occurrences)) % N_FOLDS)[group]
    scored, components = [], []
    for k in range(fold.max() + 1):
        fitted = ReconstructionScorer._fit(rows.select(fold != k), parameters, random_state, silent)
        if fitted.training.interrupted:  # calibration needs all folds
            raise KeyboardInterrupt
        scored.append(np.flatnonzero(fold == k))
        components.append(fitted.scorer.component_scores(rows.source.local[scored[-1]], rows.device))
    order = np.concatenate(scored)
    groups = None if rows.groups is None else rows.groups[order]
    return np.concatenate(components), rows.effective_counts[order], groups
