"""The parts of fitting an ensemble of denoisers that are not training: references, folds, calibration."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from skae._denoising_views import (
    MAX_NETWORK_AXES,
    N_MEMBERS,
    NOISE_LEVELS,
    DenoisingViews,
)
from skae._model._denoiser import DenoiserArchitecture
from skae._numerics._kept_rows import weighted_keys, with_largest_keys
from skae._numerics._principal_axes import n_axes_for_share
from skae._numerics._quantiles import weighted_quantile
from skae._numerics._robust_axes import RobustAxes
from skae._support._torch import resolve_device, to_numpy, to_tensor

# Bags of this many training rows: fine enough for detail, too small for a cluster of outliers to be dense in each.
N_BAGS, BAG_SIZE = 8, 1024
# Rows that bags are drawn from, and that the k-th nearest is sought among.
MAX_REFERENCES = N_BAGS * BAG_SIZE
# Fewer rows make a single bag.
MIN_ROWS_FOR_BAGS = 50
# Rows whose scores put the views on one scale and give p-values: a resolution of 1/2,000.
MAX_CALIBRATION_ROWS = 2000


def as_counts(sample_weight: np.ndarray | None, n_rows: int) -> np.ndarray:
    """Weights as numbers of rows: taken as they are, or raised to as many as there are rows where they sum to less."""
    if sample_weight is None:
        return np.ones(n_rows)
    return sample_weight * max(1.0, n_rows / sample_weight.sum())


def denoiser_architecture(axes: RobustAxes, hidden_layer_sizes: tuple[int, ...], activation: str):
    n_axes = min(MAX_NETWORK_AXES, len(axes.variances))
    return DenoiserArchitecture(n_axes, hidden_layer_sizes, activation, N_MEMBERS)


def n_leading_components(variances: np.ndarray, n_components: int | float | None) -> int:
    """The number that PCA's `n_components` stands for, given all variances."""
    if n_components is None:
        return len(variances)
    if not isinstance(n_components, int | np.integer):
        n_components = n_axes_for_share(variances, variances.sum(), n_components)
    return min(int(n_components), len(variances))


def reference_rows(count: np.ndarray, random_state: np.random.RandomState) -> tuple[np.ndarray, np.ndarray]:
    """Indices of the rows to keep, and how many rows each of them stands for."""
    if len(count) <= MAX_REFERENCES:
        return np.arange(len(count)), count
    return _draw(MAX_REFERENCES, count, random_state), np.ones(MAX_REFERENCES)


def start_views(
    axes: RobustAxes,
    references: np.ndarray,
    weight: np.ndarray,
    fold: np.ndarray,
    architecture: DenoiserArchitecture,
    random_state: np.random.RandomState,
) -> DenoisingViews:
    """Views before training: bags are drawn from the references, the denoisers are Wiener filters."""
    if weight.sum() < MIN_ROWS_FOR_BAGS:
        bags = np.arange(len(references))[np.newaxis]
    else:
        size = min(BAG_SIZE, max(1, len(references) // 2))
        bags = np.stack([_draw(size, weight, random_state) for _ in range(N_BAGS)])
    return DenoisingViews(
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


def with_medians(views: DenoisingViews, coordinates: np.ndarray, weight: np.ndarray, device: str) -> DenoisingViews:
    """The views with the denoisers' median squared residuals over weighted rows."""
    with torch.no_grad():
        where = resolve_device(device)
        whitened = to_tensor(coordinates * views.whitening, torch.float64, where)
        squares = to_numpy(views.on(where).squared_residuals(whitened))
    medians = [[weighted_quantile(values, 0.5, weight) for values in members] for members in squares]
    return replace(views, residual_medians=np.maximum(medians, 1e-12))


def calibration_rows(n_references: int, random_state: np.random.RandomState) -> np.ndarray:
    """Indices of the references to calibrate with, which are judged as new rows are."""
    return np.sort(random_state.permutation(n_references)[:MAX_CALIBRATION_ROWS])


def _draw(size: int, weight: np.ndarray, random_state: np.random.RandomState) -> np.ndarray:
    """Indices without repetition, with chances that follow the weights; sorted."""
    return np.flatnonzero(with_largest_keys(weighted_keys(weight, random_state), size))
