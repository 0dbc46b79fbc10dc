"""The hold-out: the rows a seed has always drawn, in indices of four bytes."""

import numpy as np

from skae._training._automatic import hold_out


def test_hold_out_is_a_random_part_of_the_rows():
    train, held_out = hold_out(1000, 0.2, np.random.RandomState(3))
    order = np.random.RandomState(3).permutation(1000)
    np.testing.assert_array_equal(held_out, np.sort(order[:200]))
    np.testing.assert_array_equal(train, np.sort(order[200:]))
    assert train.dtype == held_out.dtype == np.int32


def test_neither_part_is_empty():
    for fraction in (0.001, 0.999):
        assert min(len(part) for part in hold_out(5, fraction, np.random.RandomState(0))) == 1


def test_copies_are_not_on_both_sides():
    copy_of = np.array([0, 1, 0, 3, 1, 5, 6, 0, 8, 9])
    for seed in range(20):
        train, held_out = hold_out(10, 0.4, np.random.RandomState(seed), copy_of)
        assert len(held_out) == round(0.4 * 7)
        assert not set(copy_of[train]) & set(copy_of[held_out])
        np.testing.assert_array_equal(copy_of[held_out], held_out)
        assert set(copy_of[train]) | set(held_out) == set(copy_of)


def test_rows_that_are_all_alike_are_divided_all_the_same():
    assert [len(part) for part in hold_out(10, 0.2, np.random.RandomState(0), np.zeros(10, int))] == [8, 2]
