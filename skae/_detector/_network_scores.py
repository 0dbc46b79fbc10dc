"""The component score of networks, which are masked autoencoders or denoisers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Protocol

import numpy as np
import torch

from skae._detector._bins import Bins
from skae._detector._coordinates import Systems
from skae._detector._denoiser import NOISE_LEVELS, DenoiserEnsemble
from skae._detector._ensemble import Layers
from skae._detector._entries import N_FOLDS
from skae._detector._masked_autoencoder import MaskedAutoencoder, Pass, ScoringLayers, masked_inputs
from skae._detector._scorer import SQUARED_FLOOR
from skae._detector._tail_surprisal import TailSurprisal, cross_fitted_surprisals, mean_of_two_highest, surprisals_by
from skae._linalg._quantiles import weighted_quantile
from skae._rows._blocks import row_blocks
from skae._support._state import fields_of
from skae._support._torch import dtype_of, no_autocast, to_tensor

# Number of rows that are scored at once. Outputs for 20 features take 3 MB.
NETWORK_BLOCK = 2048


class NetworkScores(Protocol):
    """The component score of an ensemble. Each network was trained without one fold of the training rows."""

    def component(self, systems: Systems) -> np.ndarray:
        """The component score of each row, combined from all networks."""

    def calibrated(
        self, systems: Systems, fold: np.ndarray, weight: np.ndarray, groups: np.ndarray | None
    ) -> tuple[NetworkScores, np.ndarray]:
        """Calibrate the networks with weighted training rows; return them and the component scores of these rows.

        Each row is scored by the network that was trained without its fold. Rows may belong to groups.
        """

    def to_state(self) -> dict[str, Any]:
        """Arrays and plain values for a file."""


@dataclass(frozen=True, eq=False)
class MaskedScores:
    """Masked autoencoders. The component score is the mean surprisal of the two most surprising features of a row."""

    bins: Bins
    log_marginals: np.ndarray
    weights: np.ndarray
    hidden_layer_sizes: tuple[int, ...]
    activation: str
    passes: list[Pass]
    feature_surprisals: tuple[TailSurprisal, ...] = ()
    input_features: np.ndarray | None = None

    def component(self, systems: Systems) -> np.ndarray:
        return mean_of_two_highest(self._surprisals(self._raw(systems)))

    def calibrated(
        self, systems: Systems, fold: np.ndarray, weight: np.ndarray, groups: np.ndarray | None
    ) -> tuple[MaskedScores, np.ndarray]:
        raw = out_of_fold(self._raw, systems, fold)
        surprisals = tuple(TailSurprisal.of(values, weight) for values in raw.T)
        scores = mean_of_two_highest(cross_fitted_surprisals(raw, weight, groups))
        return replace(self, feature_surprisals=surprisals), scores

    def _raw(self, systems: Systems, member: int | None = None) -> np.ndarray:
        """Minus the log-density of each feature given the others, by one network or by all; NaN for missing entries."""
        network, dtype, values = self.network, dtype_of(self.weights), systems.values
        result = np.empty(values.shape)
        with torch.no_grad(), no_autocast():
            layers = self._scoring_layers if member is None else network.scoring_layers(self.passes, member)
            for part in row_blocks(len(result), 1, NETWORK_BLOCK):
                index, inputs = self.bins.index(values[part]), masked_inputs(systems.select(part))
                if systems.missing is not None:
                    inputs = np.concatenate([inputs, np.isnan(values[part])], axis=1)
                surprisals = network.surprisals(torch.from_numpy(inputs).to(dtype), torch.from_numpy(index), layers)
                result[part] = surprisals.numpy() + self.bins.offset(values[part], index, member)
        return result

    def to_state(self) -> dict[str, Any]:
        return fields_of(self) | {
            "bins": fields_of(self.bins),
            "passes": [list(each) for each in self.passes],
            "feature_surprisals": [fields_of(tail) for tail in self.feature_surprisals],
        }

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> MaskedScores:
        return cls(
            **state
            | {
                "bins": Bins(**state["bins"]),
                "hidden_layer_sizes": tuple(state["hidden_layer_sizes"]),
                "passes": [(features, member) for features, member in state["passes"]],
                "feature_surprisals": tuple(TailSurprisal(**tail) for tail in state["feature_surprisals"]),
            }
        )

    def _surprisals(self, raw: np.ndarray) -> np.ndarray:
        # The surprisal of a missing entry is zero.
        return np.nan_to_num(surprisals_by(self.feature_surprisals, raw))

    @cached_property
    def _scoring_layers(self) -> ScoringLayers:
        return self.network.scoring_layers(self.passes)

    @cached_property
    def network(self) -> MaskedAutoencoder:
        """The network, in the dtype it was trained in."""
        dtype, cpu = dtype_of(self.weights), torch.device("cpu")
        marginals, weights = (to_tensor(array, dtype, cpu) for array in (self.log_marginals, self.weights))
        activation, features = self.activation, self.input_features
        return MaskedAutoencoder(marginals, self.hidden_layer_sizes, activation, weights, input_features=features)


@dataclass(frozen=True, eq=False)
class DenoiserScores:
    """Denoisers. The component score is the logarithm of the root mean square distance that they move a row."""

    axes: np.ndarray
    variances: np.ndarray
    weights: np.ndarray
    hidden_layer_sizes: tuple[int, ...]
    activation: str
    medians: np.ndarray

    def component(self, systems: Systems) -> np.ndarray:
        return self._log_distance(self._raw(systems))

    def calibrated(
        self, systems: Systems, fold: np.ndarray, weight: np.ndarray, groups: np.ndarray | None
    ) -> tuple[DenoiserScores, np.ndarray]:
        raw = out_of_fold(self._raw, systems, fold)
        medians = np.maximum([weighted_quantile(values, 0.5, weight) for values in raw.T], 1e-12)
        calibrated = replace(self, medians=medians)
        return calibrated, calibrated._log_distance(raw)

    def _raw(self, systems: Systems, member: int | None = None) -> np.ndarray:
        """Squared distances that rows are moved at each noise level, by one network or by a different one per level."""
        network, dtype = self.network, dtype_of(self.weights)
        result = np.empty((len(systems.deviations), len(NOISE_LEVELS)))
        with torch.no_grad(), no_autocast():
            layers = self._scoring_layers if member is None else network.scoring_layers(member)
            for part in row_blocks(len(result), 1, NETWORK_BLOCK):
                coordinates = torch.from_numpy(systems.deviations[part] @ self.axes).to(dtype)
                result[part] = network.squared_residuals(coordinates, layers).numpy()
        return result

    def _log_distance(self, raw: np.ndarray) -> np.ndarray:
        return 0.5 * np.log((raw / self.medians).mean(axis=1) + SQUARED_FLOOR)

    def to_state(self) -> dict[str, Any]:
        return fields_of(self)

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> DenoiserScores:
        return cls(**state | {"hidden_layer_sizes": tuple(state["hidden_layer_sizes"])})

    @cached_property
    def network(self) -> DenoiserEnsemble:
        """The network, in the dtype it was trained in."""
        dtype, cpu = dtype_of(self.weights), torch.device("cpu")
        variances, weights = (to_tensor(array, dtype, cpu) for array in (self.variances, self.weights))
        return DenoiserEnsemble(variances, self.hidden_layer_sizes, self.activation, N_FOLDS, weights)

    @cached_property
    def _scoring_layers(self) -> list[Layers]:
        return self.network.scoring_layers()


def out_of_fold(raw: Callable[..., np.ndarray], systems: Systems, fold: np.ndarray) -> np.ndarray:
    """The raw scores of each row by the member that was trained without its fold."""
    parts = [np.flatnonzero(fold == member) for member in range(N_FOLDS)]
    found = [raw(systems.select(part), member) for member, part in enumerate(parts) if len(part)]
    result = np.empty((len(fold), found[0].shape[1]))
    result[np.concatenate(parts)] = np.concatenate(found)
    return result
