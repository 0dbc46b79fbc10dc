"""Perceptrons side by side: members are independent, outputs start at zero, gradients are autograd's."""

import pytest
import torch

from skae._autoencoder._activations import ACTIVATIONS
from skae._detector._ensemble import PerceptronEnsemble

SIZES = [(3, 2), (3, 4, 2), (3, 4, 4, 2), (3, 4, 4, 5, 2)]


def make(sizes, activation="silu", n_members=2, trained=True):
    generator = torch.Generator().manual_seed(0)
    parameters = torch.zeros(PerceptronEnsemble.count_parameters(sizes, n_members), dtype=torch.float64)
    ensemble = PerceptronEnsemble(sizes, activation, n_members, parameters)
    ensemble.initialise(generator)
    if trained:
        parameters.add_(torch.randn(parameters.shape, dtype=torch.float64, generator=generator), alpha=0.3)
    return ensemble, parameters


@pytest.fixture
def inputs():
    return torch.randn(2, 7, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


def test_parameters_are_counted():
    assert PerceptronEnsemble.count_parameters((3, 4, 2), 5) == 5 * (4 * 4 + 5 * 2)


@pytest.mark.parametrize("sizes", SIZES)
def test_outputs_start_at_zero(sizes, inputs):
    assert not make(sizes, trained=False)[0].forward(inputs)[0].any()


@pytest.mark.parametrize("sizes", SIZES)
def test_a_member_alone_gives_what_it_gives_among_others(sizes, inputs):
    ensemble, _ = make(sizes)
    together, _ = ensemble.forward(inputs)
    for member in (0, 1):
        torch.testing.assert_close(ensemble.run(inputs[member], ensemble.member(member)), together[member])


def test_layers_of_equal_width_are_skipped():
    """With weights of zero they pass on what they get."""
    ensemble, parameters = make((3, 4, 4, 2))
    for values in ensemble.layers[1]:
        values.zero_()
    x = torch.ones(5, 3, dtype=torch.float64)
    first, _, last = ensemble.member(0)
    hidden = torch.nn.functional.silu(x @ first[0] + first[1])
    torch.testing.assert_close(ensemble.run(x, ensemble.member(0)), hidden @ last[0] + last[1])
    assert ensemble.layers[0][0].data_ptr() == parameters.data_ptr()


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("sizes", SIZES)
def test_gradient_is_autograds(sizes, activation, inputs):
    ensemble, parameters = make(sizes, activation)
    outputs, tape = ensemble.forward(inputs)
    slope = torch.randn(outputs.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    gradient = torch.full_like(parameters, torch.nan)
    ensemble.backward(slope.clone(), tape, ensemble.layer_views(gradient))
    leaf = parameters.clone().requires_grad_()
    twin = PerceptronEnsemble(sizes, activation, 2, leaf)
    sum((twin.run(inputs[member], twin.member(member)) * slope[member]).sum() for member in (0, 1)).backward()
    torch.testing.assert_close(gradient, leaf.grad)
