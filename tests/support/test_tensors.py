"""Tensors as arrays, and which of them are passed on as they are."""

import numpy as np
import pytest
import sklearn
import torch
from fault_cases import WRONG, X, each_dtype, outcome

from skae._support._tensors import as_array, is_valid_tensor


@each_dtype
def test_arrays_share_the_memory_of_tensors(dtype):
    rows = torch.tensor(X.astype(dtype), requires_grad=True)
    assert np.shares_memory(as_array(rows), rows.detach().numpy())


@pytest.mark.parametrize("case", WRONG)
def test_valid_is_what_check_array_returns_as_it_is(case):
    rows = np.asarray(WRONG[case])
    checked, _ = outcome(sklearn.utils.check_array, rows, dtype=(np.float64, np.float32))
    # Sums of large values may overflow where the values are finite: those are looked at again.
    assert is_valid_tensor(torch.tensor(rows)) == (checked is rows and case != "too large for sums")
