"""Several perceptrons of the same shape, trained together with one batched matrix product per layer."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor

from skae._autoencoder._activations import ACTIVATIONS
from skae._autoencoder._perceptron import Layers

Tape = list[tuple[Tensor, Tensor, Tensor]]


class PerceptronEnsemble:
    """Perceptrons (members) whose parameters are views of one flat vector. Their outputs start at zero.

    Hidden layers of equal width have skip connections between them.

    Parameters
    ----------
    sizes : sequence of int
        Width of the input, of each hidden layer and of the output.
    activation : str
        A key of `ACTIVATIONS`.
    n_members : int
    parameters : Tensor of shape (count_parameters(sizes, n_members),)
    """

    def __init__(self, sizes: tuple[int, ...], activation: str, n_members: int, parameters: Tensor) -> None:
        self._sizes, self._activation, self._n_members = sizes, ACTIVATIONS[activation], n_members
        self.layers = self.layer_views(parameters)

    @staticmethod
    def count_parameters(sizes: tuple[int, ...], n_members: int) -> int:
        return n_members * sum((fan_in + 1) * fan_out for fan_in, fan_out in pairwise(sizes))

    def layer_views(self, flat: Tensor) -> Layers:
        """Weights and biases of all members as views of a vector with the layout of the parameters."""
        layers, start, members = [], 0, self._n_members
        for fan_in, fan_out in pairwise(self._sizes):
            end = start + members * fan_in * fan_out
            stop = end + members * fan_out
            layers.append((flat[start:end].view(members, fan_in, fan_out), flat[end:stop].view(members, 1, fan_out)))
            start = stop
        return layers

    def _skips(self, depth: int) -> bool:
        """Whether the input of a layer is added to its output: both are hidden layers of the same width."""
        is_hidden = 0 < depth < len(self.layers) - 1
        return is_hidden and self._sizes[depth] == self._sizes[depth + 1]

    def initialise(self, generator: torch.Generator) -> None:
        """Draw the weights of the hidden layers. The last layer remains zero."""
        for weight, _ in self.layers[:-1]:
            weight.normal_(0.0, self._activation.gain * weight.shape[1] ** -0.5, generator=generator)

    def member(self, index: int) -> Layers:
        """Weights and biases of one member."""
        return [(weight[index], bias[index, 0]) for weight, bias in self.layers]

    def run(self, inputs: Tensor, layers: Layers) -> Tensor:
        """Outputs of a single member with the given layers."""
        for depth, (weight, bias) in enumerate(layers[:-1]):
            value = self._activation.function(torch.addmm(bias, inputs, weight))
            inputs = inputs + value if self._skips(depth) else value
        weight, bias = layers[-1]
        return torch.addmm(bias, inputs, weight)

    def forward(self, inputs: Tensor) -> tuple[Tensor, Tape]:
        """Outputs of all members, and the tape for `backward`: input, pre-activation and activation of each layer."""
        tape = []
        for depth, (weight, bias) in enumerate(self.layers[:-1]):
            argument = torch.baddbmm(bias, inputs, weight)
            value = self._activation.function(argument)
            tape.append((inputs, argument, value))
            inputs = inputs + value if self._skips(depth) else value
        weight, bias = self.layers[-1]
        tape.append((inputs, inputs, inputs))
        return torch.baddbmm(bias, inputs, weight), tape

    def backward(self, gradient: Tensor, tape: Tape, into: Layers) -> None:
        """Write the gradient of the parameters to `into`, given the gradient of the outputs."""
        for depth in range(len(self.layers) - 1, -1, -1):
            inputs, argument, value = tape[depth]
            weight, _ = self.layers[depth]
            before = gradient
            if depth < len(self.layers) - 1:
                gradient = self._activation.backward(gradient, argument, value)
            torch.bmm(inputs.transpose(1, 2), gradient, out=into[depth][0])
            torch.sum(gradient, 1, keepdim=True, out=into[depth][1])
            if depth > 0:
                gradient = gradient.bmm(weight.transpose(1, 2))
                gradient = gradient.add_(before) if self._skips(depth) else gradient
