"""Weighted moments against NumPy's."""

import numpy as np
import pytest
from scipy import sparse

from skae._linalg import _moments
from skae._rows._row_source import RowSource

RNG = np.random.RandomState(0)
X = RNG.normal(loc=5.0, size=(50, 4))
WEIGHT = RNG.randint(1, 4, size=50).astype(float)
REPEATED = np.repeat(X, WEIGHT.astype(int), axis=0)


@pytest.mark.parametrize("block_elements", [4, 40, 1 << 22])
def test_weights_are_repetitions(monkeypatch, block_elements):
    monkeypatch.setattr(RowSource.blocks, "__defaults__", (block_elements,))
    mean = _moments.weighted_mean(RowSource(X), WEIGHT)
    np.testing.assert_allclose(mean, REPEATED.mean(axis=0))
    np.testing.assert_allclose(_moments.weighted_variance(RowSource(X), mean, WEIGHT), REPEATED.var(axis=0))
    covariance = _moments.weighted_covariance(RowSource(X), mean, np.ones(4), WEIGHT)
    np.testing.assert_allclose(covariance, np.cov(REPEATED.T, bias=True))


@pytest.mark.parametrize("exponent", [-60, 0, 120])
@pytest.mark.parametrize("weighted", [False, True])
def test_covariance_of_float32_rows(exponent, weighted):
    """In units of the deviations: 4e-7 at worst, though means are a hundred of them and squares beyond float32."""
    rng = np.random.RandomState(0)
    rows = rng.normal(size=(40_000, 12)) @ rng.normal(size=(12, 12)) * np.geomspace(1e-3, 1.0, 12) + 100.0
    rows = np.ldexp(rows, exponent).astype(np.float32)
    weight = rng.uniform(size=len(rows)) if weighted else None
    exact = rows.astype(np.float64)
    mean = np.average(exact, axis=0, weights=weight)
    expected = np.cov(exact.T, aweights=weight, bias=True)
    covariance = _moments.weighted_covariance(RowSource(rows), mean, np.ones(12), weight)
    unit = np.sqrt(np.outer(np.diag(expected), np.diag(expected)))
    np.testing.assert_allclose(covariance / unit, expected / unit, rtol=0, atol=4e-7)


def test_sparse_rows_and_unweighted_moments():
    rows = RowSource(sparse.csr_array(X))
    mean = _moments.weighted_mean(rows)
    np.testing.assert_allclose(mean, X.mean(axis=0))
    np.testing.assert_allclose(_moments.weighted_covariance(rows, mean, X.std(axis=0)), np.corrcoef(X.T))


@pytest.mark.parametrize("block_elements", [4, 40, 1 << 22])
@pytest.mark.parametrize("weight", [None, WEIGHT], ids=["unweighted", "weighted"])
def test_moments_of_what_is_observed(monkeypatch, block_elements, weight):
    monkeypatch.setattr(RowSource.blocks, "__defaults__", (block_elements,))
    missing = np.random.RandomState(1).uniform(size=X.shape) < 0.3
    missing[:10, 0] = True
    incomplete, repeated = np.where(missing, np.nan, X), np.where(missing, np.nan, X)
    if weight is not None:
        repeated = np.repeat(incomplete, weight.astype(int), axis=0)
    mean, variance = _moments.observed_moments(RowSource(incomplete), weight)
    np.testing.assert_allclose(mean, np.nanmean(repeated, axis=0))
    np.testing.assert_allclose(variance, np.nanvar(repeated, axis=0))


def test_constant_features_are_not_scaled():
    column = np.full(1000, 0.1)  # its computed variance is rounding, not zero
    X = np.column_stack([column, np.arange(1000.0)])
    assert column.var() > 0.0
    mean = _moments.weighted_mean(RowSource(X))
    scale = _moments.constant_safe_scale(mean, _moments.weighted_variance(RowSource(X), mean), len(X))
    assert scale[0] == 1.0
    assert scale[1] == pytest.approx(X[:, 1].std())


def test_observed_variance_far_from_zero():
    holes = np.where(np.random.RandomState(1).uniform(size=X.shape) < 0.2, np.nan, X)
    _, variance = _moments.observed_moments(RowSource(holes + 1e8))
    np.testing.assert_allclose(variance, np.nanvar(holes, axis=0), rtol=1e-6)
