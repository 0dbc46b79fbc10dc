"""Small ensembles of perceptrons for tests, and what one computes, in operations that autograd can follow."""

import torch

SIZES = [(), (4,), (4, 4), (4, 5, 5)]


def initialised(network, generator, trained=True):
    """The network with its layers drawn and, if trained, moved away from its start."""
    network.initialise(generator)
    if trained:
        parameters = network.parameters
        parameters.add_(torch.randn(parameters.shape, dtype=torch.float64, generator=generator), alpha=0.2)
    return network


def outputs(layers, inputs):
    """A perceptron with skips between hidden layers of equal width."""
    for depth, (weights, bias) in enumerate(layers[:-1]):
        value = torch.nn.functional.silu(inputs @ weights + bias)
        inputs = inputs + value if depth and weights.shape[-1] == weights.shape[-2] else value
    weights, bias = layers[-1]
    return inputs @ weights + bias
