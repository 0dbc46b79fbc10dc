"""Codes that keep neighbours together: the pairs that training sees, and the loss of a pair.

A batch consists of rows and, for each, one of its nearest training rows. The loss of a pair is InfoNCE (van den Oord,
Li & Vinyals 2018) with the Cauchy kernel of t-SNE between codes, in both directions: each row must find its neighbour
among the neighbours of all rows of the batch, which are its negatives, and each neighbour its row (Damrich et al. 2023
relate this loss to those of t-SNE and UMAP).
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from sklearn.neighbors import NearestNeighbors
from torch import Tensor

from skae._autoencoder._codes import NeighborCode
from skae._autoencoder._network import AutoencoderNetwork
from skae._linalg._principal_axes import principal_axes
from skae._rows._standardised_rows import StandardisedRows
from skae._rows._strata import stratified_rows
from skae._rows._training_rows import TrainingRows
from skae._support._draws import normal
from skae._support._torch import to_numpy

N_NEIGHBORS = 15
# Neighbours are looked up among at most this many training rows, and by their first principal components.
MAX_REFERENCE_ROWS = 1 << 16
MAX_SEARCH_COMPONENTS = 50
# The noise added to the rows of a batch, relative to the median distance from the nearest rows. With it, codes of new
# rows keep their neighbours better.
NOISE_SHARE = 0.5
# Held-out pairs are compared in groups of this many, as many as a batch has.
JUDGED_PAIRS = 256


def check_pairs(rows: TrainingRows, code: str, dtype: str) -> None:
    """Raise ValueError where nearest rows cannot be looked up, or compared as precisely as needed."""
    if rows.source.is_distributed:
        raise ValueError(
            f"code={code!r} cannot be used within skae.distributed(), because it needs all rows. Call fit in one "
            "process. See docs/guide_maps.md."
        )
    if dtype == "bfloat16":
        raise ValueError(
            f"code={code!r} cannot be used with dtype='bfloat16'. Use 'float32' or 'auto'. See docs/guide_maps.md."
        )


def search_axes(rows: TrainingRows, scale: bool, random_state: np.random.RandomState) -> np.ndarray | None:
    """The axes along which nearest rows are looked up; None if all features are compared."""
    if rows.n_features <= MAX_SEARCH_COMPONENTS:
        return None
    n_axes = min(MAX_SEARCH_COMPONENTS, rows.n_rows)
    axes = principal_axes(
        rows.source, n_axes, sample_weight=rows.sample_weight, scale_features=scale, random_state=random_state
    )
    return np.ascontiguousarray(axes.components.T, dtype=np.float32)


class NeighborPairs:
    """Rows of which every batch also has one of the nearest training rows of each row, in its second half.

    It stands for `StandardisedRows` in training. Neighbours are drawn anew for every epoch, except for comparisons.

    Parameters
    ----------
    rows : StandardisedRows
    train : ndarray of int
        Sorted indices of the rows among which neighbours are looked up.
    axes : ndarray of shape (n_features, n_axes) or None
        Nearest rows are those with the nearest coordinates along these axes; None compares all features.
    random_state : RandomState
    """

    def __init__(
        self,
        rows: StandardisedRows,
        train: np.ndarray,
        axes: np.ndarray | None,
        random_state: np.random.RandomState,
    ) -> None:
        self._rows = rows
        blocks = (to_numpy(x).astype(np.float32) for _, x in rows.blocks())
        coordinates = np.concatenate([x if axes is None else x @ axes for x in blocks])
        reference = train[stratified_rows(len(train), MAX_REFERENCE_ROWS)]
        n_neighbors = min(N_NEIGHBORS, len(reference) - 1)
        search = NearestNeighbors(n_neighbors=n_neighbors + 1, algorithm="brute").fit(coordinates[reference])
        distances, found = search.kneighbors(coordinates)
        found = reference[found]
        # A row of the reference is the nearest to itself; of other rows, and with many duplicates, the last one goes.
        superfluous = found == np.arange(len(rows))[:, np.newaxis]
        superfluous[~superfluous.any(axis=1), -1] = True
        self._neighbors = found[~superfluous].reshape(len(rows), n_neighbors).astype(np.int32)
        self._judged = self._drawn(random_state)
        self._chosen = self._judged
        nearest = distances[:, 1 : 1 + (n_neighbors + 2) // 3]
        self.noise = NOISE_SHARE * float(np.median(nearest)) / np.sqrt(rows.source.n_features)

    def __len__(self) -> int:
        return len(self._rows)

    def take(self, rows: np.ndarray) -> Tensor:
        """The given rows, followed by a neighbour of each, which is always the same."""
        return torch.cat([self._rows.take(rows), self._rows.take(self._judged[rows])])

    def shuffled(self, rows: np.ndarray, random_state: np.random.RandomState) -> np.ndarray:
        """The rows, given by sorted indices, in random order. Neighbours are drawn for all of them."""
        self._chosen = self._drawn(random_state)
        return self._rows.shuffled(rows, random_state)

    def batches(self, order: np.ndarray, batch_size: int) -> Iterator[tuple[np.ndarray, Tensor]]:
        """The rows of `order` in batches of about `batch_size` rows, each followed by its neighbour."""
        neighbors = self._rows.batches(self._chosen[order], batch_size)
        for (indices, x), (_, y) in zip(self._rows.batches(order, batch_size), neighbors, strict=True):
            yield indices, torch.cat([x, y])

    def _drawn(self, random_state: np.random.RandomState) -> np.ndarray:
        n_rows, n_neighbors = self._neighbors.shape
        return self._neighbors[np.arange(n_rows), random_state.randint(n_neighbors, size=n_rows)]


class PairTraining:
    """The network as the training loop sees it if batches are pairs of neighbours.

    Parameters
    ----------
    network : AutoencoderNetwork
        Its code is a `NeighborCode`.
    noise : float
        Standard deviation of the noise that is added to the rows.
    n_steps : int
        The number of steps to come.
    generator : torch.Generator
    """

    def __init__(self, network: AutoencoderNetwork, noise: float, n_steps: int, generator: torch.Generator) -> None:
        self._network, self._noise, self._n_steps, self._generator = network, noise, n_steps, generator
        assert isinstance(network.code, NeighborCode)
        self._code, self._step = network.code, 0
        self.parameters = network.parameters

    def bind_gradient(self, gradient: Tensor) -> None:
        self._network.bind_gradient(gradient)

    def loss_and_gradient(self, x: Tensor, weight: Tensor | None) -> Tensor:
        self._code.advance_to(self._step / self._n_steps)
        self._step += 1
        x = x.add_(normal(x, self._generator), alpha=self._noise)
        return self._network.loss_and_gradient(x, weight)

    def row_losses(self, x: Tensor) -> Tensor:
        """For each pair, the loss of the row's reconstruction and that of the pair, with the kernel of the end."""
        rows, neighbors = x.chunk(2)
        pairs = zip(rows.split(JUDGED_PAIRS), neighbors.split(JUDGED_PAIRS), strict=True)
        of_pairs = [self._code.pair_losses(self._network.encode(torch.cat(pair))) for pair in pairs]
        # Doubled, because the loop reports the mean of the two.
        return 2.0 * torch.stack([self._network.row_losses(rows), torch.cat(of_pairs)], dim=1)
