"""What is made of the state of an estimator and kept for its next call."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeVar
from weakref import WeakKeyDictionary

Made = TypeVar("Made")


class MadeOnce(Generic[Made]):
    """Something made of the state of estimators, once for each and again where the state is another object.

    It is kept beside the estimators, whose own state stays arrays, and no longer than they live.
    """

    def __init__(self) -> None:
        self._made: WeakKeyDictionary[Any, tuple[Any, Made]] = WeakKeyDictionary()

    def of(self, estimator: Any, state: Any, make: Callable[[], Made]) -> Made:
        known = self._made.get(estimator)
        if known is not None and known[0] is state:
            return known[1]
        made = make()
        self._made[estimator] = state, made
        return made
