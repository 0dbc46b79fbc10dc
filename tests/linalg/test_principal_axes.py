"""Principal axes against scikit-learn's PCA, by each of the three ways to compute them."""

import numpy as np
import pytest
from scipy import sparse
from sklearn.decomposition import PCA

from skae._linalg import _principal_axes
from skae._linalg._principal_axes import principal_axes
from skae._rows._row_source import RowSource

RNG = np.random.RandomState(0)
TALL = RNG.normal(size=(60, 5)) @ RNG.normal(size=(5, 5)) + 3.0
WIDE = RNG.normal(size=(5, 60))
# Rank three and a little noise, large enough on both sides for the randomised decomposition.
LARGE = RNG.normal(size=(600, 3)) @ RNG.normal(size=(3, 2100)) + 0.01 * RNG.normal(size=(600, 2100))


def axes_of(X, n_components, **arguments):
    return principal_axes(RowSource(X), n_components, random_state=np.random.RandomState(0), **arguments)


@pytest.mark.parametrize(("X", "n_components"), [(TALL, 3), (TALL, None), (TALL, 0.7), (WIDE, 2), (WIDE, None)])
def test_equals_pca(X, n_components):
    axes, pca = axes_of(X, n_components), PCA(n_components, svd_solver="full").fit(X)
    assert axes.components.shape == pca.components_.shape
    explained = axes.variances / axes.total_variance
    np.testing.assert_allclose(explained, pca.explained_variance_ratio_, atol=1e-12)
    ranked = explained > 1e-12  # the axis of no variance is arbitrary
    np.testing.assert_allclose(axes.components[ranked], pca.components_[ranked], atol=1e-9)


def test_randomised_decomposition_equals_the_exact_one(monkeypatch):
    randomised = axes_of(LARGE, 3)
    monkeypatch.setattr(_principal_axes, "RANDOMIZED_SHARE", 0.0)
    exact = axes_of(LARGE, 3)
    # The spectral gap of 1e4 leaves the randomised decomposition exact to far below this tolerance.
    np.testing.assert_allclose(randomised.components, exact.components, atol=1e-6)
    np.testing.assert_allclose(randomised.variances, exact.variances, rtol=1e-6)


@pytest.mark.parametrize("kind", [np.asarray, sparse.csr_matrix])
@pytest.mark.parametrize("scale_features", [True, False])
def test_axes_found_in_blocks_equal_the_exact_ones(monkeypatch, kind, scale_features):
    weight = np.random.RandomState(0).uniform(0.5, 2.0, size=len(LARGE))
    arguments = {"sample_weight": weight, "scale_features": scale_features}
    exact = axes_of(LARGE, 3, **arguments)
    monkeypatch.setattr(_principal_axes, "MAX_DENSE_NUMBERS", 1000)
    monkeypatch.setattr(_principal_axes, "MAX_COVARIANCE_WIDTH", 100)
    monkeypatch.setattr(_principal_axes, "_leading_singular_vectors", None)
    in_blocks = axes_of(kind(LARGE), 3, **arguments)
    np.testing.assert_allclose(in_blocks.components, exact.components, atol=1e-6)
    np.testing.assert_allclose(in_blocks.variances, exact.variances, rtol=1e-6)
    assert in_blocks.total_variance == pytest.approx(exact.total_variance)


@pytest.mark.parametrize("X", [TALL, WIDE])
def test_weights_are_repetitions(X):
    weight = RNG.randint(1, 4, size=len(X))
    weighted = axes_of(X, 2, sample_weight=weight.astype(float))
    repeated = axes_of(np.repeat(X, weight, axis=0), 2)
    np.testing.assert_allclose(weighted.components, repeated.components, atol=1e-9)
    np.testing.assert_allclose(weighted.variances, repeated.variances)
    np.testing.assert_allclose(weighted.total_variance, repeated.total_variance)


def test_more_components_than_features_adds_zero_axes():
    axes = axes_of(TALL, 8)
    assert axes.components.shape == (8, 5)
    assert not axes.components[5:].any()
    assert not axes.variances[5:].any()


def test_constant_rows_have_no_variance():
    axes = axes_of(np.ones((10, 3)), 0.9)
    assert axes.total_variance == 0.0
    assert len(axes.components) == 1
