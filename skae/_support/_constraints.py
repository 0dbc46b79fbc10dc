"""Checks of parameters, with messages in the words of scikit-learn."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any, Protocol

import numpy as np

MAX_SEED = 2**32 - 1


class Constraint(Protocol):
    """What a parameter may be: a test, and a description for error messages."""

    def accepts(self, value: object) -> bool: ...

    def __str__(self) -> str: ...


@dataclass(frozen=True)
class Integer:
    """An integer of at least `low`."""

    low: int

    def accepts(self, value: object) -> bool:
        return isinstance(value, Integral) and not isinstance(value, bool) and int(value) >= self.low

    def __str__(self) -> str:
        return f"an int >= {self.low}"


@dataclass(frozen=True)
class OddInteger(Integer):
    """An odd integer of at least `low`."""

    def accepts(self, value: object) -> bool:
        return super().accepts(value) and int(value) % 2 == 1  # type: ignore[call-overload]

    def __str__(self) -> str:
        return f"an odd int >= {self.low}"


@dataclass(frozen=True)
class Float:
    """A finite real number between `low` and `high`; each bound may be open."""

    low: float = -math.inf
    high: float = math.inf
    low_open: bool = False
    high_open: bool = False

    def accepts(self, value: object) -> bool:
        if not isinstance(value, Real) or isinstance(value, bool):
            return False
        try:
            number = float(value)
        except OverflowError:  # an int beyond float64
            return False
        if not math.isfinite(number):
            return False
        above = number > self.low if self.low_open else number >= self.low
        below = number < self.high if self.high_open else number <= self.high
        return above and below

    def __str__(self) -> str:
        if math.isinf(self.high):
            return f"a float {'>' if self.low_open else '>='} {self.low:g}"
        left, right = "(" if self.low_open else "[", ")" if self.high_open else "]"
        return f"a float in {left}{self.low:g}, {self.high:g}{right}"


@dataclass(frozen=True)
class OneOf:
    """One of the given strings, or None if it is among them."""

    options: Collection[str | None]

    def accepts(self, value: object) -> bool:
        return (value is None or isinstance(value, str)) and value in self.options

    def __str__(self) -> str:
        if len(self.options) == 1:
            return repr(next(iter(self.options)))
        return "one of {" + ", ".join(repr(option) for option in self.options) + "}"


@dataclass(frozen=True)
class Boolean:
    """True or False."""

    def accepts(self, value: object) -> bool:
        return isinstance(value, bool | np.bool_)

    def __str__(self) -> str:
        return "a bool"


@dataclass(frozen=True)
class LayerSizes:
    """An integer of at least 1, or a one-dimensional array-like of them, possibly empty."""

    def accepts(self, value: object) -> bool:
        size = Integer(1)
        if size.accepts(value):
            return True
        if isinstance(value, str | bytes | bytearray) or getattr(value, "ndim", 1) != 1:
            return False
        is_array_like = isinstance(value, Sequence) or hasattr(value, "__array__")
        return is_array_like and all(size.accepts(width) for width in value)  # type: ignore[attr-defined]

    def __str__(self) -> str:
        return "an int >= 1 or an array-like of ints >= 1"


@dataclass(frozen=True)
class FeatureSelection:
    """A one-dimensional array-like of bools, of ints or of strings."""

    def accepts(self, value: object) -> bool:
        is_array_like = isinstance(value, Sequence) or hasattr(value, "__array__")
        if isinstance(value, str | bytes | bytearray) or not is_array_like:
            return False
        values = np.asarray(value, dtype=object)  # of [True, 1] NumPy would make ints
        kinds = {type(plain_number(each)) for each in values} if values.ndim == 1 else {object}
        return len(kinds) < 2 and kinds <= {bool, int, str}

    def __str__(self) -> str:
        return "an array-like of bools, ints or strs"


@dataclass(frozen=True)
class AnyCallable:
    """Anything that can be called."""

    def accepts(self, value: object) -> bool:
        return callable(value)

    def __str__(self) -> str:
        return "a callable"


@dataclass(frozen=True)
class Seed:
    """What scikit-learn's `check_random_state` takes."""

    def accepts(self, value: object) -> bool:
        whole = isinstance(value, Integral) and not isinstance(value, bool) and 0 <= int(value) <= MAX_SEED
        return whole or value is None or isinstance(value, np.random.RandomState)

    def __str__(self) -> str:
        return f"an int in [0, {MAX_SEED}], an instance of 'numpy.random.mtrand.RandomState' or None"


@dataclass(frozen=True)
class InstanceOf:
    """An instance of a type."""

    kind: type

    def accepts(self, value: object) -> bool:
        return isinstance(value, self.kind)

    def __str__(self) -> str:
        return f"a {self.kind.__name__}"


def check_parameters(owner: str, values: Mapping[str, Any], constraints: Mapping[str, tuple[Constraint, ...]]) -> None:
    """Raise ValueError for the first parameter that satisfies none of its constraints."""
    for name, alternatives in constraints.items():
        if not any(constraint.accepts(values[name]) for constraint in alternatives):
            words = " or ".join(str(constraint) for constraint in alternatives)
            raise ValueError(f"The {name!r} parameter of {owner} must be {words}. Got {values[name]!r} instead.")


def plain_number(value: Any) -> Any:
    """Convert a NumPy scalar to a Python number, because int and float mean different things."""
    return value.item() if isinstance(value, np.generic) else value


def layer_sizes(value: Any) -> Any:
    """Convert what `LayerSizes` accepts to a tuple of ints; an int is one layer, and "auto" stays "auto"."""
    if isinstance(value, str):
        return value
    return (int(value),) if isinstance(value, Integral) else tuple(int(width) for width in value)
