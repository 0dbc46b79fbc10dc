"""The closed form that an autoencoder is trained from: its linear path, its corruption and its custom network."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from skae._autoencoder._codes import SparseCode
from skae._autoencoder._config import AutoencoderConfig
from skae._autoencoder._corruption import Corruption, make_corruption
from skae._autoencoder._custom_network import build_module
from skae._autoencoder._fitted import FittedAutoencoder
from skae._autoencoder._imputation import GaussianImputer
from skae._autoencoder._initialisation import Initialisation
from skae._autoencoder._linear import LinearAutoencoder
from skae._autoencoder._warm_start import aligned, check_continues
from skae._linalg._atoms import sparse_dictionary
from skae._linalg._principal_axes import PrincipalAxes
from skae._rows._standardised_rows import StandardisedRows
from skae._rows._strata import stratified_rows
from skae._rows._training_rows import TrainingRows

# Maximum number of rows from which atoms are learned.
MAX_ATOM_ROWS = 20_000


@dataclass(frozen=True, eq=False)
class ClosedForm:
    """The linear autoencoder that a network starts from, and the rows and their imputer in its units."""

    config: AutoencoderConfig
    axes: PrincipalAxes
    imputer: GaussianImputer
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
    linear = _initial_linear(config, axes, corruption)
    imputer = initialisation.imputer.in_unit(linear.unit)
    standardised = rows.standardised(linear.mean, linear.scale)
    config = config.with_n_nonzero(linear.n_components)
    if config.code == "sparse" and previous is None:
        linear = _with_atoms(linear, axes, imputer, standardised, config, rows.sample_weight, random_state)
    module = _module(config, linear, rows, generator)
    takes_mask = corruption.masks or (previous is not None and previous.takes_mask)
    if previous is not None:
        check_continues(previous, config, linear.n_components, takes_mask, module)
        module = previous.module
        linear = aligned(linear, axes, previous)
    linear = rows.source.broadcast(linear)
    return ClosedForm(config, axes, imputer, linear, corruption, module, takes_mask, standardised)


def _initial_linear(config: AutoencoderConfig, axes: PrincipalAxes, corruption: Corruption) -> LinearAutoencoder:
    """The linear autoencoder that training starts at: the closed form of the code, or the best linear denoiser."""
    linear = config.code_class.initial(axes)
    noise = corruption.noise
    if not corruption.noise_is_task or not noise.noise_variance:
        return linear
    shift = None if noise.shift is None else noise.shift.double().cpu().numpy()
    return linear.denoising(axes, noise.kept_share, noise.noise_variance, shift)


def _with_atoms(
    linear: LinearAutoencoder,
    axes: PrincipalAxes,
    imputer: GaussianImputer,
    rows: StandardisedRows,
    config: AutoencoderConfig,
    sample_weight: np.ndarray | None,
    random_state: np.random.RandomState,
) -> LinearAutoencoder:
    """The linear autoencoder that a sparse code starts at: on atoms if they reconstruct better, else `linear`."""
    code = SparseCode(config, linear)
    if code.n_nonzero >= linear.n_components:
        return linear
    chosen = stratified_rows(len(rows), MAX_ATOM_ROWS)
    x = rows.take(chosen).cpu().double()
    filled = imputer(x) if torch.isnan(x).any() else x
    coordinates = filled.numpy() @ axes.components.T

    def keep_largest(codes: np.ndarray) -> np.ndarray:
        return code.code(torch.from_numpy(codes)).numpy()

    weight = None if sample_weight is None else sample_weight[chosen]
    dictionary = sparse_dictionary(coordinates, coordinates.shape[1], keep_largest, weight, random_state)
    return linear if dictionary is None else linear.recoded(*dictionary)


def _module(
    config: AutoencoderConfig, linear: LinearAutoencoder, rows: TrainingRows, generator: torch.Generator
) -> nn.Module | None:
    """The custom network in the dtype and on the device of training, or None."""
    if config.network is None:
        return None
    n_features, n_components = linear.encoder_axes.shape
    n_outputs = n_components * config.code_class.n_outputs
    return build_module(config.network, n_features, n_outputs, n_components, generator).to(rows.device, rows.dtype)
