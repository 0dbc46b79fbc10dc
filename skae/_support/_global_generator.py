"""torch's global generator, for modules whose layers draw their weights from it and from no other."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import torch

# Reentrant: what draws from it may itself fit an estimator whose network does.
_lock = threading.RLock()


def _after_fork_in_child() -> None:
    global _lock
    _lock = threading.RLock()  # another thread of the parent may have held it


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)


@contextmanager
def global_generator_seeded_from(generator: torch.Generator) -> Iterator[None]:
    """Run the body with torch's global generator of the CPU seeded from ours; then it is where it was.

    The generator is the process' own. Bodies of several threads take turns, but code that does not come here may draw
    from it at the same time: it then draws numbers of ours, and the body's are not those the seed alone would give.
    Generators of GPUs are left alone: what is drawn there does not follow from `generator`.
    """
    seed = int(torch.randint(2**62, (), generator=generator, device=generator.device))
    with _lock, torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        yield
