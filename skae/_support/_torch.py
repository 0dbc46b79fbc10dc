"""Conversions between NumPy and torch; devices, dtypes and generators."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import numpy as np
import torch

from skae._support._draws import RowGenerator

# Up to this many rows, float64 takes hardly longer than float32, and rounding errors are too small to be noticed.
FLOAT64_MAX_ROWS = 256


def resolve_device(device: str) -> torch.device:
    """The torch device for `device`; "auto" is CUDA if available, else the CPU.

    Raises ValueError for MPS: it has no float64, which scores and codes in the units of X need.
    """
    if device.partition(":")[0] == "mps":
        raise ValueError(
            "The 'device' parameter cannot be 'mps', which has no float64. Use 'cpu' instead. See "
            "docs/guide_large_data.md."
        )
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        resolved = torch.device(device)
        torch.empty(0, device=resolved).cpu()  # raises for "meta", whose tensors have no values
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise ValueError(
            f"The 'device' parameter must be 'auto' or a torch device that is available here. Got {device!r} instead. "
            "See docs/guide_large_data.md."
        ) from error
    return resolved


def resolve_dtype(dtype: str, n_rows: int) -> torch.dtype:
    """The dtype to compute in; "auto" is float64 for at most 256 rows and float32 beyond.

    "bfloat16" gives float32 as well: only the matrix products of training are in lower precision.
    """
    if dtype == "auto":
        return torch.float64 if n_rows <= FLOAT64_MAX_ROWS else torch.float32
    return torch.float64 if dtype == "float64" else torch.float32


def to_tensor(array: np.ndarray | torch.Tensor, dtype: torch.dtype, device: torch.device) -> torch.Tensor:
    """A tensor with the values of `array`; shares memory where dtype, layout and device allow."""
    if isinstance(array, torch.Tensor):
        return array.to(device=device, dtype=dtype)
    # torch supports neither foreign byte order nor negative strides, not even along an axis of length one, and it warns
    # about read-only arrays.
    if not (array.flags.carray and array.dtype.isnative) or min(array.strides, default=0) < 0:
        array = np.array(array, dtype=array.dtype.newbyteorder("="), order="C")
    tensor = torch.from_numpy(array)
    # Without need, `to` would take as long as all the lines above.
    return tensor if tensor.dtype == dtype and device.type == "cpu" else tensor.to(device=device, dtype=dtype)


def to_numpy(tensor: torch.Tensor) -> np.ndarray:
    """The values of `tensor` as a NumPy array in main memory."""
    return tensor.numpy(force=True)


@contextmanager
def no_autocast() -> Iterator[None]:
    """Run the body in the precision of its tensors, even if the caller of skae uses `torch.autocast`."""
    with ExitStack() as stack:
        for kind in ("cpu", "cuda"):
            if torch.is_autocast_enabled(kind):
                stack.enter_context(torch.autocast(kind, enabled=False))
        yield


def make_generator(random_state: np.random.RandomState, device: torch.device) -> RowGenerator:
    """A new generator, so that the global generators of torch and NumPy are not used."""
    generator = RowGenerator(device=device)
    generator.manual_seed(int(random_state.randint(np.iinfo(np.int32).max)))
    return generator


def dtype_of(array) -> torch.dtype:
    """The torch dtype of an array or a tensor."""
    if isinstance(array, torch.Tensor):
        return array.dtype
    return torch.from_numpy(np.empty(0, dtype=array.dtype)).dtype
