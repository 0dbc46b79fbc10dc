"""The base class of both estimators: checks of parameters and input, progress, warnings, and saved state."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.validation import check_is_fitted, validate_data

from skae._autoencoder._activations import ACTIVATIONS
from skae._defaults._training_parameters import TrainingParameters
from skae._linalg._moments import missing_share
from skae._rows._processes import ProcessGroup
from skae._rows._row_source import RowSource
from skae._rows._shards import as_shards
from skae._rows._training_rows import TrainingRows
from skae._saved_state import FORMAT_KEY, FORMAT_VERSION, upgraded
from skae._support._callbacks import CallbackSupportMixin, EpochReporter, Report
from skae._support._categories import ADVICE_TO_ENCODE, advice_on_columns, refuse_categorical
from skae._support._constraints import (
    Boolean,
    Constraint,
    Float,
    InstanceOf,
    Integer,
    LayerSizes,
    OneOf,
    Seed,
    check_parameters,
    layer_sizes,
    plain_number,
)
from skae._support._tensors import as_array
from skae._support._threads import settle_count
from skae._support._torch import resolve_device, resolve_dtype
from skae._support._validation import as_group_numbers, check_groups, check_sample_weight
from skae._support._warnings import warn
from skae._training._interfaces import TrainingResult

AUTO = OneOf(("auto",))
# If the last tenth of the epochs still lowered the loss by more than this share, `max_iter` was too small.
UNFINISHED_GAIN = 0.01


class BaseAutoencoder(CallbackSupportMixin, ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    """What both estimators share, whatever they fit."""

    _constraints: ClassVar[dict[str, tuple[Constraint, ...]]] = {
        "n_components": (Integer(1), Float(0, 1, low_open=True, high_open=True), OneOf((None,))),
        "hidden_layer_sizes": (LayerSizes(), AUTO),
        "activation": (OneOf(ACTIVATIONS),),
        "scale": (Boolean(),),
        "alpha": (Float(0), AUTO),
        "batch_size": (Integer(1), AUTO),
        "learning_rate_init": (Float(0, low_open=True), AUTO),
        "max_iter": (Integer(0), AUTO),
        "n_iter_no_change": (Integer(1), AUTO),
        "dtype": (OneOf(("auto", "bfloat16", "float32", "float64")),),
        "device": (InstanceOf(str),),
        "verbose": (Boolean(), Integer(0)),
        "random_state": (Seed(),),
    }

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags

    @property
    def _advice_on_strings(self) -> str:
        return ADVICE_TO_ENCODE

    @property
    def _n_features_out(self) -> int:
        return self.n_components_

    @property
    def _is_fitted_before(self) -> bool:
        """Whether there is a fit that `partial_fit` or a warm start continues."""
        return hasattr(self, "n_components_")

    def _check_X(self, X, *, reset: bool, min_samples: int = 1):
        refuse_categorical(X, type(self).__name__)
        with advice_on_columns(X, self._advice_on_strings):
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

    def _check_training_rows(
        self,
        X,
        sample_weight,
        groups=None,
        *,
        reset: bool = True,
        min_samples: int = 2,
        processes: ProcessGroup | None = None,
    ) -> TrainingRows:
        """Check parameters, rows, weights and groups. Rows of weight zero are left out.

        Given `processes`, the rows are those of all processes together.
        """
        settle_count()
        check_parameters(type(self).__name__, self.get_params(deep=False), self._constraints)
        device = resolve_device(self.device)
        X = self._check_X(X, reset=reset, min_samples=min_samples)
        groups = check_groups(groups, X)
        source: RowSource
        if processes is None:
            source = RowSource(X)
        else:
            common = self._parameters_in_common()
            source, sample_weight, groups = as_shards(X, sample_weight, groups, processes, common)
        weights = check_sample_weight(sample_weight, source)
        if weights is not None and not weights.all():
            groups = None if groups is None else groups[weights > 0]
            source, weights = source.select(weights > 0), weights[weights > 0]
        dtype = resolve_dtype(self.dtype, source.n_rows)
        numbers = None if groups is None else as_group_numbers(groups, type(self).__name__)
        names = getattr(self, "feature_names_in_", None)
        return TrainingRows(source, weights, dtype, device, missing_share(source), groups=numbers, feature_names=names)

    def _parameters_in_common(self) -> dict[str, Any]:
        """The parameters that must be equal in all processes that fit together, as values that can be compared."""
        parameters = self.get_params(deep=False).items()
        own = ("device", "random_state", "verbose")
        common = {name: _comparable(name, value) for name, value in parameters if name not in own}
        return common | {"feature names": list(getattr(self, "feature_names_in_", ()))}

    def _training_parameters(self) -> TrainingParameters:
        return TrainingParameters(
            alpha=plain_number(self.alpha),
            batch_size=plain_number(self.batch_size),
            learning_rate_init=plain_number(self.learning_rate_init),
            max_iter=plain_number(self.max_iter),
            n_iter_no_change=plain_number(self.n_iter_no_change),
            early_stopping=plain_number(getattr(self, "early_stopping", "auto")),
            dtype=self.dtype,
        )

    def _reporter(self, rows: TrainingRows, attributes: Callable[[Any], dict[str, Any]]) -> Report:
        """A factory of reporters to callbacks and the console.

        `attributes` turns a fit into the fitted attributes of the estimator.
        """
        X = rows.source.local
        return lambda max_iter, package: EpochReporter(self, X, max_iter, lambda: attributes(package()))

    def _warn_if_unconverged(self, result: TrainingResult, max_iter: int) -> None:
        if result.interrupted:
            warn("Training interrupted by user; the best parameters so far are kept.", UserWarning)
        elif self.max_iter != "auto" and result.unfinished_gain > UNFINISHED_GAIN:
            warn(
                f"The loss was still falling when the maximum number of iterations ({max_iter}) was reached. "
                "Increase max_iter, or leave it at 'auto'. See docs/guide_troubleshooting.md.",
                ConvergenceWarning,
            )

    def _set(self, attributes: dict[str, Any]) -> None:
        for name, value in attributes.items():
            setattr(self, name, value)

    def _fitted_to_state(self) -> dict[str, Any]:
        """The private fitted attributes as arrays and plain values."""
        raise NotImplementedError

    def _fitted_from_state(self, state: dict[str, Any]) -> dict[str, Any]:
        """The private fitted attributes that `_fitted_to_state` described."""
        raise NotImplementedError

    def __getstate__(self) -> dict[str, Any]:
        state = {**super().__getstate__(), FORMAT_KEY: FORMAT_VERSION}
        return state | self._fitted_to_state() if self._is_fitted_before else state

    def __setstate__(self, state: dict[str, Any]) -> None:
        state = upgraded(state, type(self).__name__)
        if "n_components_" in state:
            state = state | self._fitted_from_state(state)
        super().__setstate__(state)


def training_attributes(result: TrainingResult) -> dict[str, Any]:
    """The fitted attributes that describe training."""
    return {
        "n_iter_": max(1, len(result.losses)),
        "loss_curve_": list(result.losses),
        "validation_loss_curve_": list(result.held_out_losses) or None,
        "best_loss_": result.best_loss,
        "initial_loss_": result.initial_loss,
    }


def _comparable(name: str, value: Any) -> Any:
    """A parameter as a value that processes can compare: layer sizes as a tuple; all callables as equal."""
    if callable(value):
        return "a callable"
    return layer_sizes(value) if name == "hidden_layer_sizes" else value
