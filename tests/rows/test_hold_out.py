"""Rows held out: drawn within strata, in indices of four bytes, with no duplicates or groups on both sides."""

import numpy as np
import pytest
import torch

from skae._rows._hold_out import MAX_HOLD_OUT_ROWS, draw_groups, hold_out_fraction, split_rows
from skae._rows._row_source import RowSource
from skae._rows._training_rows import TrainingRows


def split(X, fraction, seed=0, groups=None):
    rows = TrainingRows(RowSource(X), None, torch.float64, torch.device("cpu"), groups=groups)
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


def test_extreme_rows_are_on_both_sides():
    rows = TrainingRows(RowSource(different_rows(1000)), None, torch.float64, torch.device("cpu"))
    norms = np.random.RandomState(0).permutation(1000) ** 4.0
    for seed in range(20):
        train, held_out = split_rows(rows, 0.1, np.random.RandomState(seed), norms)
        rank = np.argsort(np.argsort(norms))
        np.testing.assert_array_equal(np.sort(rank[held_out]) // 10, np.arange(100))
        assert not set(train) & set(held_out)


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


class TestGroups:
    @pytest.mark.parametrize(
        ("n_groups", "n_held_out"), [(2, 1), (3, 1), (4, 2), (5, 2), (6, 3), (8, 3), (20, 5), (400, 100)]
    )
    def test_a_share_of_them_is_held_out_whole(self, n_groups, n_held_out):
        groups = np.random.RandomState(0).permutation(np.repeat(np.arange(n_groups), 4))
        # Rows that are equal in different groups are no duplicates.
        train, held_out = split(np.ones((4 * n_groups, 1)), 0.25, groups=groups)
        assert len(np.unique(groups[held_out])) == n_held_out
        assert not set(groups[train]) & set(groups[held_out])
        np.testing.assert_array_equal(np.sort(np.concatenate([train, held_out])), np.arange(4 * n_groups))
        assert (np.diff(train) > 0).all()
        assert (np.diff(held_out) > 0).all()

    @pytest.mark.parametrize("fraction", [0.01, 0.25, 0.5, 0.99])
    def test_neither_part_is_empty(self, fraction):
        for n_groups in (2, 3, 5):
            is_held_out = draw_groups(np.repeat(np.arange(n_groups), 3), fraction, np.random.RandomState(0))
            assert 0 < is_held_out.sum() < n_groups

    def test_a_large_group_is_trained_on(self):
        """Held out, it would leave little to train on."""
        groups = np.repeat(np.arange(4), [30, 4, 4, 4])
        for seed in range(20):
            assert not draw_groups(groups, 0.5, np.random.RandomState(seed))[0]

    def test_of_many_rows_some_are_held_out(self):
        groups = np.repeat(np.arange(4), 3000)
        train, held_out = split(different_rows(12_000), 0.5, groups=groups)
        assert len(held_out) == MAX_HOLD_OUT_ROWS
        assert len(train) == 6000
        assert len(np.unique(groups[held_out])) == 2

    def test_rows_of_one_group_are_divided_as_others(self):
        X = different_rows(40)
        for ours, other in zip(split(X, 0.25, groups=np.zeros(40, int)), split(X, 0.25), strict=True):
            np.testing.assert_array_equal(ours, other)
