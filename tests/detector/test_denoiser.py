"""The denoisers: the Wiener filter at the start, gradients against autograd."""

import math

import pytest
import torch
from ensemble_cases import SIZES, MemberTests, initialised, outputs

from skae._detector._denoiser import NOISE_LEVELS, DenoiserEnsemble, level_embedding

VARIANCES = torch.tensor([2.0, 1.0, 0.0], dtype=torch.float64)


def make_network(hidden_layer_sizes, trained=True):
    generator = torch.Generator().manual_seed(0)
    return initialised(
        DenoiserEnsemble(VARIANCES, hidden_layer_sizes, "silu", 2, generator=generator), generator, trained
    )


@pytest.fixture
def x():
    return torch.randn(9, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("member", [None, 0, 1])
def test_starts_as_the_wiener_filter(x, member):
    network = make_network((4, 4), trained=False)
    squares = network.squared_residuals(x, network.scoring_layers(member))
    for found, noise in zip(squares.T, NOISE_LEVELS, strict=True):
        torch.testing.assert_close(found, (x * VARIANCES / (VARIANCES + noise**2) - x).square().sum(1))


@pytest.mark.parametrize("hidden_layer_sizes", SIZES)
def test_levels_are_judged_by_members_in_turn_or_by_one(x, hidden_layer_sizes):
    network = make_network(hidden_layer_sizes)
    in_turn, first, second = (network.squared_residuals(x, network.scoring_layers(member)) for member in (None, 0, 1))
    torch.testing.assert_close(in_turn, torch.stack([first[:, 0], second[:, 1], first[:, 2]], 1))
    # By the formula of the class.
    level = torch.tensor([NOISE_LEVELS[0]], dtype=torch.float64)
    contraction = 1 / math.sqrt(1 + NOISE_LEVELS[0] ** 2)
    inputs = torch.cat([x * contraction, level_embedding(level).expand(9, -1)], 1)
    correction = outputs(network._ensemble.member(0), inputs) * level * contraction
    expected = x * VARIANCES / (VARIANCES + level**2) + correction - x
    torch.testing.assert_close(first[:, 0], expected.square().sum(1))


@pytest.mark.parametrize("hidden_layer_sizes", SIZES)
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
    twin = DenoiserEnsemble(VARIANCES, hidden_layer_sizes, "silu", 2, parameters, generator)
    rows, noisy, level = twin._corrupt(x, generator)
    # The in-place operations of the hand-written pass are written out, since autograd cannot go through them.
    contraction = (1 + level**2).rsqrt()
    log = level.log()
    inputs = torch.cat([noisy * contraction, log.sin(), log.cos(), (2 * log).sin(), (2 * log).cos()], 2)
    correction = outputs(twin._ensemble.layers, inputs) * level * contraction
    denoised = noisy * VARIANCES / (VARIANCES + level**2) + correction
    losses = ((denoised - rows) ** 2).mean(2) * ((1 + level**2) / level**2)[..., 0]
    kept = losses <= losses.detach().sort(dim=1).values[:, 7:8]  # nine tenths of nine rows, rounded: eight
    share = kept * (1.0 if weight is None else weight.t())
    expected = (share * losses / share.sum(1, keepdim=True)).sum() / 2
    expected.backward()
    torch.testing.assert_close(loss, expected.detach())
    torch.testing.assert_close(gradient, parameters.grad)


class TestMembers(MemberTests):
    make_network = staticmethod(make_network)
