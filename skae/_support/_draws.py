"""Random numbers for the rows of a batch, of which a process may hold only a part."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor


class RowGenerator(torch.Generator):
    """A generator that knows which rows of a batch are at hand.

    `part` holds the size of the batch and the positions of those rows in it; None says that they are all of it.
    """

    part: tuple[int, Tensor] | None = None


def normal(x: Tensor, generator: torch.Generator) -> Tensor:
    """Standard normal numbers, one for each entry of some rows."""
    return _for_rows(len(x), generator, lambda n: torch.randn(n, x.shape[1], **_with(x, generator)))


def uniform(x: Tensor, generator: torch.Generator) -> Tensor:
    """Uniform numbers in [0, 1), one for each entry of some rows."""
    return _for_rows(len(x), generator, lambda n: torch.rand(n, x.shape[1], **_with(x, generator)))


def integers(high: int, n_rows: int, generator: torch.Generator) -> Tensor:
    """Integers below `high`, one for each row."""
    return _for_rows(
        n_rows, generator, lambda n: torch.randint(high, (n,), generator=generator, device=generator.device)
    )


def _with(x: Tensor, generator: torch.Generator) -> dict:
    return {"generator": generator, "dtype": x.dtype, "device": x.device}


def _for_rows(n_rows: int, generator: torch.Generator, draw: Callable[[int], Tensor]) -> Tensor:
    """Draw for a whole batch and keep the numbers of the rows at hand.

    So processes that share a batch draw what one would, and their generators keep pace.
    """
    part = getattr(generator, "part", None)
    if part is None:
        return draw(n_rows)
    size, positions = part
    return draw(size)[positions]
