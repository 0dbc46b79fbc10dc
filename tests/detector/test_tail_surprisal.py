"""Surprisals by hand: shares of calibration values, what lies beyond them, and each value without itself."""

import numpy as np
import pytest

from skae._detector._tail_surprisal import (
    MAX_KNOTS,
    MIN_TAIL_UNIT,
    TailSurprisal,
    _table,
    cross_fitted_surprisals,
    mean_of_two_highest,
)


def surprisal(values, weight=None):
    values = np.asarray(values, float)
    return TailSurprisal.of(values, np.ones(len(values)) if weight is None else np.asarray(weight, float))


class TestTailSurprisal:
    def test_shares_by_hand(self):
        tail = surprisal([1.0, 2.0, 3.0, 4.0])
        np.testing.assert_allclose(tail(np.array([1.0, 2.0, 3.0, 4.0])), -np.log([4 / 5, 3 / 5, 2 / 5, 1 / 5]))
        # Between two values half way, below all as the lowest.
        np.testing.assert_allclose(tail(np.array([2.5, 0.0])), -np.log([np.sqrt(3 * 2) / 5, 4 / 5]))

    @pytest.mark.parametrize(
        ("n_values", "unit"),
        [
            (200, 10.5),  # a tenth are the values from 181 on, on average 10.5 above 180
            (40, 5.5),  # the ten highest
            (12, 3.5),  # half of them
        ],
    )
    def test_beyond_the_highest_in_units_of_the_mean_excess(self, n_values, unit):
        tail = surprisal(np.arange(1.0, n_values + 1.0))
        assert tail.unit == pytest.approx(unit)
        np.testing.assert_allclose(tail(np.array([n_values + 6.0])), np.log(n_values + 1) + 6.0 / unit)

    def test_the_unit_of_an_exponential_tail_is_its_scale(self):
        values = np.random.RandomState(0).exponential(3.0, size=20_000)
        tail = surprisal(values)
        assert tail.unit == pytest.approx(3.0, rel=0.1)  # two standard errors of 2,000 excesses are a twentieth
        # Of an exponential distribution the surprisal is the value, in its scale.
        np.testing.assert_allclose(tail(np.array([3.0, 6.0, 60.0])), [1.0, 2.0, 20.0], rtol=0.1)

    def test_equal_values_share_their_places(self):
        """Of three equal ones a new one is as likely to be any: the middle one counts."""
        tail = surprisal([1.0, 2.0, 2.0, 2.0])
        np.testing.assert_allclose(tail(np.array([1.0, 2.0])), -np.log([4 / 5, 2 / 5]))

    def test_weights_are_repetitions(self):
        rng = np.random.RandomState(0)
        values, weight, at = rng.normal(size=50), rng.randint(1, 4, size=50), np.linspace(-3, 5, 40)
        np.testing.assert_allclose(surprisal(values, weight)(at), surprisal(np.repeat(values, weight))(at))

    def test_constant_values(self):
        tail = surprisal(np.full(9, 2.0))
        np.testing.assert_allclose(tail(np.array([1.0, 2.0])), -np.log(5 / 10))
        np.testing.assert_allclose(tail(np.array([2.5])), -np.log(5 / 10) + 0.5 / MIN_TAIL_UNIT)

    def test_few_knots_say_what_all_say(self):
        values, at = np.random.RandomState(0).normal(size=5000), np.linspace(-4, 6, 200)
        tail = surprisal(values)
        assert len(tail.knots) <= MAX_KNOTS
        knots, _, _, surprisals, unit = _table(values, np.ones(5000))
        every = np.interp(at, knots, surprisals) + np.clip(at - knots[-1], 0, None) / unit
        # The surprisals of neighbouring knots differ by this much, except in the very tail.
        np.testing.assert_allclose(tail(at), every, atol=np.log(5001) / MAX_KNOTS * 1.01)

    def test_is_monotone_and_not_negative(self):
        tail = surprisal(np.random.RandomState(0).randint(5, size=100))
        found = tail(np.linspace(-2, 9, 100))
        assert (np.diff(found) >= 0).all()
        assert (found >= 0).all()


class TestLeftOut:
    def test_by_hand(self):
        """Each value by the table of the others, whose shares are those of four values still."""
        shares = -np.log([4 / 5, 3 / 5, 2 / 5, 1 / 5])
        [lowest, second, third, highest] = cross_fitted_surprisals(np.array([[1.0], [2.0], [4.0], [5.0]]), np.ones(4))[
            :, 0
        ]
        assert lowest == pytest.approx(shares[0])
        assert second == pytest.approx(shares[0] + 1 / 3 * (shares[2] - shares[0]))
        assert third == pytest.approx(shares[1] + 2 / 3 * (shares[3] - shares[1]))
        # Beyond the highest of the others: the tail are 4 and 5, on average 2.5 above 2.
        assert highest == pytest.approx(shares[3] + 1.0 / 2.5)

    def test_values_that_others_share_stay(self):
        values, weight = np.array([[1.0], [2.0], [2.0], [3.0]]), np.ones(4)
        np.testing.assert_allclose(
            cross_fitted_surprisals(values, weight)[1:3], surprisal(values[:, 0])(np.array([[2.0], [2.0]]))
        )

    def test_columns_do_not_mix(self):
        values = np.random.RandomState(0).normal(size=(30, 3))
        together = cross_fitted_surprisals(values, np.ones(30))
        for column in range(3):
            np.testing.assert_array_equal(
                together[:, [column]], cross_fitted_surprisals(values[:, [column]], np.ones(30))
            )

    @pytest.mark.parametrize("n_values", [1, 2, 3, 500])
    def test_new_values_are_as_surprising(self, n_values):
        values = np.random.RandomState(0).normal(size=(n_values, 1))
        found = cross_fitted_surprisals(values, np.ones(n_values))
        assert np.isfinite(found).all()
        if n_values == 500:
            new = surprisal(values[:, 0])(np.random.RandomState(1).normal(size=5000))
            # Three standard errors of the quantiles of 500 values.
            assert np.mean(new > np.quantile(found, 0.95)) == pytest.approx(0.05, abs=3 * np.sqrt(0.05 * 0.95 / 500))
            assert np.mean(new > np.quantile(found, 0.5)) == pytest.approx(0.5, abs=3 * np.sqrt(0.25 / 500))

    def test_groups_are_left_out_together(self):
        values = np.array([[1.0], [2.0], [10.0], [11.0]])
        found = cross_fitted_surprisals(values, np.ones(4), np.array([3, 3, 8, 8]))
        np.testing.assert_allclose(found[2:, 0], surprisal(values[:2, 0])(values[2:, 0]))
        np.testing.assert_allclose(found[:2, 0], surprisal(values[2:, 0])(values[:2, 0]))


def test_mean_of_two_highest():
    np.testing.assert_allclose(mean_of_two_highest(np.array([[1.0, 5.0, 3.0], [2.0, 0.0, 2.0]])), [4.0, 2.0])
    np.testing.assert_allclose(mean_of_two_highest(np.array([[1.0], [5.0]])), [1.0, 5.0])
