"""Rows that stand for all: one drawn from each stratum, whatever the period in which kinds of rows come."""

import numpy as np
import pytest

from skae._rows._strata import rows_by_weight, stratified_rows


def shares(kinds, n_kinds):
    return np.bincount(kinds, minlength=n_kinds) / len(kinds)


@pytest.mark.parametrize("n_rows", [0, 1, 4, 10])
def test_all_rows_where_there_are_no_more(n_rows):
    np.testing.assert_array_equal(stratified_rows(n_rows, 10), np.arange(n_rows))


def test_one_row_of_each_stratum():
    np.testing.assert_array_equal(stratified_rows(40, 10) // 4, np.arange(10))


@pytest.mark.parametrize(("n_rows", "at_most"), [(11, 10), (4097, 4096), (6144, 4096), (20_000, 10_000), (9_999, 256)])
def test_rows_are_sorted_different_and_from_everywhere(n_rows, at_most):
    chosen = stratified_rows(n_rows, at_most)
    assert len(chosen) == at_most
    assert chosen[0] >= 0
    assert chosen[-1] < n_rows
    assert (np.diff(chosen) > 0).all()
    # Where strata differ in size, their ends are as far from even steps as a random walk that must return.
    even = (np.arange(at_most) + 0.5) * n_rows / at_most
    assert np.abs(chosen - even).max() < n_rows / at_most + 2 * np.sqrt(at_most)


# With 1.5 rows per stratum, strata of one row and of two in turns would favour one kind of three.
@pytest.mark.parametrize("n_rows", [6144, 8192, 10_240, 12_288, 16_384, 20_000, 65_536])
@pytest.mark.parametrize("n_kinds", [2, 3, 4, 5])
def test_kinds_that_come_in_turns_have_their_shares(n_rows, n_kinds):
    found = shares(stratified_rows(n_rows, 4096) % n_kinds, n_kinds)
    # Four standard errors of a share of 4,096 independent rows.
    np.testing.assert_allclose(found, 1 / n_kinds, atol=4 * np.sqrt((1 - 1 / n_kinds) / n_kinds / 4096))


def test_draws_are_the_same_in_every_call():
    np.testing.assert_array_equal(stratified_rows(1000, 100), stratified_rows(1000, 100))


def test_as_often_as_they_weigh():
    weight = np.array([0.0, 1.0, 0.0, 2.0, 0.5, 0.5, 0.0])
    chosen = rows_by_weight(np.repeat(weight, 1000))
    assert len(chosen) == 7000
    assert (np.diff(chosen) >= 0).all()
    np.testing.assert_allclose(shares(chosen // 1000, 7), weight / 4, atol=1e-3)


def test_equal_weights_take_each_row_once():
    np.testing.assert_array_equal(rows_by_weight(np.full(1000, 0.3)), np.arange(1000))


def test_weights_that_come_in_turns():
    found = shares(rows_by_weight(np.tile([1.0, 9.0], 1000)) % 2, 2)
    # Four standard errors of a share of .1 of 2,000 rows.
    np.testing.assert_allclose(found, [0.1, 0.9], atol=4 * np.sqrt(0.1 * 0.9 / 2000))
