"""The denoising scorer: distances to training rows, and denoising autoencoders."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from skae._detector._component_reliability import corrupted_rows, reliability
from skae._detector._coordinates import N_SYSTEMS, WHITENED
from skae._detector._entries import Entries
from skae._detector._network_scores import DenoiserScores, MaskedScores, NetworkScores
from skae._detector._network_training import NetworkTraining
from skae._detector._row_distances import RowDistances
from skae._detector._sampling import Sampler, cross_fitted_distances
from skae._detector._scorer import ScorerFit, ScorerParameters, normalised
from skae._detector._tail_surprisal import TailSurprisal, cross_fitted_surprisals, surprisals_by
from skae._linalg._principal_axes import n_axes_for_share
from skae._rows._blocks import BLOCK_ELEMENTS, row_blocks
from skae._rows._reservoir import draw_rows
from skae._rows._training_rows import TrainingRows
from skae._support._callbacks import Report
from skae._support._state import fields_of
from skae._support._threads import map_parts

# With more features, fitting would be slow, and files would be large.
MAX_FEATURES = 2000
# Narrower rows are scored in blocks of at most 4,096, so that several threads can be used.
MIN_BLOCK_WIDTH = BLOCK_ELEMENTS // 4096
# Maximum number of calibration rows. They give surprisals and p-values a resolution of 1/2,000.
MAX_CALIBRATION_ROWS = 2000


@dataclass(frozen=True, eq=False)
class DenoisingScorer:
    """Five component scores: four from log-distances to the nearest training rows, one from autoencoders.

    Each of the three coordinate systems has a component score. The fourth is the mean surprisal of the distances in
    several spaces of rank coordinates. With `novelty`, the spaces are random subsets of the features. Otherwise, there
    is one space with all features and very small bags, most of which contain no outliers. `takes_missing` is True if
    training rows had missing entries.
    """

    distances: RowDistances
    space_surprisals: tuple[TailSurprisal, ...]
    network: NetworkScores
    takes_missing: bool = False

    @classmethod
    def fit(
        cls, rows: TrainingRows, parameters: ScorerParameters, random_state: np.random.RandomState, report: Report
    ) -> ScorerFit:
        _check_width(rows.n_features)
        entries = Entries.of(rows, parameters.novelty, random_state)
        if parameters.n_categories is not None:
            entries = entries.with_categories(parameters.n_categories)
            _check_width(entries.n_columns, " columns for features and categories")
        sampler = Sampler(entries, parameters, str(rows.dtype).removeprefix("torch."), rows.device, random_state)
        order = np.arange(len(entries)) if parameters.novelty else sampler.most_typical_first()
        row_distances = sampler.row_distances(order)
        calibration, weight = _calibration_rows(entries, random_state)
        distances = cross_fitted_distances(sampler, order, calibration)
        tails = tuple(TailSurprisal.of(values, weight) for values in distances[:, N_SYSTEMS:].T)
        groups = None if entries.group is None else entries.group[calibration]
        space_surprisals = cross_fitted_surprisals(distances[:, N_SYSTEMS:], weight, groups)

        training = NetworkTraining(entries, sampler.typical(order), row_distances, parameters, rows, random_state)
        systems, fold = row_distances.systems(entries.rows[calibration]), entries.fold[calibration]
        corrupted = corrupted_rows(entries, row_distances.coordinates.scale.unit, random_state)

        def package() -> ScorerFit:
            network, network_component = training.network_scores().calibrated(systems, fold, weight, groups)
            components = _join_components(distances, space_surprisals, network_component)
            scorer = cls(row_distances, tails, network, takes_missing=rows.missing_share > 0)
            component_weight = np.ones(components.shape[1])
            if parameters.novelty or entries.columns is not None:
                corrupted_components = scorer.component_scores(corrupted, rows.device)
                component_weight = reliability(components, weight, corrupted_components)
            variances = row_distances.coordinates.whitening.variances
            n_components = _n_leading_components(variances, parameters.n_components)
            return ScorerFit(scorer, n_components, training.result, components, weight, component_weight, groups)

        reporter = report(training.settings.max_iter, package)
        training.run(reporter.on_epoch)
        reporter.close()
        return package()

    def component_scores(self, X, device: torch.device) -> np.ndarray:
        parts = row_blocks(X.shape[0], max(X.shape[1], MIN_BLOCK_WIDTH))
        return np.concatenate(map_parts(lambda part: self._components(X, part, device), parts, device))

    def feature_shares(self, X, component_weights: np.ndarray, device: torch.device) -> np.ndarray:
        shares = np.empty(X.shape)

        def compute(part: slice) -> None:
            systems, weights = self.distances.systems(X, part), component_weights[part]
            of_systems = self.distances.feature_shares(systems, device, self.distances.groups_of(X, part))
            # Spaces consist of ranks. For networks, whitened distances are used: they find the features that do not fit
            # the others more often than the residuals of the networks do.
            _, of_whitened, of_ranks = of_systems
            of_components = [*of_systems, of_ranks, of_whitened]
            total = sum(share * weight[:, np.newaxis] for share, weight in zip(of_components, weights.T, strict=True))
            shares[part] = normalised(np.asarray(total))

        parts = row_blocks(X.shape[0], self.distances.references.shape[1] * self.distances.bags.size)
        map_parts(compute, parts, device)
        return shares

    def codes(self, X, device: torch.device) -> np.ndarray:
        coordinates, parts = self.distances.coordinates, row_blocks(*X.shape)
        deviations = (coordinates.filled(coordinates.scale.deviations(X, part)) for part in parts)
        return np.concatenate([each @ coordinates.whitening.axes for each in deviations]).astype(X.dtype, copy=False)

    def to_state(self) -> dict[str, Any]:
        return {
            "distances": self.distances.to_state(),
            "space_surprisals": [fields_of(tail) for tail in self.space_surprisals],
            "network": {"kind": type(self.network).__name__, "state": self.network.to_state()},
            "takes_missing": self.takes_missing,
        }

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> DenoisingScorer:
        kinds = {kind.__name__: kind for kind in (MaskedScores, DenoiserScores)}
        return cls(
            RowDistances.from_state(state["distances"]),
            tuple(TailSurprisal(**tail) for tail in state["space_surprisals"]),
            kinds[state["network"]["kind"]].from_state(state["network"]["state"]),
            state.get("takes_missing", False),
        )

    def _components(self, X, part: slice, device: torch.device) -> np.ndarray:
        systems = self.distances.systems(X, part)
        distances = self.distances.log_distances(systems, device, self.distances.groups_of(X, part))
        space_surprisals = surprisals_by(self.space_surprisals, distances[:, N_SYSTEMS:])
        components = _join_components(distances, space_surprisals, self.network.component(systems))
        if systems.missing is not None:
            if not self.takes_missing:  # filled rows cannot be compared with calibration rows, which were complete
                components[systems.missing.any(axis=1), WHITENED] = np.nan
            components[systems.missing.all(axis=1)] = np.nan
        return components


def _check_width(n_columns: int, words: str = "") -> None:
    if n_columns > MAX_FEATURES:
        raise ValueError(
            f"AutoencoderOutlierDetector supports at most {MAX_FEATURES} features with method='denoising'. Got "
            f"{n_columns}{words}. Reduce them first, for instance with TruncatedSVD or AutoencoderTransformer. See "
            "docs/guide_large_data.md."
        )


def _join_components(distances: np.ndarray, space_surprisals: np.ndarray, network_component: np.ndarray) -> np.ndarray:
    """Component scores: the distances in the three systems, the mean surprisal of the spaces, and that of the networks.

    The mean is over the spaces in which the row has observed features.
    """
    known = ~np.isnan(distances[:, N_SYSTEMS:])
    mean = space_surprisals.sum(axis=1, where=known) / np.maximum(known.sum(axis=1), 1)
    return np.column_stack([distances[:, :N_SYSTEMS], mean, network_component])


def _calibration_rows(entries: Entries, random_state: np.random.RandomState) -> tuple[np.ndarray, np.ndarray]:
    """Indices of the entries that are used for calibration, and the number of rows that each of them represents."""
    if len(entries) <= MAX_CALIBRATION_ROWS:
        return np.arange(len(entries)), entries.weight
    return draw_rows(MAX_CALIBRATION_ROWS, entries.weight, random_state), np.ones(MAX_CALIBRATION_ROWS)


def _n_leading_components(variances: np.ndarray, n_components: int | float | None) -> int:
    """The number of components that `n_components` means for PCA, given the variances of all axes."""
    if n_components is None:
        return len(variances)
    if not isinstance(n_components, int):
        n_components = n_axes_for_share(variances, variances.sum(), n_components)
    return min(n_components, len(variances))
