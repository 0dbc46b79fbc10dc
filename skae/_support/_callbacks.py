"""scikit-learn's callbacks (1.9 and later), and reports of progress."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

try:
    from sklearn.callback import CallbackSupportMixin, with_callbacks
except ImportError:  # scikit-learn < 1.9 has no callbacks
    CallbackSupportMixin = type("CallbackSupportMixin", (), {})

    def with_callbacks(method):
        """Stand in for scikit-learn's decorator."""
        return method


class Reporter(Protocol):
    """Receives the progress of a fit."""

    def on_epoch(self, epoch: int, loss: float, held_out_loss: float | None, another: bool) -> bool:
        """Report the end of an epoch, and the beginning of another if one follows. Return True to stop training."""

    def close(self) -> None:
        """Report the end of fitting."""


# Makes a reporter from the number of epochs and a function that packages the fit as it would be if it stopped now.
Report = Callable[[int, Callable[[], Any]], Reporter]


class _Silent:
    """Reports nothing."""

    def on_epoch(self, epoch: int, loss: float, held_out_loss: float | None, another: bool) -> bool:
        return False

    def close(self) -> None:
        pass


def silent(max_iter: int, package: Callable[[], Any]) -> Reporter:
    """Report nothing."""
    return _Silent()


class EpochReporter:
    """Reports every epoch to callbacks and, if `verbose`, to the console.

    `fitted_attributes` makes the attributes the estimator would have if training stopped now.
    """

    def __init__(self, estimator, X, max_iter: int, fitted_attributes: Callable[[], Mapping[str, Any]]) -> None:
        self._estimator, self._X, self._max_iter = estimator, X, max_iter
        self._fitted_attributes = fitted_attributes
        self._context: Any = None
        self._epoch_context: Any = None
        if hasattr(estimator, "_init_callback_context"):
            self._context = estimator._init_callback_context(max_subtasks=max_iter)
            self._context.call_on_fit_task_begin(estimator=estimator, X=X)
            if max_iter > 0:
                self._begin_epoch()

    def on_epoch(self, epoch: int, loss: float, held_out_loss: float | None, another: bool) -> bool:
        """Report the end of an epoch, and the beginning of another if one follows. Return True to stop training."""
        if self._estimator.verbose:
            held_out = "" if held_out_loss is None else f", held-out loss {held_out_loss:.6f}"
            print(f"Epoch {epoch + 1}/{self._max_iter}: loss {loss:.6f}{held_out}")
        if self._epoch_context is None:
            return False
        stop = self._epoch_context.call_on_fit_task_end(
            estimator=self._estimator, X=self._X, reconstruction_attributes=self._fitted_attributes
        )
        if another and not stop:
            self._begin_epoch()
        return bool(stop)

    def close(self) -> None:
        """Report the end of fitting."""
        if self._context is not None:
            self._context.call_on_fit_task_end(
                estimator=self._estimator, X=self._X, reconstruction_attributes=self._fitted_attributes
            )

    def _begin_epoch(self) -> None:
        self._epoch_context = self._context.subcontext(task_name="epoch")
        self._epoch_context.call_on_fit_task_begin(estimator=self._estimator, X=self._X)
