"""The anchored autoencoder: the gradient of every member of the family, and its start against the anchor."""

import pytest
import torch

from skae._model._activations import ACTIVATIONS
from skae._model._autoencoder import Anchor, AnchoredAutoencoder, Architecture
from skae._model._code_map import metric_map
from skae._model._corruption import Corruption, Gaussian
from skae._model._gaussian_fill import GaussianFill
from skae._model._losses import LOSSES
from skae._model._prefixes import explained_by_prefixes

N_FEATURES, N_COMPONENTS = 5, 3
NO_CORRUPTION = Corruption(Gaussian(0.0))


class TwoLayers(torch.nn.Module):
    """A module whose decoder uses its encoder's weights."""

    def __init__(self, n_outputs=N_COMPONENTS):
        super().__init__()
        self.first = torch.nn.Linear(N_FEATURES, 4, dtype=torch.float64)
        self.second = torch.nn.Linear(4, n_outputs, dtype=torch.float64)
        self.back = torch.nn.Linear(N_COMPONENTS, 4, dtype=torch.float64)

    def encode(self, x):
        return self.second(torch.tanh(self.first(x)))

    def decode(self, z):
        return torch.tanh(self.back(z)) @ self.first.weight


def make_network(hidden_layer_sizes=(4, 3), activation="silu", *, trained=True, corruption=None, **members):
    generator = torch.Generator().manual_seed(0)
    architecture = Architecture(N_FEATURES, N_COMPONENTS, hidden_layer_sizes, activation, **members)

    def draw(*shape):
        return torch.randn(*shape, dtype=torch.float64, generator=generator)

    anchor = Anchor(
        draw(N_FEATURES, N_COMPONENTS),
        draw(N_COMPONENTS, N_FEATURES) / 3,
        mean=torch.full((N_FEATURES,), 0.5, dtype=torch.float64),
        scale=torch.linspace(0.1, 0.2, N_FEATURES, dtype=torch.float64),
        code_bias=draw(N_COMPONENTS) / 3,
        log_posterior_variance=draw(N_COMPONENTS),
        noise_variance=0.7,
    )
    fill = GaussianFill(draw(N_FEATURES, 2), 0.5) if architecture.sees_missing else None
    parameters = torch.zeros(architecture.n_parameters, dtype=torch.float64)
    network = AnchoredAutoencoder(architecture, anchor, parameters, fill, corruption=corruption, generator=generator)
    network.initialise(generator)
    if trained:
        parameters.add_(draw(len(parameters)), alpha=0.3)
    return network


@pytest.fixture
def x():
    return torch.randn(7, N_FEATURES, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


def assert_gradient_is_the_slope(network, x, weight):
    """Along random directions, by central differences; what is drawn is drawn anew from the same seed."""
    network.bind_gradient(torch.full_like(network.parameters, torch.nan))
    gradient = torch.full_like(network.parameters, torch.nan)
    network.bind_gradient(gradient)
    start, step = network.parameters.clone(), 1e-5

    def loss(parameters):
        network.parameters.copy_(parameters)
        network._generator.manual_seed(5)
        return float(network.loss_and_gradient(x, weight))

    generator = torch.Generator().manual_seed(2)
    for _ in range(5):
        direction = torch.randn(start.shape, dtype=start.dtype, generator=generator)
        slope = (loss(start + step * direction) - loss(start - step * direction)) / (2 * step)
        loss(start)
        # Central differences are exact to step**2; the loss is rounded to 1e-16 / step.
        assert float(gradient @ direction) == pytest.approx(slope, rel=1e-5, abs=1e-8)


MEMBERS = {
    "plain": {},
    "missing": {"sees_missing": True},
    "denoising": {"corruption": Corruption(Gaussian(0.3), noise_is_task=True)},
    "hidden": {"sees_missing": True, "corruption": Corruption(Gaussian(0.1), hidden_level=0.3)},
    "soft threshold": {"sparsity": 0.2},
    "largest only": {"sparsity": 2},
    "ordered": {"ordered": True},
    "variational": {"variational": True, "beta": 0.8},
    "variational counts": {"variational": True, "loss": "poisson"},
    "variational, missing": {"variational": True, "sees_missing": True, "loss": "binary_cross_entropy"},
    "module": {"module": TwoLayers()},
    "variational module": {"module": TwoLayers(2 * N_COMPONENTS), "variational": True},
    **{loss: {"loss": loss} for loss in LOSSES},
}


class TestGradient:
    @pytest.mark.parametrize("activation", ACTIVATIONS)
    @pytest.mark.parametrize("hidden_layer_sizes", [(), (4,), (4, 3)])
    def test_of_every_perceptron(self, x, activation, hidden_layer_sizes):
        network = make_network(hidden_layer_sizes, activation, corruption=NO_CORRUPTION)
        assert_gradient_is_the_slope(network, x, None)

    @pytest.mark.parametrize("weighted", [False, True])
    @pytest.mark.parametrize("member", MEMBERS.values(), ids=MEMBERS)
    def test_of_every_member(self, x, member, weighted):
        network = make_network(**{"corruption": NO_CORRUPTION, **member})
        if network.architecture.sees_missing:
            x[2, 3] = x[4] = torch.nan
        weight = torch.arange(1.0, 8.0, dtype=torch.float64) if weighted else None
        assert_gradient_is_the_slope(network, x, weight)


# What training draws for the others the judge draws otherwise.
DRAWING_NOTHING = {name: m for name, m in MEMBERS.items() if not (m.get("ordered") or m.get("variational"))}


@pytest.mark.parametrize("member", DRAWING_NOTHING.values(), ids=DRAWING_NOTHING)
def test_row_losses_are_what_training_minimises(x, member):
    network = make_network(**(member | {"corruption": NO_CORRUPTION}))
    network.bind_gradient(torch.zeros_like(network.parameters))
    torch.testing.assert_close(network.loss_and_gradient(x, None), network.row_losses(x).mean())


def test_hidden_entries_are_the_task():
    """Of a row's weight a hidden entry has ten times what a seen one has, a missing one nothing."""
    nan = torch.nan
    x = torch.tensor([[1.0, 2.0, 3.0, nan, nan], [1.0, 2.0, 3.0, 4.0, 5.0]], dtype=torch.float64)
    corrupted = torch.tensor([[nan, 2.0, 3.0, nan, nan], [1.0, 2.0, 3.0, 4.0, 5.0]], dtype=torch.float64)
    weight = torch.tensor([3.0, 1.0], dtype=torch.float64)
    target, share = make_network(sees_missing=True)._target(x, corrupted, weight)
    expected = [[0.75 / 1.2, 0.075 / 1.2, 0.075 / 1.2, 0.0, 0.0], [0.05] * 5]
    torch.testing.assert_close(share, torch.tensor(expected, dtype=torch.float64))
    torch.testing.assert_close(target[0], torch.tensor([1.0, 2.0, 3.0, 0.0, 0.0], dtype=torch.float64))


def test_the_penalty_of_a_row_counts_as_its_weightiest_entry(x):
    network = make_network(sparsity=0.2, sees_missing=True, corruption=NO_CORRUPTION)
    x[0, :3] = torch.nan
    z = network.encode(x)
    errors = torch.nan_to_num((network.decode(z) - x).square())
    share = torch.full_like(x, 0.2)
    share[0] = torch.tensor([0.0, 0.0, 0.0, 0.5, 0.5])
    expected = (errors * share).sum(1) + 2 * 0.2 * z.abs().sum(1) * share.amax(1)
    torch.testing.assert_close(network.row_losses(x), expected)


def test_metric_is_that_of_the_jacobian(x):
    network = make_network((4, 3))
    z = network.encode(x)
    expected = torch.zeros(N_COMPONENTS, N_COMPONENTS, dtype=torch.float64)
    for code in z:
        jacobian = torch.autograd.functional.jacobian(lambda c: network.decode(c[None])[0], code)
        expected += jacobian.t() @ jacobian / len(z)
    root = torch.from_numpy(metric_map(network, z, None, unit=1.0))
    # Central differences over 0.02 deviations.
    torch.testing.assert_close(root @ root, expected, rtol=1e-3, atol=1e-3)


class TestStart:
    def test_is_the_anchor(self, x):
        network = make_network(trained=False)
        assert network.is_linear()
        torch.testing.assert_close(network.encode(x), x @ network.anchor.encoder_axes + network.anchor.code_bias)
        torch.testing.assert_close(network.decode(x[:, :3]), x[:, :3] @ network.anchor.decoder_axes)
        assert not make_network(trained=True).is_linear()

    @pytest.mark.parametrize("loss", ["binary_cross_entropy", "poisson"])
    def test_losses_with_a_range_start_at_the_anchor_within_it(self, x, loss):
        network, plain = make_network(trained=False, loss=loss), make_network(trained=False)
        z = 0.1 * x[:, :3]  # small codes decode to within the range
        torch.testing.assert_close(network.decode(z), plain.decode(z))

    def test_a_module_starts_behind_a_closed_gate(self, x):
        network = make_network(trained=False, module=TwoLayers())
        assert network.is_linear()
        torch.testing.assert_close(network.decode(x[:, :3]), x[:, :3] @ network.anchor.decoder_axes)

    def test_initial_hidden_layers_keep_unit_variance(self):
        network = make_network((400, 300), trained=False)
        rows = torch.randn(500, N_FEATURES, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
        _, tape = network._encoder.forward(rows)
        for argument, _ in tape[1:]:
            assert 0.2 < argument.var() < 2.0


class TestOrderedCodes:
    def test_truncated_network_is_the_prefix(self, x):
        network = make_network(ordered=True)
        shorter, z = network.truncated(2), network.encode(x)
        torch.testing.assert_close(shorter.encode(x), z[:, :2])
        z[:, 2:] = 0.0
        torch.testing.assert_close(shorter.decode(z[:, :2]), network.decode(z))

    def test_explained_shares_add_up_to_the_whole_codes(self, x):
        network = make_network(ordered=True)
        total = 1.0 - (network.decode(network.encode(x)) - x).square().sum() / x.square().sum()
        assert explained_by_prefixes(network, x).sum() == pytest.approx(float(total))


def test_what_is_drawn_comes_from_the_networks_own_generator(x):
    network = make_network(variational=True, corruption=Corruption(Gaussian(0.5)))
    network.bind_gradient(torch.zeros_like(network.parameters))
    before = torch.get_rng_state()
    first, second = network.loss_and_gradient(x, None), network.loss_and_gradient(x, None)
    assert first != second
    assert torch.equal(network.row_losses(x), network.row_losses(x))
    assert torch.equal(torch.get_rng_state(), before)
