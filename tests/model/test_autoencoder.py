"""The anchored autoencoder: its gradient and Jacobian against autograd, its start against the anchor."""

import pytest
import torch

from skae._model._activations import ACTIVATIONS
from skae._model._autoencoder import AnchoredAutoencoder, Architecture

N_FEATURES, N_COMPONENTS = 5, 2


def make_network(hidden_layer_sizes=(4, 3), activation="silu", trained=True, **arguments):
    generator = torch.Generator().manual_seed(0)
    architecture = Architecture(N_FEATURES, N_COMPONENTS, hidden_layer_sizes, activation)
    axes = torch.randn(N_FEATURES, N_COMPONENTS, dtype=torch.float64, generator=generator)
    parameters = torch.zeros(architecture.n_parameters, dtype=torch.float64)
    network = AnchoredAutoencoder(architecture, axes, axes.t().contiguous(), parameters, **arguments)
    network.initialise(generator)
    if trained:
        parameters.add_(torch.randn(parameters.shape, dtype=torch.float64, generator=generator), alpha=0.1)
    return network


@pytest.fixture
def x():
    return torch.randn(7, N_FEATURES, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("hidden_layer_sizes", [(), (4,), (4, 3)])
@pytest.mark.parametrize("weighted", [False, True])
def test_gradient_is_autograds(x, activation, hidden_layer_sizes, weighted):
    network = make_network(hidden_layer_sizes, activation)
    weight = torch.arange(1.0, 8.0, dtype=torch.float64) if weighted else None
    gradient = torch.full_like(network.parameters, torch.nan)
    network.bind_gradient(gradient)
    loss = network.loss_and_gradient(x, weight)

    parameters = network.parameters.clone().requires_grad_()
    architecture = Architecture(N_FEATURES, N_COMPONENTS, hidden_layer_sizes, activation)
    twin = AnchoredAutoencoder(architecture, network._encoder_axes, network._decoder_axes, parameters)
    squares = (twin.decode(twin.encode(x)) - x).square().mean(1)
    expected = squares.mean() if weight is None else (weight * squares).sum() / weight.sum()
    expected.backward()
    torch.testing.assert_close(loss, expected.detach())
    torch.testing.assert_close(gradient, parameters.grad)


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_squared_jacobian_is_autograds(x, activation):
    network = make_network((4, 3), activation)
    z, weight = network.encode(x), torch.arange(7.0, dtype=torch.float64)
    expected = torch.zeros(N_COMPONENTS, N_COMPONENTS, dtype=torch.float64)
    for code, share in zip(z, weight, strict=True):
        jacobian = torch.autograd.functional.jacobian(lambda c: network.decode(c[None])[0], code)
        expected += share * jacobian.t() @ jacobian
    torch.testing.assert_close(network.squared_jacobian(z, weight), expected)


def test_starts_at_the_anchor(x):
    network = make_network(trained=False)
    assert network.is_linear()
    torch.testing.assert_close(network.encode(x), x @ network._encoder_axes)
    torch.testing.assert_close(network.decode(x[:, :2]), x[:, :2] @ network._decoder_axes)
    assert not make_network(trained=True).is_linear()


def test_initial_hidden_layers_keep_unit_variance():
    network = make_network((400, 300), trained=False)
    rows = torch.randn(500, N_FEATURES, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    _, tape = network._encoder.forward(rows)
    for argument, _ in tape[1:]:
        assert 0.2 < argument.var() < 2.0


def test_corruption_is_drawn_from_the_networks_own_generator(x):
    network = make_network(corruption_level=0.5, generator=torch.Generator().manual_seed(3))
    network.bind_gradient(torch.zeros_like(network.parameters))
    before = torch.get_rng_state()
    first, second = network.loss_and_gradient(x, None), network.loss_and_gradient(x, None)
    assert first != second
    assert torch.equal(torch.get_rng_state(), before)
