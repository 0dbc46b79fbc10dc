"""Activation functions, each with its derivative for back-propagation and its torch layer."""

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

    `backward(gradient, argument, value)` is the gradient with respect to the argument. `module` is the torch layer of
    the same function. With weights of variance ``gain**2 / fan_in`` a layer keeps a signal of unit variance at unit
    variance.
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
