"""The number of threads: one, except for large matrix products and for Python threads that share blocks of rows.

Two threads within a matrix product wait for each other many times per millisecond. If other processes are busy, this
makes them up to 40 times slower than one thread. Threads that share blocks of rows wait only once, at the end.
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
# Worker threads, each of which computes on one thread; made when first needed.
_pool: ThreadPoolExecutor | None = None
# Held by the body that limits the threads of NumPy's BLAS; the limit applies to the whole process.
_blas_lock = threading.Lock()
# For each Python thread: while it runs the body of `single_thread`, the number of threads to restore afterwards.
_own = threading.local()


def _after_fork_in_child() -> None:
    """Compute on one thread in a forked process.

    OpenMP's threads do not survive a fork, and a child of a process that used them would wait for them forever.
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
    """Apply a function to each part, on as many Python threads as torch has threads; results are in order.

    Each Python thread computes on one thread. If torch has only one, or the device is not the CPU, no threads are used.
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
            left.clear()  # after an error or an interruption, the remaining parts are not computed
    return results


def _workers() -> ThreadPoolExecutor:
    global _pool
    settle_count()
    with _lock:
        if _pool is None:
            _pool = ThreadPoolExecutor(os.cpu_count(), "skae", initializer=lambda: _set_here_only(1))
        return _pool


def settle_count() -> None:
    """Let torch initialise the thread count of this Python thread.

    torch copies the count that any Python thread set last. The lock prevents it from copying the 1 that another thread
    has just set for itself.
    """
    if not getattr(_own, "settled", False):
        with _lock:
            torch.get_num_threads()
        _own.settled = True


@contextmanager
def single_thread() -> Iterator[None]:
    """Run the body on one thread of torch and of NumPy, and restore the thread counts afterwards.

    The bodies of several Python threads may overlap. A body within another one of the same Python thread changes
    nothing. torch's count belongs to the Python thread. NumPy's belongs to the process, and if bodies overlap, only the
    first one limits it.
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
    """Limit the BLAS of the process to one thread, unless another body does so already.

    If two limits overlapped, one of them would remain afterwards.
    """
    lock = _blas_lock
    if not lock.acquire(blocking=False):
        yield
        return
    try:
        with _blas_libraries().limit(limits=1):
            yield
    finally:
        lock.release()


@cache
def _blas_libraries() -> ThreadpoolController:
    """The BLAS libraries of NumPy and SciPy, which are loaded by now. Finding them takes 10 ms."""
    return ThreadpoolController().select(user_api="blas")  # a limit puts back the counts of all that it knows


@contextmanager
def all_threads_if(large: bool) -> Iterator[None]:
    """If the work is `large`, run the body on as many threads as there were before the surrounding `single_thread`."""
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
    """Set torch's thread count for this Python thread only.

    torch would also give the new count to Python threads that start later. Therefore a short-lived thread sets the
    common count back to what it was.
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
