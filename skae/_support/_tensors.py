"""torch tensors in, torch tensors out: between them and what scikit-learn checks."""

from __future__ import annotations

import torch
from torch import Tensor

from skae._support._torch import dtype_of, to_numpy, to_tensor

DTYPES = (torch.float32, torch.float64)


def as_array(X):
    """A tensor's values as a NumPy array, which shares the memory of one on the CPU; anything else as it is."""
    if not isinstance(X, Tensor):
        return X
    # NumPy has no bfloat16; scikit-learn makes float64 of the short floats it has.
    return to_numpy(X.double() if X.dtype == torch.bfloat16 else X)


def like(values, X):
    """`values`, an array or a tensor, as a tensor on the device of X if X is a tensor, else as an array."""
    if isinstance(X, Tensor):
        return to_tensor(values, dtype_of(values), X.device)
    return as_array(values)


def is_valid_tensor(X) -> bool:
    """Whether X is a tensor that scikit-learn's `check_array` would return as it is, found out where it lies."""
    if not isinstance(X, Tensor) or X.layout != torch.strided or X.dtype not in DTYPES or X.ndim != 2:
        return False
    # What is not finite makes the sum so; in float64 for the sake of large values in float32.
    return X.numel() > 0 and bool(X.sum(dtype=torch.float64).isfinite())
