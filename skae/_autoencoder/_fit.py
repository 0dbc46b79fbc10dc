"""Fitting an autoencoder: initialise, build the network, train it, package the result."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from skae._autoencoder._code_metric import MAX_METRIC_ROWS, diagonal_metric_map, metric_map, whitening_map
from skae._autoencoder._config import AutoencoderConfig
from skae._autoencoder._corruption import Corruption, make_corruption
from skae._autoencoder._custom_network import build_module, on_device
from skae._autoencoder._explained_variance import explained_by_prefixes
from skae._autoencoder._fitted import FittedAutoencoder
from skae._autoencoder._initialisation import Initialisation, initial_linear, initialise, with_atoms
from skae._autoencoder._linear import LinearAutoencoder
from skae._autoencoder._neighbors import NeighborPairs, PairTraining, search_axes
from skae._autoencoder._network import AutoencoderNetwork
from skae._autoencoder._training_range import TrainingRange
from skae._autoencoder._warm_start import aligned, check_continues
from skae._linalg._principal_axes import PrincipalAxes
from skae._linalg._running_moments import RunningMoments
from skae._rows._blocks import row_blocks
from skae._rows._hold_out import split_rows
from skae._rows._row_source import RowSource
from skae._rows._shards import ShardedStandardisedRows
from skae._rows._standardised_rows import BLOCK_ELEMENTS, StandardisedRows, n_batches
from skae._rows._strata import rows_by_weight, stratified_rows
from skae._rows._training_rows import TrainingRows
from skae._support._callbacks import Report, silent
from skae._support._draws import RowGenerator
from skae._support._threads import single_thread
from skae._support._torch import make_generator, to_numpy, to_tensor
from skae._training._data_parallel import DataParallel
from skae._training._interfaces import Network, Split, TrainingResult
from skae._training._loop import train
from skae._training._mixed_precision import MixedPrecision
from skae._training._settings import TrainingSettings

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
    """A network in training, its rows, and where it started.

    `trainee` is the network with the wrappers for mixed precision, several processes and pairs of neighbours;
    `training_rows` are the rows as it is given them. `representative` are the indices of rows that represent all rows;
    None means all of them. In `partial_fit` they are a sample of all rows seen, which is stored with the chunk, and
    `moments` are those of all rows seen.
    """

    config: AutoencoderConfig
    rows: StandardisedRows
    split: Split
    initialisation: Initialisation
    linear: LinearAutoencoder
    network: AutoencoderNetwork
    trainee: Network
    training_rows: StandardisedRows | NeighborPairs
    representative: np.ndarray | None = None
    moments: RunningMoments | None = None
    training: TrainingResult = field(default_factory=TrainingResult)

    def limit(self) -> None:
        """Limit the corrections to the range of the training rows."""
        self.network.training_range = self.network.range_of(self.far_rows())

    def far_rows(self) -> Iterator[Tensor]:
        """The rows that determine the training range: those with the largest norms, and a sample of all rows."""
        chosen = stratified_rows(len(self.rows), MAX_RANGE_ROWS)
        if len(chosen) < len(self.rows):
            norms = self.rows.norms
            least = np.partition(norms, -MAX_RANGE_ROWS)[-MAX_RANGE_ROWS]
            chosen = np.union1d(chosen, np.flatnonzero(norms >= least)[:MAX_RANGE_ROWS])
        return self.in_blocks(chosen)

    def in_blocks(self, chosen: np.ndarray) -> Iterator[Tensor]:
        """The chosen rows, in blocks."""
        for part in row_blocks(len(chosen), self.network.n_features, BLOCK_ELEMENTS):
            yield self.rows.take(chosen[part])

    def subsample(self, at_most: int) -> np.ndarray:
        """Indices of at most `at_most` rows that represent all rows."""
        chosen = self.representative
        if chosen is None or not len(chosen):
            return stratified_rows(len(self.rows), at_most)
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


@single_thread()
def fit(
    rows: TrainingRows,
    config: AutoencoderConfig,
    settings: TrainingSettings,
    random_state: np.random.RandomState,
    *,
    previous: FittedAutoencoder | None = None,
    split: Split | None = None,
    train_rows_only: bool = False,
    report: Report = silent,
) -> AutoencoderFit:
    """Find the principal axes and train the autoencoder.

    Training continues from a `previous` autoencoder if there is one. Rows to hold out are drawn unless a `split` is
    given. If `train_rows_only`, the held-out rows of that split are not used for the axes and the map of codes either.
    """
    if previous is not None and not isinstance(config.n_components, int):
        config = replace(config, n_components=previous.n_components)
    representative = split.train if train_rows_only and split is not None else None
    initialisation = initialise(
        rows if representative is None else rows.select(representative),
        config,
        masks_entries=config.masks_entries or (previous is not None and previous.takes_mask),
        random_state=random_state,
    )
    # All processes use the axes of the first one: on another kind of CPU the basis of the same space may differ.
    initialisation = rows.source.broadcast(initialisation)
    fit = start(rows, config, settings, initialisation, random_state, previous, split)
    fit = replace(fit, representative=representative)
    if config.code_class.has_pairs and len(fit.split.train) < 2:  # there are no pairs
        settings = replace(settings, max_iter=0)
    weights = None if previous is None else to_tensor(previous.weights, rows.dtype, rows.device)
    reporter = report(settings.max_iter, lambda: package(fit))
    on_epoch = rows.source.stopping_together(reporter.on_epoch)
    train(fit.trainee, fit.training_rows, fit.split, settings, random_state, on_epoch, fit.training, weights, fit.limit)
    reporter.close()
    return package(fit)


def start(
    rows: TrainingRows,
    config: AutoencoderConfig,
    settings: TrainingSettings,
    initialisation: Initialisation,
    random_state: np.random.RandomState,
    previous: FittedAutoencoder | None = None,
    split: Split | None = None,
) -> FitInProgress:
    """The network at its closed form, its codes aligned with those of a previous autoencoder if there is one."""
    generator = make_generator(random_state, rows.device)
    form = closed_form(rows, config, initialisation, generator, random_state, previous)

    def network_in(dtype: torch.dtype) -> AutoencoderNetwork:
        return _network(form, rows, initialisation, dtype, generator)

    network = network_in(rows.dtype)
    trainee = _trainee(network, network_in if settings.mixed_precision else None, form.standardised, generator)
    if split is None:
        split = _drawn_split(rows, form.standardised, settings, random_state)
    training_rows: StandardisedRows | NeighborPairs = form.standardised
    if config.code_class.has_pairs and settings.max_iter and len(split.train) > 1:
        axes = search_axes(rows, config.scale, random_state)
        training_rows = NeighborPairs(form.standardised, split.train, axes, random_state)
        n_steps = settings.max_iter * n_batches(len(split.train), settings.batch_size)
        trainee = PairTraining(network, training_rows.noise, n_steps, generator)
    return FitInProgress(
        form.config, form.standardised, split, initialisation, form.linear, network, trainee, training_rows
    )


def _network(
    form: ClosedForm, rows: TrainingRows, initialisation: Initialisation, dtype: torch.dtype, generator: RowGenerator
) -> AutoencoderNetwork:
    """The network on a closed form, in the dtype of the rows or in a lower one for the steps of training."""
    imputer = initialisation.imputer.in_unit(form.linear.unit).to(dtype, rows.device) if form.takes_mask else None
    is_own = dtype == rows.dtype
    network = AutoencoderNetwork(
        form.config,
        form.linear.to(dtype, rows.device),
        imputer=imputer,
        module=on_device(form.module, rows.device, dtype),
        takes_mask=form.takes_mask,
        corruption=form.corruption if is_own else make_corruption(form.config, rows, initialisation.axes, dtype),
        generator=generator,
    )
    network.initialise(generator)
    return network


def _drawn_split(
    rows: TrainingRows, standardised: StandardisedRows, settings: TrainingSettings, random_state: np.random.RandomState
) -> Split:
    """Draw the rows to hold out."""
    norms = standardised.norms if settings.validation_fraction else None
    train_rows, held_out = split_rows(rows, settings.validation_fraction, random_state, norms)
    return Split(train_rows, held_out, rows.sample_weight, rows.groups)


@dataclass(frozen=True, eq=False)
class ClosedForm:
    """The linear autoencoder that a network starts from, and the rows in its units."""

    config: AutoencoderConfig
    linear: LinearAutoencoder
    corruption: Corruption
    module: nn.Module | None
    takes_mask: bool
    standardised: StandardisedRows


def closed_form(
    rows: TrainingRows,
    config: AutoencoderConfig,
    initialisation: Initialisation,
    generator: torch.Generator,
    random_state: np.random.RandomState,
    previous: FittedAutoencoder | None,
) -> ClosedForm:
    """Find the linear path for the rows; if there is a previous autoencoder, align the codes with it."""
    axes = initialisation.axes
    corruption = make_corruption(config, rows, axes, rows.dtype)
    linear = initial_linear(config, axes, corruption)
    standardised = rows.standardised(linear.mean, linear.scale)
    config = config.with_n_nonzero(linear.n_components)
    if config.code == "sparse" and previous is None:
        linear = with_atoms(linear, initialisation, standardised, config, rows.sample_weight, random_state)
    module = _module(config, linear, rows, generator)
    takes_mask = corruption.masks or (previous is not None and previous.takes_mask)
    if previous is not None:
        check_continues(previous, config, linear.n_components, takes_mask, module)
        module = previous.module
        linear = aligned(linear, axes, previous)
    return ClosedForm(config, rows.source.broadcast(linear), corruption, module, takes_mask, standardised)


def _trainee(
    network: AutoencoderNetwork,
    network_in: Callable[[torch.dtype], AutoencoderNetwork] | None,
    rows: StandardisedRows,
    generator: RowGenerator,
) -> Network:
    """The network with wrappers for products in lower precision and for batches shared between processes."""
    trainee: Network = network if network_in is None else MixedPrecision(network, network_in(torch.bfloat16))
    return DataParallel(trainee, rows, generator) if isinstance(rows, ShardedStandardisedRows) else trainee


def _module(
    config: AutoencoderConfig, linear: LinearAutoencoder, rows: TrainingRows, generator: torch.Generator
) -> nn.Module | None:
    """The custom network in the dtype and on the device of training, or None."""
    if config.network is None:
        return None
    n_features, n_components = linear.encoder_axes.shape
    n_outputs = n_components * config.code_class.n_outputs
    return build_module(config.network, n_features, n_outputs, n_components, generator).to(rows.device, rows.dtype)


@torch.no_grad()
def package(fit: FitInProgress) -> AutoencoderFit:
    """The autoencoder as it would be if training stopped now."""
    axes, network = fit.initialisation.axes, fit.network
    shares = axes.variances / (axes.total_variance or 1.0)
    if fit.config.code_class.has_prefixes:
        chosen = fit.subsample(MAX_PREFIX_ROWS)
        shares = explained_by_prefixes(network, fit.rows.take(chosen), fit.weight(chosen))
        if isinstance(fit.config.n_components, float):
            network, shares = _shortest_sufficient(fit, shares)
    linear, weights = fit.linear.truncated(network.n_components), to_numpy(network.parameters).copy()
    imputer = fit.initialisation.imputer.in_unit(linear.unit).to(network.parameters.dtype, torch.device("cpu"))
    autoencoder = FittedAutoencoder(
        fit.config,
        linear,
        imputer.to_arrays(),
        weights,
        _public_code_map(fit, network, linear),
        network.takes_mask,
        network.module,
        _codes_of(fit, network, fit.repeated(MAX_SAMPLE_CODES)).astype(np.float32),
        TrainingRange() if network.is_linear() else network.range_of(fit.far_rows()),
    )
    return AutoencoderFit(autoencoder, axes, shares, fit.split, fit.training)


def _shortest_sufficient(fit: FitInProgress, shares: np.ndarray) -> tuple[AutoencoderNetwork, np.ndarray]:
    """Cut the code to the shortest one that explains the requested share of the held-out (or training) rows.

    If no code does, the whole code is kept.
    """
    split = fit.split
    judged = split.train if split.held_out is None else split.held_out
    judged = judged[stratified_rows(len(judged), MAX_PREFIX_ROWS)]
    explained = explained_by_prefixes(fit.network, fit.rows.take(judged), fit.weight(judged))
    enough = np.cumsum(explained) >= fit.config.n_components
    count = int(np.argmax(enough)) + 1 if enough.any() else len(shares)
    return fit.network.truncated(count), shares[:count]


def _codes_of(fit: FitInProgress, network: AutoencoderNetwork, chosen: np.ndarray) -> np.ndarray:
    """The codes that the network has for the chosen rows."""
    return np.concatenate([to_numpy(network.encode(x)) for x in fit.in_blocks(chosen)])


def _public_code_map(fit: FitInProgress, network: AutoencoderNetwork, linear: LinearAutoencoder) -> np.ndarray:
    """The map from the network's codes to public ones, from all training rows or a sample of them."""
    if fit.config.whiten:
        return linear.unrotated(whitening_map(*_code_covariance(fit, network)))
    metric = fit.config.code_class.metric
    if network.is_linear() or metric is None:
        return linear.score_map()
    if metric == "units":
        assert linear.code_scale is not None
        return linear.unrotated(np.eye(linear.n_components) * np.sqrt(np.mean(np.square(linear.code_scale))))
    chosen = fit.subsample(MAX_METRIC_ROWS)
    mapped: Callable[..., Any] = diagonal_metric_map if metric == "diagonal" else metric_map
    z = network.encode(fit.rows.take(chosen))
    return linear.unrotated(mapped(network, z, fit.weight(chosen), linear.unit))


def _code_covariance(fit: FitInProgress, network: AutoencoderNetwork) -> tuple[np.ndarray, float]:
    """Covariance of the codes of the network, and the number of rows; weights above one count as repetitions."""
    weight, moments = fit.split.sample_weight, fit.moments
    if fit.representative is None:
        own = [to_numpy(network.encode(x)) for _, x in fit.rows.blocks()]
        codes = np.concatenate([part for parts in fit.rows.source.gather(own) for part in parts])
    elif moments is not None and network.is_linear():
        return fit.linear.code_covariance(fit.initialisation.axes), max(moments.weight, moments.n_rows)
    else:
        chosen = fit.subsample(MAX_SAMPLE_CODES)
        codes, weight = _codes_of(fit, network, chosen), fit.weight(chosen)
    of_codes = RunningMoments.of(RowSource(codes.astype(np.float64)), weight)
    return of_codes.covariance, max(of_codes.weight, of_codes.n_rows)
