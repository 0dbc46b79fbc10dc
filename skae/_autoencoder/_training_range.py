r"""The range of the training rows, beyond which corrections fade out and the linear path alone is left.

Far from all training rows, nothing shows whether a correction is an improvement. The correction of a row or code of
norm r is therefore multiplied by

.. math:: h(r) = \min(1, \max(0, 2 - r / 2R)),

where R is the largest norm of the training rows or of their codes. The factor is 1 up to twice this norm, and 0 from
four times this norm.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from skae._support._torch import to_numpy


@dataclass(frozen=True)
class TrainingRange:
    """The largest norms of the standardised training rows and of their codes. With infinity nothing fades."""

    row_norm: float = math.inf
    code_norm: float = math.inf

    @classmethod
    def of(cls, norms: np.ndarray, previous: TrainingRange) -> TrainingRange:
        """The range of rows, given the norms of rows and codes as columns, extended to a previous range."""
        largest = np.maximum(norms.max(axis=0), [previous.row_norm, previous.code_norm])
        # If all rows are equal, the norm is zero; it is replaced by the smallest number.
        return cls(*np.maximum(largest, np.finfo(np.float32).tiny).tolist())

    def fade_rows(self, correction: Tensor, x: Tensor) -> Tensor:
        """The correction of the encoder for rows, faded."""
        return _faded(correction, x, self.row_norm)

    def fade_codes(self, correction: Tensor, z: Tensor) -> Tensor:
        """The correction of the decoder for codes, faded."""
        return _faded(correction, z, self.code_norm)


# The ranges that limit nothing, and that contain no row.
UNLIMITED, EMPTY = TrainingRange(), TrainingRange(0.0, 0.0)


def _faded(correction: Tensor, points: Tensor, largest: float) -> Tensor:
    if math.isinf(largest):
        return correction
    return correction * (2.0 - _norms(points) / (2.0 * largest)).clamp_(0.0, 1.0)


def norms_of_both(rows: Tensor, codes: Tensor) -> np.ndarray:
    """Euclidean norms of rows and of their codes, as columns."""
    return to_numpy(torch.cat([_norms(rows), _norms(codes)], 1).double())


def _norms(points: Tensor) -> Tensor:
    return torch.linalg.vector_norm(points, dim=1, keepdim=True)
