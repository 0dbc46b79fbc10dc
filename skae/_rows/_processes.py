"""Sums and messages between processes, and errors that all of them raise. No other file uses torch.distributed."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import numpy as np
import torch
import torch.distributed as dist


class ErrorOnRank(ValueError):
    """An error that all processes raise."""


class ProcessGroup:
    """The processes of torch's default group, which all run the same fit.

    Every joint operation starts with a message from each process to all others. A process that has failed sends its
    error instead of the requested value, and then all processes raise.
    """

    def __init__(self) -> None:
        self.rank, self.size = dist.get_rank(), dist.get_world_size()
        # Set if the user interrupts this process. All processes stop at their next exchange.
        self.interrupted = False

    def exchange(self, purpose: str, value: Any = None, error: BaseException | None = None) -> list[Any]:
        """The values of all processes, in the order of their ranks. All processes raise if one has an error.

        `purpose` shows whether all processes are at the same place.
        """
        message = None if error is None else f"{type(error).__name__}: {error}"
        reports: list[Any] = [None] * self.size
        dist.all_gather_object(reports, (purpose, message, self.interrupted, value))
        purposes, messages, interruptions, values = zip(*reports, strict=True)
        self._raise_errors(messages, error)
        if any(interruptions):
            self.interrupted = False
            raise KeyboardInterrupt
        if len(set(purposes)) > 1:
            places = ", ".join(f"rank {rank}: {place}" for rank, place in enumerate(purposes))
            raise ErrorOnRank(
                f"Processes are at different places ({places}). Give them the same parameters and callbacks. See "
                "docs/guide_distributed.md."
            )
        return list(values)

    def _raise_errors(self, messages: tuple[str | None, ...], own: BaseException | None) -> None:
        told = [(rank, message) for rank, message in enumerate(messages) if message is not None]
        if not told:
            return
        if own is not None and len(told) == self.size and len(set(messages)) == 1:
            raise own  # all processes have the same error, such as a parameter out of its range
        rank, message = told[0]
        raise ErrorOnRank(f"Rank {rank} of {self.size} raised {message}") from own

    def broadcast(self, value: Any) -> Any:
        """The value of rank 0; the values of other ranks are not sent."""
        values = self.exchange("broadcasting a value", value if self.rank == 0 else None)
        return value if self.rank == 0 else values[0]

    def sum(self, array: np.ndarray) -> np.ndarray:
        """The sum of the arrays of all processes."""
        # NCCL sums only tensors on a GPU.
        device = "cuda" if dist.get_backend() == "nccl" else "cpu"
        total = torch.tensor(array, device=device)
        self.exchange(f"summing arrays of shape {array.shape}")
        dist.all_reduce(total)
        return total.cpu().numpy()

    def all_reduce(self, vector: torch.Tensor) -> None:
        """Replace a vector by the sum of those of all processes. This is the only operation without a message."""
        dist.all_reduce(vector)

    def stopping_together(self, on_epoch: Callable[..., bool]) -> Callable[..., bool]:
        """Wrap `on_epoch` so that all processes stop if one of them stops or is interrupted."""

        def agreed(*losses) -> bool:
            stop = False
            try:
                stop = on_epoch(*losses)
            except KeyboardInterrupt:
                self.interrupted = True
            return any(self.exchange("the end of an epoch", stop))

        return agreed


# Whether this thread is within `distributed`.
_requested: ContextVar[bool] = ContextVar("_requested", default=False)


@contextmanager
def distributed() -> Iterator[None]:
    """Fit one transformer in several processes together.

    Within the ``with`` block, `AutoencoderTransformer.fit` works together with the other processes of a
    torch.distributed group. Each process passes its own shard of at least two rows. All processes end with the same
    fitted estimator. It is the one that a single process with all shards, in the order of ranks, would get. If one
    process raises an error, all of them raise it.

    ``code="neighbors"``, ``corruption="swap"`` and callable corruptions are not supported, because they need rows of
    other shards. `partial_fit` and `AutoencoderOutlierDetector` raise a ValueError.

    Yields
    ------
    None
        There is no value.

    Raises
    ------
    RuntimeError
        If there is no initialised process group.

    See Also
    --------
    AutoencoderTransformer : The estimator whose `fit` can be shared.

    Examples
    --------
    >>> import torch.distributed
    >>> import skae
    >>> torch.distributed.init_process_group()  # doctest: +SKIP
    >>> with skae.distributed():  # doctest: +SKIP
    ...     model = skae.AutoencoderTransformer(8, random_state=0).fit(shard)
    """
    if not (dist.is_available() and dist.is_initialized()):
        raise RuntimeError(
            "skae.distributed() needs a process group: launch with torchrun and call "
            "torch.distributed.init_process_group() first. See docs/guide_distributed.md."
        )
    token = _requested.set(True)
    try:
        yield
    finally:
        _requested.reset(token)


def is_distributed() -> bool:
    """Whether the caller is within `distributed`."""
    return _requested.get()


@contextmanager
def processes_of_fit() -> Iterator[ProcessGroup | None]:
    """The processes that fit together (None: this one alone). An error in the body of one is raised by all."""
    if not is_distributed():
        yield None
        return
    processes, failure = ProcessGroup(), None
    with _interruptions_noted(processes):
        try:
            yield processes
        except (ErrorOnRank, KeyboardInterrupt):
            raise  # all processes raise these
        except BaseException as error:
            failure = error
        processes.exchange("the end of fit", error=failure)


@contextmanager
def _interruptions_noted(processes: ProcessGroup) -> Iterator[None]:
    """Record Ctrl-C instead of raising KeyboardInterrupt, which would leave other processes waiting in an exchange.

    A second Ctrl-C raises. Python delivers signals to the main thread only.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def note(*_) -> None:
        processes.interrupted = True
        signal.signal(signal.SIGINT, before)

    before = signal.signal(signal.SIGINT, note)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
