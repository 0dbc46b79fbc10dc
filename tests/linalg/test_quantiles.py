"""Weighted quantiles and thresholds against NumPy's, weights being repetitions."""

import numpy as np
import pytest

from skae._linalg._quantiles import lower_tail_threshold, weighted_quantile

RNG = np.random.RandomState(0)


@pytest.mark.parametrize("probability", [0.0, 0.1, 0.25, 0.5, 0.9, 1.0])
@pytest.mark.parametrize("n", [1, 4, 20])
def test_quantile_is_numpys(probability, n):
    values = RNG.normal(size=n)
    expected = np.quantile(values, probability, method="averaged_inverted_cdf")
    assert weighted_quantile(values, probability, np.ones(n)) == pytest.approx(expected)
    weight = RNG.randint(1, 4, size=n)
    expected = np.quantile(np.repeat(values, weight), probability, method="averaged_inverted_cdf")
    assert weighted_quantile(values, probability, weight.astype(float)) == pytest.approx(expected)


@pytest.mark.parametrize(("share", "n_below"), [(0.01, 0), (0.1, 1), (0.19, 1), (0.3, 3), (0.5, 5), (1.0, 10)])
def test_threshold_has_at_most_the_share_below(share, n_below):
    values = np.random.RandomState(0).permutation(10) / 10
    assert (values < lower_tail_threshold(values, share, np.ones(10))).sum() == n_below


def test_threshold_keeps_near_the_value_below():
    weight = np.ones(3)
    assert lower_tail_threshold(np.array([1.0, 5.0, 9.0]), 1 / 3, weight) == pytest.approx(1.0, abs=2e-4)
    assert lower_tail_threshold(np.array([1.0, 1.0 + 1e-6, 9.0]), 1 / 3, weight) == pytest.approx(1.0 + 0.5e-6)


def test_threshold_with_weights_and_ties():
    values, weight = np.array([1.0, 1.0, 2.0, 3.0]), np.array([1.0, 2.0, 3.0, 4.0])
    for share, expected in [(0.29, 0), (0.3, 2), (0.59, 2), (0.6, 3)]:
        assert (values < lower_tail_threshold(values, share, weight)).sum() == expected
        repeated = np.repeat(values, weight.astype(int))
        of_repeated = lower_tail_threshold(repeated, share, np.ones(10))
        assert lower_tail_threshold(values, share, weight) == pytest.approx(of_repeated)


@pytest.mark.parametrize("n", [3, 10, 49, 199])
def test_a_share_is_exact_though_sums_of_weights_are_rounded(n):
    values = np.arange(float(n))
    for k in range(1, n):
        assert (values < lower_tail_threshold(values, k / n, np.full(n, 0.1))).sum() == k
