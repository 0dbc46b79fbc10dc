"""Fitting an autoencoder: initialise, build the network, train it, package the result."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch

from skae._autoencoder._closed_form import ClosedForm, closed_form
from skae._autoencoder._config import AutoencoderConfig
from skae._autoencoder._corruption import make_corruption
from skae._autoencoder._custom_network import on_device
from skae._autoencoder._fitted import FittedAutoencoder
from skae._autoencoder._initialisation import Initialisation, initialise
from skae._autoencoder._neighbors import NeighborPairs, PairTraining, search_axes
from skae._autoencoder._network import AutoencoderNetwork
from skae._autoencoder._packaging import AutoencoderFit, FitInProgress, package
from skae._autoencoder._warm_start import continued
from skae._rows._hold_out import split_rows
from skae._rows._shards import ShardedStandardisedRows
from skae._rows._standardised_rows import StandardisedRows, n_batches
from skae._rows._training_rows import TrainingRows
from skae._support._callbacks import Report, silent
from skae._support._draws import RowGenerator
from skae._support._threads import single_thread
from skae._support._torch import make_generator, no_autocast, to_tensor
from skae._training._data_parallel import DataParallel
from skae._training._interfaces import Network, Split
from skae._training._loop import train
from skae._training._mixed_precision import MixedPrecision
from skae._training._settings import TrainingSettings


@single_thread()
@no_autocast()
@torch.inference_mode(False)
def fit(
    rows: TrainingRows,
    config: AutoencoderConfig,
    settings: TrainingSettings,
    random_state: np.random.RandomState,
    *,
    previous: FittedAutoencoder | None = None,
    split: Split | None = None,
    representative: np.ndarray | None = None,
    report: Report = silent,
) -> AutoencoderFit:
    """Find the principal axes and train the autoencoder.

    Training continues from a `previous` autoencoder if there is one. Rows to hold out are drawn unless a `split` is
    given. The axes and the map of codes are those of all rows, or of the `representative` ones if these are given.
    """
    config, masks_entries = continued(config, previous)
    chosen = rows if representative is None else rows.select(representative)
    initialisation = initialise(chosen, config, masks_entries=masks_entries, random_state=random_state)
    # All processes use the axes of the first one: on another kind of CPU the basis of the same space may differ.
    initialisation = rows.source.broadcast(initialisation)
    progress = start(rows, config, settings, initialisation, random_state, previous, split)
    progress = replace(progress, representative=representative)
    network, train_rows, split, result = progress.trainee, progress.training_rows, progress.split, progress.training
    if config.code_class.has_pairs and not isinstance(train_rows, NeighborPairs):  # there are no pairs
        settings = replace(settings, max_iter=0)
    weights = None if previous is None else to_tensor(previous.weights, rows.dtype, rows.device)
    reporter = report(settings.max_iter, lambda: package(progress))
    on_epoch = rows.source.stopping_together(reporter.on_epoch)
    train(network, train_rows, split, settings, random_state, on_epoch, result, weights, progress.limit)
    reporter.close()
    return package(progress)


def start(
    rows: TrainingRows,
    config: AutoencoderConfig,
    settings: TrainingSettings,
    initialisation: Initialisation,
    random_state: np.random.RandomState,
    previous: FittedAutoencoder | None,
    split: Split | None,
) -> FitInProgress:
    """The network at its closed form, its codes aligned with those of a previous autoencoder if there is one."""
    generator = make_generator(random_state, rows.device)
    form = closed_form(rows, config, initialisation, generator, random_state, previous)

    def network_in(dtype: torch.dtype) -> AutoencoderNetwork:
        return _network(form, rows, dtype, generator)

    network = network_in(rows.dtype)
    trainee = _trainee(network, network_in if settings.mixed_precision else None, form.rows, generator)
    if split is None:
        split = _drawn_split(rows, form.rows, settings, random_state)
    training_rows: StandardisedRows | NeighborPairs = form.rows
    if config.code_class.has_pairs and settings.max_iter and len(split.train) > 1:
        axes = search_axes(rows, config.scale, random_state)
        training_rows = NeighborPairs(form.rows, split.train, axes, random_state)
        n_steps = settings.max_iter * n_batches(len(split.train), settings.batch_size)
        trainee = PairTraining(network, training_rows.noise, n_steps, generator)
    return FitInProgress(form, split, network, trainee, training_rows)


def _network(form: ClosedForm, rows: TrainingRows, dtype: torch.dtype, generator: RowGenerator) -> AutoencoderNetwork:
    """The network on a closed form, in the dtype of the rows or in a lower one for the steps of training."""
    is_own = dtype == rows.dtype
    network = AutoencoderNetwork(
        form.config,
        form.linear.to(dtype, rows.device),
        imputer=form.imputer.to(dtype, rows.device) if form.takes_mask else None,
        module=on_device(form.module, rows.device, dtype),
        takes_mask=form.takes_mask,
        corruption=form.corruption if is_own else make_corruption(form.config, rows, form.axes, dtype),
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


def _trainee(
    network: AutoencoderNetwork,
    network_in: Callable[[torch.dtype], AutoencoderNetwork] | None,
    rows: StandardisedRows,
    generator: RowGenerator,
) -> Network:
    """The network with wrappers for products in lower precision and for batches shared between processes."""
    trainee: Network = network if network_in is None else MixedPrecision(network, network_in(torch.bfloat16))
    return DataParallel(trainee, rows, generator) if isinstance(rows, ShardedStandardisedRows) else trainee
