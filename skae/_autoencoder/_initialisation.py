"""What training needs to know about the rows: their principal axes, and how to fill missing entries."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from skae._autoencoder._config import AutoencoderConfig
from skae._autoencoder._imputation import MAX_MOMENT_ROWS, GaussianImputer, estimate_moments
from skae._linalg._moments import constant_safe_scale, observed_moments, weighted_covariance
from skae._linalg._principal_axes import MAX_COVARIANCE_WIDTH, PrincipalAxes, axes_of_covariance, principal_axes
from skae._rows._strata import stratified_rows
from skae._rows._training_rows import TrainingRows
from skae._support._torch import make_generator
from skae._support._validation import check_features_observed


@dataclass(frozen=True, eq=False)
class Initialisation:
    """The axes of the rows and the imputer of missing entries, both for rows ``(X - mean) / scale``."""

    axes: PrincipalAxes
    imputer: GaussianImputer

    @classmethod
    def of(cls, axes: PrincipalAxes, covariance: np.ndarray | None) -> Initialisation:
        """The imputer of rows with these axes or, if it is given, with this covariance."""
        if covariance is None:
            return cls(axes, GaussianImputer.from_axes(axes.components, axes.variances, axes.total_variance))
        return cls(axes, GaussianImputer.from_covariance(torch.from_numpy(covariance)))


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
    covariance = None
    if masks_entries and rows.n_features <= MAX_COVARIANCE_WIDTH:
        covariance = weighted_covariance(rows.source, axes.mean, axes.scale, rows.sample_weight)
    return Initialisation.of(axes, covariance)


def _initialise_incomplete(
    rows: TrainingRows, config: AutoencoderConfig, random_state: np.random.RandomState
) -> Initialisation:
    n_rows, sample_weight = rows.n_rows, rows.sample_weight
    mean, variance = observed_moments(rows.source, sample_weight)
    check_features_observed(~np.isnan(mean), rows.feature_names)
    deviation = constant_safe_scale(mean, variance, n_rows)
    chosen = stratified_rows(n_rows, MAX_MOMENT_ROWS)
    x = torch.from_numpy((rows.source.take(chosen) - mean) / deviation)
    weight = np.ones(len(chosen)) if sample_weight is None else sample_weight[chosen]
    generator = make_generator(random_state, x.device)
    moments = estimate_moments(x, torch.from_numpy(weight), generator)
    shift, covariance = (moment.numpy() for moment in moments)
    scale = deviation if config.scale else np.ones_like(deviation)
    covariance = covariance * np.outer(deviation / scale, deviation / scale)
    axes = axes_of_covariance(mean + shift * deviation, scale, covariance, config.n_components, n_rows)
    return Initialisation.of(axes, covariance)
