"""Estimators, methods and comparisons that the tests of odd input share."""

from functools import cache
from itertools import product
from zlib import crc32

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
    "clean": AutoencoderOutlierDetector(novelty=True, max_iter=2, n_components=2, **TRAINED),
    "reconstruction": AutoencoderOutlierDetector(method="reconstruction", max_iter=2, n_components=2, **TRAINED),
}
AFTER_FIT = {"fit": "score_samples", "fit_transform": "transform", "fit_predict": "predict"}
FITS = list(AFTER_FIT)
METHODS = {
    "transformer": ["transform", "reconstruct", "predict", "score_samples", "score", "inverse_transform"],
    "denoising": [
        *("predict", "score_samples", "decision_function", "p_values", "select"),
        *("feature_contributions", "transform"),
    ],
}
METHODS["clean"] = METHODS["reconstruction"] = METHODS["denoising"]
CALLS = [
    (name, method)
    for name, estimator in ESTIMATORS.items()
    for method in [fit for fit in FITS if hasattr(estimator, fit)] + METHODS[name]
]
PREDICTIONS = [call for call in CALLS if call[1] not in FITS]
DTYPES = ["float64", "float32"]
each_call = pytest.mark.parametrize(("name", "method"), CALLS)
each_dtype = pytest.mark.parametrize("dtype", DTYPES)
each_estimator = pytest.mark.parametrize("name", ESTIMATORS)
# Two epochs, and calibration rows for a list of alarms, are too few on purpose.
few_epochs = pytest.mark.filterwarnings("ignore:The loss was still falling", "ignore:No row is selected")

X = np.random.RandomState(0).normal(size=(N, 4)) @ np.diag([3.0, 2.0, 1.0, 0.5])


def drawn(key, choices):
    """One of several, by the name of what it is drawn for: new cases leave those of others as they are."""
    return choices[crc32(repr(key).encode()) % len(choices)]


def table(calls, **cases):
    """Parametrise by calls and cases.

    Each public method meets each case (the first of `cases`) in one of the estimators and other cases; of the methods
    that fit one is not `slow`. The other combinations are `nightly`.
    """
    groups = {}
    for (name, method), case, *others in product(calls, *cases.values()):
        groups.setdefault((type(ESTIMATORS[name]).__name__, method, case), []).append((name, method, case, *others))
    rows = []
    for key, group in groups.items():
        _, method, case = key
        fits = [other for other in groups if other[1] in FITS and other[2] == case]
        mark = [pytest.mark.slow] if method in FITS and drawn(case, fits) != key else []
        for row in group:
            rows.append(pytest.param(*row, marks=mark if row == drawn(key, group) else pytest.mark.nightly))
    return pytest.mark.parametrize(("name", "method", *cases), rows)


def frame():
    return pd.DataFrame(X, columns=list("abcd"))


@cache
def fitted_estimators(dtype="auto", to_frame=False):
    """Fitted once for all tests of a process: none may change them."""
    rows = frame() if to_frame else X
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
    """All that a file would keep of an estimator, arrays as bytes, to compare before and after."""
    return frozen(estimator.__getstate__())


def frozen(value):
    if isinstance(value, np.ndarray):
        return value.dtype.str, value.shape, value.tobytes() if value.dtype != object else tuple(value.ravel())
    if isinstance(value, dict):
        return {key: frozen(item) for key, item in value.items()}
    return [frozen(item) for item in value] if isinstance(value, list | tuple) else value


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


# Rows that no method takes.
WRONG = {
    "inf": with_value(np.inf),
    "inf in float32": with_value(np.inf, np.float32),
    "inf in float16": with_value(np.inf, np.float16),
    "NaN": with_value(np.nan),
    "complex": X + 1j,
    "too large for the estimator": 1e300 * X,
    "too large for sums": np.full_like(X, 1e308),
    "float32 near its end": np.full_like(X, 3e38, np.float32),
    "no rows": X[:0],
    "no columns": X[:, :0],
    "a column less": X[:, 1:],
    "one dimension": X[0],
    "three dimensions": X[:, :, np.newaxis],
    "a number": X[0, 0],
}
