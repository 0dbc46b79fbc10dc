"""Steps in bfloat16 for a network in float32, on one whose gradient is known."""

import pytest
import torch

from skae._training._mixed_precision import MixedPrecision


class Point:
    """Predicts the same point for every row; half the squared distance is its loss."""

    def __init__(self, dtype):
        self.parameters = torch.full((3,), 1.0, dtype=dtype)
        self.seen = []

    def row_losses(self, x):
        return 0.5 * (x - self.parameters).square().sum(1)

    def bind_gradient(self, gradient):
        assert gradient.dtype == self.parameters.dtype
        self.gradient = gradient

    def loss_and_gradient(self, x, weight):
        self.seen += [x.dtype] if weight is None else [x.dtype, weight.dtype]
        weight = torch.ones(len(x), dtype=x.dtype) if weight is None else weight
        share = (weight / weight.sum())[:, None]
        self.gradient.copy_((share * (self.parameters - x)).sum(0))
        return (share[:, 0] * self.row_losses(x)).sum()


@pytest.fixture
def network():
    network = MixedPrecision(Point(torch.float32), Point(torch.bfloat16))
    network.bind_gradient(torch.full((3,), torch.nan))
    return network


@pytest.fixture
def x():
    return torch.randn(8, 3, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("weighted", [False, True])
def test_a_step_is_the_twins(network, x, weighted):
    weight = torch.arange(8.0) if weighted else None
    loss = network.loss_and_gradient(x, weight)
    assert set(network._twin.seen) == {torch.bfloat16}
    assert network._network.seen == []
    assert loss.dtype == network._gradient.dtype == torch.float32
    exact = Point(torch.float32)
    exact.bind_gradient(torch.empty(3))
    # bfloat16 has eight bits: a relative error of 1/256, three times over.
    torch.testing.assert_close(loss, exact.loss_and_gradient(x, weight), rtol=0.012, atol=0.0)
    torch.testing.assert_close(network._gradient, exact.gradient, rtol=0.012, atol=0.012)
    assert torch.equal(network._gradient, network._gradient.bfloat16().float())


def test_what_is_judged_is_the_network_itself(network, x):
    assert torch.equal(network.row_losses(x), Point(torch.float32).row_losses(x))


def test_small_steps_add_up(network, x):
    for _ in range(100):
        network.parameters.add_(1e-4)  # each alone would vanish in bfloat16
    assert network._network.parameters[0] == pytest.approx(1.01, abs=1e-5)
    network.loss_and_gradient(x, None)
    assert torch.equal(network._twin.parameters, network.parameters.bfloat16())
