"""Blocks of rows."""

import numpy as np

from skae._rows._blocks import row_blocks


def test_blocks_cover_every_row_once():
    covered = np.concatenate([np.arange(10)[rows] for rows in row_blocks(10, 3, 9)])
    np.testing.assert_array_equal(covered, np.arange(10))
