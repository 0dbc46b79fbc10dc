"""Losses: derivatives against autograd's, log-densities against SciPy's, the start against the linear path."""

import numpy as np
import pytest
import torch
from scipy import stats

from skae._autoencoder._losses import (
    HUBER_WIDTH,
    LOSSES,
    MIN_PROBABILITY,
    MIN_RATE_SHARE,
    GaussianLikelihood,
    PoissonDeviance,
    SquaredError,
)

N_ROWS, N_FEATURES = 6, 4
LOSSES_AND_LIKELIHOOD = LOSSES | {"gaussian": GaussianLikelihood}
# Entries that every loss takes: 0 and 1, and counts if the loss is for counts.
MEAN = torch.tensor([0.4, 0.5, 0.6, 0.3], dtype=torch.float64)
SCALE = torch.tensor([0.2, 0.5, 0.3, 0.4], dtype=torch.float64)


def make_loss(name):
    cls = LOSSES_AND_LIKELIHOOD[name]
    if cls is GaussianLikelihood:
        return cls(MEAN, SCALE, torch.tensor([0.3], dtype=torch.float64), 0.7)
    return cls(MEAN, SCALE)


def draw(seed, *shape):
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


@pytest.fixture
def outputs():
    return draw(0, N_ROWS, N_FEATURES)


@pytest.fixture
def x():
    """Standardised rows whose entries are 0 and 1 in the units of X, both ends of what losses must stand."""
    return ((draw(1, N_ROWS, N_FEATURES) > 0).double() - MEAN) / SCALE


@pytest.fixture
def linear():
    """Linear paths within the range of every loss and, two entries, beyond it."""
    path = (torch.rand(N_ROWS, N_FEATURES, generator=torch.Generator().manual_seed(2)).double() - MEAN) / SCALE
    path[0, 0], path[1, 1] = (-0.5 - MEAN[0]) / SCALE[0], (1.5 - MEAN[1]) / SCALE[1]
    return path


each_loss = pytest.mark.parametrize("name", LOSSES_AND_LIKELIHOOD)


@each_loss
def test_slope_is_autograds(name, outputs, x):
    loss, leaf = make_loss(name), outputs.clone().requires_grad_()
    # `losses` may write to its own differences; a copy keeps autograd's leaf apart.
    losses = loss.losses(leaf + 0.0, x)
    (expected,) = torch.autograd.grad(losses.sum(), leaf)
    torch.testing.assert_close(loss.slope(outputs.clone(), x), expected)


@each_loss
def test_linear_slope_is_autograds_through_outputs(name, linear):
    loss, leaf = make_loss(name), linear.clone().requires_grad_()
    correction, slope = draw(3, N_ROWS, N_FEATURES), draw(4, N_ROWS, N_FEATURES)
    (expected,) = torch.autograd.grad((loss.outputs(correction, leaf) * slope).sum(), leaf)
    torch.testing.assert_close(loss.linear_slope(slope, linear), expected)


@each_loss
@pytest.mark.parametrize("weighted", [False, True])
def test_loss_and_slope_are_the_weighted_sums(name, outputs, x, weighted):
    loss = make_loss(name)
    share = torch.rand(N_ROWS, N_FEATURES, dtype=torch.float64) if weighted else 0.3
    expected_loss = (loss.losses(outputs.clone(), x) * share).sum()
    expected_slope = loss.slope(outputs.clone(), x) * share
    value, slope = loss.loss_and_slope(outputs.clone(), x, share)
    torch.testing.assert_close(value, expected_loss)
    torch.testing.assert_close(slope, expected_slope)


@each_loss
def test_a_perfect_reconstruction_is_where_the_loss_is_least(name):
    """At the outputs that stand for x itself the slope is zero and any step costs."""
    loss, x = make_loss(name), (torch.full((1, N_FEATURES), 0.4, dtype=torch.float64) - MEAN) / SCALE
    outputs = loss.outputs(torch.zeros_like(x), x)
    torch.testing.assert_close(loss.reconstruction(outputs.clone()), x)
    torch.testing.assert_close(loss.slope(outputs.clone(), x), torch.zeros_like(x), atol=1e-12, rtol=0)
    least = loss.losses(outputs.clone(), x)
    for step in (-0.1, 0.1):
        assert (loss.losses(outputs + step, x) > least).all()


@each_loss
def test_without_a_correction_the_reconstruction_is_the_linear_path_within_the_range(name, linear):
    loss = make_loss(name)
    in_units_of_x = linear * SCALE + MEAN
    if name == "binary_cross_entropy":
        in_units_of_x = in_units_of_x.clamp(MIN_PROBABILITY, 1 - MIN_PROBABILITY)
    if name == "poisson":
        in_units_of_x = torch.maximum(in_units_of_x, MIN_RATE_SHARE * MEAN)
    reconstruction = loss.reconstruction(loss.outputs(torch.zeros_like(linear), linear))
    torch.testing.assert_close(reconstruction * SCALE + MEAN, in_units_of_x)


def test_huber_is_squared_near_and_absolute_far():
    loss, zero = LOSSES["huber"](MEAN, SCALE), torch.zeros(2, 1, dtype=torch.float64)
    residuals = torch.tensor([[0.5], [3.0]], dtype=torch.float64) * HUBER_WIDTH
    expected = torch.tensor([[0.25], [5.0]], dtype=torch.float64) * HUBER_WIDTH**2
    torch.testing.assert_close(loss.losses(residuals, zero), expected)


def test_log_density_of_counts_is_scipys(outputs):
    counts = torch.tensor([[0.0, 1.0, 7.0, 300.0]], dtype=torch.float64)
    loss, x = PoissonDeviance(MEAN, SCALE), (counts - MEAN) / SCALE
    log_density = loss.log_normaliser(x) - loss.losses(outputs[:1].clone(), x)
    np.testing.assert_allclose(log_density, stats.poisson.logpmf(counts.numpy(), outputs[:1].exp().numpy()))


def test_log_density_of_gaussian_rows_is_scipys(outputs, x):
    loss = make_loss("gaussian")
    log_density = loss.log_normaliser(x) - loss.losses(outputs.clone(), x)
    deviation = (0.7 * np.exp(0.3)) ** 0.5
    expected = stats.norm.logpdf((x * SCALE + MEAN).numpy(), (outputs * SCALE + MEAN).numpy(), deviation * SCALE)
    np.testing.assert_allclose(log_density, expected)


def test_log_density_of_ones_and_zeros_is_scipys(outputs, x):
    loss = make_loss("binary_cross_entropy")
    log_density = loss.log_normaliser(x) - loss.losses(outputs.clone(), x)
    ones = (x * SCALE + MEAN).round().numpy()
    np.testing.assert_allclose(log_density, stats.bernoulli.logpmf(ones, outputs.sigmoid().numpy()))


def test_learned_noise_has_autograds_slope_and_its_best_value(outputs, x):
    share = torch.full((N_ROWS, N_FEATURES), 1 / (N_ROWS * N_FEATURES), dtype=torch.float64)
    offset = torch.tensor([0.3], dtype=torch.float64, requires_grad=True)
    value = (GaussianLikelihood(MEAN, SCALE, offset, 0.7).losses(outputs.clone(), x) * share).sum()
    (expected,) = torch.autograd.grad(value, offset)
    torch.testing.assert_close(make_loss("gaussian").parameter_slope(outputs.clone(), x, share), expected)

    # The variance that fits best is the mean square of the residuals.
    best = ((outputs - x).square().mean() / 0.7).log().view(1)
    slope = GaussianLikelihood(MEAN, SCALE, best, 0.7).parameter_slope(outputs.clone(), x, share)
    torch.testing.assert_close(slope, torch.zeros(1, dtype=torch.float64), atol=1e-12, rtol=0)


@pytest.mark.parametrize("name", [name for name, cls in LOSSES.items() if cls.n_parameters == 0])
def test_losses_without_parameters_have_an_empty_slope(name, outputs, x):
    assert make_loss(name).parameter_slope(outputs, x, 1.0).shape == (0,)


def test_units(outputs, x):
    """Summed losses times the unit to `unit_power` are those of rows measured in another unit."""
    for name in ("squared_error", "absolute_error"):
        loss = LOSSES[name](MEAN, SCALE)
        larger = loss.losses(3 * outputs, 3 * x)
        torch.testing.assert_close(larger, loss.losses(outputs.clone(), x) * 3.0**loss.unit_power)
    assert SquaredError.unit_power == 2
