"""The network: the gradient of every member of the family, and its start at the linear autoencoder."""

import pytest
import torch

from skae._autoencoder._activations import ACTIVATIONS
from skae._autoencoder._code_metric import metric_map
from skae._autoencoder._config import AutoencoderConfig
from skae._autoencoder._corruption import Corruption, Gaussian
from skae._autoencoder._explained_variance import explained_by_prefixes
from skae._autoencoder._imputation import GaussianImputer
from skae._autoencoder._linear import LinearAutoencoder
from skae._autoencoder._losses import LOSSES
from skae._autoencoder._network import AutoencoderNetwork

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


def make_network(
    hidden_layer_sizes=(4, 3), *, trained=True, corruption=None, takes_mask=False, module=None, **parameters
):
    generator = torch.Generator().manual_seed(0)
    config = AutoencoderConfig(N_COMPONENTS, hidden_layer_sizes=hidden_layer_sizes, **parameters)

    def draw(*shape):
        return torch.randn(*shape, dtype=torch.float64, generator=generator)

    linear = LinearAutoencoder(
        mean=torch.full((N_FEATURES,), 0.5, dtype=torch.float64),
        scale=torch.linspace(0.1, 0.2, N_FEATURES, dtype=torch.float64),
        unit=1.0,
        encoder_axes=draw(N_FEATURES, N_COMPONENTS),
        decoder_axes=draw(N_COMPONENTS, N_FEATURES) / 3,
        code_bias=draw(N_COMPONENTS) / 3,
        log_posterior_variance=draw(N_COMPONENTS),
        noise_variance=0.7,
    )
    imputer = GaussianImputer(draw(N_FEATURES, 2), 0.5) if takes_mask else None
    network = AutoencoderNetwork(
        config,
        linear,
        imputer=imputer,
        module=module,
        takes_mask=takes_mask,
        corruption=corruption,
        generator=generator,
    )
    network.initialise(generator)
    if trained:
        network.parameters.add_(draw(len(network.parameters)), alpha=0.3)
    return network


@pytest.fixture
def x():
    return torch.randn(8, N_FEATURES, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


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
    "missing": {"takes_mask": True},
    "denoising": {"corruption": Corruption(Gaussian(0.3), noise_is_task=True)},
    "masked": {"takes_mask": True, "corruption": Corruption(Gaussian(0.1), masked_share=0.3)},
    "sparse": {"code": "sparse", "n_nonzero": 2},
    "ordered": {"code": "ordered"},
    "neighbors": {"code": "neighbors"},
    "variational": {"code": "variational", "beta": 0.8},
    "variational counts": {"code": "variational", "loss": "poisson"},
    "variational, missing": {"code": "variational", "takes_mask": True, "loss": "binary_cross_entropy"},
    "module": {"module": TwoLayers()},
    "variational module": {"module": TwoLayers(2 * N_COMPONENTS), "code": "variational"},
    **{loss: {"loss": loss} for loss in LOSSES},
}


class TestGradient:
    @pytest.mark.parametrize("activation", ACTIVATIONS)
    @pytest.mark.parametrize("hidden_layer_sizes", [(), (4,), (4, 3)])
    def test_of_every_perceptron(self, x, activation, hidden_layer_sizes):
        network = make_network(hidden_layer_sizes, activation=activation, corruption=NO_CORRUPTION)
        assert_gradient_is_the_slope(network, x, None)

    @pytest.mark.parametrize("weighted", [False, True])
    @pytest.mark.parametrize("member", MEMBERS.values(), ids=MEMBERS)
    def test_of_every_member(self, x, member, weighted):
        network = make_network(**{"corruption": NO_CORRUPTION, **member})
        if network.takes_mask:
            x[2, 3] = x[4] = torch.nan
        weight = torch.arange(1.0, 1.0 + network.code.n_decoded(len(x)), dtype=torch.float64) if weighted else None
        assert_gradient_is_the_slope(network, x, weight)


# What training draws for the others the judge draws otherwise.
DRAWING_NOTHING = {
    name: m for name, m in MEMBERS.items() if m.get("code") not in ("neighbors", "ordered", "variational")
}


@pytest.mark.parametrize("member", DRAWING_NOTHING.values(), ids=DRAWING_NOTHING)
def test_row_losses_are_what_training_minimises(x, member):
    network = make_network(**(member | {"corruption": NO_CORRUPTION}))
    network.bind_gradient(torch.zeros_like(network.parameters))
    torch.testing.assert_close(network.loss_and_gradient(x, None), network.row_losses(x).mean())


def test_masked_entries_are_the_task():
    """Of a row's weight a masked entry has ten times what an observed one has, a missing one nothing."""
    nan = torch.nan
    x = torch.tensor([[1.0, 2.0, 3.0, nan, nan], [1.0, 2.0, 3.0, 4.0, 5.0]], dtype=torch.float64)
    corrupted = torch.tensor([[nan, 2.0, 3.0, nan, nan], [1.0, 2.0, 3.0, 4.0, 5.0]], dtype=torch.float64)
    weight = torch.tensor([3.0, 1.0], dtype=torch.float64)
    target, share = make_network(takes_mask=True)._target(x, corrupted, weight)
    expected = [[0.75 / 1.2, 0.075 / 1.2, 0.075 / 1.2, 0.0, 0.0], [0.05] * 5]
    torch.testing.assert_close(share, torch.tensor(expected, dtype=torch.float64))
    torch.testing.assert_close(target[0], torch.tensor([1.0, 2.0, 3.0, 0.0, 0.0], dtype=torch.float64))


def test_where_entries_are_missing_masked_ones_alone_are_judged():
    nan = torch.nan
    x = torch.ones(2, 5, dtype=torch.float64)
    corrupted = torch.tensor([[nan, 2.0, 3.0, nan, 1.0], [1.0, 2.0, 3.0, 4.0, 5.0]], dtype=torch.float64)
    network = make_network(takes_mask=True, corruption=Corruption(Gaussian(0.0), 0.3, fills=True))
    _, share = network._target(x, corrupted, None, judging=True)
    torch.testing.assert_close(share, torch.tensor([[0.25, 0, 0, 0.25, 0], [0.0] * 5], dtype=torch.float64))


def test_the_penalty_of_a_row_counts_as_its_weightiest_entry(x):
    network = make_network(code="variational", beta=0.7, takes_mask=True, corruption=NO_CORRUPTION)
    x[0, :3] = torch.nan
    a = network._code_outputs(x)
    z, tape = network.code.forward(a, None)
    errors = network.loss.losses(network._outputs(z), torch.nan_to_num(x))
    share = torch.full_like(x, 0.2)
    share[0] = torch.tensor([0.0, 0.0, 0.0, 0.5, 0.5])
    expected = (errors * share).sum(1) + network.code.penalty(tape) * share.amax(1)
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
    def test_is_the_linear_autoencoder(self, x):
        network = make_network(trained=False)
        assert network.is_linear()
        torch.testing.assert_close(network.encode(x), x @ network.linear.encoder_axes + network.linear.code_bias)
        torch.testing.assert_close(network.decode(x[:, :3]), x[:, :3] @ network.linear.decoder_axes)
        assert not make_network(trained=True).is_linear()

    @pytest.mark.parametrize("loss", ["binary_cross_entropy", "poisson"])
    def test_losses_with_a_range_start_at_the_linear_path_within_it(self, x, loss):
        network, plain = make_network(trained=False, loss=loss), make_network(trained=False)
        z = 0.1 * x[:, :3]  # small codes decode to within the range
        torch.testing.assert_close(network.decode(z), plain.decode(z))

    def test_a_module_starts_behind_a_closed_gate(self, x):
        network = make_network(trained=False, module=TwoLayers())
        assert network.is_linear()
        torch.testing.assert_close(network.decode(x[:, :3]), x[:, :3] @ network.linear.decoder_axes)

    def test_initial_hidden_layers_keep_unit_variance(self):
        network = make_network((400, 300), trained=False)
        rows = torch.randn(500, N_FEATURES, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
        _, tape = network._encoder.forward(rows)
        for argument, _ in tape[1:]:
            assert 0.2 < argument.var() < 2.0


class TestOrderedCodes:
    def test_truncated_network_is_the_prefix(self, x):
        network = make_network(code="ordered")
        shorter, z = network.truncated(2), network.encode(x)
        torch.testing.assert_close(shorter.encode(x), z[:, :2])
        z[:, 2:] = 0.0
        torch.testing.assert_close(shorter.decode(z[:, :2]), network.decode(z))

    def test_explained_shares_add_up_to_the_whole_codes(self, x):
        network = make_network(code="ordered")
        total = 1.0 - (network.decode(network.encode(x)) - x).square().sum() / x.square().sum()
        assert explained_by_prefixes(network, x).sum() == pytest.approx(float(total))


def test_what_is_drawn_comes_from_the_networks_own_generator(x):
    network = make_network(code="variational", corruption=Corruption(Gaussian(0.5)))
    network.bind_gradient(torch.zeros_like(network.parameters))
    before = torch.get_rng_state()
    first, second = network.loss_and_gradient(x, None), network.loss_and_gradient(x, None)
    assert first != second
    assert torch.equal(network.row_losses(x), network.row_losses(x))
    assert torch.equal(torch.get_rng_state(), before)
