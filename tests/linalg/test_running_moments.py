"""Moments of rows in chunks against those of all rows at once."""

import numpy as np
import pytest
from scipy import sparse

from skae._linalg._principal_axes import principal_axes
from skae._linalg._running_moments import RunningMoments
from skae._rows._row_source import RowSource

RNG = np.random.RandomState(0)
X = RNG.normal(size=(60, 5)) @ RNG.normal(size=(5, 5)) + 1e4
WEIGHT = RNG.randint(1, 4, size=60).astype(float)


def in_chunks(cuts, weight=None, convert=np.asarray):
    moments = None
    for start, end in zip([0, *cuts], [*cuts, len(X)], strict=True):
        part = RunningMoments.of(RowSource(convert(X[start:end])), None if weight is None else weight[start:end])
        moments = part if moments is None else moments.merged(part)
    return moments


@pytest.mark.parametrize("cuts", [[], [1], [20, 40], list(range(1, 60))])
@pytest.mark.parametrize("weight", [None, WEIGHT], ids=["equal", "weighted"])
def test_chunks_do_not_matter(cuts, weight):
    moments = in_chunks(cuts, weight)
    rows = X if weight is None else np.repeat(X, weight.astype(int), axis=0)
    assert moments.n_rows == 60
    assert moments.weight == len(rows)
    np.testing.assert_allclose(moments.mean, rows.mean(axis=0), rtol=1e-14)
    # Rows 1e4 from zero leave 11 digits of what is about the mean.
    np.testing.assert_allclose(moments.covariance, np.cov(rows.T, bias=True), rtol=1e-9)


def test_sparse_chunks():
    np.testing.assert_allclose(in_chunks([20], convert=sparse.csr_array).covariance, in_chunks([]).covariance)


@pytest.mark.parametrize("scale", [False, True])
def test_axes_are_those_of_the_rows(scale):
    expected = principal_axes(RowSource(X), 3, scale_features=scale, random_state=RNG)
    axes = in_chunks([7, 30]).axes(3, scale)
    for name in ("mean", "scale", "components", "variances", "total_variance"):
        np.testing.assert_allclose(getattr(axes, name), getattr(expected, name), rtol=1e-7, atol=1e-7, err_msg=name)


def test_axes_beyond_the_rank_are_zero():
    axes = RunningMoments.of(RowSource(X[:2])).axes(4, False)
    assert axes.components.shape == (4, 5)
    assert not axes.components[2:].any()


@pytest.mark.parametrize("scale", [False, True])
def test_all_axes_give_the_moments_back(scale):
    axes = principal_axes(RowSource(X), 5, scale_features=scale, random_state=RNG)
    np.testing.assert_allclose(RunningMoments.from_axes(axes, 60, 60.0).covariance, np.cov(X.T, bias=True), rtol=1e-7)


def test_some_axes_give_them_and_the_total_variance_back():
    axes = principal_axes(RowSource(X), 2, random_state=RNG)
    again = RunningMoments.from_axes(axes, 60, 60.0).axes(2, False)
    np.testing.assert_allclose(again.components, axes.components, atol=1e-9)
    np.testing.assert_allclose(again.variances, axes.variances)
    np.testing.assert_allclose(again.total_variance, axes.total_variance)


def test_too_large_for_float64():
    with pytest.raises(ValueError, match="too large for float64: divide X"):
        RunningMoments.of(RowSource(X * 1e200)).axes(2, True)
