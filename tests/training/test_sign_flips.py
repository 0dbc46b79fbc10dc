"""The test that says whether gains are more than chance."""

import numpy as np
import pytest
from scipy import stats

from skae._training._sign_flips import sign_flip_p_value

GAINS = np.random.RandomState(0).normal(size=400)


@pytest.mark.parametrize("deviations", [-1.0, 0.0, 1.0, 2.0])
def test_of_many_gains_of_like_size_it_is_that_of_their_standard_error(deviations):
    gains = GAINS - GAINS.mean() + deviations * stats.sem(GAINS)
    assert sign_flip_p_value(gains) == pytest.approx(stats.norm.sf(deviations), abs=0.02)


def test_of_few_gains_all_signs_are_counted():
    assert sign_flip_p_value(np.array([1.0])) == 0.5
    assert sign_flip_p_value(np.array([1.0, 2.0, 4.0])) == 1 / 8
    assert sign_flip_p_value(np.array([-1.0, 2.0, 4.0])) == 2 / 8
    assert sign_flip_p_value(np.array([-1.0, -2.0])) == 1.0


def test_one_row_that_carries_the_sum_does_not_vouch_for_it():
    carried = np.append(GAINS - GAINS.mean(), 1e6)
    assert sign_flip_p_value(carried) == pytest.approx(0.25, abs=0.03)


def test_one_row_that_gains_most_does_not_hide_that_all_gain():
    """Its gain is most of the standard error too, so that the mean is hardly more than that."""
    gains = np.append(np.abs(GAINS), 1e6)
    assert gains.mean() < 1.01 * stats.sem(gains)
    assert sign_flip_p_value(gains) < 0.01


def test_without_any_difference_there_is_no_gain():
    assert sign_flip_p_value(np.zeros(10)) == 1.0
    assert sign_flip_p_value(np.append(np.zeros(100), [1.0, 2.0, 3.0])) == 1 / 8
