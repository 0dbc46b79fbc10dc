"""The closed form that an autoencoder is trained from: its linear path, its corruption and its custom network."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from skae._autoencoder._config import AutoencoderConfig
from skae._autoencoder._corruption import Corruption, make_corruption
from skae._autoencoder._custom_network import build_module
from skae._autoencoder._fitted import FittedAutoencoder
from skae._autoencoder._initialisation import Initialisation, initial_linear, with_atoms
from skae._autoencoder._linear import LinearAutoencoder
from skae._autoencoder._warm_start import aligned, check_continues
from skae._rows._standardised_rows import StandardisedRows
from skae._rows._training_rows import TrainingRows


@dataclass(frozen=True, eq=False)
class ClosedForm:
    """The linear autoencoder that a network starts from, and the rows in its units."""

    config: AutoencoderConfig
    initialisation: Initialisation
    linear: LinearAutoencoder
    corruption: Corruption
    module: nn.Module | None
    takes_mask: bool
    rows: StandardisedRows


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
    linear = rows.source.broadcast(linear)
    return ClosedForm(config, initialisation, linear, corruption, module, takes_mask, standardised)


def _module(
    config: AutoencoderConfig, linear: LinearAutoencoder, rows: TrainingRows, generator: torch.Generator
) -> nn.Module | None:
    """The custom network in the dtype and on the device of training, or None."""
    if config.network is None:
        return None
    n_features, n_components = linear.encoder_axes.shape
    n_outputs = n_components * config.code_class.n_outputs
    return build_module(config.network, n_features, n_outputs, n_components, generator).to(rows.device, rows.dtype)
