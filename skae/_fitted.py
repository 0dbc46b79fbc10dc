"""A trained autoencoder as plain arrays, and what it does to rows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from skae._model._autoencoder import AnchoredAutoencoder, Architecture
from skae._numerics._moments import row_blocks
from skae._support._inputs import check_finite_result
from skae._support._torch import dtype_of, resolve_device, to_numpy, to_tensor
from skae._training._rows import BLOCK_ELEMENTS, Rows


@dataclass(frozen=True)
class FittedAutoencoder:
    """Everything encoding and decoding need, as NumPy arrays and plain values; torch modules are made when needed.

    Rows are standardised as ``(X - mean) / (scale * unit)``; the network's codes times `code_map` are the public ones.
    """

    mean: np.ndarray
    scale: np.ndarray
    unit: float
    encoder_axes: np.ndarray
    decoder_axes: np.ndarray
    weights: np.ndarray
    code_map: np.ndarray
    code_map_inverse: np.ndarray
    hidden_layer_sizes: tuple[int, ...]
    activation: str

    @torch.no_grad()
    @np.errstate(over="ignore", invalid="ignore")
    def encode(self, X, device: str, dtype=None) -> np.ndarray:
        """Codes of the rows of X, in X's dtype unless another one is given."""
        network, rows = self._network(device), self._rows(X, device)
        codes = np.empty((X.shape[0], self.code_map.shape[1]), dtype=dtype or X.dtype)
        for part, x in rows.blocks():
            # In float64: the units of X may be beyond float32.
            codes[part] = to_numpy(network.encode(x)).astype(np.float64) @ self.code_map
        return check_finite_result(codes, self.weights.dtype)

    @torch.no_grad()
    @np.errstate(over="ignore", invalid="ignore")
    def decode(self, codes: np.ndarray, device: str) -> np.ndarray:
        """Rows in the units of X for public codes, in the codes' dtype."""
        network = self._network(device)
        decoded = np.empty((len(codes), len(self.mean)), dtype=codes.dtype)
        for part in row_blocks(len(codes), max(codes.shape[1], len(self.mean)), BLOCK_ELEMENTS):
            z = codes[part] @ self.code_map_inverse
            x = network.decode(to_tensor(z, network.parameters.dtype, network.parameters.device))
            decoded[part] = self._in_units_of_X(to_numpy(x))
        return check_finite_result(decoded, self.weights.dtype)

    @torch.no_grad()
    @np.errstate(over="ignore", invalid="ignore")
    def reconstruct(self, X, device: str) -> np.ndarray:
        """Decoded codes of the rows of X, in X's dtype."""
        network = self._network(device)
        reconstructed = np.empty(X.shape, dtype=X.dtype)
        for part, x in self._rows(X, device).blocks():
            reconstructed[part] = self._in_units_of_X(to_numpy(network.decode(network.encode(x))))
        return check_finite_result(reconstructed, self.weights.dtype)

    @torch.no_grad()
    @np.errstate(over="ignore", invalid="ignore")
    def squared_errors(self, X, device: str) -> tuple[np.ndarray, np.ndarray]:
        """Squared distance of each row to its reconstruction and to the mean, features divided by `scale`."""
        network = self._network(device)
        errors, norms = np.empty(X.shape[0]), np.empty(X.shape[0])
        for part, x in self._rows(X, device).blocks():
            # Squares of what float32 holds need not be within it.
            residual = network.decode(network.encode(x)).sub_(x).double()
            errors[part] = to_numpy(residual.square_().mean(1))
            norms[part] = to_numpy(x.double().square().mean(1))
        squared_unit = len(self.mean) * self.unit**2
        for squares in (errors, norms):
            check_finite_result(np.multiply(squares, squared_unit, out=squares), self.weights.dtype)
        return errors, norms

    def _network(self, device: str) -> AnchoredAutoencoder:
        dtype, where = dtype_of(self.weights), resolve_device(device)
        n_features, n_components = self.encoder_axes.shape
        return AnchoredAutoencoder(
            Architecture(n_features, n_components, tuple(self.hidden_layer_sizes), self.activation),
            to_tensor(self.encoder_axes, dtype, where),
            to_tensor(self.decoder_axes, dtype, where),
            to_tensor(self.weights, dtype, where),
        )

    def _rows(self, X, device: str) -> Rows:
        return Rows(X, self.mean, self.scale * self.unit, dtype_of(self.weights), resolve_device(device))

    def _in_units_of_X(self, standardised: np.ndarray) -> np.ndarray:
        return standardised * (self.scale * self.unit) + self.mean
