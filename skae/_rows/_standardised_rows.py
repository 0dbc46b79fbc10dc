"""Rows of X, standardised and moved to the device in blocks."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor

from skae._rows._blocks import WINDOW_ELEMENTS
from skae._support._tensors import like
from skae._support._torch import to_tensor

# 1 million numbers: a block of standardised rows fits into the outer cache of the CPU.
STANDARDISED_ELEMENTS = 1 << 20


class StandardisedRows:
    """Rows of a `RowSource` as ``(X - mean) / scale``. X is never copied as a whole.

    Parameters
    ----------
    source : RowSource
        Rows of a tensor are standardised on its device.
    mean, scale : ndarray of shape (n_features,)
    dtype : torch.dtype
    device : torch.device
    """

    def __init__(
        self, source: Any, mean: np.ndarray, scale: np.ndarray, dtype: torch.dtype, device: torch.device
    ) -> None:
        self.source, self._dtype, self._device = source, dtype, device
        # float32 rows are centred in float32: the mean has no larger rounding error than the rows.
        in_float32 = source.dtype.itemsize == 4 and dtype == torch.float32 and float32_holds(mean, scale)
        mean, scale = (array.astype(np.float32 if in_float32 else np.float64) for array in (mean, scale))
        self._mean, self._scale = like(mean, source.local), like(scale, source.local)

    def __len__(self) -> int:
        return self.source.n_rows

    def take(self, rows: np.ndarray | slice) -> Tensor:
        """The given rows."""
        return self._standardised(self.source.take(rows))

    def blocks(self) -> Iterator[tuple[slice, Tensor]]:
        """The rows of this process as blocks, in order, with their indices."""
        for rows, block in self.source.blocks(STANDARDISED_ELEMENTS):
            yield rows, self._standardised(block)

    @cached_property
    def norms(self) -> np.ndarray:
        """The root mean square of the observed entries of each row; 0 if there are none."""
        norms = np.zeros(len(self), dtype=np.float32)
        for part, x in self.blocks():
            norms[part] = torch.nan_to_num(x.square_().nanmean(1)).sqrt_().cpu().numpy()
        return self.source.total(norms)

    def shuffled(self, rows: np.ndarray, random_state: np.random.RandomState) -> np.ndarray:
        """The rows, given by sorted indices, in random order."""
        return self.source.shuffled(rows, random_state)

    def batches(self, order: np.ndarray, batch_size: int) -> Iterator[tuple[np.ndarray, Tensor]]:
        """The rows of `order` in batches of about `batch_size` rows, as equal as possible."""
        elements = WINDOW_ELEMENTS if self.source.is_large_file else STANDARDISED_ELEMENTS
        batches_at_once = max(1, elements // (batch_size * self.source.n_features))
        indices = split_evenly(order, batch_size)
        for first in range(0, len(indices), batches_at_once):
            group = indices[first : first + batches_at_once]
            block = self._standardised(self.source.gathered(np.concatenate(group)))
            yield from zip(group, block.split([len(batch) for batch in group]), strict=True)

    @np.errstate(over="ignore", invalid="ignore", divide="ignore")
    def _standardised(self, block) -> Tensor:
        """Centre and scale, then cast: with large means, lower precision would round away differences between rows."""
        block = block - self._mean
        block /= self._scale
        return to_tensor(block, self._dtype, self._device)


def split_evenly(array: np.ndarray, batch_size: int) -> list[np.ndarray]:
    """Split into parts of about `batch_size`, as equal as possible."""
    return np.array_split(array, n_batches(len(array), batch_size))


def n_batches(n_rows: int, batch_size: int) -> int:
    """The number of batches of at least `batch_size` rows, as `split_evenly` makes them."""
    return max(1, n_rows // batch_size)


def float32_holds(mean: np.ndarray, scale: np.ndarray) -> bool:
    """Whether both are within float32's range."""
    limits = np.finfo(np.float32)
    return bool(scale.min() >= limits.tiny and max(np.abs(mean).max(), scale.max()) <= limits.max)
