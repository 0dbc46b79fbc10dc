"""A fit in progress, and the fitted autoencoder that is made of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from skae._autoencoder._closed_form import ClosedForm
from skae._autoencoder._code_metric import MAX_METRIC_ROWS, diagonal_metric_map, metric_map, whitening_map
from skae._autoencoder._explained_variance import explained_by_prefixes
from skae._autoencoder._fitted import FittedAutoencoder
from skae._autoencoder._linear import LinearAutoencoder
from skae._autoencoder._neighbors import NeighborPairs
from skae._autoencoder._network import AutoencoderNetwork
from skae._autoencoder._training_range import EMPTY, UNLIMITED, TrainingRange
from skae._linalg._principal_axes import PrincipalAxes
from skae._linalg._running_moments import RunningMoments
from skae._rows._blocks import row_blocks
from skae._rows._row_source import RowSource
from skae._rows._standardised_rows import STANDARDISED_ELEMENTS, StandardisedRows
from skae._rows._strata import rows_by_weight, stratified_rows
from skae._support._torch import to_numpy
from skae._training._interfaces import Network, Split, TrainingResult

# Numbers of rows whose codes are kept, to fit the density for sampling, and on which ordered components are compared.
MAX_SAMPLE_CODES = 4096
MAX_PREFIX_ROWS = 4096
# The range of rows and codes is found from this many rows with the largest norms, and as many from all rows.
MAX_RANGE_ROWS = 2048


@dataclass(frozen=True, eq=False)
class AutoencoderFit:
    """A fitted autoencoder, and what the fitted attributes say about its fit."""

    autoencoder: FittedAutoencoder
    axes: PrincipalAxes
    explained_variance_ratio: np.ndarray
    split: Split
    training: TrainingResult


@dataclass(frozen=True, eq=False)
class FitInProgress:
    """A network in training, and the closed form that it started from.

    `trainee` is the network with the wrappers for mixed precision, several processes and pairs of neighbours;
    `training_rows` are the rows as it is given them. `representative` are the indices of rows that represent all rows;
    None means all of them. In `partial_fit` they are a sample of all rows seen, which is stored with the chunk, and
    `moments` are those of all rows seen. `previous_range` is the range of the rows seen before.
    """

    form: ClosedForm
    split: Split
    network: AutoencoderNetwork
    trainee: Network
    training_rows: StandardisedRows | NeighborPairs
    representative: np.ndarray | None = None
    moments: RunningMoments | None = None
    previous_range: TrainingRange = EMPTY
    training: TrainingResult = field(default_factory=TrainingResult)

    def limit(self) -> None:
        """Limit the corrections to the range of the training rows."""
        self.network.training_range = self.range_of(self.network)

    def range_of(self, network: AutoencoderNetwork) -> TrainingRange:
        """The range of the training rows and of the codes that the network has for them."""
        norms = np.concatenate([network.norms(x) for x in self.far_rows()])
        return TrainingRange.of(norms, self.previous_range)

    def far_rows(self) -> Iterator[Tensor]:
        """The rows that determine the training range: those with the largest norms, and a sample of all rows."""
        chosen = stratified_rows(len(self.form.rows), MAX_RANGE_ROWS)
        if len(chosen) < len(self.form.rows):
            norms = self.form.rows.norms
            least = np.partition(norms, -MAX_RANGE_ROWS)[-MAX_RANGE_ROWS]
            chosen = np.union1d(chosen, np.flatnonzero(norms >= least)[:MAX_RANGE_ROWS])
        return self.in_blocks(chosen)

    def in_blocks(self, chosen: np.ndarray) -> Iterator[Tensor]:
        """The chosen rows, in blocks."""
        for part in row_blocks(len(chosen), self.network.n_features, STANDARDISED_ELEMENTS):
            yield self.form.rows.take(chosen[part])

    def subsample(self, at_most: int) -> np.ndarray:
        """Indices of at most `at_most` rows that represent all rows."""
        chosen = self.representative
        if chosen is None or not len(chosen):
            return stratified_rows(len(self.form.rows), at_most)
        return chosen[stratified_rows(len(chosen), at_most)]

    def weight(self, chosen: np.ndarray) -> np.ndarray | None:
        """The weights of the chosen rows; None if all are equal."""
        weight = self.split.sample_weight
        return None if weight is None else weight[chosen]

    def repeated(self, at_most: int) -> np.ndarray:
        """Indices of rows that represent all rows, each repeated in proportion to its weight."""
        chosen = self.subsample(at_most)
        weight = self.weight(chosen)
        return chosen if weight is None else chosen[rows_by_weight(weight)]


@torch.no_grad()
def package(fit: FitInProgress) -> AutoencoderFit:
    """The autoencoder as it would be if training stopped now."""
    axes, network = fit.form.axes, fit.network
    shares = axes.variances / (axes.total_variance or 1.0)
    if fit.form.config.code_class.has_prefixes:
        chosen = fit.subsample(MAX_PREFIX_ROWS)
        shares = explained_by_prefixes(network, fit.form.rows.take(chosen), fit.weight(chosen))
        if isinstance(fit.form.config.n_components, float):
            network, shares = _shortest_sufficient(fit, shares)
    linear, weights = fit.form.linear.truncated(network.n_components), to_numpy(network.parameters).copy()
    imputer = fit.form.imputer.to(network.parameters.dtype, torch.device("cpu"))
    autoencoder = FittedAutoencoder(
        config=fit.form.config,
        linear=linear,
        imputer=imputer.to_arrays(),
        weights=weights,
        code_map=_public_code_map(fit, network, linear),
        takes_mask=network.takes_mask,
        module=network.module,
        sample_codes=_codes_of(fit, network, fit.repeated(MAX_SAMPLE_CODES)).astype(np.float32),
        training_range=UNLIMITED if network.is_linear() else fit.range_of(network),
    )
    return AutoencoderFit(autoencoder, axes, shares, fit.split, fit.training)


def _shortest_sufficient(fit: FitInProgress, shares: np.ndarray) -> tuple[AutoencoderNetwork, np.ndarray]:
    """Cut the code to the shortest one that explains the requested share of the held-out (or training) rows.

    If no code does, the whole code is kept.
    """
    split = fit.split
    judged = split.train if split.held_out is None else split.held_out
    judged = judged[stratified_rows(len(judged), MAX_PREFIX_ROWS)]
    explained = explained_by_prefixes(fit.network, fit.form.rows.take(judged), fit.weight(judged))
    enough = np.cumsum(explained) >= fit.form.config.n_components
    count = int(np.argmax(enough)) + 1 if enough.any() else len(shares)
    return fit.network.truncated(count), shares[:count]


def _codes_of(fit: FitInProgress, network: AutoencoderNetwork, chosen: np.ndarray) -> np.ndarray:
    """The codes that the network has for the chosen rows."""
    return np.concatenate([to_numpy(network.encode(x)) for x in fit.in_blocks(chosen)])


def _public_code_map(fit: FitInProgress, network: AutoencoderNetwork, linear: LinearAutoencoder) -> np.ndarray:
    """The map from the network's codes to public ones, from all training rows or a sample of them."""
    if fit.form.config.whiten:
        return linear.unrotated(whitening_map(*_code_covariance(fit, network)))
    metric = fit.form.config.code_class.metric
    if network.is_linear() or metric is None:
        return linear.score_map()
    if metric == "units":
        assert linear.code_scale is not None
        return linear.unrotated(np.eye(linear.n_components) * np.sqrt(np.mean(np.square(linear.code_scale))))
    chosen = fit.subsample(MAX_METRIC_ROWS)
    mapped = diagonal_metric_map if metric == "diagonal" else metric_map
    z = network.encode(fit.form.rows.take(chosen))
    return linear.unrotated(mapped(network, z, fit.weight(chosen), linear.unit))


def _code_covariance(fit: FitInProgress, network: AutoencoderNetwork) -> tuple[np.ndarray, float]:
    """Covariance of the codes of the network, and the number of rows; weights above one count as repetitions."""
    weight, moments = fit.split.sample_weight, fit.moments
    if fit.representative is None:
        own = [to_numpy(network.encode(x)) for _, x in fit.form.rows.blocks()]
        codes = np.concatenate([part for parts in fit.form.rows.source.gather(own) for part in parts])
    elif moments is not None and network.is_linear():
        return fit.form.linear.code_covariance(fit.form.axes), max(moments.weight, moments.n_rows)
    else:
        chosen = fit.subsample(MAX_SAMPLE_CODES)
        codes, weight = _codes_of(fit, network, chosen), fit.weight(chosen)
    of_codes = RunningMoments.of(RowSource(codes.astype(np.float64)), weight)
    return of_codes.covariance, max(of_codes.weight, of_codes.n_rows)
