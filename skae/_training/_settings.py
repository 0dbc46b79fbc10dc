"""The settings of a training run."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class TrainingSettings:
    """Settings of one training run, in which no value is "auto".

    `alpha` is the L2 decay, decoupled from the gradient. `max_iter`, `n_iter_no_change` and `tol` are the arguments
    `max_iter`, `patience` and `tol` of the schedule, which is `PlateauSchedule` if `decays_at_plateau`, else
    `CosineSchedule`. `validation_fraction` is the share of the rows to hold out, or 0. The result of training is kept
    if a test on these rows finds it better than the start; its `level` is by default that of one standard error. If
    `mixed_precision`, the matrix products of training are in bfloat16.
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
