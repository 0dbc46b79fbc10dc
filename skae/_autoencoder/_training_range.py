r"""Corrections beyond the training rows: they fade out, and the linear path alone is left.

Where no row was seen, nothing tells whether a correction is one. A row, or a code, whose norm r is beyond the largest
norm R met in training gets its correction times

.. math:: h(r) = \min(1, \max(0, 1 - 10\, (r / R - 1))).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

# Over this share of the largest norm corrections fade.
FADING_SHARE = 0.1


@dataclass(frozen=True)
class TrainingRange:
    """The largest norms of the training rows, standardised, and of their codes; infinite: nothing is beyond."""

    row_norm: float = math.inf
    code_norm: float = math.inf

    def fade_rows(self, correction: Tensor, x: Tensor) -> Tensor:
        """What is left of the encoder's correction of rows."""
        return _faded(correction, x, self.row_norm)

    def fade_codes(self, correction: Tensor, z: Tensor) -> Tensor:
        """What is left of the decoder's correction of codes."""
        return _faded(correction, z, self.code_norm)

    def to_state(self) -> dict[str, Any]:
        """What a file keeps; `from_state` is ``TrainingRange(**state)``."""
        return {"row_norm": float(self.row_norm), "code_norm": float(self.code_norm)}


def _faded(correction: Tensor, points: Tensor, largest: float) -> Tensor:
    if math.isinf(largest):
        return correction
    excess = norms(points) / largest - 1.0
    return correction * (1.0 - excess / FADING_SHARE).clamp_(0.0, 1.0)


def norms(points: Tensor) -> Tensor:
    """Euclidean norms, shape (n_points, 1)."""
    return torch.linalg.vector_norm(points, dim=1, keepdim=True)
