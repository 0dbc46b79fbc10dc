"""Random numbers for the rows of a batch, if a process may have only some of these rows."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor


class RowGenerator(torch.Generator):
    """A generator that knows which rows of a batch this process has.

    `part` is the size of the batch and the positions of these rows in it. None means that the process has all rows.
    """

    part: tuple[int, Tensor] | None = None


def normal(x: Tensor, generator: torch.Generator) -> Tensor:
    """Standard normal numbers, one for each entry of x."""
    return _for_rows(len(x), generator, lambda n: torch.randn(n, x.shape[1], **_with(x, generator)))


def uniform(x: Tensor, generator: torch.Generator) -> Tensor:
    """Uniform numbers in [0, 1), one for each entry of x."""
    return _for_rows(len(x), generator, lambda n: torch.rand(n, x.shape[1], **_with(x, generator)))


def integers(high: int, n_rows: int, generator: torch.Generator) -> Tensor:
    """Integers below `high`, one for each row."""
    return _for_rows(
        n_rows, generator, lambda n: torch.randint(high, (n,), generator=generator, device=generator.device)
    )


def _with(x: Tensor, generator: torch.Generator) -> dict:
    return {"generator": generator, "dtype": x.dtype, "device": x.device}


def _for_rows(n_rows: int, generator: torch.Generator, draw: Callable[[int], Tensor]) -> Tensor:
    """Draw for all rows of the batch and keep the numbers of the rows that this process has.

    Processes that share a batch then draw the same numbers as a single process, and their generators stay equal.
    """
    part = getattr(generator, "part", None)
    if part is None:
        return draw(n_rows)
    size, positions = part
    return draw(size)[positions]
