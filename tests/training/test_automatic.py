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
