"""Rows held out: those that a seed has always drawn, in indices of four bytes, and no duplicates on both sides."""

import numpy as np
import pytest
import torch

from skae._rows._hold_out import hold_out_fraction, split_rows
from skae._rows._row_source import RowSource
from skae._rows._training_rows import TrainingRows


def split(X, fraction, seed=0):
    rows = TrainingRows(RowSource(X), None, torch.float64, torch.device("cpu"))
    return split_rows(rows, fraction, np.random.RandomState(seed))


def different_rows(n_rows):
    return np.arange(float(n_rows))[:, np.newaxis]


@pytest.mark.parametrize(("n_rows", "share"), [(19, 0.25), (400, 0.25), (1000, 0.1), (2001, 0.05), (1_000_000, 0.002)])
def test_a_hundred_rows_or_a_twentieth_of_them(n_rows, share):
    assert hold_out_fraction(n_rows) == pytest.approx(share, rel=1e-3)


def test_a_random_part_of_the_rows():
    train, held_out = split(different_rows(1000), 0.2, seed=3)
    order = np.random.RandomState(3).permutation(1000)
    np.testing.assert_array_equal(held_out, np.sort(order[:200]))
    np.testing.assert_array_equal(train, np.sort(order[200:]))
    assert train.dtype == held_out.dtype == np.int32


def test_none_on_request():
    train, held_out = split(different_rows(10), 0.0)
    np.testing.assert_array_equal(train, np.arange(10))
    assert held_out is None


def test_neither_part_is_empty():
    for fraction in (0.001, 0.999):
        assert min(len(part) for part in split(different_rows(5), fraction)) == 1


def test_duplicates_are_not_on_both_sides():
    first = np.arange(60)
    first[[1, 2, 7]], first[40], first[50] = 0, 30, 30
    X = different_rows(60)[first]
    n_distinct = len(np.unique(first))
    for seed in range(20):
        train, held_out = split(X, 0.4, seed)
        assert len(held_out) == round(0.4 * n_distinct)
        assert not set(first[train]) & set(first[held_out])
        np.testing.assert_array_equal(first[held_out], held_out)
        assert set(first[train]) | set(held_out) == set(first)


def test_rows_that_are_all_alike_are_divided_all_the_same():
    """As many as that are no duplicates, but a state that new rows will be in."""
    assert [len(part) for part in split(np.ones((10, 1)), 0.2)] == [8, 2]
