"""A fitted autoencoder: encoding, decoding, errors and sampling."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from skae._autoencoder._code_density import CodeDensity
from skae._autoencoder._config import AutoencoderConfig
from skae._autoencoder._custom_network import on_device
from skae._autoencoder._imputation import GaussianImputer
from skae._autoencoder._linear import LinearAutoencoder
from skae._autoencoder._network import AutoencoderNetwork
from skae._autoencoder._training_range import TrainingRange
from skae._rows._blocks import row_blocks
from skae._rows._row_source import RowSource
from skae._rows._standardised_rows import STANDARDISED_ELEMENTS
from skae._support._state import fields_of
from skae._support._tensors import like
from skae._support._threads import map_parts
from skae._support._torch import dtype_of, no_autocast, to_numpy, to_tensor
from skae._support._validation import check_finite_result


@dataclass(frozen=True, eq=False)
class FittedAutoencoder:
    """Everything that encoding, decoding and sampling need. The network itself is made when it is needed.

    Codes of the network times `code_map` are the public codes. `imputer` fills standardised rows. `takes_mask` and
    `module` are those of `AutoencoderNetwork`. `sample_codes` are codes of some training rows; `sample` draws from a
    density that is fitted to them.
    """

    config: AutoencoderConfig
    linear: LinearAutoencoder
    imputer: GaussianImputer
    weights: np.ndarray
    code_map: np.ndarray
    takes_mask: bool
    module: nn.Module | None
    sample_codes: np.ndarray
    training_range: TrainingRange

    def to_state(self) -> dict[str, Any]:
        """Arrays and plain values for a file. A custom network is saved as the torch module itself."""
        return fields_of(self) | {
            "config": self.config.to_state(),
            "linear": self.linear.to_state(),
            "imputer": fields_of(self.imputer),
            "training_range": fields_of(self.training_range),
        }

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> FittedAutoencoder:
        """The autoencoder that `to_state` described."""
        return cls(
            **state
            | {
                "config": AutoencoderConfig(**state["config"]),
                "linear": LinearAutoencoder(**state["linear"]),
                "imputer": GaussianImputer(**state["imputer"]),
                "training_range": TrainingRange(**state["training_range"]),
            }
        )

    @property
    def n_components(self) -> int:
        return self.linear.n_components

    @cached_property
    def code_map_inverse(self) -> np.ndarray:
        return np.linalg.inv(self.code_map)

    @cached_property
    def density(self) -> CodeDensity:
        """The density of the codes of the network. Fitting it takes seconds."""
        return CodeDensity.of(self.sample_codes.astype(np.float64), self.network(torch.device("cpu")).code)

    def encode(self, X, device: torch.device):
        """Codes of the rows of X, in the dtype of X."""
        network = self.network(device)
        code_map = to_tensor(self.code_map, torch.float64, network.parameters.device)
        # In float64, because codes in the units of X may be beyond the range of float32; by torch, because the threads
        # of NumPy would compete with those of torch.
        return self._by_blocks(lambda x: network.encode(x).double() @ code_map, network, X, self.n_components)

    def decode(self, codes, device: torch.device):
        """Rows in the units of X for public codes, or the first columns of them, in the codes' dtype."""
        network = self.network(device)
        code_map_inverse = to_tensor(self.code_map_inverse[: codes.shape[1]], torch.float64, network.parameters.device)

        def decoded(z: Tensor):
            z = (z @ code_map_inverse).to(network.parameters.dtype)
            return self._in_units_of_X(network.decode(z), codes)

        def rows(part: slice) -> Tensor:
            return to_tensor(codes[part], torch.float64, network.parameters.device)

        return self._by_blocks(decoded, network, codes, self.linear.n_features, rows=rows)

    def reconstruct(self, X, device: torch.device):
        """Reconstructions of the rows of X, in the dtype of X."""
        network = self.network(device)

        def reconstructed(x: Tensor):
            return self._in_units_of_X(network.decode(network.encode(x)), X)

        return self._by_blocks(reconstructed, network, X, self.linear.n_features)

    def errors_and_codes(self, X, device: torch.device) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Squared distances of each row from its reconstruction and from the mean, and its code, all in float64.

        Differences are divided by `scale_`. Missing entries count in neither distance.
        """
        network, factor = self.network(device), self.linear.unit**2
        code_map = to_tensor(self.code_map, torch.float64, network.parameters.device)

        def computed(x: Tensor) -> Tensor:
            z = network.encode(x)
            # In float64, because squares of float32 numbers may be beyond its range.
            residual = network.decode(z).sub_(x).double()
            squares = (residual.square_().nansum(1) * factor, x.double().square_().nansum(1) * factor)
            return torch.column_stack([*squares, z.double() @ code_map])

        result = self._by_blocks(computed, network, X, 2 + self.n_components, double=True)
        result = to_numpy(result) if isinstance(result, Tensor) else result
        return result[:, 0], result[:, 1], result[:, 2:]

    def summed_losses(self, X, device: torch.device):
        """The loss of each row, summed over its observed entries."""
        network = self.network(device)
        factor = self.linear.unit**network.loss.unit_power
        return self._by_blocks(lambda x: network.summed_losses(x) * factor, network, X, double=True)

    def log_evidence_bounds(self, X, device: torch.device):
        """Evidence lower bound of each row in nats; for variational autoencoders only."""
        network = self.network(device)
        return self._by_blocks(network.log_evidence_bound, network, X, double=True)

    def sample(self, n_samples: int, random_state: np.random.RandomState, device: torch.device) -> np.ndarray:
        """Draw rows."""
        if self.config.code_class.is_variational:
            codes = random_state.normal(size=(n_samples, self.n_components))
        else:
            codes = self.density.sample(n_samples, random_state) @ self.code_map
        return self.decode(codes, device)

    def network(self, device: torch.device) -> AutoencoderNetwork:
        """The network in the dtype it was trained in. It is made once per device."""
        if self.module is not None:  # two threads could not use the same module at once
            return self._new_network(device)
        if device not in self._networks:
            self._networks[device] = self._new_network(device)
        return self._networks[device]

    @cached_property
    def _networks(self) -> dict[torch.device, AutoencoderNetwork]:
        return {}

    def _new_network(self, device: torch.device) -> AutoencoderNetwork:
        dtype = dtype_of(self.weights)
        return AutoencoderNetwork(
            self.config,
            self.linear.to(dtype, device),
            to_tensor(self.weights, dtype, device),
            self.imputer.to(dtype, device),
            module=on_device(self.module, device, dtype),
            takes_mask=self.takes_mask,
            training_range=self.training_range,
        )

    def _by_blocks(
        self,
        function: Callable[[Tensor], Any],
        network: AutoencoderNetwork,
        X,
        *width: int,
        rows: Callable[[slice], Tensor] | None = None,
        double: bool = False,
    ):
        """Apply a function to each block of rows; return the results as an array or tensor like X.

        `rows` turns a slice into a block; by default, blocks are standardised rows of X.
        """
        results: Any
        dtype, device = network.parameters.dtype, network.parameters.device
        rows = rows or RowSource(X).standardised(self.linear.mean, self.linear.scale, dtype, device).take
        shape = (X.shape[0], *width)
        if isinstance(X, Tensor):
            results = X.new_empty(shape, dtype=torch.float64 if double else X.dtype)
        else:
            results = np.empty(shape, dtype=np.float64 if double else X.dtype)

        def compute(part: slice) -> None:
            with torch.no_grad(), no_autocast(), np.errstate(over="ignore", invalid="ignore"):
                results[part] = like(function(rows(part)), X)

        parts = row_blocks(X.shape[0], max(X.shape[1], self.linear.n_features), STANDARDISED_ELEMENTS)
        # Starting a thread takes as long as encoding one row; two threads could not use the same module at once.
        if X.shape[0] == 1 or network.module is not None:
            for part in parts:
                compute(part)
        else:
            map_parts(compute, parts, device)
        return check_finite_result(results, self.weights.dtype)

    def _in_units_of_X(self, standardised: Tensor, X):
        return like(standardised, X) * like(self.linear.scale, X) + like(self.linear.mean, X)
