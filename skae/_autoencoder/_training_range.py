r"""Corrections beyond the training rows: they fade out, and the linear path alone is left.

Where no row was seen, nothing tells whether a correction is one. A row, or a code, whose norm r is beyond the norm R
that the training rows reach gets its correction times

.. math:: h(r) = \min(1, \max(0, 1 - 10\, (r / R - 1))).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from skae._support._torch import to_numpy

# The range ends at the row with the fifth largest norm, or nearer to the largest one of few rows: beyond it lie single
# rows, which say nothing of others as far out in other directions.
RANK = 5
# Over this share of the norm beyond it corrections fade.
FADING_SHARE = 0.1


@dataclass(frozen=True)
class TrainingRange:
    """The norms that the training rows, standardised, reach, and their codes; infinite: nothing is beyond."""

    row_norm: float = math.inf
    code_norm: float = math.inf

    @classmethod
    def of(cls, norms: np.ndarray, previous: TrainingRange) -> TrainingRange:
        """Given the norms of all rows and codes, as columns."""
        rank = min(RANK, math.ceil(len(norms) / 100))
        reach = np.maximum(np.partition(norms, -rank, axis=0)[-rank], [previous.row_norm, previous.code_norm])
        # Where all rows are alike the smallest number stands for zero.
        return cls(*np.maximum(reach, np.finfo(np.float32).tiny).tolist())

    def fade_rows(self, correction: Tensor, x: Tensor) -> Tensor:
        """What is left of the encoder's correction of rows."""
        return _faded(correction, x, self.row_norm)

    def fade_codes(self, correction: Tensor, z: Tensor) -> Tensor:
        """What is left of the decoder's correction of codes."""
        return _faded(correction, z, self.code_norm)

    def to_state(self) -> dict[str, Any]:
        """What a file keeps; `from_state` is ``TrainingRange(**state)``."""
        return {"row_norm": float(self.row_norm), "code_norm": float(self.code_norm)}


def _faded(correction: Tensor, points: Tensor, reach: float) -> Tensor:
    if math.isinf(reach):
        return correction
    excess = _norms(points) / reach - 1.0
    return correction * (1.0 - excess / FADING_SHARE).clamp_(0.0, 1.0)


def norms_of_both(rows: Tensor, codes: Tensor) -> np.ndarray:
    """Euclidean norms of rows and of their codes, as columns."""
    return to_numpy(torch.cat([_norms(rows), _norms(codes)], 1).double())


def _norms(points: Tensor) -> Tensor:
    return torch.linalg.vector_norm(points, dim=1, keepdim=True)
