"""Distances of rows to the nearest training rows, in three coordinate systems and in spaces of rank coordinates."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor

from skae._detector._coordinates import N_SYSTEMS, Coordinates, Systems
from skae._detector._nearest_rows import BLOCK_ELEMENTS, NearestRows, coincidences
from skae._detector._scorer import normalised
from skae._rows._blocks import row_blocks
from skae._support._state import fields_of
from skae._support._torch import dtype_of, resolve_device, to_numpy, to_tensor

# Features of the rank coordinates, and bags.
Space = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True, eq=False)
class RowDistances:
    """Log-distances to the nearest row of small samples (bags) of the training rows, averaged over the bags.

    `references` are training rows in the units of ``coordinates.scale``, of which `bags` and the bags of the spaces
    hold indices. `single` says which references stand for one training row: a row that coincides with one of those is
    judged without it, so that training rows are measured as new rows are. `spaces` are pairs of features and bags.
    """

    coordinates: Coordinates
    references: np.ndarray
    single: np.ndarray
    bags: np.ndarray
    spaces: tuple[Space, ...]

    def systems(self, X, part: slice = slice(None)) -> Systems:
        """Rows of X in the three coordinate systems."""
        return self.coordinates(self.coordinates.scale.deviations(X, part))

    def log_distances(self, systems: Systems, device: str) -> np.ndarray:
        """Log-distances in the systems and in the spaces, shape (n_rows, N_SYSTEMS + n_spaces)."""
        where = resolve_device(device)
        nearest, references = self._on(where)
        largest = max(each.n_bags * each.bag_size for each in nearest)
        result = np.empty((len(systems[0]), len(nearest)))
        with torch.no_grad():
            for part in row_blocks(len(result), largest, BLOCK_ELEMENTS):
                tensors = [to_tensor(system[part], references.dtype, where) for system in systems]
                result[part] = to_numpy(self._of_tensors(tensors, nearest, references))
        return result

    def _of_tensors(self, systems: list[Tensor], nearest: list[NearestRows], references: Tensor) -> Tensor:
        columns = [to_tensor(features, torch.int64, references.device) for features, _ in self.spaces]
        spaces = [*systems, *(systems[2][:, features] for features in columns)]
        found = [each.log_distances(x) for x, each in zip(spaces, nearest, strict=True)]
        log_distances = torch.stack([log for log, _ in found], 1)
        # The bags of subspaces are some of the first ones.
        n_features = systems[0].shape[1]
        whole = [0, *(N_SYSTEMS + k for k, (features, _) in enumerate(self.spaces) if len(features) == n_features)]
        rows = torch.stack([found[place][1] for place in whole]).any(0).nonzero()[:, 0]
        if len(rows):  # few, unless they are the training rows
            left_out = self._left_out(systems[0][rows], references)
            again = [each.log_distances(x[rows], left_out)[0] for x, each in zip(spaces, nearest, strict=True)]
            log_distances[rows] = torch.stack(again, 1)
        return log_distances

    def _left_out(self, deviations: Tensor, references: Tensor) -> Tensor:
        # A value and a reference may both have been rounded.
        tolerance = to_tensor(2.0 * self.coordinates.scale.tolerance, deviations.dtype, deviations.device)
        coincide = coincidences(deviations, references, tolerance)
        return coincide & to_tensor(self.single, torch.bool, deviations.device)

    def _on(self, device: torch.device) -> tuple[list[NearestRows], Tensor]:
        """What finds nearest rows there, in each system and space, and the references; made once for each device."""
        if device not in self._made:
            systems = self.coordinates(self.references)
            nearest = [NearestRows(system, self.bags, device) for system in systems]
            nearest += [NearestRows(systems[2][:, features], bags, device) for features, bags in self.spaces]
            self._made[device] = nearest, to_tensor(self.references, dtype_of(self.references), device)
        return self._made[device]

    @cached_property
    def _made(self) -> dict[torch.device, tuple[list[NearestRows], Tensor]]:
        return {}

    def feature_shares(self, systems: Systems, device: str) -> list[np.ndarray]:
        """Shares of the features in each system's distances: how much nearer training rows are without a feature."""
        where = resolve_device(device)
        (nearest, references), shares = self._on(where), []
        tensors = [to_tensor(system, references.dtype, where) for system in systems]
        left_out = self._left_out(tensors[0], references)
        products = (None, to_tensor(self.coordinates.whitening.product, references.dtype, where), None)
        for x, each, product in zip(tensors, nearest[:N_SYSTEMS], products, strict=True):
            shares.append(normalised(to_numpy(each.log_distances_lost(x, left_out, product))))
        return shares

    def to_state(self) -> dict[str, Any]:
        """Arrays and plain values for a file."""
        spaces = [list(space) for space in self.spaces]
        return fields_of(self) | {"coordinates": self.coordinates.to_state(), "spaces": spaces}

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> RowDistances:
        """The distances that `to_state` described."""
        coordinates = Coordinates.from_state(state["coordinates"])
        spaces = tuple((features, bags) for features, bags in state["spaces"])
        return cls(**state | {"coordinates": coordinates, "spaces": spaces})
