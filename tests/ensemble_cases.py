"""Small ensembles of perceptrons for tests, what one computes in operations that autograd can follow, shared tests."""

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


class MemberTests:
    """What networks of two members share: `make_network` makes one, and the fixture x has nine rows for it."""

    def test_a_row_of_no_weight_teaches_nothing(self, x):
        network = self.make_network((4,))
        weight = torch.ones(9, 2, dtype=torch.float64)
        weight[:, 1] = 0.0
        gradient = torch.zeros_like(network.parameters)
        network.bind_gradient(gradient)
        network.loss_and_gradient(x, weight)
        for of_weights, of_biases in network._ensemble.layer_views(gradient):
            assert of_weights[0].any()
            assert not of_weights[1].any()
            assert not of_biases[1].any()

    def test_losses_are_the_same_in_every_call(self, x):
        network = self.make_network((4,))
        torch.testing.assert_close(network.row_losses(x), network.row_losses(x), rtol=0, atol=0)
        assert network.row_losses(x).shape == (9, 2)
