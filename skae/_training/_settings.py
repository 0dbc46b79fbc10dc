"""What training needs to know."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class TrainingSettings:
    """Settings of one training run, every "auto" resolved.

    `alpha` is the L2 decay, in AdamW decoupled from the gradient and added to it in the other solvers; an epoch counts
    as a gain when it lowers the loss by the share `tol`.
    """

    solver: str
    alpha: float
    batch_size: int
    learning_rate_init: float
    max_iter: int
    n_iter_no_change: int
    tol: float = 1e-4
