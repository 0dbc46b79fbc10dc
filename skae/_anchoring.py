"""Where training starts: the principal axes of rows, entries missing or not, and the linear autoencoder on them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from skae._model._bottlenecks import LargestOnly
from skae._model._corruption import Corruption
from skae._model._gaussian_fill import MAX_ROWS, GaussianFill, estimate_moments
from skae._model._linear_anchor import LinearAnchor, ProbabilisticAnchor
from skae._numerics._moments import (
    constant_safe_scale,
    dense_rows,
    observed_moments,
    spread_rows,
    weighted_covariance,
)
from skae._numerics._principal_axes import (
    MAX_COVARIANCE_WIDTH,
    PrincipalAxes,
    axes_of_covariance,
    principal_axes,
)
from skae._numerics._sparse_dictionary import sparse_dictionary
from skae._support._torch import make_generator
from skae._training._rows import Rows

# Rows that a dictionary of atoms is learned from.
MAX_DICTIONARY_ROWS = 20_000


@dataclass(frozen=True)
class AnchoringRows:
    """Axes of the rows, and how to fill what they lack: both in the units of ``(X - mean) / scale``."""

    axes: PrincipalAxes
    fill: GaussianFill


def anchor_rows(
    X,
    n_components: int | float | None,
    *,
    sample_weight: np.ndarray | None,
    scale_features: bool,
    share_missing: float,
    hides_entries: bool,
    random_state: np.random.RandomState,
) -> AnchoringRows:
    """Find the principal axes; with entries missing, those of the covariance that explains the observed ones best.

    `hides_entries` says that training hides entries even if none is missing: the fill then has all axes.
    """
    if share_missing:
        return _anchor_incomplete(X, n_components, sample_weight, scale_features, random_state)
    axes = principal_axes(
        X, n_components, sample_weight=sample_weight, scale_features=scale_features, random_state=random_state
    )
    if not hides_entries or X.shape[1] > MAX_COVARIANCE_WIDTH:
        return AnchoringRows(axes, GaussianFill.from_axes(axes.components, axes.variances, axes.total_variance))
    covariance = weighted_covariance(X, axes.mean, axes.scale, sample_weight)
    return AnchoringRows(axes, GaussianFill.from_covariance(torch.from_numpy(covariance)))


def _anchor_incomplete(
    X, n_components, sample_weight, scale_features: bool, random_state: np.random.RandomState
) -> AnchoringRows:
    n_rows = X.shape[0]
    mean, variance = observed_moments(X, sample_weight)
    if np.isnan(mean).any():
        raise ValueError(
            f"X has features without any observed value: {np.flatnonzero(np.isnan(mean)).tolist()}. Drop them."
        )
    deviation = constant_safe_scale(mean, variance, n_rows)
    chosen = spread_rows(n_rows, MAX_ROWS)
    rows = torch.from_numpy((dense_rows(X, chosen) - mean) / deviation)
    weight = np.ones(len(chosen)) if sample_weight is None else sample_weight[chosen]
    generator = make_generator(random_state, rows.device)
    moments = estimate_moments(rows, torch.from_numpy(weight), generator)
    shift, covariance = (moment.numpy() for moment in moments)
    scale = deviation if scale_features else np.ones_like(deviation)
    covariance = covariance * np.outer(deviation / scale, deviation / scale)
    axes = axes_of_covariance(mean + shift * deviation, scale, covariance, n_components, n_rows)
    return AnchoringRows(axes, GaussianFill.from_covariance(torch.from_numpy(covariance)))


def linear_anchor(axes: PrincipalAxes, corruption: Corruption, *, variational: bool, sparse_code: bool) -> LinearAnchor:
    """The linear autoencoder that a member of the family starts at."""
    if variational:
        anchor: LinearAnchor = ProbabilisticAnchor.from_axes(axes)
    else:
        anchor = LinearAnchor.orthonormal(axes) if sparse_code else LinearAnchor.from_axes(axes)
    noise = corruption.noise
    if not corruption.noise_is_task or not noise.noise_variance:
        return anchor
    shift = None if noise.shift is None else noise.shift.double().cpu().numpy()
    return anchor.denoising(axes, noise.kept_share, noise.noise_variance, shift)


def sparse_anchor(
    anchor: LinearAnchor,
    anchoring: AnchoringRows,
    rows: Rows,
    n_active: int,
    sample_weight: np.ndarray | None,
    random_state: np.random.RandomState,
) -> LinearAnchor:
    """The anchor of codes with `n_active` components that are not zero: axes, or atoms where these do better."""
    if n_active >= anchor.encoder_axes.shape[1]:
        return anchor
    chosen = spread_rows(len(rows), MAX_DICTIONARY_ROWS)
    x = rows.take(chosen).cpu().double()
    filled = anchoring.fill.in_unit(anchor.unit)(x) if torch.isnan(x).any() else x
    coordinates = filled.numpy() @ anchoring.axes.components.T
    bottleneck = LargestOnly(n_active)

    def keep_largest(codes: np.ndarray) -> np.ndarray:
        return bottleneck.code(torch.from_numpy(codes)).numpy()

    weight = None if sample_weight is None else sample_weight[chosen]
    dictionary = sparse_dictionary(coordinates, coordinates.shape[1], keep_largest, weight, random_state)
    return anchor if dictionary is None else anchor.recoded(*dictionary)


def anchor_arrays(anchor: LinearAnchor) -> dict[str, Any]:
    """The anchor's share of a fitted autoencoder's state."""
    log_variance, noise_variance = None, 1.0
    if isinstance(anchor, ProbabilisticAnchor):
        log_variance, noise_variance = anchor.log_posterior_variance, anchor.noise_variance
    return {
        "unit": anchor.unit,
        "encoder_axes": np.ascontiguousarray(anchor.encoder_axes),
        "decoder_axes": np.ascontiguousarray(anchor.decoder_axes),
        "code_bias": anchor.code_bias,
        "log_posterior_variance": log_variance,
        "noise_variance": noise_variance,
    }
