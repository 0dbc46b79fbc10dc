"""Standardised rows in batches, and centred in the precision that large means need."""

import numpy as np
import pytest
import torch

from skae._rows._row_source import RowSource

X = np.random.RandomState(0).normal(loc=3.0, size=(45, 2))


def standardised(X):
    return RowSource(X).standardised(np.zeros(2), np.ones(2), torch.float64, torch.device("cpu"))


@pytest.mark.parametrize("batch_size", [1, 4, 7, 44, 45, 100])
def test_batches_hold_every_row_once_and_none_a_single_one(batch_size):
    batches = list(standardised(X).batches(np.arange(45), batch_size))
    np.testing.assert_array_equal(np.concatenate([rows for rows, _ in batches]), np.arange(45))
    np.testing.assert_array_equal(torch.cat([x for _, x in batches]), X)
    if batch_size > 1:
        assert min(len(rows) for rows, _ in batches) > 1
    assert max(len(rows) for rows, _ in batches) < 2 * max(batch_size, 2)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_rows_are_centred_before_they_are_rounded(dtype):
    far = (X + 1e6).astype(dtype)
    mean, scale = far.mean(axis=0, dtype=np.float64), far.std(axis=0, dtype=np.float64)
    rows = RowSource(far).standardised(mean, scale, torch.float32, torch.device("cpu")).take(slice(None))
    expected = (far.astype(np.float64) - mean) / scale
    # The mean of float32 rows is rounded as they are: by a sixteenth here.
    np.testing.assert_allclose(rows, expected, atol=1e-6 if dtype == np.float64 else 0.07)
