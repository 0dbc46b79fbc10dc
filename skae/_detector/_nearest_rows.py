"""The denoiser of the training rows themselves: distances to the nearest of them."""

from __future__ import annotations

import math

import torch
from torch import Tensor

# Rows this near, in squares of a feature's deviation and of the row's length, are one row that was stored with fewer
# digits.
COINCIDENCE = 1e-8
# As many rows as may be copies of one, by chance or because they were entered several times. Rows, whatever they weigh:
# weights may be in any unit.
MAX_COPIES = 20


class NearestRows:
    r"""Squared distances to the nearest reference rows; a few that coincide with the query are left out.

    The best denoiser of the reference rows alone is :math:`D(x, \sigma) = \sum_i p_i x_i` with
    :math:`p_i \propto \exp(-\|x - x_i\|^2 / 2 \sigma^2)`; as the noise falls, its residual becomes the distance to the
    nearest row. A training row is its own nearest and would score zero; left out, it is measured as a new row is. Its
    copies are left out with it up to `MAX_COPIES`; beyond, where rows repeat is a place where they are dense.

    Parameters
    ----------
    references : Tensor of shape (n_references, n_features)
    weight : Tensor of shape (n_references,)
        How many rows each reference stands for.
    """

    def __init__(self, references: Tensor, weight: Tensor) -> None:
        self.references, self._weight = references, weight
        self._stand_for_whole_rows = bool((weight >= 1.0).all())
        # One product then makes the squared distance: (x, |x|^2, 1) . (-2 r, 1, |r|^2).
        norms = references.square().sum(1, keepdim=True)
        self._factors = torch.cat([-2.0 * references, torch.ones_like(norms), norms], 1).t().contiguous()

    def distances(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Squared distances, shape (n_rows, n_references), infinite to references that are left out.

        And which are left out: their rows and references, shape (n_left_out, 2).
        """
        norms = x.square().sum(1, keepdim=True)
        distances = torch.cat([x, norms, torch.ones_like(norms)], 1) @ self._factors
        # One pass over all distances: what follows is about few of them.
        coincide = (distances <= COINCIDENCE * (norms + x.shape[1])).nonzero()
        rows, references = coincide.unbind(1)
        few = rows.bincount(minlength=len(x))[rows] <= MAX_COPIES
        distances[rows, references] = distances[rows, references].clamp_min_(0.0).masked_fill_(few, torch.inf)
        return distances, coincide[few]

    @staticmethod
    def to_nearest(distances: Tensor, bags: Tensor) -> tuple[Tensor, Tensor]:
        """Distance to, and index of, the nearest reference in each bag, shapes (n_rows, n_bags).

        `bags` holds indices of references, shape (n_bags, bag_size).
        """
        found = [distances.index_select(1, bag).min(1) for bag in bags]
        indices = [bag[nearest.indices] for bag, nearest in zip(bags, found, strict=True)]
        return torch.stack([nearest.values for nearest in found], 1), torch.stack(indices, 1)

    def to_kth(self, distances: Tensor, k: float) -> tuple[Tensor, Tensor]:
        """Distance to, and index of, the reference with which k rows are as near, shapes (n_rows,)."""
        # Where each reference stands for at least one row, k of them are enough.
        enough = math.ceil(k) if self._stand_for_whole_rows else len(self._weight)
        values, indices = distances.topk(min(len(self._weight), enough), dim=1, largest=False)
        counted = torch.where(values.isfinite(), self._weight[indices], 0.0).cumsum(1)
        last = values.isfinite().sum(1).sub_(1).clamp_min_(0)
        place = torch.minimum((counted < k - 1e-9).sum(1), last)[:, None]
        return values.gather(1, place)[:, 0], indices.gather(1, place)[:, 0]
