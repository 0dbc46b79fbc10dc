"""Checks of weights, groups and results, and fits that change nothing when they fail."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
from sklearn.utils.validation import check_array, check_consistent_length
from torch import Tensor

from skae._support._tensors import as_array

# Weights are scaled where the largest lies outside: sums of larger ones overflow, smaller ones vanish in float32.
# Inside the bounds they are left as they are, since sums count as numbers of rows.
MIN_LARGEST_WEIGHT, MAX_LARGEST_WEIGHT = 2.0**-40, 2.0**60


@contextmanager
def unchanged_on_error(estimator) -> Iterator[None]:
    """Put parameters and fitted attributes of `estimator` back when the body raises.

    Private attributes that appeared meanwhile stay: scikit-learn keeps the callbacks it has to end there.
    """
    before = dict(vars(estimator))
    try:
        yield
    except BaseException:
        for name in [name for name in vars(estimator) if name not in before and name.endswith("_")]:
            delattr(estimator, name)
        for name, value in before.items():
            setattr(estimator, name, value)
        raise


def as_weights(sample_weight, X) -> np.ndarray | None:
    """Finite weights of the rows as float64, or None where all are one.

    A number stands for as many equal weights. Raises ValueError for weights of another length.
    """
    if sample_weight is None:
        return None
    if np.isscalar(sample_weight):
        if sample_weight == 1:
            return None
        sample_weight = np.full(X.shape[0], sample_weight)
    weights = check_array(as_array(sample_weight), ensure_2d=False, dtype=np.float64, input_name="sample_weight")
    if weights.ndim != 1:
        raise ValueError(f"Sample weights must be 1D array or scalar, got {weights.ndim}D array.")
    check_consistent_length(X, weights)
    return weights


def check_sample_weight(sample_weight, X) -> np.ndarray | None:
    """Weights of the rows as float64, or None where all are one.

    A number stands for as many equal weights. Raises ValueError for weights that are negative, all zero or of another
    length.
    """
    weights = as_weights(sample_weight, X)
    if weights is None:
        return None
    if np.any(weights < 0):
        raise ValueError("Negative values in data passed to `sample_weight`.")
    if not np.any(weights > 0):
        raise ValueError("Sample weights must not all be zero.")
    largest = weights.max()
    if not MIN_LARGEST_WEIGHT <= largest <= MAX_LARGEST_WEIGHT:
        weights = weights / largest * min(max(largest, MIN_LARGEST_WEIGHT), MAX_LARGEST_WEIGHT)
    return weights


def check_groups(groups, X) -> np.ndarray | None:
    """The group of each row, or None where there are none.

    Raises ValueError for an array of another length or shape, and where a group is missing.
    """
    if groups is None:
        return None
    groups = np.asarray(as_array(groups))
    if groups.ndim != 1:
        raise ValueError(f"groups should be a 1d array, got an array of shape {groups.shape} instead.")
    check_consistent_length(X, groups)
    if np.any([_is_missing(group) for group in groups] if groups.dtype.kind == "O" else groups != groups):
        raise ValueError("Input groups contains NaN.")
    return groups


def _is_missing(value) -> bool:
    equal = value == value  # of pandas' NA that is no bool
    return value is None or not isinstance(equal, bool | np.bool_) or not equal


def as_group_numbers(groups: np.ndarray, owner: str) -> np.ndarray:
    """Numbers from 0 for checked groups. Raises ValueError if there is one group only."""
    try:
        distinct, numbers = np.unique(groups, return_inverse=True)
    except TypeError:
        kinds = sorted({type(group).__name__ for group in groups})
        raise TypeError(f"Input groups must be uniformly strings or numbers. Got {kinds}") from None
    if len(distinct) < 2:
        raise ValueError(
            f"The groups parameter contains fewer than 2 unique groups ({distinct.tolist()}) of rows with positive "
            f"weight. {owner} expects at least 2."
        )
    return numbers


def check_features_observed(is_observed: np.ndarray) -> None:
    """Raises ValueError if there are features of which no value is known."""
    if not is_observed.all():
        raise ValueError(
            f"X has features without any observed value: {np.flatnonzero(~is_observed).tolist()}. Drop them."
        )


def check_finite_result(result, computed_in):
    """`result`, array or tensor, unless rows so far out that it overflowed: a ValueError in scikit-learn's words."""
    finite = result.isfinite() if isinstance(result, Tensor) else np.isfinite(result)
    if not finite.all():
        dtype = min(np.dtype(computed_in), as_array(result[:0]).dtype, key=lambda dtype: dtype.itemsize)
        raise ValueError(f"Input X contains infinity or a value too large for {dtype!r}.")
    return result
