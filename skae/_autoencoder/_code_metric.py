"""The linear map from the network's codes to the ones users see."""

from __future__ import annotations

import numpy as np
import torch
from scipy import linalg
from torch import Tensor

from skae._autoencoder._network import AutoencoderNetwork

# The metric is a mean over rows: 256 of them settle it to a few per cent.
MAX_METRIC_ROWS = 256
# Jacobians of one block of rows hold at most this many numbers (64 MB in float32).
BLOCK_ELEMENTS = 1 << 24
# Step of the differences, in deviations of a code: large beside float32's rounding, small beside curvature.
STEP = 0.02


def metric_map(network: AutoencoderNetwork, z: Tensor, weight: np.ndarray | None, unit: float) -> np.ndarray:
    r"""Map codes so that distances between them mimic distances between reconstructions.

    Training fixes codes only up to an invertible map, and in a warped one nearest neighbours mean little. The decoder's
    mean pullback metric :math:`M = E[J J^\top]` (J: its derivative at a row's code) says how far reconstructions move
    when codes do; in codes :math:`z M^{1/2}` that metric is the identity on average. For the linear path alone
    :math:`M^{1/2}` is the diagonal of PCA's deviations: the codes are PCA's scores.
    """
    n_components = z.shape[1]
    metric = np.zeros((n_components, n_components))
    weight = np.ones(len(z)) if weight is None else weight
    rows_at_once = max(1, BLOCK_ELEMENTS // (n_components * network.n_features))
    for start in range(0, len(z), rows_at_once):
        part = slice(start, start + rows_at_once)
        root = torch.as_tensor(np.sqrt(weight[part]), dtype=z.dtype, device=z.device)
        slopes = (_jacobian(network, z[part]) * root[:, None]).flatten(1)
        metric += slopes.mm(slopes.t()).double().cpu().numpy()
    return unit * _symmetric_power(metric / weight.sum(), 0.5)


def diagonal_metric_map(network: AutoencoderNetwork, z: Tensor, weight: np.ndarray | None, unit: float) -> np.ndarray:
    """`metric_map` without rotation: each component stays what it is, in the units of what it moves."""
    full = metric_map(network, z, weight, unit)
    return np.diag(np.sqrt(np.diag(full @ full)))


def _jacobian(network: AutoencoderNetwork, z: Tensor) -> Tensor:
    """Derivatives of the reconstructions along each code axis, shape (n_components, n_rows, n_features)."""
    decoded = network.decode(z)
    steps = STEP * torch.eye(z.shape[1], dtype=z.dtype, device=z.device)
    return torch.stack([(network.decode(z + step) - decoded).div_(STEP) for step in steps])


def whitening_map(covariance: np.ndarray, n_rows: float) -> np.ndarray:
    """Map codes of this covariance to unit variance and no correlation, as ``PCA(whiten=True)`` does.

    The variance is then one with a divisor of the number of rows less one. Axes along which the codes are constant are
    scaled as the one that varies most.
    """
    return _symmetric_power(covariance * (n_rows / max(n_rows - 1.0, 0.5 * n_rows)), -0.5)


def _symmetric_power(matrix: np.ndarray, power: float) -> np.ndarray:
    """A power of a positive semi-definite matrix that can be inverted.

    Eigenvalues that are zero up to rounding count as the largest one.
    """
    values, vectors = linalg.eigh(matrix)
    largest = values.max(initial=0.0) or 1.0
    values = np.where(values > len(values) * np.finfo(np.float64).eps * largest, values, largest)
    return (vectors * values**power) @ vectors.T
