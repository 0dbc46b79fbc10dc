"""torch's thread count: lowered for small work, always put back."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import torch

_lock = threading.Lock()
_inside = threading.local()
_users = 0
_count_before = 1


def _after_fork_in_child() -> None:
    """Compute on one thread in a forked process, and forget what other threads of the parent were doing.

    OpenMP's threads do not survive a fork, and the child of a process that used them waits for them for ever.
    """
    global _lock, _users, _count_before
    _lock = threading.Lock()  # another thread may have held it
    _users = 1 if getattr(_inside, "now", False) else 0
    _count_before = 1
    torch.set_num_threads(1)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)


@contextmanager
def single_thread_if(small: bool) -> Iterator[None]:
    """Run the body on one thread if the work is `small`; the thread count is what it was afterwards.

    The count is the process' own, and bodies of several Python threads may overlap: the first to enter notes it and
    every one puts that back. Bodies within others of the same Python thread change nothing.
    """
    global _users, _count_before
    if not small or getattr(_inside, "now", False):
        yield
        return
    with _lock:
        if _users == 0:
            _count_before = torch.get_num_threads()
        _users += 1
        torch.set_num_threads(1)
    _inside.now = True
    try:
        yield
    finally:
        _inside.now = False
        with _lock:
            _users -= 1
            torch.set_num_threads(_count_before)
