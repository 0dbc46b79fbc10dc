"""Checks of weights, groups and results, and fits that change nothing when they fail."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
from sklearn.utils.validation import check_array, check_consistent_length
from torch import Tensor

from skae._support._tensors import as_array

# Weights are scaled if the largest is outside these bounds: sums of larger weights overflow, and smaller weights vanish
# in float32. Within the bounds they are not scaled, because their sum counts as the number of rows.
MIN_LARGEST_WEIGHT, MAX_LARGEST_WEIGHT = 2.0**-40, 2.0**60


@contextmanager
def unchanged_on_error(estimator) -> Iterator[None]:
    """Restore the parameters and fitted attributes of `estimator` if the body raises.

    New private attributes stay: scikit-learn stores the callbacks there that it has yet to end.
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
    """Finite weights of the rows as float64, or None if all are one.

    A number is the weight of every row. Raises ValueError if there are not as many weights as rows.
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
    """Weights of the rows as float64, or None if all are one.

    A number is the weight of every row. Raises ValueError for negative weights, if all weights are zero, and if there
    are not as many weights as rows.
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
    """The group of each row, or None if there are no groups.

    Raises ValueError for an array of another length or shape, and if a group is missing.
    """
    if groups is None:
        return None
    groups = np.asarray(as_array(groups))
    if groups.ndim != 1:
        raise ValueError(f"groups should be a 1d array, got an array of shape {groups.shape} instead.")
    check_consistent_length(X, groups)
    if np.any([is_missing(group) for group in groups] if groups.dtype.kind == "O" else groups != groups):
        raise ValueError(
            "Input groups contains NaN. Give every row a group. See docs/getting_started.md, 'Rows that belong "
            "together'."
        )
    return groups


def is_missing(value) -> bool:
    """Whether a value is None, NaN or the NA of a DataFrame."""
    equal = value == value  # for pandas' NA this is NA, which is no bool
    return value is None or not isinstance(equal, bool | np.bool_) or not equal


def as_group_numbers(groups: np.ndarray, owner: str) -> np.ndarray:
    """Replace checked groups by numbers from 0. Raises ValueError if there is only one group."""
    try:
        distinct, numbers = np.unique(groups, return_inverse=True)
    except TypeError:
        kinds = sorted({type(group).__name__ for group in groups})
        raise TypeError(f"Input groups must be uniformly strings or numbers. Got {kinds}") from None
    if len(distinct) < 2:
        raise ValueError(
            f"The groups parameter contains fewer than 2 unique groups ({distinct.tolist()}) of rows with positive "
            f"weight. {owner} expects at least 2. See docs/getting_started.md, 'Rows that belong together'."
        )
    return numbers


def check_features_observed(is_observed: np.ndarray, names: np.ndarray | None) -> None:
    """Raise ValueError if a feature has no observed value. It is named, or given by its index if there are no names."""
    if not is_observed.all():
        features = np.arange(len(is_observed)) if names is None else names
        raise ValueError(
            f"X has features without any observed value: {features[~is_observed].tolist()}. Drop them. See "
            "docs/guide_missing_values.md."
        )


def check_finite_result(result, computed_in):
    """Return `result`, an array or tensor. Raise scikit-learn's ValueError for values too large if it overflowed."""
    finite = result.isfinite() if isinstance(result, Tensor) else np.isfinite(result)
    if not finite.all():
        dtype = min(np.dtype(computed_in), as_array(result[:0]).dtype, key=lambda dtype: dtype.itemsize)
        raise ValueError(f"Input X contains infinity or a value too large for {dtype!r}.")
    return result


def check_n_components(n_components: int | float | None, n_features: int) -> None:
    """Raise ValueError if there are more components than features."""
    if isinstance(n_components, int) and n_components > n_features:
        raise ValueError(
            f"n_components={n_components} must be between 1 and n_features={n_features}. Only an "
            "AutoencoderTransformer with code='sparse' can have more components than features. See "
            "docs/guide_code_size.md."
        )
