"""Categorical features of a table: finding them and their categories, and encoding them as numbers.

The categories of a feature are a sorted array: of numbers if all of them are numbers that float64 represents exactly,
else of strings. The code of a category is its index in this array. Unknown categories have the code that follows the
last one, and missing values are NaN.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import date, time, timedelta
from numbers import Real
from typing import Any

import numpy as np
from scipy import sparse
from sklearn.utils.validation import check_array

from skae._support._frames import is_pandas, is_polars
from skae._support._tensors import as_array
from skae._support._validation import is_missing

ENCODE = "OneHotEncoder within a ColumnTransformer"
# What to do with strings, where categories are refused and where they are taken.
ADVICE_TO_ENCODE = f"Use {ENCODE}."
ADVICE_TO_CONVERT = (
    f"Convert columns of strings to a categorical dtype, X.astype({{'column': 'category'}}), or use {ENCODE}."
)
ADVICE_ON_DATES = "Convert dates to numbers, for instance the hour or the days since an event."

# The categories of each categorical feature; keys are indices of features.
Categories = dict[int, np.ndarray]


def categorical_columns(X) -> np.ndarray:
    """Indices of the columns of a categorical dtype, if X is a DataFrame of pandas or polars; else empty."""
    if is_pandas(X):
        is_categorical = [isinstance(dtype, sys.modules["pandas"].CategoricalDtype) for dtype in X.dtypes]
    elif is_polars(X):
        kinds = (sys.modules["polars"].Categorical, sys.modules["polars"].Enum)
        is_categorical = [isinstance(dtype, kinds) for dtype in X.dtypes]
    else:
        is_categorical = []
    return np.flatnonzero(is_categorical)


def refuse_categorical(X, owner: str) -> None:
    """Raise ValueError for a DataFrame with columns of a categorical dtype."""
    found = categorical_columns(X)
    if len(found):
        names = [str(X.columns[place]) for place in found]
        raise ValueError(
            f"{owner} takes numbers only, but got categorical columns {names}. Use {ENCODE}. See docs/guide_scaling.md."
        )


@contextmanager
def advice_on_columns(X, advice: str) -> Iterator[None]:
    """Name the columns and add advice if scikit-learn cannot convert strings or dates to numbers."""
    try:
        yield
    except (TypeError, ValueError) as error:
        if "could not convert string" in str(error):
            names = _columns(X, _has_strings)
            columns = f"Columns: {names}. " if names else ""
            raise ValueError(f"{error}. {columns}{advice}") from error
        names = _columns(X, _has_dates) if isinstance(error, TypeError) else []
        if not names:
            raise
        raise TypeError(f"X has columns that cannot be converted to numbers: {names}. {ADVICE_ON_DATES}") from error


def _columns(X, holds: Callable[[np.ndarray], bool]) -> list[str]:
    """Names of the columns of a DataFrame for which `holds` is true; without a DataFrame there are none."""
    if not (is_pandas(X) or is_polars(X)):
        return []
    columns = (X.iloc[:, place] if is_pandas(X) else X[:, place] for place in range(X.shape[1]))
    return [str(name) for name, column in zip(X.columns, columns, strict=True) if holds(np.asarray(column))]


def _has_strings(column: np.ndarray) -> bool:
    return column.dtype.kind in "OUST" and any(isinstance(value, str) for value in column.tolist())


def _has_dates(column: np.ndarray) -> bool:
    values = column.tolist() if column.dtype.kind == "O" else []
    return column.dtype.kind in "mM" or any(isinstance(value, date | time | timedelta) for value in values)


def find_categories(X, categorical_features) -> Categories:
    """The categories of the features of X that `categorical_features` selects.

    Raises ValueError or TypeError if it does not fit X, in the words of scikit-learn's
    `HistGradientBoostingClassifier`.
    """
    if isinstance(categorical_features, str):  # "from_dtype"
        places = categorical_columns(X)
    elif categorical_features is None or not len(categorical_features):
        return {}
    else:
        X = as_table(X)
        chosen = np.asarray(np.asarray(categorical_features).tolist())  # an array of objects may hold bools
        places = _places(chosen, X.shape[1], list(getattr(X, "columns", ())))
    return {place: _sorted(_factorised(X, place)[1]) for place in places.tolist()}


def _places(chosen: np.ndarray, n_features: int, names: list) -> np.ndarray:
    """Indices of the features that are chosen by a mask, by indices or by names."""
    if chosen.dtype.kind == "b":
        if len(chosen) != n_features:
            raise ValueError(
                "categorical_features set as a boolean mask must have shape (n_features,), got: "
                f"{chosen.shape} for {n_features} features"
            )
        return np.flatnonzero(chosen)
    if chosen.dtype.kind in "iu":
        if chosen.max() >= n_features or chosen.min() < 0:
            raise ValueError(
                "categorical_features set as integer indices must be in [0, n_features - 1]. Got "
                f"{chosen.tolist()} for {n_features} features"
            )
        return np.unique(chosen)
    unknown = [name for name in chosen.tolist() if name not in names]
    if unknown:
        raise ValueError(
            f"categorical_features has names that are not columns of X: {unknown}. See docs/guide_outliers.md."
        )
    return np.unique([names.index(name) for name in chosen.tolist()])


def category_counts(categories: Categories, n_features: int) -> np.ndarray | None:
    """The number of categories of each feature, 0 for a numeric one; None if all features are numeric."""
    counts = [len(categories.get(place, ())) for place in range(n_features)]
    return np.array(counts, dtype=np.intp) if categories else None


def as_table(X):
    """X itself, or an array of objects if X is a sequence of rows. Raises ValueError or TypeError if X is no table."""
    if sparse.issparse(X):
        raise TypeError(
            "Sparse input is not supported with categorical features. Use X.toarray(). See docs/guide_outliers.md."
        )
    X = as_array(X) if hasattr(X, "shape") else np.asarray(X, dtype=object)
    if getattr(getattr(X, "dtype", None), "kind", "") == "c":
        raise ValueError("Complex data not supported with categorical features.")
    if len(X.shape) != 2:
        raise ValueError(f"Expected 2D array, got {len(X.shape)}D array instead. Reshape your data.")
    if not X.shape[1]:
        raise ValueError(f"Found array with 0 feature(s) (shape={X.shape}) while a minimum of 1 is required.")
    return X


def encoded(X, categories: Categories) -> np.ndarray:
    """X as numbers, with codes for the categorical features; the other features are unchanged."""
    numeric = [place for place in range(X.shape[1]) if place not in categories]
    dtype: Any = np.float64
    if numeric:
        numbers = X.iloc[:, numeric] if is_pandas(X) else X[:, numeric]
        with advice_on_columns(numbers, ADVICE_TO_CONVERT):
            numbers = check_array(
                numbers,
                dtype=(np.float64, np.float32),
                ensure_all_finite="allow-nan",
                ensure_min_samples=0,
                input_name="X",
            )
        dtype = numbers.dtype
    result = np.empty(X.shape, dtype)
    if numeric:
        result[:, numeric] = numbers
    for place, known in categories.items():
        index, values = _factorised(X, place)
        code_of = {value: code for code, value in enumerate(known.tolist())}
        codes = [code_of.get(_plain(value, known.dtype.kind != "U"), len(known)) for value in values]
        result[:, place] = np.append(codes, np.nan)[index]
    return result


def _plain(value: Any, as_number: bool) -> Any:
    """A category as a number or a string; 1, 1.0 and "1" are the same.

    Which of these a file contains may depend on its other rows: on missing values, or on a string in the same column.
    """
    if as_number and (isinstance(value, str) or _is_float(value)):
        with suppress(ValueError):
            return float(value)
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _is_float(value: Any) -> bool:
    """Whether float64 represents the value exactly, so that no two integers become the same category."""
    try:
        return isinstance(value, Real) and float(value) == value
    except OverflowError:
        return False


def _sorted(values: list) -> np.ndarray:
    numbers = all(_is_float(value) for value in values)
    return np.array(sorted({_plain(value, numbers) for value in values}), dtype=np.float64 if numbers else np.str_)


def _factorised(X, place: int) -> tuple[np.ndarray, list]:
    """For each row, the index of its value among the distinct values of a feature (-1 if missing), and these values."""
    if is_polars(X):
        return _factorised_polars(X.to_series(int(place)))
    if is_pandas(X):
        column = X.iloc[:, place]
        if hasattr(column, "cat"):
            values, index = column.cat.categories.tolist(), column.cat.codes.to_numpy().astype(np.intp)
            used = np.unique(index[index >= 0])
            return np.where(index >= 0, np.searchsorted(used, index), -1), [values[code] for code in used]
        column = column.to_numpy()
    else:
        column = X[:, place]
    return _factorised_array(column)


def _factorised_polars(column) -> tuple[np.ndarray, list]:
    known = ~column.is_null().to_numpy()
    physical = column.to_physical().fill_null(0).to_numpy()
    index = np.full(len(physical), -1, dtype=np.intp)
    values, first, index[known] = np.unique(physical[known], return_index=True, return_inverse=True)
    values = column.gather(np.flatnonzero(known)[first]).to_list()
    lacks = [isinstance(value, float) and np.isnan(value) for value in values]
    return np.append(np.where(lacks, -1, np.arange(len(values))), -1).astype(np.intp)[index], values


def _factorised_array(column: np.ndarray) -> tuple[np.ndarray, list]:
    if column.dtype.kind == "O":
        places: dict[Any, int] = {}
        try:
            found = [-1 if is_missing(value) else places.setdefault(value, len(places)) for value in column.tolist()]
        except TypeError as error:  # the value cannot be hashed
            raise TypeError(f"A category: argument must be a string or a number. Got {error}") from error
        return np.array(found, dtype=np.intp), list(places)
    values, index = np.unique(column, return_inverse=True)
    if values.dtype.kind == "f" and len(values) and np.isnan(values[-1]):
        return np.where(index == len(values) - 1, -1, index), values[:-1].tolist()
    return index, values.tolist()
