"""The denoiser of the training rows themselves: distances to the nearest of them."""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from torch import Tensor

# Distances are measured for as many rows at once as make this many (64 MB in float64).
BLOCK_ELEMENTS = 1 << 23
# Squared distances below this share of the squared norms are rounding: the rows coincide.
COINCIDENCE = 1e-12


class NearestRows:
    r"""Squared distances to the nearest reference rows, a row that coincides with the query left out.

    The best denoiser of the reference rows alone is :math:`D(x, \sigma) = \sum_i p_i x_i` with
    :math:`p_i \propto \exp(-\|x - x_i\|^2 / 2 \sigma^2)`; as the noise falls, its residual becomes the distance to the
    nearest row. A training row is its own nearest and would score zero; left out, it is measured as a new row is.

    Parameters
    ----------
    references : Tensor of shape (n_references, n_features)
    weight : Tensor of shape (n_references,)
        How many rows each reference stands for.
    """

    def __init__(self, references: Tensor, weight: Tensor) -> None:
        self._references, self._weight = references, weight
        self._squared_norms = references.square().sum(1)

    def to_nearest(self, x: Tensor, bags: Tensor) -> tuple[Tensor, Tensor]:
        """Squared distance to, and index of, the nearest row of each bag, shapes (n_rows, n_bags).

        `bags` holds indices of references, shape (n_bags, bag_size).
        """
        parts = []
        for distances in self._blocks(x):
            found = [distances[:, bag].min(1) for bag in bags]
            nearest = torch.stack([bag[found_.indices] for bag, found_ in zip(bags, found, strict=True)], 1)
            parts.append((torch.stack([found_.values for found_ in found], 1), nearest))
        return torch.cat([values for values, _ in parts]), torch.cat([indices for _, indices in parts])

    def to_kth(self, x: Tensor, k: float) -> tuple[Tensor, Tensor]:
        """Squared distance to, and index of, the reference with which k rows are as near, shapes (n_rows,)."""
        # Each reference stands for at least one row, or nearly so: k of them are enough.
        enough = math.ceil(k) if bool((self._weight >= 1.0).all()) else len(self._references)
        at_most = min(len(self._references), enough)
        parts = []
        for distances in self._blocks(x):
            values, indices = distances.topk(at_most, dim=1, largest=False)
            # One that coincides is infinitely far: no row counts for it.
            counted = torch.where(values.isfinite(), self._weight[indices], 0.0).cumsum(1)
            last = values.isfinite().sum(1).sub_(1).clamp_min_(0)
            place = torch.minimum((counted < k - 1e-9).sum(1), last)[:, None]
            parts.append((values.gather(1, place)[:, 0], indices.gather(1, place)[:, 0]))
        return torch.cat([values for values, _ in parts]), torch.cat([indices for _, indices in parts])

    def _blocks(self, x: Tensor) -> Iterator[Tensor]:
        for block in x.split(max(1, BLOCK_ELEMENTS // len(self._references))):
            norms = block.square().sum(1, keepdim=True) + self._squared_norms
            distances = torch.addmm(norms, block, self._references.t(), alpha=-2.0)
            yield distances.masked_fill_(distances <= COINCIDENCE * norms, torch.inf)
