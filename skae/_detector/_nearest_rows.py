"""Distances to the nearest row of several small samples (bags) of the training rows."""

from __future__ import annotations

from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from skae._support._torch import dtype_of, to_tensor

# Added to mean squared differences of features: rows that coincide with others are not infinitely usual.
SQUARED_FLOOR = 1e-3
# Rows this near, in squares of a feature's deviation and of the row's length, may be one row: products of float32 round
# that much. They are if no feature differs by more than its tolerance.
COINCIDENCE = 1e-5
# Numbers in a block of distances (4 MB), which caches hold.
BLOCK_ELEMENTS = 1 << 20


class NearestRows:
    """Log-distances to the nearest row of each bag in several spaces, on one device in the dtype of the references.

    One batched product of (x, |x|^2, 1) with (-2 r, 1, |r|^2) makes the squared distances; bags lie one after the
    other, so that the minimum is over contiguous numbers.

    Parameters
    ----------
    references : ndarray of shape (n_spaces, n_references, n_coordinates)
    bags : ndarray of shape (n_spaces, n_bags, bag_size)
        Indices of references.
    n_coordinates : ndarray of shape (n_spaces,)
        How many of the coordinates of a space are not zero everywhere; where features have several, how many features.
    device : torch.device
    feature_of : ndarray of shape (n_coordinates,), optional
        The feature that each coordinate belongs to, if some have several.
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
        """Mean over the bags of the log-distance to the nearest row; and which rows may coincide with a reference.

        Both of shape (n_spaces, n_rows), as x is (n_spaces, n_rows, n_coordinates). `left_out` of shape (n_rows,
        n_references) says which references do not count for a row. `observed`, of the shape of x, is 1 for the
        coordinates that count and 0 for others; distances are NaN in a space where none does.
        """
        nearest = self._squared_distances(x, left_out, observed).amin(3)
        is_empty = nearest.isinf()
        coincide = nearest.amin(2) <= COINCIDENCE * (x.square().sum(2) + self._n_coordinates)
        # Surprisals go by order: the distances of rows that coincide must not differ by rounding errors.
        nearest = nearest.masked_fill(is_empty | (nearest <= COINCIDENCE * self._n_coordinates[:, :, None]), 0.0)
        log_squares = (nearest + SQUARED_FLOOR * self._n_coordinates[:, :, None]).log()
        if observed is not None:
            log_squares.masked_fill_(self._n_observed(observed)[..., None] == 0, torch.nan)
        if left_out is None:
            return log_squares.mean(2) * 0.5, coincide
        # A bag that is left out as a whole says nothing, unless all are.
        counts = (~is_empty | is_empty.all(2, keepdim=True)).to(x.dtype)
        return (log_squares * counts).sum(2) / counts.sum(2) * 0.5, coincide

    def log_distance_reductions(
        self, x: Tensor, left_out: Tensor, space: int, product: Tensor | None, observed: Tensor | None = None
    ) -> Tensor:
        """By how much the log-distance in a space falls if a feature may take the value that suits best, for each.

        `product` is the symmetric matrix that made the coordinates of features, if they are not features themselves.
        `observed` is that of the space.
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
        """Differences times a product, so that the squares of a feature's are what the feature can take away."""
        if self._membership is None:
            return differences / product.square().sum(1).sqrt()
        own = self._membership @ self._membership.t()
        root = torch.linalg.cholesky((product @ product) * own)
        return differences @ torch.linalg.inv(root).t()

    def _n_observed(self, observed: Tensor) -> Tensor:
        """How many features of each row are observed."""
        if self._membership is None:
            return observed.sum(2)
        return (observed @ (self._membership / self._membership.sum(0))).sum(2)

    def _squared_distances(self, x: Tensor, left_out: Tensor | None, observed: Tensor | None) -> Tensor:
        """Squared distances of shape (n_spaces, n_rows, n_bags, bag_size), infinite to what is left out.

        Over what is observed, times all coordinates per coordinate observed.
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
        """(-2 r, 1, r^2): the squares of a reference's coordinates count where a row's are observed."""
        r = self._references
        return torch.cat([-2.0 * r, torch.ones_like(r[:, :, :1]), r.square()], 2).transpose(1, 2).contiguous()


def coincidences(x: Tensor, references: Tensor, tolerance: Tensor) -> Tensor:
    """Which references each row coincides with, shape (n_rows, n_references)."""
    norms = x.square().sum(1, keepdim=True)
    distances = torch.addmm(references.square().sum(1), x, references.t(), alpha=-2.0).add_(norms)
    coincide = distances <= COINCIDENCE * (norms + x.shape[1])
    rows, found = coincide.nonzero(as_tuple=True)
    coincide[rows, found] = ((x[rows] - references[found]).abs() <= tolerance).all(1)
    return coincide


def draw_bags(weight: np.ndarray, n_bags: int, bag_size: int, random_state: np.random.RandomState) -> np.ndarray:
    """Indices of the rows of each bag, shape (n_bags, bag_size), each row as often as it weighs on average.

    Systematic samples of random orders: rows that weigh the same are in a bag at most once.
    """
    bags = []
    for _ in range(n_bags):
        order = random_state.permutation(len(weight))
        cumulative = np.cumsum(weight[order])
        places = (np.arange(bag_size) + random_state.uniform()) / bag_size * cumulative[-1]
        bags.append(order[np.searchsorted(cumulative, places, side="right").clip(max=len(order) - 1)])
    return np.stack(bags)
