"""The denoisers: the Wiener filter at the start, gradients against autograd."""

import pytest
import torch

from skae._detector._denoiser import DenoiserArchitecture, DenoiserEnsemble

ARCHITECTURES = [(), (4,), (4, 4), (4, 5, 5)]


def make_network(hidden_layer_sizes, trained=True):
    generator = torch.Generator().manual_seed(0)
    architecture = DenoiserArchitecture(3, hidden_layer_sizes, "silu", 2)
    parameters = torch.zeros(architecture.n_parameters, dtype=torch.float64)
    variances = torch.tensor([2.0, 1.0, 0.0], dtype=torch.float64)
    network = DenoiserEnsemble(architecture, variances, parameters, generator)
    network.initialise(generator)
    if trained:
        parameters.add_(torch.randn(parameters.shape, dtype=torch.float64, generator=generator), alpha=0.2)
    return network


@pytest.fixture
def x():
    return torch.randn(9, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("noise", [0.1, 1.0, 3.0])
def test_starts_as_the_wiener_filter(x, noise):
    residuals = make_network((4, 4), trained=False).residuals(x, noise)
    variances = torch.tensor([2.0, 1.0, 0.0], dtype=torch.float64)
    expected = x * variances / (variances + noise**2) - x
    torch.testing.assert_close(residuals, expected.expand(2, -1, -1))


@pytest.mark.parametrize("hidden_layer_sizes", ARCHITECTURES)
@pytest.mark.parametrize("weighted", [False, True])
def test_gradient_is_autograds(x, hidden_layer_sizes, weighted):
    network = make_network(hidden_layer_sizes)
    weight = torch.rand(9, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(2)) if weighted else None
    gradient = torch.full_like(network.parameters, torch.nan)
    network.bind_gradient(gradient)
    state = network._generator.get_state()
    loss = network.loss_and_gradient(x, weight)

    parameters = network.parameters.clone().requires_grad_()
    generator = torch.Generator()
    generator.set_state(state)
    twin = DenoiserEnsemble(network._architecture, network._variances, parameters, generator)
    twin.bind_gradient(torch.zeros_like(network.parameters))
    rows, noisy, level = twin._corrupt(x, generator)
    # The in-place operations of the hand-written pass are written out, since autograd cannot go through them.
    contraction = (1 + level**2).rsqrt()
    log = level.log()
    hidden = torch.cat([noisy * contraction, log.sin(), log.cos(), (2 * log).sin(), (2 * log).cos()], 2)
    for weights, bias in twin.layers[:-1]:
        value = torch.nn.functional.silu(hidden @ weights + bias)
        hidden = hidden + value if hidden.shape == value.shape else value
    weights, bias = twin.layers[-1]
    correction = (hidden @ weights + bias) * level * contraction
    denoised = noisy * network._variances / (network._variances + level**2) + correction
    losses = ((denoised - rows) ** 2).mean(2) * ((1 + level**2) / level**2)[..., 0]
    kept = losses <= losses.detach().sort(dim=1).values[:, 7:8]  # nine tenths of nine rows, rounded: eight
    share = kept * (1.0 if weight is None else weight.t())
    expected = (share * losses / share.sum(1, keepdim=True)).sum() / 2
    expected.backward()
    torch.testing.assert_close(loss, expected.detach())
    torch.testing.assert_close(gradient, parameters.grad)


def test_a_row_of_no_weight_teaches_nothing(x):
    network = make_network((4,))
    weight = torch.ones(9, 2, dtype=torch.float64)
    weight[:, 1] = 0.0
    gradient = torch.zeros_like(network.parameters)
    network.bind_gradient(gradient)
    network.loss_and_gradient(x, weight)
    for of_weights, of_biases in network._layer_views(gradient):
        assert of_weights[0].any()
        assert not of_weights[1].any()
        assert not of_biases[1].any()


def test_losses_are_the_same_in_every_call(x):
    network = make_network((4,))
    torch.testing.assert_close(network.row_losses(x), network.row_losses(x), rtol=0, atol=0)
    assert network.row_losses(x).shape == (9, 2)
