"""The denoising scorer: how unusual rows are to denoisers and to the training rows themselves."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor

from skae._defaults._denoising import HIDDEN_LAYER_SIZES, denoising_settings
from skae._defaults._training_parameters import resolved
from skae._detector._calibration import n_folds_of
from skae._detector._denoiser import DenoiserArchitecture, DenoiserEnsemble
from skae._detector._nearest_rows import NearestRows
from skae._detector._scorer import ScorerFit, ScorerParameters
from skae._linalg._principal_axes import n_axes_for_share
from skae._linalg._quantiles import weighted_quantile
from skae._linalg._robust_axes import RobustAxes, robust_axes
from skae._rows._blocks import row_blocks, row_indices
from skae._rows._reservoir import draw_rows
from skae._rows._row_source import RowSource
from skae._rows._training_rows import TrainingRows
from skae._support._callbacks import Report
from skae._support._torch import dtype_of, make_generator, resolve_device, to_numpy, to_tensor
from skae._training._loop import Network, Split, TrainingResult, train
from skae._training._mixed_precision import MixedPrecision

# No single level finds all anomalies; their mean over a geometric grid does better than each.
NOISE_LEVELS = (0.1, 0.2, 0.4, 0.8, 1.6, 3.2)
N_MEMBERS = 3
# The network takes this many leading axes; along the others the denoiser is the Wiener filter.
MAX_NETWORK_AXES = 64
# Axes along which the bulk hardly varies are magnified at most ((1 + .1) / .1)^(1/2) = 3.3 times.
WHITENING_FLOOR = 0.1
# A cluster of fewer rows than this cannot hide from the distance to the k-th nearest row.
N_NEIGHBORS = 20
# Added to mean squared coordinates: rows that coincide with others are not infinitely usual.
SQUARED_FLOOR = 1e-3
# A million numbers (8 MB), which caches hold: the distances of a block of rows to all references.
BLOCK_ELEMENTS = 1 << 20
# Bags of this many training rows: fine enough for detail, too small for a cluster of outliers to be dense in each.
N_BAGS, BAG_SIZE = 8, 1024
# Rows that bags are drawn from, and that the k-th nearest is sought among.
MAX_REFERENCES = N_BAGS * BAG_SIZE
# Fewer rows make a single bag.
MIN_ROWS_FOR_BAGS = 50
# Rows whose scores put the components on one scale and give p-values: a resolution of 1/2,000.
MAX_CALIBRATION_ROWS = 2000
COMPONENTS = ("denoisers", "nearest", "nearest_whitened", "kth_whitened")


@dataclass(frozen=True, eq=False)
class DenoisingScorer:
    """Four logarithms of distances: between a row and its denoised self, by denoisers learned and by training rows.

    Coordinates are those of the robust axes, plain or whitened; `references` are training rows in plain ones,
    `reference_fold` the denoisers that did not learn from them, `bags` indices into them, and `residual_medians` of
    shape (n_levels, n_members) the denoisers' median squared residuals. A row that coincides with references is judged
    without them, so that training rows are measured as new ones are.
    """

    mean: np.ndarray
    scale: np.ndarray
    centre: np.ndarray
    axes: np.ndarray
    variances: np.ndarray
    references: np.ndarray
    reference_weight: np.ndarray
    reference_fold: np.ndarray
    bags: np.ndarray
    weights: np.ndarray
    residual_medians: np.ndarray
    hidden_layer_sizes: tuple[int, ...]
    activation: str

    overfitting_remedy = "Reduce the features"

    @classmethod
    def fit(
        cls, rows: TrainingRows, parameters: ScorerParameters, random_state: np.random.RandomState, report: Report
    ) -> ScorerFit:
        settings, count = denoising_settings(parameters.training, rows), rows.effective_counts
        axes = robust_axes(rows.source, parameters.scale, count)
        coordinates = np.concatenate(
            [axes.coordinates(rows.source.local, part) for part in row_blocks(*rows.source.shape)]
        )
        sizes = tuple(resolved(parameters.hidden_layer_sizes, lambda: HIDDEN_LAYER_SIZES))
        n_axes = min(MAX_NETWORK_AXES, len(axes.variances))
        architecture = DenoiserArchitecture(n_axes, sizes, parameters.activation, N_MEMBERS)
        fold = random_state.permutation(rows.n_rows) % N_MEMBERS
        kept, weight = _reference_rows(count, random_state)
        start = _untrained(axes, coordinates[kept], weight, fold[kept], architecture, random_state)
        # References to calibrate with, which are judged as new rows are.
        judged = np.sort(random_state.permutation(len(kept))[:MAX_CALIBRATION_ROWS])
        network, trainee = _networks(start, architecture, rows, settings.mixed_precision, random_state)
        result = TrainingResult()

        def package() -> ScorerFit:
            scorer = replace(start, weights=to_numpy(network.parameters).copy())
            scorer = scorer.with_medians(coordinates[kept[judged]], weight[judged], parameters.device)
            n_components = _n_leading_components(axes.variances, parameters.n_components)
            return ScorerFit(scorer, n_components, result, kept[judged], weight[judged])

        whitened = np.ascontiguousarray((coordinates * start.whitening)[:, :n_axes])
        standardised = RowSource(whitened).standardised(np.zeros(n_axes), np.ones(n_axes), rows.dtype, rows.device)
        # A member learns from two thirds of the rows and can judge the rest as it would new ones.
        member_weight = count[:, np.newaxis] * (fold[:, np.newaxis] != np.arange(N_MEMBERS))
        split = Split(row_indices(rows.n_rows), None, member_weight)
        reporter = report(settings.max_iter, package)
        train(trainee, standardised, split, settings, random_state, reporter.on_epoch, result)
        reporter.close()
        return package()

    @staticmethod
    def n_folds(n_rows: int, n_features: int) -> int:
        return n_folds_of(n_rows, n_features)

    def to_state(self) -> dict[str, Any]:
        return {field.name: getattr(self, field.name) for field in fields(self)}

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> DenoisingScorer:
        return cls(**state)

    def with_medians(self, coordinates: np.ndarray, weight: np.ndarray, device: str) -> DenoisingScorer:
        """The scorer with the denoisers' median squared residuals over weighted rows."""
        with torch.no_grad():
            where = resolve_device(device)
            whitened = to_tensor(coordinates * self.whitening, torch.float64, where)
            squares = to_numpy(self.on(where).squared_residuals(whitened))
        medians = [[weighted_quantile(values, 0.5, weight) for values in members] for members in squares]
        return replace(self, residual_medians=np.maximum(medians, 1e-12))

    @property
    def robust_axes(self) -> RobustAxes:
        return RobustAxes(self.mean, self.scale, self.centre, self.axes, self.variances)

    @property
    def whitening(self) -> np.ndarray:
        """What coordinates are multiplied by to whiten them."""
        return np.sqrt((1.0 + WHITENING_FLOOR) / (self.variances + WHITENING_FLOOR))

    def codes(self, X, device: str) -> np.ndarray:
        """Coordinates on the robust axes, in X's dtype."""
        codes = [to_numpy(coordinates) for _, coordinates in self._blocks(X, device)]
        return np.concatenate(codes).astype(X.dtype, copy=False)

    def component_scores(self, X, device: str) -> np.ndarray:
        components = np.empty((X.shape[0], len(COMPONENTS)))
        for part, coordinates in self._blocks(X, device):
            components[part] = to_numpy(self.on(coordinates.device).components(coordinates))
        return components

    def feature_shares(self, X, component: np.ndarray, device: str) -> np.ndarray:
        shares = np.empty(X.shape)
        axes = self.robust_axes
        for part, plain in self._blocks(X, device):
            deviations = axes.standardised(X, part)
            chosen = component[part]
            for index in np.unique(chosen):
                rows = np.flatnonzero(chosen == index)
                squares = np.zeros((len(rows), X.shape[1]))
                seen = plain[torch.as_tensor(rows, device=plain.device)]
                for difference in self.on(plain.device).differences(seen, int(index)):
                    squares += np.square(_in_features(axes, difference, deviations[rows]))
                shares[part.start + rows] = squares
        total = shares.sum(axis=1, keepdims=True)
        return np.divide(shares, total, out=np.full_like(shares, 1.0 / X.shape[1]), where=total > 0)

    def on(self, device: torch.device) -> _ScorerOn:
        """What computes the components there; made once for each device."""
        if device not in self._made:
            self._made[device] = _ScorerOn(self, device)
        return self._made[device]

    @cached_property
    def _made(self) -> dict[torch.device, _ScorerOn]:
        return {}

    @property
    def n_network_axes(self) -> int:
        return min(MAX_NETWORK_AXES, len(self.variances))

    @property
    def whitened_variances(self) -> np.ndarray:
        return self.variances * self.whitening**2

    @property
    def n_neighbors(self) -> float:
        return min(N_NEIGHBORS, max(1.0, self.reference_weight.sum() - 1.0))

    def network(self, device: torch.device) -> DenoiserEnsemble:
        """The denoisers, in the dtype they were trained in."""
        dtype = dtype_of(self.weights)
        architecture = DenoiserArchitecture(
            self.n_network_axes, tuple(self.hidden_layer_sizes), self.activation, N_MEMBERS
        )
        variances = to_tensor(self.whitened_variances[: self.n_network_axes], dtype, device)
        return DenoiserEnsemble(architecture, variances, to_tensor(self.weights, dtype, device))

    def _blocks(self, X, device: str) -> Iterator[tuple[slice, Tensor]]:
        axes, where = self.robust_axes, resolve_device(device)
        with torch.no_grad():
            for part in row_blocks(X.shape[0], max(X.shape[1], len(self.references)), BLOCK_ELEMENTS):
                yield part, to_tensor(axes.coordinates(X, part), torch.float64, where)


class _ScorerOn:
    """The components of rows given by their plain coordinates, computed on one device in float64."""

    def __init__(self, state: DenoisingScorer, device: torch.device) -> None:
        self._state, self._device = state, device

    def components(self, plain: Tensor) -> Tensor:
        """The four components of each row, shape (n_rows, 4)."""
        whitened = plain * self._whitening
        distances, left_out = self._nearest.distances(plain)
        ratios = (self.squared_residuals(whitened) / self._medians).mean(0)
        judged = (ratios * self._judges(plain.shape[0], left_out)).sum(0)
        denoisers = 0.5 * torch.log(judged + SQUARED_FLOOR)
        nearest = self._log_nearest(distances)
        distances, _ = self._nearest_whitened.distances(whitened)
        kth, _ = self._nearest_whitened.to_kth(distances, self._state.n_neighbors)
        return torch.stack([denoisers, nearest, self._log_nearest(distances), self._log_distance(kth)], 1)

    def _log_nearest(self, distances: Tensor) -> Tensor:
        """Mean over bags of the logarithm of the distance to the nearest reference."""
        nearest, _ = NearestRows.to_nearest(distances, self._bags)
        return self._log_distance(nearest).mean(1)

    def _log_distance(self, squares: Tensor) -> Tensor:
        return 0.5 * torch.log(_finite(squares) + SQUARED_FLOOR * self._state.references.shape[1])

    def _judges(self, n_rows: int, left_out: Tensor) -> Tensor:
        """Weight of each member in the judgement of each row, shape (n_members, n_rows).

        All weigh the same, except for references: they are judged by the members that did not learn from them, if any.
        """
        judges = self._medians.new_ones((N_MEMBERS, n_rows))
        rows, references = left_out.unbind(1)
        for member in range(N_MEMBERS):
            judges[member, rows[self._fold[references] != member]] = 0.0
        judges[:, judges.sum(0) == 0] = 1.0
        return judges / judges.sum(0)

    def differences(self, plain: Tensor, component: int) -> Iterator[np.ndarray]:
        """Differences between rows and their denoised selves whose squares the component adds up, in coordinates."""
        whitened = plain * self._whitening
        if component == 0:
            for noise, medians in zip(NOISE_LEVELS, self._medians, strict=True):
                for residual, median in zip(self._residuals(whitened, noise), medians, strict=True):
                    yield to_numpy(residual / median.sqrt())
            return
        rows, nearest = (plain, self._nearest) if component == 1 else (whitened, self._nearest_whitened)
        distances, _ = nearest.distances(rows)
        if component < 3:
            distances, indices = nearest.to_nearest(distances, self._bags)
        else:
            distances, indices = (found[:, None] for found in nearest.to_kth(distances, self._state.n_neighbors))
        # The component adds up logarithms over bags: each counts by its share, not by its size.
        sizes = (_finite(distances) + SQUARED_FLOOR * plain.shape[1]).sqrt()
        for bag in range(indices.shape[1]):
            yield to_numpy((rows - nearest.references[indices[:, bag]]) / sizes[:, bag, None])

    def squared_residuals(self, whitened: Tensor) -> Tensor:
        """Squared lengths of the denoisers' residuals, shape (n_levels, n_members, n_rows)."""
        return torch.stack([self._residuals(whitened, noise).square().sum(2) for noise in NOISE_LEVELS])

    def _residuals(self, whitened: Tensor, noise: float) -> Tensor:
        split = self._state.n_network_axes
        seen = whitened[:, :split].to(self._network.parameters.dtype)
        residuals = self._network.residuals(seen, noise).to(whitened.dtype)
        unseen = whitened[:, split:] * (-(noise**2) / (self._unseen_variances + noise**2))
        return torch.cat([residuals, unseen.expand(len(residuals), -1, -1)], 2)

    @cached_property
    def _network(self) -> DenoiserEnsemble:
        return self._state.network(self._device)

    @cached_property
    def _unseen_variances(self) -> Tensor:
        return self._tensor(self._state.whitened_variances[self._state.n_network_axes :])

    @cached_property
    def _whitening(self) -> Tensor:
        return self._tensor(self._state.whitening)

    @cached_property
    def _medians(self) -> Tensor:
        return self._tensor(self._state.residual_medians)[:, :, None]

    @cached_property
    def _nearest(self) -> NearestRows:
        return NearestRows(self._tensor(self._state.references), self._tensor(self._state.reference_weight))

    @cached_property
    def _nearest_whitened(self) -> NearestRows:
        references = self._tensor(self._state.references) * self._whitening
        return NearestRows(references, self._tensor(self._state.reference_weight))

    @cached_property
    def _bags(self) -> Tensor:
        return to_tensor(self._state.bags, torch.int64, self._device)

    @cached_property
    def _fold(self) -> Tensor:
        return to_tensor(self._state.reference_fold, torch.int64, self._device)

    def _tensor(self, array: np.ndarray) -> Tensor:
        return to_tensor(array, torch.float64, self._device)


def _finite(squared_distances: Tensor) -> Tensor:
    """Zero instead of infinity, which stands where every reference row coincides with the query."""
    return squared_distances.masked_fill(squared_distances.isinf(), 0.0)


def _in_features(axes: RobustAxes, difference: np.ndarray, deviations: np.ndarray) -> np.ndarray:
    """A difference of coordinates as one of features.

    Its last coordinate, where the axes are not complete, points along the row's own distance from their span.
    """
    if axes.complete:
        return difference @ axes.axes.T
    outside = deviations - deviations @ axes.axes @ axes.axes.T
    outside /= np.maximum(np.linalg.norm(outside, axis=1, keepdims=True), np.finfo(np.float64).tiny)
    return difference[:, :-1] @ axes.axes.T + difference[:, -1:] * outside


def _n_leading_components(variances: np.ndarray, n_components: int | float | None) -> int:
    """The number that PCA's `n_components` stands for, given all variances."""
    if n_components is None:
        return len(variances)
    if not isinstance(n_components, int):
        n_components = n_axes_for_share(variances, variances.sum(), n_components)
    return min(n_components, len(variances))


def _reference_rows(count: np.ndarray, random_state: np.random.RandomState) -> tuple[np.ndarray, np.ndarray]:
    """Indices of the rows to keep, and how many rows each of them stands for."""
    if len(count) <= MAX_REFERENCES:
        return np.arange(len(count)), count
    return draw_rows(MAX_REFERENCES, count, random_state), np.ones(MAX_REFERENCES)


def _untrained(
    axes: RobustAxes,
    references: np.ndarray,
    weight: np.ndarray,
    fold: np.ndarray,
    architecture: DenoiserArchitecture,
    random_state: np.random.RandomState,
) -> DenoisingScorer:
    """The scorer before training: bags are drawn from the references, the denoisers are Wiener filters."""
    if weight.sum() < MIN_ROWS_FOR_BAGS:
        bags = np.arange(len(references))[np.newaxis]
    else:
        size = min(BAG_SIZE, max(1, len(references) // 2))
        bags = np.stack([draw_rows(size, weight, random_state) for _ in range(N_BAGS)])
    return DenoisingScorer(
        mean=axes.mean,
        scale=axes.scale,
        centre=axes.centre,
        axes=axes.axes,
        variances=axes.variances,
        references=references,
        reference_weight=weight,
        reference_fold=fold,
        bags=bags,
        weights=np.zeros(architecture.n_parameters),
        residual_medians=np.ones((len(NOISE_LEVELS), N_MEMBERS)),
        hidden_layer_sizes=architecture.hidden_layer_sizes,
        activation=architecture.activation,
    )


def _networks(
    start: DenoisingScorer,
    architecture: DenoiserArchitecture,
    rows: TrainingRows,
    mixed_precision: bool,
    random_state: np.random.RandomState,
) -> tuple[DenoiserEnsemble, Network]:
    """The denoisers at the Wiener filter, and as training sees them."""
    generator = make_generator(random_state, rows.device)

    def network_in(dtype: torch.dtype) -> DenoiserEnsemble:
        variances = to_tensor(start.whitened_variances[: architecture.n_features], dtype, rows.device)
        parameters = torch.zeros(architecture.n_parameters, dtype=dtype, device=rows.device)
        return DenoiserEnsemble(architecture, variances, parameters, generator)

    network = network_in(rows.dtype)
    network.initialise(generator)
    return network, MixedPrecision(network, network_in(torch.bfloat16)) if mixed_precision else network
