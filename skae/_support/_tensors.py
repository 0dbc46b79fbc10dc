"""Results as torch tensors if the input is one, although scikit-learn checks arrays."""

from __future__ import annotations

import torch
from torch import Tensor

from skae._support._torch import dtype_of, to_numpy, to_tensor

DTYPES = (torch.float32, torch.float64)


def as_array(X):
    """The values of a tensor as a NumPy array, which shares memory if the tensor is on the CPU; else X itself."""
    if not isinstance(X, Tensor):
        return X
    # NumPy has no bfloat16. It becomes float64, as scikit-learn converts float16.
    return to_numpy(X.double() if X.dtype == torch.bfloat16 else X)


def like(values, X):
    """`values`, an array or a tensor, as a tensor on the device of X if X is a tensor, else as an array."""
    if isinstance(X, Tensor):
        return to_tensor(values, dtype_of(values), X.device)
    return as_array(values)


def is_valid_tensor(X) -> bool:
    """Whether X is a tensor that scikit-learn's `check_array` would accept unchanged, checked on its own device."""
    if not isinstance(X, Tensor) or X.layout != torch.strided or X.dtype not in DTYPES or X.ndim != 2:
        return False
    # An infinite or NaN entry makes the sum infinite or NaN. In float64 large float32 values do not overflow.
    return X.numel() > 0 and bool(X.sum(dtype=torch.float64).isfinite())
