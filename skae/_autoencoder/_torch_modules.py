"""Encoder and decoder as plain torch modules, which compute the same and can be trained further."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn

from skae._autoencoder._activations import ACTIVATIONS
from skae._autoencoder._codes import DenseCode
from skae._autoencoder._custom_network import METHODS, trained_parameters
from skae._autoencoder._fitted import FittedAutoencoder
from skae._autoencoder._network import AutoencoderNetwork


class EncoderModule(nn.Module):
    """``transform`` as a torch module: from rows in the units of X, without missing entries, to public codes.

    ``linear`` is the linear path and ``correction`` the network; the parameters of both can be trained.
    """

    mean: Tensor
    scale: Tensor
    code_map: Tensor

    def __init__(self, fitted: FittedAutoencoder) -> None:
        super().__init__()
        network = fitted.network(torch.device("cpu"))
        dtype = network.parameters.dtype
        _register_units(self, fitted)
        self.register_buffer("code_map", torch.tensor(fitted.code_map, dtype=dtype, device="cpu"))
        self.linear = _linear(network.linear.encoder_axes, network.linear.code_bias)
        self.correction = _correction(network, "encode")
        self._code, self._training_range = network.code, network.training_range
        self._n_components = network.n_components

    def forward(self, X: Tensor) -> Tensor:
        """Encode rows of any floating-point dtype. The codes have the dtype of the parameters."""
        x = ((X - self.mean) / self.scale).to(self.linear.weight.dtype)
        a = self._training_range.fade_rows(self.correction(x), x)
        linear = nn.functional.pad(self.linear(x), (0, a.shape[1] - self._n_components))
        return self._code.code(a + linear) @ self.code_map


class DecoderModule(nn.Module):
    """``inverse_transform`` as a torch module: from public codes to rows in the units of X."""

    mean: Tensor
    scale: Tensor
    code_map_inverse: Tensor

    def __init__(self, fitted: FittedAutoencoder) -> None:
        super().__init__()
        network = fitted.network(torch.device("cpu"))
        dtype = network.parameters.dtype
        _register_units(self, fitted)
        self.register_buffer("code_map_inverse", torch.tensor(fitted.code_map_inverse, dtype=dtype, device="cpu"))
        self.linear = _linear(network.linear.decoder_axes, None)
        self.correction = _correction(network, "decode")
        self._loss_class, self._training_range = type(network.loss), network.training_range
        # It prepares the inputs of the perceptron; a custom network is given the code alone.
        self._code = DenseCode(None, network.linear) if network.module is not None else network.code

    def forward(self, codes: Tensor) -> Tensor:
        """Decode codes, or the first columns of ordered codes. The rows have the dtype of the codes."""
        dtype = self.linear.weight.dtype
        padded = nn.functional.pad(codes.to(dtype), (0, len(self.code_map_inverse) - codes.shape[1]))
        z = padded @ self.code_map_inverse
        loss = self._loss_class(self.mean.to(dtype), self.scale.to(dtype))
        correction = self._training_range.fade_codes(self.correction(self._code.decoder_inputs(z, None)), z)
        outputs = loss.outputs(correction, self.linear(z))
        return (loss.reconstruction(outputs) * self.scale + self.mean).to(codes.dtype)


def _register_units(module: nn.Module, fitted: FittedAutoencoder) -> None:
    """Register mean and scale in float64: with large means, float32 would round away differences between rows."""
    module.register_buffer("mean", torch.tensor(fitted.linear.mean, dtype=torch.float64, device="cpu"))
    module.register_buffer("scale", torch.tensor(fitted.linear.scale, dtype=torch.float64, device="cpu"))


def _linear(axes: Tensor, bias: Tensor | None) -> nn.Linear:
    layer = nn.utils.skip_init(nn.Linear, *axes.shape, bias=bias is not None, dtype=axes.dtype)
    with torch.no_grad():
        layer.weight.copy_(axes.t())
        if bias is not None:
            layer.bias.copy_(bias)
    return layer


def _correction(network: AutoencoderNetwork, method: str) -> nn.Module:
    """The perceptron, or the custom network times its gate, as a module."""
    if network.module is not None:
        return _Gated(network, method)
    weights = network.correction_layers(method)
    if method == "encode" and network.takes_mask:
        # For complete rows the indicators of missing entries are zero, so that their weights are left out.
        weights[0] = (weights[0][0][: network.n_features], weights[0][1])
    layers: list[nn.Module] = []
    for weight, bias in weights:
        layers += [_linear(weight, bias), ACTIVATIONS[network.config.activation].module()]
    return nn.Sequential(*layers[:-1])


class _Gated(nn.Module):
    """The custom network times its gate."""

    def __init__(self, network: AutoencoderNetwork, method: str) -> None:
        super().__init__()
        gates, *values = network.correction_layers(method)
        self.module: nn.Module = copy.deepcopy(network.module)  # type: ignore[assignment]
        self._method = method
        self.gate = nn.Parameter(gates[METHODS.index(method)].clone())
        with torch.no_grad():
            for parameter, value in zip(trained_parameters(self.module).values(), values, strict=True):
                parameter.copy_(value)

    def forward(self, inputs: Tensor) -> Tensor:
        return self.gate * getattr(self.module, self._method)(inputs)
