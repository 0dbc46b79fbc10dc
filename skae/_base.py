"""The fit sequence both estimators share, and the bridge from NumPy to the networks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from types import ModuleType
from typing import Any, ClassVar

import numpy as np
import torch
from sklearn.base import BaseEstimator
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.validation import check_is_fitted, validate_data

from skae._model._activations import ACTIVATIONS
from skae._numerics._copies import first_copies, n_distinct_rows
from skae._numerics._moments import row_indices
from skae._numerics._shards import Shards, own_rows
from skae._support._callbacks import CallbackSupportMixin, EpochReporter
from skae._support._distributed import ProcessGroup
from skae._support._documentation import DocumentationLinkMixin
from skae._support._inputs import check_sample_weight
from skae._support._parameters import (
    Boolean,
    Constraint,
    Float,
    InstanceOf,
    Integer,
    LayerSizes,
    OneOf,
    Seed,
    check_parameters,
)
from skae._support._persistence import VersionedStateMixin
from skae._support._tensors import as_array
from skae._support._threads import settle_count, single_thread_if
from skae._support._torch import resolve_device, resolve_dtype
from skae._support._warnings import warn
from skae._training import _automatic
from skae._training._data_parallel import ShardedRows, as_shards
from skae._training._loop import Network, NonFiniteError, Split, TrainingResult, train
from skae._training._optimizers import SOLVERS
from skae._training._rows import Rows
from skae._training._settings import TrainingSettings

AUTO = OneOf(("auto",))
# A last tenth of the epochs that still removes this share of the loss says that `max_iter` was too small.
UNFINISHED_GAIN = 0.01
# Below this many parameters times rows, a step of about a millisecond, threads wait for each other longer than they
# work.
SINGLE_THREAD_NUMBERS = 1 << 24


@dataclass(frozen=True)
class TrainingData:
    """Checked rows and weights (None where all are equal), the share of NaN, and how to compute with them.

    `n_seen` is the number of rows that "auto" goes by where these are but the last of many.
    """

    X: Any
    sample_weight: np.ndarray | None
    dtype: torch.dtype
    device: torch.device
    share_missing: float = 0.0
    n_seen: int | None = None

    @property
    def n_rows(self) -> int:
        return self.X.shape[0]

    @property
    def shape_seen(self) -> tuple[int, int]:
        return self.n_seen or self.n_rows, self.X.shape[1]

    @cached_property
    def n_distinct_rows(self) -> int:
        return n_distinct_rows(self.X)

    def take(self, chosen: np.ndarray) -> TrainingData:
        """The rows chosen by a mask."""
        weights = None if self.sample_weight is None else self.sample_weight[chosen]
        return replace(self, X=self.X[chosen], sample_weight=weights)

    def rows(self, mean: np.ndarray, scale: np.ndarray) -> Rows:
        kind = ShardedRows if isinstance(self.X, Shards) else Rows
        return kind(self.X, mean, scale, self.dtype, self.device)


class BaseAutoencoder(CallbackSupportMixin, VersionedStateMixin, DocumentationLinkMixin, BaseEstimator):
    """Checks, training and batched inference common to the autoencoders."""

    _constraints: ClassVar[dict[str, tuple[Constraint, ...]]] = {
        "hidden_layer_sizes": (LayerSizes(),),
        "activation": (OneOf(tuple(ACTIVATIONS)),),
        "scale": (Boolean(),),
        "solver": (OneOf(tuple(SOLVERS)),),
        "alpha": (Float(0), AUTO),
        "corruption_level": (Float(0), AUTO),
        "batch_size": (Integer(1), AUTO),
        "learning_rate_init": (Float(0, low_open=True), AUTO),
        "max_iter": (Integer(0), AUTO),
        "n_iter_no_change": (Integer(1), AUTO),
        "early_stopping": (Boolean(), Float(0, 1, low_open=True, high_open=True), AUTO),
        "dtype": (OneOf(("auto", "bfloat16", "float32", "float64")),),
        "device": (InstanceOf((str,), "a str"),),
        "verbose": (Boolean(), Integer(0)),
        "random_state": (Seed(),),
    }

    @property
    def _automatic(self) -> ModuleType:
        """The module whose functions say what "auto" means for a parameter of their name."""
        return _automatic

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags

    def _check_X(self, X, *, reset: bool, min_samples: int = 1):
        return validate_data(
            self,
            as_array(X),
            accept_sparse="csr",
            dtype=(np.float64, np.float32),
            reset=reset,
            ensure_min_samples=min_samples,
            ensure_all_finite="allow-nan" if self.__sklearn_tags__().input_tags.allow_nan else True,
        )

    def _check_fitted_X(self, X):
        settle_count()
        check_is_fitted(self)
        return self._check_X(X, reset=False)

    def _checked(
        self, X, sample_weight, *, reset: bool = True, min_samples: int = 2, processes: ProcessGroup | None = None
    ) -> TrainingData:
        """Everything `fit` is given, checked; rows without weight are left out, those of other processes are added."""
        settle_count()
        check_parameters(type(self).__name__, self.get_params(deep=False), self._constraints)
        device = resolve_device(self.device)
        X = self._check_X(X, reset=reset, min_samples=min_samples)
        if processes is not None:
            X, sample_weight = as_shards(X, sample_weight, processes, self._alike_everywhere())
        weights = check_sample_weight(sample_weight, X)
        if weights is not None and not weights.all():
            X, weights = X[weights > 0], weights[weights > 0]
        return TrainingData(X, weights, resolve_dtype(self.dtype, X.shape[0]), device)

    def _alike_everywhere(self) -> dict[str, Any]:
        """What processes that fit together must have in common, as far as values can be compared."""
        parameters = self.get_params(deep=False).items()
        own = ("device", "random_state", "verbose")
        names = list(getattr(self, "feature_names_in_", ()))
        return {key: _comparable(value) for key, value in parameters if key not in own} | {"names": names}

    def _train(
        self,
        network: Network,
        data: TrainingData,
        rows: Rows,
        split: Split,
        result: TrainingResult,
        fitted_attributes: Callable[[], dict[str, Any]],
        random_state: np.random.RandomState,
        earlier: torch.Tensor | None = None,
    ) -> None:
        """Train, report every epoch, and warn as scikit-learn does of an end that came too soon."""
        settings = self._settings(data)
        reporter = EpochReporter(self, own_rows(data.X), settings.max_iter, fitted_attributes)
        on_epoch = reporter.on_epoch
        if isinstance(data.X, Shards):
            on_epoch = data.X.processes.stopping_together(on_epoch)
        with training_of(network, settings):
            train(network, rows, split, settings, random_state, on_epoch, result, earlier)
        reporter.close()
        self._say_how_it_ended(result, settings.max_iter)

    def _say_how_it_ended(self, result: TrainingResult, max_iter: int) -> None:
        if result.interrupted:
            warn("Training interrupted by user; the best parameters so far are kept.", UserWarning)
        elif self.max_iter != "auto" and result.unfinished_gain > UNFINISHED_GAIN:
            warn(
                f"The loss was still falling when the maximum number of iterations ({max_iter}) was reached. "
                "Increase max_iter.",
                ConvergenceWarning,
            )

    def _resolved(self, name: str, data: TrainingData) -> Any:
        """The value of a parameter, "auto" replaced by what it means for rows and features this many."""
        value = getattr(self, name, "auto")
        if not isinstance(value, str):
            return value
        share = _automatic.share_for_solver(name, self.solver, data.shape_seen[1])
        value = getattr(self._automatic, name)(*data.shape_seen)
        return value if share == 1.0 else share * value

    def _settings(self, data: TrainingData) -> TrainingSettings:
        max_iter = self._resolved("max_iter", data)
        automatic = isinstance(self.n_iter_no_change, str)
        return TrainingSettings(
            solver=self.solver,
            alpha=self._resolved("alpha", data),
            batch_size=min(data.n_rows, self._resolved("batch_size", data)),
            learning_rate_init=self._resolved("learning_rate_init", data),
            max_iter=max_iter,
            n_iter_no_change=_automatic.n_iter_no_change(max_iter) if automatic else self.n_iter_no_change,
        )

    def _split(self, data: TrainingData, random_state: np.random.RandomState) -> Split:
        """Rows to train on and, if `early_stopping`, to hold out."""
        asked = getattr(self, "early_stopping", "auto")
        copy_of = first_copies(data.X) if isinstance(asked, str) or asked else None
        n_distinct = data.n_rows if copy_of is None else len(np.unique(copy_of))
        if isinstance(asked, str):
            asked = _automatic.early_stopping(n_distinct, self._resolved("max_iter", data))
        if not asked or data.n_rows < 2:  # of rows with weight there may be one
            return Split(row_indices(data.n_rows), None, data.sample_weight)
        whether = isinstance(asked, bool | np.bool_)
        fraction = _automatic.validation_fraction(n_distinct, data.X.shape[1]) if whether else float(asked)
        train_rows, held_out = _automatic.hold_out(data.n_rows, fraction, random_state, copy_of)
        return Split(train_rows, held_out, data.sample_weight)


def _comparable(value: Any) -> Any:
    """A parameter as what processes can compare: a list is as good as a tuple, and callables are not looked into."""
    if callable(value):
        return "a callable"
    return tuple(value) if isinstance(value, list) else value


@contextmanager
def training_of(network: Network, settings: TrainingSettings) -> Iterator[None]:
    """Run the body, which trains, on threads as many as its steps are worth; divergence is the user's ValueError."""
    numbers_per_step = settings.batch_size * network.parameters.numel()
    try:
        with single_thread_if(numbers_per_step < SINGLE_THREAD_NUMBERS):
            yield
    except NonFiniteError:
        raise ValueError(
            "Training met infinite or NaN values: scale X or lower learning_rate_init "
            f"(now {settings.learning_rate_init:g})."
        ) from None


def training_attributes(result: TrainingResult) -> dict[str, Any]:
    """What training leaves behind for the user to read."""
    return {
        "n_iter_": max(1, len(result.losses)),
        "loss_curve_": list(result.losses),
        "validation_loss_curve_": list(result.held_out_losses) or None,
        "best_loss_": result.best_loss,
        "pca_loss_": result.anchor_loss,
    }
