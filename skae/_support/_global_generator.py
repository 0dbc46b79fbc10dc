"""torch's global generator, from which the layers of torch modules draw their weights."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import torch

# Reentrant, because the body may itself fit an estimator with a network that draws from the global generator.
_lock = threading.RLock()


def _after_fork_in_child() -> None:
    global _lock
    _lock = threading.RLock()  # another thread of the parent may have held it


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)


@contextmanager
def global_generator_seeded_from(generator: torch.Generator) -> Iterator[None]:
    """Run the body with torch's global CPU generator seeded from `generator`, and restore its state afterwards.

    All threads of the process share the global generator. Bodies of several threads take turns. Other code that draws
    from it at the same time gets numbers of the body, and the body does then not get those that the seed determines.
    The generators of GPUs are not seeded: what is drawn there does not depend on `generator`.
    """
    seed = int(torch.randint(2**62, (), generator=generator, device=generator.device))
    with _lock, torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        yield
