"""Activation functions: each with the derivative that back-propagation needs, and as torch's layer."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

_aten = torch.ops.aten


@dataclass(frozen=True)
class Activation:
    """An elementwise function.

    `backward(gradient, argument, value)` is the gradient with respect to the argument, `module` the layer of the same
    name. `gain` keeps the variance of a unit-variance signal through a layer with weights of variance ``1 / fan_in``.
    """

    function: Callable[[Tensor], Tensor]
    backward: Callable[[Tensor, Tensor, Tensor], Tensor]
    module: type[nn.Module]
    gain: float = 1.0


ACTIVATIONS = {
    "relu": Activation(
        torch.relu,
        lambda grad, arg, value: _aten.threshold_backward(grad, value, 0),
        nn.ReLU,
        gain=math.sqrt(2),
    ),
    "silu": Activation(nn.functional.silu, lambda grad, arg, value: _aten.silu_backward(grad, arg), nn.SiLU),
    "gelu": Activation(nn.functional.gelu, lambda grad, arg, value: _aten.gelu_backward(grad, arg), nn.GELU),
    "tanh": Activation(torch.tanh, lambda grad, arg, value: _aten.tanh_backward(grad, value), nn.Tanh),
    "identity": Activation(lambda arg: arg, lambda grad, arg, value: grad, nn.Identity),
}
