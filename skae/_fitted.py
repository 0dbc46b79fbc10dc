"""A trained autoencoder as plain arrays, and what it does to rows."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor

from skae._model._autoencoder import Anchor, AnchoredAutoencoder, Architecture
from skae._model._gaussian_fill import GaussianFill
from skae._numerics._moments import row_blocks
from skae._support._inputs import check_finite_result
from skae._support._tensors import in_kind
from skae._support._torch import dtype_of, resolve_device, to_numpy, to_tensor
from skae._training._rows import BLOCK_ELEMENTS, Rows


@dataclass(frozen=True)
class FittedAutoencoder:
    """Everything encoding and decoding need, as NumPy arrays and plain values; networks are made when needed.

    Rows are standardised as ``(X - mean) / (scale * unit)``; the network's codes times `code_map` are the public ones.
    `architecture` holds the arguments of `Architecture`. The `fill_` arrays are those of `GaussianFill`.
    """

    mean: np.ndarray
    scale: np.ndarray
    unit: float
    encoder_axes: np.ndarray
    decoder_axes: np.ndarray
    code_bias: np.ndarray | None
    log_posterior_variance: np.ndarray | None
    noise_variance: float
    fill_factors: np.ndarray
    fill_noise: float
    weights: np.ndarray
    code_map: np.ndarray
    code_map_inverse: np.ndarray
    architecture: dict[str, Any]
    fill_deviation: np.ndarray | None = None

    @torch.no_grad()
    @np.errstate(over="ignore", invalid="ignore")
    def encode(self, X, device: str, double: bool = False):
        """Codes of the rows of X, in X's dtype or, if `double`, in float64."""
        network = self.network(device)
        code_map = to_tensor(self.code_map, torch.float64, network.parameters.device)
        codes = _empty(X, X.shape[0], self.code_map.shape[1], double=double)
        for part, x in self._rows(X, network).blocks():
            # In float64: the units of X may be beyond float32. By torch: NumPy's threads would compete with its own.
            codes[part] = in_kind(network.encode(x).double() @ code_map, X)
        return check_finite_result(codes, self.weights.dtype)

    @torch.no_grad()
    @np.errstate(over="ignore", invalid="ignore")
    def decode(self, codes, device: str):
        """Rows in the units of X for public codes, or the first columns of them, in the codes' dtype."""
        network = self.network(device)
        dtype, where = network.parameters.dtype, network.parameters.device
        code_map_inverse = to_tensor(self.code_map_inverse[: codes.shape[1]], torch.float64, where)
        decoded = _empty(codes, len(codes), len(self.mean))
        for part in row_blocks(len(codes), max(codes.shape[1], len(self.mean)), BLOCK_ELEMENTS):
            z = to_tensor(codes[part], torch.float64, where) @ code_map_inverse
            decoded[part] = self._in_units_of_X(network.decode(z.to(dtype)), codes)
        return check_finite_result(decoded, self.weights.dtype)

    @torch.no_grad()
    @np.errstate(over="ignore", invalid="ignore")
    def reconstruct(self, X, device: str):
        """Decoded codes of the rows of X, in X's dtype."""
        network = self.network(device)
        reconstructed = _empty(X, *X.shape)
        for part, x in self._rows(X, network).blocks():
            reconstructed[part] = self._in_units_of_X(network.decode(network.encode(x)), X)
        return check_finite_result(reconstructed, self.weights.dtype)

    @torch.no_grad()
    @np.errstate(over="ignore", invalid="ignore")
    def squared_errors(self, X, device: str) -> tuple[np.ndarray, np.ndarray]:
        """Squared distance of each row to its reconstruction and to the mean, features divided by `scale`.

        Entries that are missing count in neither.
        """
        network = self.network(device)
        errors, norms = np.empty(X.shape[0]), np.empty(X.shape[0])
        for part, x in self._rows(X, network).blocks():
            # Squares of what float32 holds need not be within it.
            residual = network.decode(network.encode(x)).sub_(x).double()
            errors[part] = to_numpy(residual.square_().nansum(1))
            norms[part] = to_numpy(x.double().square_().nansum(1))
        for squares in (errors, norms):
            check_finite_result(np.multiply(squares, self.unit**2, out=squares), self.weights.dtype)
        return errors, norms

    @torch.no_grad()
    @np.errstate(over="ignore", invalid="ignore")
    def summed_losses(self, X, device: str):
        """The loss of each row, summed over its observed entries."""
        network = self.network(device)
        losses = _empty(X, X.shape[0], double=True)
        for part, x in self._rows(X, network).blocks():
            losses[part] = in_kind(network.summed_losses(x), X)
        return check_finite_result(losses * self.unit**network.loss.unit_power, self.weights.dtype)

    @torch.no_grad()
    @np.errstate(over="ignore", invalid="ignore")
    def log_evidence_bounds(self, X, device: str):
        """Evidence lower bound of each row in nats; of a variational autoencoder only."""
        network = self.network(device)
        bounds = _empty(X, X.shape[0], double=True)
        for part, x in self._rows(X, network).blocks():
            bounds[part] = in_kind(network.log_evidence_bound(x), X)
        return check_finite_result(bounds, self.weights.dtype)

    def network(self, device: str) -> AnchoredAutoencoder:
        """The network, in the dtype it was trained in; made once for each device."""
        where = resolve_device(device)
        if self.architecture["module"] is not None:  # which two threads could not use at once
            return self._new_network(where)
        if where not in self._networks:
            self._networks[where] = self._new_network(where)
        return self._networks[where]

    @cached_property
    def _networks(self) -> dict[torch.device, AnchoredAutoencoder]:
        return {}

    def _new_network(self, where: torch.device) -> AnchoredAutoencoder:
        dtype = dtype_of(self.weights)
        architecture = Architecture(**self.architecture).on(where, dtype)

        def tensor(array: np.ndarray) -> torch.Tensor:
            return to_tensor(array, dtype, where)

        anchor = Anchor(
            tensor(self.encoder_axes),
            tensor(self.decoder_axes),
            tensor(self.mean),
            tensor(self.scale * self.unit),
            None if self.code_bias is None else tensor(self.code_bias),
            None if self.log_posterior_variance is None else tensor(self.log_posterior_variance),
            self.noise_variance,
        )
        deviation = None if self.fill_deviation is None else tensor(self.fill_deviation)
        fill = GaussianFill(tensor(self.fill_factors), self.fill_noise, deviation)
        return AnchoredAutoencoder(architecture, anchor, tensor(self.weights), fill)

    def _rows(self, X, network: AnchoredAutoencoder) -> Rows:
        dtype, where = network.parameters.dtype, network.parameters.device
        return Rows(X, self.mean, self.scale * self.unit, dtype, where)

    def _in_units_of_X(self, standardised: Tensor, X):
        return in_kind(standardised, X) * in_kind(self.scale * self.unit, X) + in_kind(self.mean, X)


def _empty(X, *shape: int, double: bool = False):
    """Room for results in the kind of X and its dtype or, if `double`, in float64."""
    if isinstance(X, Tensor):
        return X.new_empty(shape, dtype=torch.float64 if double else X.dtype)
    return np.empty(shape, dtype=np.float64 if double else X.dtype)
