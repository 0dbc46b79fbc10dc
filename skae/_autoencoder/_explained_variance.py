"""How much the first components of an ordered code explain."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from skae._autoencoder._network import AutoencoderNetwork


def explained_by_prefixes(network: AutoencoderNetwork, x: Tensor, weight: np.ndarray | None = None) -> np.ndarray:
    """Share of the variance of standardised rows that each further component explains."""
    z = network.encode(x)
    weight = np.ones(len(x)) if weight is None else weight

    def size(rows: Tensor) -> float:
        return float(weight @ rows.square().nansum(1).double().cpu().numpy())

    total = size(x)
    explained = [0.0]
    for count in range(1, z.shape[1] + 1):
        prefix = torch.zeros_like(z)
        prefix[:, :count] = z[:, :count]
        explained.append(1.0 - size(network.decode(prefix) - x) / total if total > 0 else 0.0)
    return np.diff(explained)
