"""A custom torch module instead of the perceptrons, behind gates that start at zero."""

from __future__ import annotations

import copy
from collections.abc import Callable

import torch
from torch import Tensor, nn

from skae._support._global_generator import global_generator_seeded_from

Tape = tuple[Tensor, Tensor, list[Tensor]]
METHODS = ("encode", "decode")
BATCH_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.SyncBatchNorm)
DROPOUTS = (nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d, nn.AlphaDropout, nn.FeatureAlphaDropout)


class CustomCorrection:
    """``gate * method(inputs)`` with the interface of `Perceptron`, differentiated by autograd.

    The gates of both methods and the parameters of the module are slices of one flat vector. "encode" and "decode"
    share this vector, so that a module may tie its weights. Parameters that require no gradient are not in it. Because
    the gates start at zero (ReZero, Bachlechner et al. 2021), training starts at the linear path. Back-propagation goes
    through "decode" first, which writes the gradient; "encode" then adds to it.
    """

    def __init__(self, module: nn.Module, method: str, parameters: Tensor) -> None:
        self._module, self._call, self._index = module, _MethodOf(module, method), METHODS.index(method)
        trained = trained_parameters(module)
        self._names = [f"module.{name}" for name in trained]
        self._shapes = [parameter.shape for parameter in trained.values()]
        self._views = self.layer_views(parameters)

    @staticmethod
    def count_parameters(module: nn.Module) -> int:
        return len(METHODS) + sum(parameter.numel() for parameter in trained_parameters(module).values())

    def layer_views(self, flat: Tensor) -> list[Tensor]:
        """The gates and the module's parameters as views of a flat vector."""
        gates, *parts = flat.split([len(METHODS), *(shape.numel() for shape in self._shapes)])
        return [gates, *(part.view(shape) for part, shape in zip(parts, self._shapes, strict=True))]

    def initialise(self, generator: torch.Generator) -> None:
        """Copy the values that the module has; the gates stay zero."""
        for view, parameter in zip(self._views[1:], trained_parameters(self._module).values(), strict=True):
            view.copy_(parameter.detach())

    def is_zero(self) -> bool:
        return not self._views[0][self._index]

    def __call__(self, inputs: Tensor) -> Tensor:
        return self._run(inputs, self._views)

    def _run(self, inputs: Tensor, views: list[Tensor]) -> Tensor:
        gates, *values = views
        named = dict(zip(self._names, values, strict=True))
        return gates[self._index] * torch.func.functional_call(self._call, named, (inputs,))

    def forward(self, inputs: Tensor) -> tuple[Tensor, Tape]:
        with torch.enable_grad():
            leaf = inputs.detach().requires_grad_()
            views = [view.detach().requires_grad_() for view in self._views]
            output = self._run(leaf, views)
        return output.detach(), (output, leaf, views)

    def backward(self, gradient: Tensor, tape: Tape, into: list[Tensor]) -> Tensor:
        """Write (or add) the parameters' gradient; returns that with respect to the inputs."""
        output, leaf, views = tape
        *slopes, input_slope = torch.autograd.grad(
            output, [*views, leaf], gradient, allow_unused=True, materialize_grads=True
        )
        for target, slope in zip(into, slopes, strict=True):
            if self._index == METHODS.index("decode"):
                target.copy_(slope)
            else:
                target.add_(slope)
        return input_slope

    def input_gradient(self, input_slope: Tensor) -> Tensor:
        return input_slope


def trained_parameters(module: nn.Module) -> dict[str, nn.Parameter]:
    """Names and values of the parameters that are trained."""
    return {name: parameter for name, parameter in module.named_parameters() if parameter.requires_grad}


class _MethodOf(nn.Module):
    """A module whose ``forward`` is a method of another one, as `functional_call` needs it."""

    def __init__(self, module: nn.Module, method: str) -> None:
        super().__init__()
        self.module, self._method = module, method

    def forward(self, inputs: Tensor) -> Tensor:
        return getattr(self.module, self._method)(inputs)


def build_module(
    network: nn.Module | Callable[[int, int, int], nn.Module],
    n_features: int,
    n_outputs: int,
    n_components: int,
    generator: torch.Generator,
) -> nn.Module:
    """A copy of the module that `network` is or makes. Raises an error if it cannot be trained.

    If `network` is a factory, the weights that its layers draw depend on `generator` only.
    """
    if isinstance(network, nn.Module):
        module = network
    else:
        with global_generator_seeded_from(generator):
            module = network(n_features, n_outputs, n_components)
    _check_parts(module)
    # The dtype will be changed, and a factory may return a module that is used elsewhere.
    module = copy.deepcopy(module)
    _check_shapes(module, n_features, n_outputs, n_components)
    return module


def _check_parts(module: nn.Module) -> None:
    if not (isinstance(module, nn.Module) and all(callable(getattr(module, name, None)) for name in METHODS)):
        raise TypeError(
            f"network must be or make a torch.nn.Module with methods encode and decode, got {module!r}. See "
            "docs/guide_networks.md."
        )
    for part in module.modules():
        if isinstance(part, BATCH_NORMS):
            raise ValueError(
                f"network contains {type(part).__name__}, which makes rows depend on their batch. Use GroupNorm or "
                "LayerNorm instead: see docs/guide_networks.md."
            )
        if _dropout_of(part) > 0:
            raise ValueError(
                f"network contains {type(part).__name__} with a dropout of {_dropout_of(part)}, which draws from "
                "torch's global generator. Set it to 0 and use the corruption parameter instead: see "
                "docs/guide_networks.md."
            )


def _dropout_of(part: nn.Module) -> float:
    """The dropout probability of a layer; 0 if it has none."""
    if isinstance(part, DROPOUTS):
        return part.p
    return part.dropout if isinstance(part, nn.RNNBase | nn.MultiheadAttention) else 0.0


@torch.no_grad()
def _check_shapes(module: nn.Module, n_features: int, n_outputs: int, n_components: int) -> None:
    example = next(module.parameters(), torch.zeros(()))
    for method, n_inputs, expected in (("encode", n_features, n_outputs), ("decode", n_components, n_features)):
        got = getattr(module, method)(torch.zeros(2, n_inputs, dtype=example.dtype, device=example.device)).shape
        if got != (2, expected):
            raise ValueError(
                f"network.{method} must turn rows of {n_inputs} numbers into rows of {expected}. For two rows it "
                f"returned the shape {tuple(got)}. See docs/guide_networks.md."
            )


def on_device(module: nn.Module | None, device: torch.device, dtype: torch.dtype) -> nn.Module | None:
    """A copy of the module on that device and in that dtype. `module.to` alone would change the module itself."""
    return None if module is None else copy.deepcopy(module).to(device, dtype)
