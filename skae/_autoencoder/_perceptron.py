"""A multi-layer perceptron with its own back-propagation, over slices of one flat vector.

Autograd is not used, because at the sizes that tabular data need its bookkeeping takes longer than the matrix products.
With one flat vector, a step of the optimiser is a single call.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from itertools import pairwise

import torch
from torch import Tensor

from skae._autoencoder._activations import ACTIVATIONS

Layers = list[tuple[Tensor, Tensor]]
Tape = list[tuple[Tensor, Tensor]]


class Perceptron:
    r"""Layers :math:`h_{l+1} = a(h_l W_l + b_l)`; the last one is linear.

    Parameters
    ----------
    sizes : sequence of int
        Width of the input, of each hidden layer and of the output.
    activation : str
        A key of `ACTIVATIONS`.
    parameters : Tensor of shape (count_parameters(sizes),)
        Weights and biases, layer by layer. The layers are views of this vector.
    """

    def __init__(self, sizes: Sequence[int], activation: str, parameters: Tensor) -> None:
        self._activation = ACTIVATIONS[activation]
        self._sizes = tuple(sizes)
        self._layers = self.layer_views(parameters)

    @cached_property
    def _transposed_weights(self) -> list[Tensor]:
        return [weight.t() for weight, _ in self._layers]

    @staticmethod
    def count_parameters(sizes: Sequence[int]) -> int:
        return sum((fan_in + 1) * fan_out for fan_in, fan_out in pairwise(sizes))

    def layer_views(self, flat: Tensor) -> Layers:
        """Weights and biases as views of a vector laid out as the parameters are."""
        layers, start = [], 0
        for fan_in, fan_out in pairwise(self._sizes):
            end = start + fan_in * fan_out
            layers.append((flat[start:end].view(fan_in, fan_out), flat[end : end + fan_out]))
            start = end + fan_out
        return layers

    def initialise(self, generator: torch.Generator) -> None:
        """Draw the hidden layers; the last layer stays zero, so that the output starts at zero."""
        for weight, bias in self._layers[:-1]:
            deviation = weight.shape[0] ** -0.5
            weight.normal_(0.0, self._activation.gain * deviation, generator=generator)
            bias.uniform_(-deviation, deviation, generator=generator)

    def copy_part(self, whole: Perceptron, inputs: Tensor, outputs: Tensor) -> None:
        """Copy the weights of the given inputs and outputs from a perceptron with the same hidden layers."""
        for (weight, bias), (whole_weight, whole_bias) in zip(self._layers, whole._layers, strict=True):
            rows = inputs if weight is self._layers[0][0] else slice(None)
            columns = outputs if weight is self._layers[-1][0] else slice(None)
            weight.copy_(whole_weight[rows][:, columns])
            bias.copy_(whole_bias[columns])

    def is_zero(self) -> bool:
        """Whether the last layer is zero, so that the output is zero."""
        weight, bias = self._layers[-1]
        return not (weight.any() | bias.any())

    def __call__(self, inputs: Tensor) -> Tensor:
        for weight, bias in self._layers[:-1]:
            inputs = self._activation.function(torch.addmm(bias, inputs, weight))
        weight, bias = self._layers[-1]
        return torch.addmm(bias, inputs, weight)

    def forward(self, inputs: Tensor) -> tuple[Tensor, Tape]:
        """The output and, for `backward`, the argument and value of each hidden layer."""
        tape = [(inputs, inputs)]
        for weight, bias in self._layers[:-1]:
            argument = torch.addmm(bias, inputs, weight)
            inputs = self._activation.function(argument)
            tape.append((argument, inputs))
        weight, bias = self._layers[-1]
        return torch.addmm(bias, inputs, weight), tape

    def backward(self, gradient: Tensor, tape: Tape, into: Layers) -> Tensor:
        """Write the gradient of the parameters to the views `into`, which `layer_views` has made.

        Returns the gradient with respect to the first layer's argument; see `input_gradient`.
        """
        for depth in range(len(self._layers) - 1, -1, -1):
            weight_gradient, bias_gradient = into[depth]
            torch.mm(tape[depth][1].t(), gradient, out=weight_gradient)
            torch.sum(gradient, 0, out=bias_gradient)
            if depth > 0:
                gradient = self._activation.backward(gradient.mm(self._transposed_weights[depth]), *tape[depth])
        return gradient

    def input_gradient(self, first_layer_gradient: Tensor) -> Tensor:
        """The gradient with respect to the inputs, from what `backward` returned."""
        return first_layer_gradient.mm(self._transposed_weights[0])
