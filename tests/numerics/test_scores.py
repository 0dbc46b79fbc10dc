"""Quantiles, conformal p-values, the common scale of views, and robust axes."""

import numpy as np
import pytest

from skae._numerics._conformal import conformal_p_values
from skae._numerics._quantiles import lower_tail_threshold, weighted_quantile
from skae._numerics._robust_axes import robust_axes
from skae._numerics._view_scale import ViewScale

RNG = np.random.RandomState(0)


@pytest.mark.parametrize("probability", [0.0, 0.1, 0.25, 0.5, 0.9, 1.0])
@pytest.mark.parametrize("n", [1, 4, 20])
def test_quantile_is_numpys(probability, n):
    values = RNG.normal(size=n)
    expected = np.quantile(values, probability, method="averaged_inverted_cdf")
    assert weighted_quantile(values, probability) == pytest.approx(expected)
    weight = RNG.randint(1, 4, size=n)
    expected = np.quantile(np.repeat(values, weight), probability, method="averaged_inverted_cdf")
    assert weighted_quantile(values, probability, weight.astype(float)) == pytest.approx(expected)


def test_conformal_p_values_by_hand():
    calibration = np.array([1.0, 2.0, 2.0, 4.0])
    p_values = conformal_p_values(np.array([0.0, 2.0, 3.0, 9.0]), calibration)
    np.testing.assert_allclose(p_values, [1.0, 4 / 5, 2 / 5, 1 / 5])
    weighted = conformal_p_values(np.array([3.0]), calibration, np.array([1.0, 1.0, 1.0, 3.0]))
    np.testing.assert_allclose(weighted, [4 / 7])


def test_view_scale():
    views = np.column_stack([np.linspace(0, 1, 101), np.zeros(101)])
    scale = ViewScale.from_training(views)
    np.testing.assert_allclose(scale.centre, [0.5, 0.0])
    np.testing.assert_allclose(scale.spread, [0.45, 0.03])
    np.testing.assert_array_equal(scale.most_alarmed(np.array([[0.95, 0.0], [0.5, 1.0]])), [0, 1])
    np.testing.assert_allclose(scale.scores(np.array([[0.95, 0.0]])), [-np.log1p(np.e)])


def test_robust_axes_are_those_of_the_bulk():
    bulk = RNG.normal(size=(450, 3)) * [3.0, 1.0, 0.3]
    X = np.vstack([bulk, RNG.normal(loc=[0, 0, 30.0], size=(50, 3))])
    axes = robust_axes(X, scale_features=False)
    # Ten per cent of far rows would turn the first axis of a plain covariance to the third feature.
    assert abs(axes.axes[0, 0]) > 0.99
    np.testing.assert_allclose(axes.axes.T @ axes.axes, np.eye(3), atol=1e-12)
    plain = np.linalg.eigh(np.cov(X.T))[1][:, -1]
    assert abs(plain[2]) > 0.99


def test_coordinates_keep_distances_also_where_axes_span_less_than_the_space():
    X = RNG.normal(size=(6, 20))
    axes = robust_axes(X, scale_features=True)
    assert not axes.complete
    new = RNG.normal(size=(5, 20))
    lengths = np.linalg.norm(axes.standardised(new), axis=1)
    np.testing.assert_allclose(np.linalg.norm(axes.coordinates(new), axis=1), lengths)
    np.testing.assert_array_equal(axes.coordinates(X)[:, -1], 0.0)


def test_weights_are_repetitions():
    X = RNG.normal(size=(30, 3))
    weight = RNG.randint(1, 4, size=30)
    weighted, repeated = robust_axes(X, True, weight.astype(float)), robust_axes(np.repeat(X, weight, axis=0), True)
    np.testing.assert_allclose(weighted.coordinates(X), repeated.coordinates(X), atol=1e-9)


@pytest.mark.parametrize(("share", "n_below"), [(0.01, 0), (0.1, 1), (0.19, 1), (0.3, 3), (0.5, 5), (1.0, 10)])
def test_threshold_has_at_most_the_share_below(share, n_below):
    values = np.random.RandomState(0).permutation(10) / 10
    assert (values < lower_tail_threshold(values, share)).sum() == n_below


def test_threshold_keeps_near_the_value_below():
    assert lower_tail_threshold(np.array([1.0, 5.0, 9.0]), 1 / 3) == pytest.approx(1.0, abs=2e-4)
    assert lower_tail_threshold(np.array([1.0, 1.0 + 1e-6, 9.0]), 1 / 3) == pytest.approx(1.0 + 0.5e-6)


def test_threshold_with_weights_and_ties():
    values, weight = np.array([1.0, 1.0, 2.0, 3.0]), np.array([1.0, 2.0, 3.0, 4.0])
    for share, expected in [(0.29, 0), (0.3, 2), (0.59, 2), (0.6, 3)]:
        assert (values < lower_tail_threshold(values, share, weight)).sum() == expected
        repeated = np.repeat(values, weight.astype(int))
        assert lower_tail_threshold(repeated, share) == pytest.approx(lower_tail_threshold(values, share, weight))


@pytest.mark.parametrize("n", [3, 10, 49, 199])
def test_a_share_is_exact_though_sums_of_weights_are_rounded(n):
    values = np.arange(float(n))
    for k in range(1, n):
        assert (values < lower_tail_threshold(values, k / n, np.full(n, 0.1))).sum() == k
