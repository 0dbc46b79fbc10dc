"""Fills against the Gaussian conditional distribution, and moments of rows with missing entries."""

import numpy as np
import pytest
import torch

from skae._autoencoder._imputation import GaussianImputer, estimate_moments

N_FEATURES = 6


@pytest.fixture
def covariance():
    root = torch.randn(N_FEATURES, N_FEATURES, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    return root @ root.t() + 0.5 * torch.eye(N_FEATURES, dtype=torch.float64)


def conditional(covariance, row):
    """Mean and covariance of the missing entries given the others."""
    m, o = np.flatnonzero(np.isnan(row)), np.flatnonzero(~np.isnan(row))
    weights = covariance[np.ix_(m, o)] @ np.linalg.inv(covariance[np.ix_(o, o)])
    return weights @ row[o], covariance[np.ix_(m, m)] - weights @ covariance[np.ix_(o, m)]


@pytest.mark.parametrize("missing", [[0], [1, 3], [0, 1, 2, 3, 5], list(range(N_FEATURES)), []])
def test_fill_is_the_conditional_mean(covariance, missing):
    row = np.arange(1.0, N_FEATURES + 1)
    row[missing] = np.nan
    filled = GaussianImputer.from_covariance(covariance)(torch.from_numpy(row)[None])[0].numpy()
    expected = row.copy()
    expected[missing] = conditional(covariance.numpy(), row)[0]
    # As many steps of conjugate gradients as entries are exact, up to rounding.
    np.testing.assert_allclose(filled, expected, atol=1e-6)


def test_rows_are_filled_one_by_one(covariance):
    x = torch.randn(5, N_FEATURES, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    x[torch.rand(x.shape, generator=torch.Generator().manual_seed(2)) < 0.5] = torch.nan
    fill = GaussianImputer.from_covariance(covariance)
    torch.testing.assert_close(fill(x)[3:4], fill(x[3:4]), rtol=1e-9, atol=1e-9)


def test_draws_have_the_conditional_distribution(covariance):
    row = np.arange(1.0, N_FEATURES + 1) / 3
    row[[1, 4]] = np.nan
    mean, spread = conditional(covariance.numpy(), row)
    n_draws = 20_000
    rows = torch.from_numpy(row).repeat(n_draws, 1)
    drawn = GaussianImputer.from_covariance(covariance).draw(rows, torch.Generator().manual_seed(0)).numpy()[:, [1, 4]]
    np.testing.assert_allclose(drawn.mean(axis=0), mean, atol=4 * np.sqrt(spread.max() / n_draws))
    np.testing.assert_allclose(np.cov(drawn.T), spread, atol=0.05 * spread.max())


@pytest.mark.parametrize("n_axes", [1, 3, N_FEATURES])
def test_probabilistic_pca(covariance, n_axes):
    values, vectors = np.linalg.eigh(covariance.numpy())
    fill = GaussianImputer.from_axes(vectors[:, ::-1].T[:n_axes], values[::-1][:n_axes], values.sum())
    modelled = (fill.factors @ fill.factors.t()).numpy() + fill.noise_variance * np.eye(N_FEATURES)
    assert np.trace(modelled) == pytest.approx(values.sum(), rel=1e-2)
    np.testing.assert_allclose(modelled @ vectors[:, -1], values[-1] * vectors[:, -1], atol=1e-8)


def test_moments_of_incomplete_rows_are_those_of_the_complete_ones(covariance):
    scale = covariance.diagonal().sqrt()
    correlation = covariance / torch.outer(scale, scale)
    root = torch.linalg.cholesky(correlation)
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(5000, N_FEATURES, dtype=torch.float64, generator=generator) @ root.t() + 0.1
    x[torch.rand(x.shape, generator=generator) < 0.3] = torch.nan
    weight = torch.ones(len(x), dtype=torch.float64)
    mean, estimate = estimate_moments(x, weight, torch.Generator().manual_seed(1))
    # 5,000 rows settle a correlation to 1 / sqrt(5000) = .014 if complete.
    torch.testing.assert_close(mean, torch.full_like(mean, 0.1), rtol=0, atol=0.06)
    torch.testing.assert_close(estimate, correlation, rtol=0, atol=0.06)


def test_units_of_features_do_not_matter(covariance):
    units = torch.logspace(-3, 3, N_FEATURES, dtype=torch.float64)
    x = torch.randn(5, N_FEATURES, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    x[torch.rand(x.shape, generator=torch.Generator().manual_seed(2)) < 0.5] = torch.nan
    fill = GaussianImputer.from_covariance(covariance)(x)
    scaled = GaussianImputer.from_covariance(covariance * torch.outer(units, units))(x * units)
    torch.testing.assert_close(scaled / units, fill, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("size", [1e-54, 1.0, 1e54])
def test_constant_features_are_filled_whatever_the_size_of_others(size):
    variances = torch.tensor([0.0, size**2, 0.0, (1e-20 * size) ** 2], dtype=torch.float64)
    fill = GaussianImputer.from_covariance(torch.diag(variances)).in_unit(size).to(torch.float32, torch.device("cpu"))
    x = torch.tensor([[0.0, 1.0, torch.nan, 0.0], [torch.nan, torch.nan, 0.0, 1e-20], [0.5, torch.nan, 0.0, 0.5]])
    torch.testing.assert_close(fill(x), torch.nan_to_num(x), rtol=0, atol=1e-9)


def test_features_that_are_all_constant():
    fill = GaussianImputer.from_covariance(torch.zeros(3, 3, dtype=torch.float64))
    x = torch.tensor([[0.0, torch.nan, 2.0]], dtype=torch.float64)
    torch.testing.assert_close(fill(x), torch.nan_to_num(x))
