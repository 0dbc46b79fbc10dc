"""NumPy arrays become tensors whatever their memory looks like."""

import numpy as np
import pytest
import torch

from skae._support._torch import resolve_device, resolve_dtype, to_tensor

ARRAY = np.arange(6.0).reshape(2, 3)
READ_ONLY = ARRAY.copy()
READ_ONLY.flags.writeable = False


@pytest.mark.parametrize(
    "array",
    [ARRAY[::-1], ARRAY[:, ::-1], ARRAY[:1, :1][:, ::-1], ARRAY.T, ARRAY.astype(">f8"), READ_ONLY, ARRAY[:0]],
    ids=["rows reversed", "columns reversed", "one entry reversed", "transposed", "big-endian", "read-only", "empty"],
)
def test_values_survive(array):
    tensor = to_tensor(array, torch.float64, torch.device("cpu"))
    np.testing.assert_array_equal(tensor.numpy(), array)


def test_memory_is_shared_where_it_can_be():
    array = ARRAY.copy()
    to_tensor(array, torch.float64, torch.device("cpu"))[0, 0] = 7.0
    assert array[0, 0] == 7.0


@pytest.mark.parametrize(
    ("device", "words"),
    [("mps", "no float64"), ("mps:0", "Use 'cpu' instead"), ("abacus", "available here"), ("meta", "available here")],
)
def test_devices_that_will_not_do(device, words):
    with pytest.raises(ValueError, match=f"The 'device' parameter .*{words}"):
        resolve_device(device)


def test_few_rows_are_computed_in_float64():
    assert [resolve_dtype("auto", n_rows) for n_rows in (256, 257)] == [torch.float64, torch.float32]
