"""Access to fitted estimators through their public methods: skae's, scikit-learn's, and pipelines of either."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import sparse
from sklearn.pipeline import Pipeline
from sklearn.utils import check_consistent_length
from sklearn.utils.validation import check_array, check_is_fitted


def check_estimator(estimator: Any, *attributes: str) -> None:
    """Raise an error in the words of scikit-learn unless `estimator` is fitted and has all of the attributes."""
    check_is_fitted(estimator)
    missing = [name for name in attributes if not hasattr(estimator, name)]
    if missing:
        raise AttributeError(f"{type(estimator).__name__} has none of the following attributes: {', '.join(missing)}.")


def final_step(estimator: Any) -> Any:
    """The estimator itself, or the last step of a pipeline, which has the fitted attributes."""
    return estimator[-1] if isinstance(estimator, Pipeline) else estimator


def input_of_final_step(estimator: Any, X: Any) -> Any:
    """The rows that the last step of a pipeline gets, or X itself."""
    return estimator[:-1].transform(X) if isinstance(estimator, Pipeline) and len(estimator) > 1 else X


def display_name(estimator: Any) -> str:
    return type(final_step(estimator)).__name__


def reconstruct(estimator: Any, X: Any) -> np.ndarray:
    """The rows encoded and decoded, for every transformer with `reconstruct` or `inverse_transform`."""
    if hasattr(estimator, "reconstruct"):
        return dense(estimator.reconstruct(X))
    check_estimator(estimator, "transform", "inverse_transform")
    return dense(estimator.inverse_transform(estimator.transform(X)))


def dense(X: Any, *, allow_nan: bool = False) -> np.ndarray:
    """X as a dense 2d array of floats: finite, or also NaN if `allow_nan`."""
    return check_array(
        X.toarray() if sparse.issparse(X) else X,
        dtype=(np.float64, np.float32),
        ensure_all_finite="allow-nan" if allow_nan else True,
    )


def values_of_row(X: Any) -> np.ndarray:
    """The values of a single row: numbers, or objects if some of them are categories."""
    try:
        return dense(X, allow_nan=True)[0]
    except ValueError:
        return np.asarray(X, dtype=object)[0]


def column(values: Any, X: Any, name: str) -> np.ndarray:
    """A 1d array with one value per row of X."""
    array = np.asarray(values)
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim != 1:
        raise ValueError(f"{name} should be a 1d array, got an array of shape {array.shape} instead.")
    check_consistent_length(X, array)
    return array


def feature_names(X: Any, n_features: int, estimator: Any = None) -> np.ndarray:
    """Names of the columns: those of X, else those seen in `fit`, else scikit-learn's x0, x1, ..."""
    names = getattr(X, "columns", None)
    if names is None:
        names = getattr(estimator, "feature_names_in_", None)
    if names is None:
        names = [f"x{index}" for index in range(n_features)]
    return np.array([str(name) for name in names], dtype=object)


def take_row(X: Any, row: int) -> Any:
    """One row of X as a 2d array, sparse matrix or DataFrame, as X is."""
    if hasattr(X, "iloc"):
        return X.iloc[[row]]
    if sparse.issparse(X):
        return X.tocsr()[[row]]
    return (np.asarray(X) if isinstance(X, list | tuple) else X)[[row]]
