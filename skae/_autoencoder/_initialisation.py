"""Where training starts: the principal axes of the rows, how to fill missing entries, and the closed form on them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from skae._autoencoder._codes import SparseCode
from skae._autoencoder._config import AutoencoderConfig
from skae._autoencoder._corruption import Corruption
from skae._autoencoder._imputation import MAX_ROWS, GaussianImputer, estimate_moments
from skae._autoencoder._linear import LinearAutoencoder
from skae._linalg._atoms import sparse_dictionary
from skae._linalg._moments import constant_safe_scale, observed_moments, weighted_covariance
from skae._linalg._principal_axes import MAX_COVARIANCE_WIDTH, PrincipalAxes, axes_of_covariance, principal_axes
from skae._rows._standardised_rows import StandardisedRows
from skae._rows._strata import stratified_rows
from skae._rows._training_rows import TrainingRows
from skae._support._torch import make_generator
from skae._support._validation import check_features_observed

# Maximum number of rows from which atoms are learned.
MAX_ATOM_ROWS = 20_000


@dataclass(frozen=True, eq=False)
class Initialisation:
    """The axes of the rows and the imputer of missing entries, both for rows ``(X - mean) / scale``."""

    axes: PrincipalAxes
    imputer: GaussianImputer


def initialise(
    rows: TrainingRows, config: AutoencoderConfig, *, masks_entries: bool, random_state: np.random.RandomState
) -> Initialisation:
    """Find the principal axes; if entries are missing, from an estimate of the covariance by the observed ones.

    `masks_entries` says that training masks entries although none is missing: the imputer then uses all axes.
    """
    if rows.missing_share:
        return _initialise_incomplete(rows, config, random_state)
    axes = principal_axes(
        rows.source,
        config.n_components,
        sample_weight=rows.sample_weight,
        scale_features=config.scale,
        random_state=random_state,
    )
    if not masks_entries or rows.n_features > MAX_COVARIANCE_WIDTH:
        return Initialisation(axes, GaussianImputer.from_axes(axes.components, axes.variances, axes.total_variance))
    covariance = weighted_covariance(rows.source, axes.mean, axes.scale, rows.sample_weight)
    return Initialisation(axes, GaussianImputer.from_covariance(torch.from_numpy(covariance)))


def _initialise_incomplete(
    rows: TrainingRows, config: AutoencoderConfig, random_state: np.random.RandomState
) -> Initialisation:
    n_rows, sample_weight = rows.n_rows, rows.sample_weight
    mean, variance = observed_moments(rows.source, sample_weight)
    check_features_observed(~np.isnan(mean), rows.feature_names)
    deviation = constant_safe_scale(mean, variance, n_rows)
    chosen = stratified_rows(n_rows, MAX_ROWS)
    x = torch.from_numpy((rows.source.take(chosen) - mean) / deviation)
    weight = np.ones(len(chosen)) if sample_weight is None else sample_weight[chosen]
    generator = make_generator(random_state, x.device)
    moments = estimate_moments(x, torch.from_numpy(weight), generator)
    shift, covariance = (moment.numpy() for moment in moments)
    scale = deviation if config.scale else np.ones_like(deviation)
    covariance = covariance * np.outer(deviation / scale, deviation / scale)
    axes = axes_of_covariance(mean + shift * deviation, scale, covariance, config.n_components, n_rows)
    return Initialisation(axes, GaussianImputer.from_covariance(torch.from_numpy(covariance)))


def initial_linear(config: AutoencoderConfig, axes: PrincipalAxes, corruption: Corruption) -> LinearAutoencoder:
    """The linear autoencoder that training starts at: the closed form of the code, or the best linear denoiser."""
    linear = config.code_class.initial(axes)
    noise = corruption.noise
    if not corruption.noise_is_task or not noise.noise_variance:
        return linear
    shift = None if noise.shift is None else noise.shift.double().cpu().numpy()
    return linear.denoising(axes, noise.kept_share, noise.noise_variance, shift)


def with_atoms(
    linear: LinearAutoencoder,
    initialisation: Initialisation,
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
    filled = initialisation.imputer.in_unit(linear.unit)(x) if torch.isnan(x).any() else x
    coordinates = filled.numpy() @ initialisation.axes.components.T

    def keep_largest(codes: np.ndarray) -> np.ndarray:
        return code.code(torch.from_numpy(codes)).numpy()

    weight = None if sample_weight is None else sample_weight[chosen]
    dictionary = sparse_dictionary(coordinates, coordinates.shape[1], keep_largest, weight, random_state)
    return linear if dictionary is None else linear.recoded(*dictionary)
