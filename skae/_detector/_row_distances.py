"""Distances of rows to the nearest training rows, in three coordinate systems and in spaces of rank coordinates."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor

from skae._detector._coordinates import N_SYSTEMS, Coordinates, Systems
from skae._detector._known_rows import NO_GROUP, KnownRows
from skae._detector._nearest_rows import MAX_BLOCK_DISTANCES, NearestRows, coincidences
from skae._detector._scorer import normalised
from skae._rows._blocks import row_blocks
from skae._support._state import fields_of
from skae._support._torch import dtype_of, no_autocast, to_numpy, to_tensor

# The features of a space of rank coordinates, and its bags.
Space = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True, eq=False)
class RowDistances:
    """Log-distances to the nearest row in each of several samples (bags) of the training rows, averaged over the bags.

    `references` are training rows in the units of ``coordinates.scale``. `bags` are indices of references. `spaces` are
    pairs of features and bags. `single` is the mask of references that represent a single training row: a row that
    equals such a reference is compared with the other references only, so that training rows are scored like new rows.

    If training rows belong to groups, `groups` are the group numbers of the references. Training rows are recognised by
    `known`, and are compared with the references of other groups only.
    """

    coordinates: Coordinates
    references: np.ndarray
    single: np.ndarray
    bags: np.ndarray
    spaces: tuple[Space, ...]
    known: KnownRows | None = None
    groups: np.ndarray | None = None

    def groups_of(self, X, part: slice = slice(None)) -> np.ndarray | None:
        """The group numbers of rows of X; None if training rows have no groups."""
        return None if self.known is None else self.known.groups_of(X, part)

    def systems(self, X, part: slice = slice(None)) -> Systems:
        """Rows of X in the three coordinate systems."""
        return self.coordinates(self.coordinates.scale.deviations(X, part))

    @no_autocast()
    def log_distances(self, systems: Systems, device: torch.device, groups: np.ndarray | None = None) -> np.ndarray:
        """Log-distances in the systems and in the spaces, shape (n_rows, N_SYSTEMS + n_spaces).

        They are NaN in spaces without any observed feature. `groups` are the group numbers of the rows, as `groups_of`
        returns them.
        """
        on_device = self._on(device)
        result = np.empty((len(systems.deviations), N_SYSTEMS + len(self.spaces)))
        with torch.no_grad():
            for part in row_blocks(len(result), on_device.n_distances, MAX_BLOCK_DISTANCES):
                own = None if groups is None else groups[part]
                observed = on_device.observed(systems, part)
                result[part] = to_numpy(self._log_distances(on_device.tensor(systems, part), observed, own, on_device))
        return result

    def _log_distances(
        self, systems: Tensor, observed: Tensor | None, groups: np.ndarray | None, on_device: DeviceDistances
    ) -> Tensor:
        log_distances, coincide = on_device.log_distances(systems, None, observed)
        is_known = coincide[on_device.with_separate_bags].any(0)
        if groups is not None:
            is_known |= to_tensor(groups != NO_GROUP, torch.bool, is_known.device)
        # Only these rows are computed again without some references. Unless X has training rows, they are few.
        rows = is_known.nonzero()[:, 0]
        if len(rows):
            own = None if groups is None else groups[to_numpy(rows)]
            left_out = self._left_out(systems[0, rows], own, on_device.references)
            own_observed = None if observed is None else observed[rows]
            log_distances[:, rows] = on_device.log_distances(systems[:, rows], left_out, own_observed)[0]
        return log_distances.t()

    def _left_out(self, deviations: Tensor, groups: np.ndarray | None, references: Tensor) -> Tensor:
        # Twice the tolerance, because both the value and the reference may have been rounded.
        tolerance = to_tensor(2.0 * self.coordinates.scale.tolerance, deviations.dtype, deviations.device)
        coincide = coincidences(deviations, references, tolerance)
        coincide &= to_tensor(self.single, torch.bool, deviations.device)
        if groups is not None and self.groups is not None:
            same = (groups[:, np.newaxis] == self.groups) & (groups != NO_GROUP)[:, np.newaxis]
            coincide |= to_tensor(same, torch.bool, deviations.device)
        return coincide

    def _on(self, device: torch.device) -> DeviceDistances:
        """The references on a device. They are moved to it once."""
        if device not in self._by_device:
            self._by_device[device] = DeviceDistances(self, device)
        return self._by_device[device]

    @cached_property
    def _by_device(self) -> dict[torch.device, DeviceDistances]:
        return {}

    @property
    def masks(self) -> np.ndarray:
        """Mask of the features of each space, shape (n_spaces, n_features)."""
        columns = self.coordinates.scale.columns
        n_features = self.references.shape[1] if columns is None else len(columns.n_bins)
        masks = np.zeros((len(self.spaces), n_features), dtype=bool)
        for mask, (features, _) in zip(masks, self.spaces, strict=True):
            mask[features] = True
        return masks

    @no_autocast()
    def feature_shares(
        self, systems: Systems, device: torch.device, groups: np.ndarray | None = None
    ) -> list[np.ndarray]:
        """For each coordinate system the shares of the features in the distances of rows.

        The share of a feature is proportional to the decrease of the log-distance if its value can be chosen freely.
        """
        on_device = self._on(device)
        tensor, observed = on_device.tensor(systems), on_device.observed(systems)
        of_systems = (None,) * N_SYSTEMS if observed is None else on_device.observed_by_system(observed)
        left_out = self._left_out(tensor[0], groups, on_device.references)
        products = (None, to_tensor(self.coordinates.whitening.product, tensor.dtype, tensor.device), None)
        shares = []
        for space, (x, product, known) in enumerate(zip(tensor, products, of_systems, strict=True)):
            lost = on_device.nearest.log_distance_reductions(x, left_out, space, product, known)
            shares.append(normalised(to_numpy(lost if observed is None else lost * on_device.per_feature(observed))))
        return shares

    def to_state(self) -> dict[str, Any]:
        """Arrays and plain values for a file."""
        return fields_of(self) | {
            "coordinates": self.coordinates.to_state(),
            "spaces": [list(space) for space in self.spaces],
            "known": None if self.known is None else fields_of(self.known),
        }

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> RowDistances:
        """The distances that `to_state` described."""
        coordinates = Coordinates.from_state(state["coordinates"])
        spaces = tuple((features, bags) for features, bags in state["spaces"])
        known = None if state.get("known") is None else KnownRows(**state["known"])
        return cls(**state | {"coordinates": coordinates, "spaces": spaces, "known": known})


class DeviceDistances:
    """The references of `RowDistances` on one device, in all coordinate systems and spaces."""

    def __init__(self, distances: RowDistances, device: torch.device) -> None:
        systems, masks = distances.coordinates(distances.references).filled, distances.masks
        columns = distances.coordinates.scale.columns
        feature_of = None if columns is None else columns.feature_of
        self._first = None if columns is None else to_tensor(columns.first_column, torch.int64, device)
        dtype, n_features = dtype_of(distances.references), masks.shape[1]
        self.references = to_tensor(distances.references, dtype, device)
        bags = np.stack([distances.bags] * N_SYSTEMS)
        self.nearest = NearestRows(np.stack(systems), bags, np.full(N_SYSTEMS, n_features), device, feature_of)
        self.n_distances = bags.size
        self._nearest_in_spaces: NearestRows | None = None
        if len(masks):
            bags = np.stack([bags for _, bags in distances.spaces])
            sizes, masks = masks.sum(axis=1), masks if feature_of is None else masks[:, feature_of]
            masked = systems[-1] * masks[:, np.newaxis].astype(systems[-1].dtype)
            self._nearest_in_spaces = NearestRows(masked, bags, sizes, device, feature_of)
            self.n_distances = max(self.n_distances, bags.size)
        self._masks = to_tensor(masks[:, np.newaxis], dtype, device)
        # Equal rows are searched for in one system, because all systems have the same bags, and in spaces with other
        # bags. Subspaces use bags of the systems.
        self.with_separate_bags = [0, *(N_SYSTEMS + k for k, mask in enumerate(masks) if mask.all())]

    def tensor(self, systems: Systems, part: slice = slice(None)) -> Tensor:
        """Rows in the three systems, shape (N_SYSTEMS, n_rows, n_features)."""
        return torch.stack([self._on_device(system[part]) for system in systems.filled])

    def observed(self, systems: Systems, part: slice = slice(None)) -> Tensor | None:
        """1 for observed entries of rows, 0 for missing ones; None if no entry is missing."""
        return None if systems.missing is None else self._on_device(~systems.missing[part])

    def per_feature(self, observed: Tensor) -> Tensor:
        """The mask per feature. All columns of a feature have the same mask, so that the first one is taken."""
        return observed if self._first is None else observed[:, self._first]

    def _on_device(self, array: np.ndarray) -> Tensor:
        return to_tensor(array, self.references.dtype, self.references.device)

    @staticmethod
    def observed_by_system(observed: Tensor) -> Tensor:
        """The mask of observed coordinates in each system. It is all ones for whitened rows, which were filled."""
        return torch.stack([observed, torch.ones_like(observed), observed])

    def log_distances(
        self, systems: Tensor, left_out: Tensor | None = None, observed: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Log-distances and a mask of rows that may equal a reference; shapes are (N_SYSTEMS + n_spaces, n_rows)."""
        of_systems = None if observed is None else self.observed_by_system(observed)
        found = [self.nearest.log_distances(systems, left_out, of_systems)]
        if self._nearest_in_spaces is not None:
            of_spaces = None if observed is None else observed * self._masks
            found.append(self._nearest_in_spaces.log_distances(systems[-1] * self._masks, left_out, of_spaces))
        distances, coincide = zip(*found, strict=True)
        return torch.cat(distances), torch.cat(coincide)
