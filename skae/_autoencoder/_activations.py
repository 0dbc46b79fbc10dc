"""Activation functions: each with the derivative that back-propagation needs, as torch's layer, and in ONNX' words."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

_aten = torch.ops.aten


@dataclass(frozen=True)
class Activation:
    """An elementwise function.

    `backward(gradient, argument, value)` is the gradient with respect to the argument; `module` the layer of the same
    name; `graph` the function of a `Symbol` of an ONNX graph. `gain` keeps the variance of a unit-variance signal
    through a layer with weights of variance ``1 / fan_in``.
    """

    function: Callable[[Tensor], Tensor]
    backward: Callable[[Tensor, Tensor, Tensor], Tensor]
    module: type[nn.Module]
    graph: Callable[[Any], Any]
    gain: float = 1.0


def _gelu_graph(x: Any) -> Any:
    # onnxruntime has the error function in float32 only.
    erf = (x * 0.5**0.5).cast(np.float32).apply("Erf").cast(x.dtype)
    return x * 0.5 * (erf + 1.0)


ACTIVATIONS = {
    "relu": Activation(
        torch.relu,
        lambda grad, arg, value: _aten.threshold_backward(grad, value, 0),
        nn.ReLU,
        lambda x: x.apply("Relu"),
        gain=math.sqrt(2),
    ),
    "silu": Activation(
        nn.functional.silu,
        lambda grad, arg, value: _aten.silu_backward(grad, arg),
        nn.SiLU,
        lambda x: x * x.apply("Sigmoid"),
    ),
    "gelu": Activation(
        nn.functional.gelu,
        lambda grad, arg, value: _aten.gelu_backward(grad, arg),
        nn.GELU,
        _gelu_graph,
    ),
    "tanh": Activation(
        torch.tanh,
        lambda grad, arg, value: _aten.tanh_backward(grad, value),
        nn.Tanh,
        lambda x: x.apply("Tanh"),
    ),
    "identity": Activation(lambda arg: arg, lambda grad, arg, value: grad, nn.Identity, lambda x: x),
}
