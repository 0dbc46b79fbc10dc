"""Blocks of rows, and rows that stand for all."""

import numpy as np

from skae._rows._blocks import row_blocks, spread_rows


def test_blocks_cover_every_row_once():
    covered = np.concatenate([np.arange(10)[rows] for rows in row_blocks(10, 3, 9)])
    np.testing.assert_array_equal(covered, np.arange(10))


def test_spread_rows_reach_from_the_first_to_the_last():
    np.testing.assert_array_equal(spread_rows(9, 3), [0, 4, 8])
    np.testing.assert_array_equal(spread_rows(4, 10), np.arange(4))
