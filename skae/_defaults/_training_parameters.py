"""The training parameters of an estimator, as the user gave them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class TrainingParameters:
    """Parameters of the constructors that concern training; "auto" means that a rule decides."""

    alpha: float | str
    batch_size: int | str
    learning_rate_init: float | str
    max_iter: int | str
    n_iter_no_change: int | str
    early_stopping: bool | float | str
    dtype: str


def resolved(value: Any, rule: Callable[[], Any]) -> Any:
    """The value of a parameter or, if it is "auto", the result of its rule."""
    return rule() if isinstance(value, str) else value
