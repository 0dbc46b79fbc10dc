"""Both estimators as torch modules whose branches and shapes do not depend on the data, for ONNX graphs."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from skae._autoencoder._custom_network import on_device
from skae._autoencoder._fitted import FittedAutoencoder
from skae._autoencoder._network import AutoencoderNetwork
from skae._detector._calibration import Calibration
from skae._detector._denoising import DenoisingScorer
from skae._detector._reconstruction import ReconstructionScorer
from skae._detector._scorer import SQUARED_FLOOR
from skae._onnx._denoising import CPU, DenoisingComponents, Surprisals, as_tensor
from skae._rows._row_source import RowSource


class TransformerModule(nn.Module):
    """Rows to public codes and, if requested, to reconstructions in the units of X."""

    def __init__(self, fitted: FittedAutoencoder, *, fill_missing: bool, reconstruct: bool) -> None:
        super().__init__()
        self._autoencoder, self._reconstruct = _Autoencoder(fitted, fill_missing), reconstruct

    def forward(self, X: Tensor) -> tuple[Tensor, ...]:
        z = self._autoencoder.network.encode(self._autoencoder.standardised(X))
        codes = self._autoencoder.public_codes(z)
        return (codes, self._autoencoder.in_units_of_X(z)) if self._reconstruct else (codes,)


class DetectorModule(nn.Module):
    """Rows to labels and decision values, each of shape (n_rows, 1)."""

    def __init__(
        self, components: Callable[[Tensor], Tensor], calibration: Calibration, offset: float, fill_missing: bool
    ) -> None:
        super().__init__()
        self._components, self._offset, self._fill_missing = components, offset, fill_missing
        self._surprisals, self._weight = Surprisals(calibration.surprisals), as_tensor(calibration.component_weight)

    def forward(self, X: Tensor) -> tuple[Tensor, Tensor]:
        surprisals = self._surprisals(self._components(X)) * self._weight
        if self._fill_missing:  # a row without any observed value has a score of 0
            surprisals = torch.where(torch.isnan(X).all(1, keepdim=True), 0.0, surprisals)
        highest = surprisals.topk(min(2, surprisals.shape[1]), 1).values
        decision = -highest.mean(1, keepdim=True) - self._offset
        if not self._fill_missing:
            decision = torch.where(torch.isnan(X).any(1, keepdim=True), torch.nan, decision)
        return torch.where(decision >= 0.0, 1, -1), decision


class _BranchlessNetwork(AutoencoderNetwork):
    """Fills all rows, whether entries are missing or not, if it has an imputer; otherwise none."""

    def _is_complete(self, x: Tensor) -> bool:
        return False


class _Autoencoder:
    """`FittedAutoencoder` on rows that are tensors."""

    def __init__(self, fitted: FittedAutoencoder, fill_missing: bool) -> None:
        weights = as_tensor(fitted.weights)
        dtype = weights.dtype
        self.network = _BranchlessNetwork(
            fitted.config,
            fitted.linear.to(dtype, CPU),
            weights,
            fitted.imputer.to(dtype, CPU) if fill_missing else None,
            module=on_device(fitted.module, CPU, dtype),
            takes_mask=fitted.takes_mask,
            training_range=fitted.training_range,
        )
        self._linear, self._dtype, self._code_map = fitted.linear, dtype, as_tensor(fitted.code_map)

    def standardised(self, X: Tensor) -> Tensor:
        return RowSource(X).standardised(self._linear.mean, self._linear.scale, self._dtype, CPU).take(slice(None))

    def public_codes(self, z: Tensor) -> Tensor:
        return z.double() @ self._code_map

    def in_units_of_X(self, z: Tensor) -> Tensor:
        return self.network.decode(z).double() * as_tensor(self._linear.scale) + as_tensor(self._linear.mean)


class ReconstructionComponents:
    """`ReconstructionScorer.component_scores` of rows that are tensors."""

    def __init__(self, scorer: ReconstructionScorer, fill_missing: bool) -> None:
        self._autoencoder, self._code_mean = _Autoencoder(scorer.autoencoder, fill_missing), as_tensor(scorer.code_mean)
        self._squared_unit = scorer.autoencoder.linear.unit**2

    def __call__(self, X: Tensor) -> Tensor:
        x = self._autoencoder.standardised(X)
        z = self._autoencoder.network.encode(x)
        observed = ~torch.isnan(x)
        squares = torch.where(observed, self._autoencoder.network.decode(z) - x, 0.0).double().square().sum(1)
        errors = squares / observed.double().sum(1).clamp_min(1.0) * self._squared_unit
        distances = (self._autoencoder.public_codes(z) - self._code_mean).square().mean(1)
        return 0.5 * (torch.stack([errors, distances], 1) + SQUARED_FLOOR).log()


# The class that computes the component scores of each kind of scorer.
COMPONENTS: dict[type, Callable[..., Callable[[Tensor], Tensor]]] = {
    DenoisingScorer: DenoisingComponents,
    ReconstructionScorer: ReconstructionComponents,
}
