"""Distances to the nearest row in each of several random samples (bags) of the training rows."""

from __future__ import annotations

from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from skae._detector._scorer import SQUARED_FLOOR
from skae._support._torch import dtype_of, to_tensor

# Two rows are candidates for equality if their squared distance is at most this share of the sum of the squared norm
# and the number of features, which allows for rounding errors of float32. They are equal if, in addition, no feature
# differs by more than its tolerance.
COINCIDENCE = 1e-5
# Numbers in a block of distances: 4 MB, which fits into caches.
MAX_BLOCK_DISTANCES = 1 << 20


class NearestRows:
    """Log-distances to the nearest row of each bag in several spaces, on one device, in the dtype of the references.

    Squared distances are the batched matrix product of (x, |x|^2, 1) and (-2 r, 1, |r|^2). The references of a bag are
    adjacent, so that the minimum is taken over contiguous numbers.

    Parameters
    ----------
    references : ndarray of shape (n_spaces, n_references, n_coordinates)
    bags : ndarray of shape (n_spaces, n_bags, bag_size)
        Indices of references.
    n_coordinates : ndarray of shape (n_spaces,)
        The number of coordinates in each space that are not zero for all rows. If features have several coordinates, it
        is the number of features.
    device : torch.device
    feature_of : ndarray of shape (n_coordinates,), optional
        The feature that each coordinate belongs to, if some features have several coordinates.
    """

    def __init__(
        self,
        references: np.ndarray,
        bags: np.ndarray,
        n_coordinates: np.ndarray,
        device: torch.device,
        feature_of: np.ndarray | None = None,
    ) -> None:
        self.n_spaces, self.n_bags, self.bag_size = bags.shape
        self._indices = to_tensor(bags.reshape(self.n_spaces, -1), torch.int64, device)
        drawn = np.take_along_axis(references, bags.reshape(self.n_spaces, -1, 1), axis=1)
        self._references = to_tensor(drawn, dtype_of(references), device)
        self._n_coordinates = to_tensor(n_coordinates[:, np.newaxis], dtype_of(references), device)
        norms = self._references.square().sum(2, keepdim=True)
        factors = torch.cat([-2.0 * self._references, torch.ones_like(norms), norms], 2)
        self._factors = factors.transpose(1, 2).contiguous()
        self._membership: Tensor | None = None
        if feature_of is not None:
            members = feature_of[:, np.newaxis] == np.arange(feature_of.max() + 1)
            self._membership = to_tensor(members, dtype_of(references), device)

    def log_distances(
        self, x: Tensor, left_out: Tensor | None = None, observed: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """The log-distance to the nearest row, averaged over the bags, and a mask of rows that may equal a reference.

        Both have shape (n_spaces, n_rows); x has shape (n_spaces, n_rows, n_coordinates). `left_out`, of shape (n_rows,
        n_references), is a mask of the references that do not count for a row. `observed`, in the shape of x, is 1 for
        the coordinates that count, and 0 for the others. If none counts in a space, the distance is NaN.
        """
        nearest = self._squared_distances(x, left_out, observed).amin(3)
        is_empty = nearest.isinf()
        coincide = nearest.amin(2) <= COINCIDENCE * (x.square().sum(2) + self._n_coordinates)
        # Rows that equal a reference get the same distance. Otherwise surprisals would depend on rounding errors.
        nearest = nearest.masked_fill(is_empty | (nearest <= COINCIDENCE * self._n_coordinates[:, :, None]), 0.0)
        log_squares = (nearest + SQUARED_FLOOR * self._n_coordinates[:, :, None]).log()
        if observed is not None:
            log_squares.masked_fill_(self._n_observed(observed)[..., None] == 0, torch.nan)
        if left_out is None:
            return log_squares.mean(2) * 0.5, coincide
        # Bags whose references are all left out do not count, unless this holds for all bags.
        counts = (~is_empty | is_empty.all(2, keepdim=True)).to(x.dtype)
        return (log_squares * counts).sum(2) / counts.sum(2) * 0.5, coincide

    def log_distance_reductions(
        self, x: Tensor, left_out: Tensor, space: int, product: Tensor | None, observed: Tensor | None = None
    ) -> Tensor:
        """For each feature, the decrease of the log-distance in a space if its value could be chosen freely.

        `product` is the symmetric matrix that turns features into the coordinates of the space; None if these are the
        features themselves. `observed` is the mask of the space.
        """
        references, left_out = self._references[space], left_out[:, self._indices[space], None]
        differences = x[:, None, :] - references
        if observed is not None:
            differences *= observed[:, None, :]
        squares = differences.square().sum(2, keepdim=True)
        if product is not None:
            differences = (x @ product)[:, None, :] - references @ product
            differences = self._standardised(differences, product)
        of_features = differences.square()
        if self._membership is not None:
            of_features = of_features @ self._membership
        without = (squares - of_features).clamp_min_(0.0)
        whole, rest = (
            distances.masked_fill_(left_out, torch.inf)
            .view(len(x), self.n_bags, self.bag_size, -1)
            .amin(2)
            .nan_to_num_(posinf=0.0)
            .add_(SQUARED_FLOOR * of_features.shape[2])
            .log_()
            for distances in (squares, without)
        )
        return (whole - rest).mean(1)

    def _standardised(self, differences: Tensor, product: Tensor) -> Tensor:
        """Differences scaled so that their squares are the decrease of the squared distance by each feature."""
        if self._membership is None:
            return differences / product.square().sum(1).sqrt()
        own = self._membership @ self._membership.t()
        root = torch.linalg.cholesky((product @ product) * own)
        return differences @ torch.linalg.inv(root).t()

    def _n_observed(self, observed: Tensor) -> Tensor:
        """The number of observed features of each row."""
        if self._membership is None:
            return observed.sum(2)
        return (observed @ (self._membership / self._membership.sum(0))).sum(2)

    def _squared_distances(self, x: Tensor, left_out: Tensor | None, observed: Tensor | None) -> Tensor:
        """Squared distances, shape (n_spaces, n_rows, n_bags, bag_size); infinite for references that are left out.

        They are summed over observed coordinates, and multiplied by the number of features per observed feature.
        """
        if observed is None:
            norms = x.square().sum(2, keepdim=True)
            distances = torch.cat([x, norms, torch.ones_like(norms)], 2) @ self._factors
        else:
            norms = (x * x * observed).sum(2, keepdim=True)
            distances = torch.cat([x * observed, norms, observed], 2) @ self._factors_of_observed
            distances *= (self._n_coordinates / self._n_observed(observed).clamp_min(1.0))[:, :, None]
        if left_out is not None:
            distances = distances.masked_fill(left_out[:, self._indices].transpose(0, 1), torch.inf)
        return distances.view(self.n_spaces, x.shape[1], self.n_bags, self.bag_size)

    @cached_property
    def _factors_of_observed(self) -> Tensor:
        """The matrix (-2 r, 1, r^2). Multiplied by the mask of a row, it adds only squares of observed coordinates."""
        r = self._references
        return torch.cat([-2.0 * r, torch.ones_like(r[:, :, :1]), r.square()], 2).transpose(1, 2).contiguous()


def coincidences(x: Tensor, references: Tensor, tolerance: Tensor) -> Tensor:
    """Mask of the references that equal each row within the tolerance, shape (n_rows, n_references)."""
    norms = x.square().sum(1, keepdim=True)
    distances = torch.addmm(references.square().sum(1), x, references.t(), alpha=-2.0).add_(norms)
    coincide = distances <= COINCIDENCE * (norms + x.shape[1])
    rows, found = coincide.nonzero(as_tuple=True)
    coincide[rows, found] = ((x[rows] - references[found]).abs() <= tolerance).all(1)
    return coincide


def draw_bags(weight: np.ndarray, n_bags: int, bag_size: int, random_state: np.random.RandomState) -> np.ndarray:
    """Draw the indices of the rows of each bag, shape (n_bags, bag_size), with frequencies proportional to weights.

    Each bag is a systematic sample of the rows in random order, so that rows of equal weight occur in it at most once.
    """
    bags = []
    for _ in range(n_bags):
        order = random_state.permutation(len(weight))
        cumulative = np.cumsum(weight[order])
        places = (np.arange(bag_size) + random_state.uniform()) / bag_size * cumulative[-1]
        bags.append(order[np.searchsorted(cumulative, places, side="right").clip(max=len(order) - 1)])
    return np.stack(bags)
