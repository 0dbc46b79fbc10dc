"""What training needs to know."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class TrainingSettings:
    """Settings of one training run, every "auto" resolved.

    `alpha` is the L2 decay, decoupled from the gradient. `max_iter`, `n_iter_no_change` (there: `patience`) and `tol`
    are those of the schedule: `PlateauSchedule` if `decays_at_plateau`, else `CosineSchedule`. `validation_fraction` is
    the share of the rows to hold out, 0 for none. What was trained is kept if a test of `level`, by default that of one
    standard error, finds it better than the start on them. With `mixed_precision` the products of training are in
    bfloat16.
    """

    alpha: float
    batch_size: int
    learning_rate_init: float
    max_iter: int
    n_iter_no_change: int
    validation_fraction: float = 0.0
    level: float = 0.16
    mixed_precision: bool = False
    decays_at_plateau: bool = False
    tol: float = 1e-4
