"""How many threads compute: one for all but large products of matrices, and Python threads that share blocks of rows.

Two threads within a product wait for each other many times a millisecond: beside other busy processes that makes them
up to 40 times slower than one. Threads that share blocks wait once, in the end.
"""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache
from typing import Any

import torch
from threadpoolctl import ThreadpoolController  # scikit-learn depends on it

_lock = threading.Lock()
# Threads that compute on one thread each, made when first needed.
_pool: ThreadPoolExecutor | None = None
# Held by the body that limits the threads of NumPy's BLAS, which are the process's.
_blas_lock = threading.Lock()
# Of this Python thread: the count to put back, while it runs a body on one thread.
_own = threading.local()


def _after_fork_in_child() -> None:
    """Compute on one thread in a forked process.

    OpenMP's threads do not survive a fork, and the child of a process that used them waits for them for ever.
    """
    global _lock, _blas_lock, _pool
    _lock, _blas_lock = threading.Lock(), threading.Lock()  # another thread may have held them
    _pool = None
    torch.set_num_threads(1)
    if getattr(_own, "count", None) is not None:
        _own.count = 1


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)


def map_parts(function: Callable[[Any], Any], parts: Iterable[Any], device: torch.device) -> list[Any]:
    """The results of a function of each part, in order, on as many Python threads as torch has threads.

    Each of them computes on one thread. Where torch has but one, and on another device than the CPU, the caller
    computes them itself.
    """
    parts = list(parts)
    if torch.get_num_threads() == 1 or device.type != "cpu":
        return [function(part) for part in parts]
    results: list[Any] = [None] * len(parts)
    left = deque(enumerate(parts))

    def work() -> None:
        while True:
            try:
                index, part = left.popleft()
            except IndexError:
                return
            results[index] = function(part)

    with _single_blas_thread():
        futures = [_workers().submit(work) for _ in range(min(len(parts), torch.get_num_threads()))]
        try:
            for future in futures:
                future.result()
        finally:
            left.clear()  # after an error or an interruption nobody waits for the rest
    return results


def _workers() -> ThreadPoolExecutor:
    global _pool
    settle_count()
    with _lock:
        if _pool is None:
            _pool = ThreadPoolExecutor(os.cpu_count(), "skae", initializer=lambda: _set_here_only(1))
        return _pool


def settle_count() -> None:
    """Have torch give this Python thread its count, the one set last, in no moment in which that is another's 1."""
    if not getattr(_own, "settled", False):
        with _lock:
            torch.get_num_threads()
        _own.settled = True


@contextmanager
def single_thread() -> Iterator[None]:
    """Run the body on one thread of torch and of NumPy; the thread counts are what they were afterwards.

    Bodies of several Python threads may overlap. Bodies within others of the same Python thread change nothing. torch's
    count is the Python thread's; NumPy's is the process's, and of bodies that overlap only the first limits it.
    """
    if getattr(_own, "count", None) is not None:
        yield
        return
    settle_count()
    with _single_blas_thread():
        _own.count = torch.get_num_threads()
        try:
            _set_here_only(1)
            yield
        finally:
            count, _own.count = _own.count, None
            _set_here_only(count)


@contextmanager
def _single_blas_thread() -> Iterator[None]:
    """Hold the process's BLAS to one thread, unless another body does: of limits that overlap, one would stay."""
    lock = _blas_lock
    if not lock.acquire(blocking=False):
        yield
        return
    try:
        with _blas_libraries().limit(limits=1, user_api="blas"):
            yield
    finally:
        lock.release()


@cache
def _blas_libraries() -> ThreadpoolController:
    """NumPy's and SciPy's BLAS, which are loaded by now; to find them takes 10 ms."""
    return ThreadpoolController()


@contextmanager
def all_threads_if(large: bool) -> Iterator[None]:
    """Within a body of `single_thread`, run this one on as many threads as there were before if the work is `large`."""
    count = getattr(_own, "count", None)
    if not large or count is None:
        yield
        return
    try:
        _set_here_only(count)
        yield
    finally:
        _set_here_only(1)


def _set_here_only(count: int) -> None:
    """Set the count of this Python thread alone.

    torch also notes it for Python threads yet to come, which would keep it. Another thread, whose own count matters to
    nobody, notes the old one again.
    """
    if count == torch.get_num_threads():
        return
    with _lock:
        common = _in_new_thread(torch.get_num_threads)
        torch.set_num_threads(count)
        _in_new_thread(lambda: torch.set_num_threads(common))


def _in_new_thread(function: Callable[[], int | None]) -> int:
    result: list[int | None] = []
    thread = threading.Thread(target=lambda: result.append(function()))
    thread.start()
    thread.join()
    return result[0] or 0
