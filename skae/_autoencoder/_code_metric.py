"""The linear map from the network's codes to the ones users see."""

from __future__ import annotations

import numpy as np
import torch
from scipy import linalg
from torch import Tensor

from skae._autoencoder._network import AutoencoderNetwork

# The metric is a mean over rows. 256 rows determine it to a few per cent.
MAX_METRIC_ROWS = 256
# Jacobians of one block of rows hold at most this many numbers (64 MB in float32).
MAX_JACOBIAN_ELEMENTS = 1 << 24
# Step of finite differences, in deviations of a code: large compared with rounding in float32, small compared with the
# curvature.
STEP = 0.02


def metric_map(network: AutoencoderNetwork, z: Tensor, weight: np.ndarray | None, unit: float) -> np.ndarray:
    r"""The linear map of codes that makes distances between them approximate distances between reconstructions.

    Training determines codes only up to an invertible map, and under many of these maps, nearest neighbours mean
    little. The mean pullback metric of the decoder, :math:`M = E[J J^\top]` with J its derivative at the code of a row,
    says how far reconstructions move when codes do. For codes :math:`z M^{1/2}` this metric is the identity on average.
    For the linear path alone, :math:`M^{1/2}` is the diagonal matrix of PCA's deviations, and codes are PCA's scores.
    """
    n_components = z.shape[1]
    metric = np.zeros((n_components, n_components))
    weight = np.ones(len(z)) if weight is None else weight
    rows_at_once = max(1, MAX_JACOBIAN_ELEMENTS // (n_components * network.n_features))
    for start in range(0, len(z), rows_at_once):
        part = slice(start, start + rows_at_once)
        root = torch.as_tensor(np.sqrt(weight[part]), dtype=z.dtype, device=z.device)
        slopes = (_jacobian(network, z[part]) * root[:, None]).flatten(1)
        metric += slopes.mm(slopes.t()).double().cpu().numpy()
    return unit * _symmetric_power(metric / weight.sum(), 0.5)


def diagonal_metric_map(network: AutoencoderNetwork, z: Tensor, weight: np.ndarray | None, unit: float) -> np.ndarray:
    """`metric_map` without rotation: each component is only scaled, by how far it moves reconstructions."""
    full = metric_map(network, z, weight, unit)
    return np.diag(np.sqrt(np.diag(full @ full)))


def _jacobian(network: AutoencoderNetwork, z: Tensor) -> Tensor:
    """Derivatives of the reconstructions along each code axis, shape (n_components, n_rows, n_features)."""
    decoded = network.decode(z)
    steps = STEP * torch.eye(z.shape[1], dtype=z.dtype, device=z.device)
    return torch.stack([(network.decode(z + step) - decoded).div_(STEP) for step in steps])


def whitening_map(covariance: np.ndarray, n_rows: float) -> np.ndarray:
    """The map of codes of this covariance to uncorrelated codes of unit variance, as ``PCA(whiten=True)`` makes them.

    The variance is one if it is computed with the divisor ``n_rows - 1``. Axes along which the codes are constant are
    scaled by the same factor as the axis that varies most.
    """
    return _symmetric_power(covariance * (n_rows / max(n_rows - 1.0, 0.5 * n_rows)), -0.5)


def _symmetric_power(matrix: np.ndarray, power: float) -> np.ndarray:
    """A power of a positive semi-definite matrix, made invertible.

    Eigenvalues that are zero up to rounding are replaced by the largest one.
    """
    values, vectors = linalg.eigh(matrix)
    largest = values.max(initial=0.0) or 1.0
    values = np.where(values > len(values) * np.finfo(np.float64).eps * largest, values, largest)
    return (vectors * values**power) @ vectors.T
