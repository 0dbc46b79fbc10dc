"""Which members of the family of autoencoders a transformer can be, and which go together."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from skae._base import TrainingData
from skae._base_anchored import BaseAnchored, Member
from skae._fitted import FittedAutoencoder
from skae._model._losses import LOSSES
from skae._numerics._moments import feature_ranges, share_missing
from skae._support._parameters import AnyCallable, Boolean, Float, Integer, OneOf

CORRUPTIONS = ("gaussian", "masking", "salt_and_pepper", "swap")
# The range of X that losses need, and the words for it.
RANGES = {"binary_cross_entropy": (0.0, 1.0, "in [0, 1]"), "poisson": (0.0, np.inf, ">= 0")}


class BaseTransformer(BaseAnchored):
    """Checks what the constructor of the transformer is given, and fits."""

    _constraints = BaseAnchored._constraints | {
        "n_components": (Integer(1), Float(0, 1, low_open=True, high_open=True), OneOf((None,))),
        "whiten": (Boolean(),),
        "loss": (OneOf(tuple(LOSSES)),),
        "corruption": (OneOf(CORRUPTIONS), AnyCallable()),
        "sparsity": (Integer(1), Float(0, low_open=True), OneOf((None,))),
        "ordered": (Boolean(),),
        "variational": (Boolean(),),
        "beta": (Float(0, low_open=True),),
        "network": (AnyCallable(), OneOf((None,))),
    }

    @property
    def _member(self) -> Member:
        return Member(
            self.corruption,
            self.loss,
            _plain_number(self.sparsity),
            bool(self.ordered),
            bool(self.variational),
            float(self.beta),
            self.network,
        )

    @property
    def _fitted(self) -> FittedAutoencoder:
        return FittedAutoencoder(**self._state)

    def _checked(self, X, sample_weight) -> TrainingData:
        data = super()._checked(X, sample_weight)
        data = replace(data, share_missing=share_missing(data.X))
        self._check_combination()
        if self.loss in RANGES:
            low, high, words = RANGES[self.loss]
            lowest, highest = feature_ranges(data.X)
            if np.nanmin(lowest, initial=low) < low or np.nanmax(highest, initial=low) > high:
                raise ValueError(f"loss={self.loss!r} needs values of X {words}.")
        return data

    def _check_combination(self) -> None:
        """Refuse members that contradict each other, and say why."""
        variational_or_sparse = [name for name in ("variational", "sparsity") if getattr(self, name)]
        if self.sparsity is not None and self.variational:
            raise ValueError("variational=True draws codes from a density without zeros: it cannot be sparse as well.")
        for name in variational_or_sparse:
            if self.ordered:
                raise ValueError(f"ordered=True cuts codes after a component: it cannot be combined with {name}.")
        if self.whiten and (variational_or_sparse or self.ordered):
            name = variational_or_sparse[0] if variational_or_sparse else "ordered"
            raise ValueError(f"whiten=True mixes components, which would undo {name}.")
        if self.variational and not LOSSES[self.loss].is_likelihood and self.loss != "squared_error":
            raise ValueError(
                f"variational=True needs a loss that is a likelihood: 'squared_error', 'binary_cross_entropy' or "
                f"'poisson'. Got {self.loss!r} instead."
            )
        if self.network is not None and self.ordered and isinstance(self.n_components, float):
            raise ValueError("ordered=True cannot shorten the code of a custom network: give n_components as an int.")


def _plain_number(value: Any) -> float | int | None:
    """A Python number for one of NumPy's, so that its type says what it means."""
    return value.item() if isinstance(value, np.generic) else value
