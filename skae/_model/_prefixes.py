"""How much the first components of an ordered code explain."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from skae._model._autoencoder import AnchoredAutoencoder


def explained_by_prefixes(network: AnchoredAutoencoder, x: Tensor) -> np.ndarray:
    """Share of the variance of standardised rows that each further component explains."""
    z = network.encode(x)
    total = float(x.square().nansum())
    explained = [0.0]
    for count in range(1, z.shape[1] + 1):
        prefix = torch.zeros_like(z)
        prefix[:, :count] = z[:, :count]
        error = float((network.decode(prefix) - x).square().nansum())
        explained.append(1.0 - error / total if total > 0 else 0.0)
    return np.diff(explained)
