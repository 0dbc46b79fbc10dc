"""Estimators, methods and comparisons that the tests of odd input share."""

import numpy as np
import pytest
from scipy import sparse
from sklearn.base import clone

from skae import AutoencoderOutlierDetector, AutoencoderTransformer


class _Pandas:
    """pandas, from its first use on; a test that uses it where it is not installed is skipped."""

    def __getattr__(self, name):
        return getattr(pytest.importorskip("pandas"), name)


pd = _Pandas()
N = 18
TRAINED = {"batch_size": 8, "hidden_layer_sizes": (8,), "random_state": 0}
ESTIMATORS = {
    "transformer": AutoencoderTransformer(2, max_iter=2, **TRAINED),
    "denoising": AutoencoderOutlierDetector(max_iter=2, n_components=2, **TRAINED),
    "reconstruction": AutoencoderOutlierDetector(method="reconstruction", max_iter=2, n_components=2, **TRAINED),
}
AFTER_FIT = {"fit": "score_samples", "fit_transform": "transform", "fit_predict": "predict"}
FITS = list(AFTER_FIT)
METHODS = {
    "transformer": ["transform", "reconstruct", "predict", "score_samples", "score", "inverse_transform"],
    "denoising": ["predict", "score_samples", "decision_function", "p_values", "feature_errors", "transform"],
}
METHODS["reconstruction"] = METHODS["denoising"]
CALLS = [
    (name, method)
    for name, estimator in ESTIMATORS.items()
    for method in [fit for fit in FITS if hasattr(estimator, fit)] + METHODS[name]
]
each_call = pytest.mark.parametrize(("name", "method"), CALLS)
each_dtype = pytest.mark.parametrize("dtype", ["float64", "float32"])
each_estimator = pytest.mark.parametrize("name", ESTIMATORS)
# Two epochs are too few on purpose.
few_epochs = pytest.mark.filterwarnings("ignore:The loss was still falling")

X = np.random.RandomState(0).normal(size=(N, 4)) @ np.diag([3.0, 2.0, 1.0, 0.5])


def frame():
    return pd.DataFrame(X, columns=list("abcd"))


def fitted_estimators(dtype="auto", rows=X):
    return {name: clone(estimator).set_params(dtype=dtype).fit(rows) for name, estimator in ESTIMATORS.items()}


def read_only(rows):
    rows = rows.copy()
    rows.flags.writeable = False
    return rows


def with_value(value, dtype=float, rows=X):
    rows = rows.astype(dtype)
    rows[3, 1] = value
    return rows


def inputs_of(name, method, rows):
    """What `method` of the estimator takes: rows, or two columns of them where it takes codes."""
    if method != "inverse_transform":
        return rows
    return rows.iloc[:, :2] if hasattr(rows, "iloc") else rows[:, :2]


def state(estimator):
    """Everything an estimator holds, arrays as bytes, to compare before and after."""
    return {name: frozen(value) for name, value in vars(estimator).items()}


def frozen(value):
    if isinstance(value, np.ndarray):
        return value.dtype.str, value.shape, value.tobytes() if value.dtype != object else tuple(value.ravel())
    if isinstance(value, dict):
        return {key: frozen(item) for key, item in value.items()}
    return value


def contents(rows):
    """A copy of anything that may be given, in a form that compares."""
    if sparse.issparse(rows):
        return rows.format, rows.toarray().tobytes()
    if hasattr(rows, "iloc"):
        return rows.copy(deep=True).to_csv(), list(rows.dtypes)
    return frozen(rows) if isinstance(rows, np.ndarray) else repr(rows)


def outcome(function, *arguments, **keywords):
    """The result and the exception; one of them is None."""
    try:
        return function(*arguments, **keywords), None
    except Exception as error:
        return None, error
