"""The standard error of rows that belong together."""

import numpy as np
import pytest
from scipy import stats

from skae._training._groups import standard_error_of_groups

VALUES = np.random.RandomState(0).normal(size=60)


def factor(n_groups):
    """One deviation of a Gaussian, and the same quantile of Student's t."""
    return stats.t.ppf(stats.norm.cdf(1.0), n_groups - 1)


@pytest.mark.parametrize("n_groups", [2, 5, 20])
def test_of_equal_groups_it_is_that_of_their_means(n_groups):
    groups = np.random.RandomState(1).permutation(np.arange(60) % n_groups)
    means = [VALUES[groups == group].mean() for group in range(n_groups)]
    expected = factor(n_groups) * stats.sem(means)
    assert standard_error_of_groups(VALUES, groups, None) == pytest.approx(expected)
    assert standard_error_of_groups(VALUES, 7 + 3 * groups, np.full(60, 2.5)) == pytest.approx(expected)


def test_weights_are_repetitions():
    groups, weight = np.arange(60) // 6, np.random.RandomState(2).randint(1, 4, size=60)
    repeated = standard_error_of_groups(np.repeat(VALUES, weight), np.repeat(groups, weight), None)
    assert standard_error_of_groups(VALUES, groups, weight) == pytest.approx(repeated)


def test_a_single_group_says_nothing():
    assert standard_error_of_groups(VALUES, np.full(60, 3), None) == np.inf


def test_nor_does_a_group_beside_which_the_others_hardly_count():
    groups, weight = np.repeat([0, 1], 30), np.repeat([1.0, 1e-3], 30)
    assert standard_error_of_groups(VALUES, groups, weight) > 1e3 * abs(VALUES.mean())
