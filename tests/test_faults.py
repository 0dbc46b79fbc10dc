"""What is odd, wrong or extreme: each gets the documented result, or an error in scikit-learn's words.

Every case is put to every public method. scikit-learn's own estimators say what the error is; the estimator and what it
was given are the same afterwards, and nothing warns (the suite turns warnings into errors).
"""

import copy
import re
from functools import cache

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.base import clone
from sklearn.decomposition import PCA

from skae import AutoencoderOutlierDetector, AutoencoderTransformer
from skae._support._parameters import Boolean, Float, InstanceOf, Integer, LayerSizes, OneOf, Seed

# Too few rows for cross-calibration, which fits six times; enough for two batches.
N = 18
TRAINED = {"batch_size": 8, "hidden_layer_sizes": (8,), "tol": 0.0, "random_state": 0}
ESTIMATORS = {
    "transformer": AutoencoderTransformer(2, max_iter=2, **TRAINED),
    "denoising": AutoencoderOutlierDetector(max_iter=2, n_components=2, **TRAINED),
    "reconstruction": AutoencoderOutlierDetector(method="reconstruction", max_iter=2, n_components=2, **TRAINED),
}
FITS = ["fit", "fit_transform", "fit_predict"]
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
pytestmark = pytest.mark.filterwarnings("ignore:The loss was still falling")

X = np.random.RandomState(0).normal(size=(N, 4)) @ np.diag([3.0, 2.0, 1.0, 0.5])
FRAME = pd.DataFrame(X, columns=list("abcd"))


@pytest.fixture(scope="module")
def fitted():
    return {name: clone(estimator).fit(X) for name, estimator in ESTIMATORS.items()}


@pytest.fixture(scope="module")
def fitted_in_float32():
    return {name: clone(estimator).set_params(dtype="float32").fit(X) for name, estimator in ESTIMATORS.items()}


@pytest.fixture(scope="module")
def fitted_to_frame():
    return {name: clone(estimator).fit(FRAME) for name, estimator in ESTIMATORS.items()}


def with_value(value, dtype=float, rows=X):
    rows = rows.astype(dtype)
    rows[3, 1] = value
    return rows


def inputs_of(name, method, rows):
    """What `method` of the estimator takes: rows, or two columns of them where it takes codes."""
    if method != "inverse_transform":
        return rows
    return rows.iloc[:, :2] if isinstance(rows, pd.DataFrame) else rows[:, :2]


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
    if isinstance(rows, pd.DataFrame):
        return rows.copy(deep=True).to_csv(), list(rows.dtypes)
    return frozen(rows) if isinstance(rows, np.ndarray) else repr(rows)


def outcome(function, *arguments, **keywords):
    """The result and the exception; one of them is None."""
    try:
        return function(*arguments, **keywords), None
    except Exception as error:
        return None, error


def error_of(function, *arguments):
    return outcome(function, *arguments)[1]


@cache
def error_of_pca(case, fits):
    """The error that PCA raises for the same rows."""
    peer, rows = PCA(2, svd_solver="covariance_eigh"), (REFUSED | MISSING)[case]()
    return error_of(peer.fit if fits else peer.fit(X).transform, rows)


def words_of_scikit_learn(name, method, case):
    """The same in our estimator's name."""
    theirs = error_of_pca(case, method in FITS)
    words = str(theirs).replace("PCA", type(ESTIMATORS[name]).__name__)
    # PCA is content with one row.
    if case == "no rows" and method in FITS:
        words = words.replace("minimum of 1", "minimum of 2")
    return type(theirs), words


REFUSED = {
    "inf": lambda: with_value(np.inf),
    "-inf": lambda: with_value(-np.inf),
    "inf in float32": lambda: with_value(np.inf, np.float32),
    "inf in float16": lambda: with_value(np.inf, np.float16),
    "inf in CSR": lambda: sparse.csr_array(with_value(np.inf)),
    "complex": lambda: X + 1j,
    "strings": lambda: with_value("three", object),
    "objects": lambda: with_value({}, object),
    "words": lambda: np.full((N, 4), "word"),
    "string column": lambda: FRAME.assign(b="word"),
    "categories": lambda: FRAME.assign(b=pd.Categorical(["low", "high"] * (N // 2))),
    "no rows": lambda: np.empty((0, 4)),
    "no columns": lambda: np.empty((N, 0)),
    "one dimension": lambda: X[:, 0],
    "three dimensions": lambda: X[:, :, np.newaxis],
    "a number": lambda: 3.0,
    "None": lambda: None,
    "a word": lambda: "word",
    "a dict": lambda: {"a": 1},
    "ragged": lambda: [[1.0, 2.0], [3.0]],
}
MISSING = {
    "NaN": lambda: with_value(np.nan),
    "NaN in float32": lambda: with_value(np.nan, np.float32),
    "NaN in CSR": lambda: sparse.csr_array(with_value(np.nan)),
    "None among numbers": lambda: with_value(None, object),
    "pd.NA": lambda: FRAME.astype("Float64").mask(FRAME > 5.0, pd.NA),
    "pd.NA among objects": lambda: with_value(pd.NA, object),
    "NaT": lambda: FRAME.assign(b=pd.NaT),
}


class TestRefused:
    """Input with which nothing can be done."""

    @each_call
    @pytest.mark.parametrize("case", REFUSED)
    def test_as_scikit_learn_does(self, fitted, name, method, case):
        self.assert_refused(fitted[name], name, method, case, REFUSED[case]())

    @pytest.mark.parametrize(("name", "method"), [call for call in CALLS if call[0] != "transformer"])
    @pytest.mark.parametrize("case", MISSING)
    def test_missing_values_by_detectors(self, fitted, name, method, case):
        self.assert_refused(fitted[name], name, method, case, MISSING[case]())

    @staticmethod
    def assert_refused(estimator, name, method, case, rows):
        codes = method == "inverse_transform"
        if codes and getattr(rows, "ndim", 0) == 2 and rows.shape[1] > 2:
            rows = inputs_of(name, method, rows)
        before, given = state(estimator), contents(rows)
        ours = error_of(getattr(estimator, method), rows)
        if codes or (method == "predict" and name == "transformer" and sparse.issparse(rows)):
            assert isinstance(ours, ValueError | TypeError)
        else:
            assert (type(ours), str(ours)) == words_of_scikit_learn(name, method, case)
        assert state(estimator) == before
        assert contents(rows) == given

    @each_call
    def test_one_row(self, fitted, name, method):
        if method not in FITS:
            result = getattr(fitted[name], method)(inputs_of(name, method, X[:1]))
            assert np.isfinite(result).all()
            return
        before = state(fitted[name])
        with pytest.raises(
            ValueError, match=r"Found array with 1 sample\(s\).*while a minimum of 2 is required by Auto"
        ):
            getattr(fitted[name], method)(X[:1])
        assert state(fitted[name]) == before


class TestNames:
    """Columns of a DataFrame, checked as scikit-learn checks them."""

    @pytest.mark.parametrize(("name", "method"), [call for call in CALLS if call[1] not in FITS])
    @pytest.mark.parametrize(
        ("columns", "words"),
        [
            (list("bacd"), "Feature names must be in the same order as they were in fit"),
            (list("abce"), "Feature names unseen at fit time:\n- e\n"),
            (list("abc"), "Feature names seen at fit time, yet now missing:\n- d\n"),
        ],
        ids=["reordered", "renamed", "dropped"],
    )
    def test_other_columns_are_refused(self, fitted_to_frame, name, method, columns, words):
        if method == "inverse_transform":
            pytest.skip("codes have no names")
        rows = FRAME.rename(columns={"d": "e"} if "e" in columns else {})[columns]
        before, given = state(fitted_to_frame[name]), contents(rows)
        with pytest.raises(ValueError, match="The feature names should match those that were passed") as caught:
            getattr(fitted_to_frame[name], method)(rows)
        assert words in str(caught.value)
        assert state(fitted_to_frame[name]) == before
        assert contents(rows) == given

    @pytest.mark.parametrize(("name", "method"), [call for call in CALLS if call[1] not in FITS])
    @pytest.mark.parametrize("width", [1, 3, 5])
    def test_another_width_is_refused(self, fitted, name, method, width):
        rows = np.zeros((5, width))
        before = state(fitted[name])
        ours = type(fitted[name]).__name__
        expected = "2 components" if method == "inverse_transform" else "4 features"
        with pytest.raises(ValueError, match=f"X has {width} features, but {ours} is expecting {expected} as input"):
            getattr(fitted[name], method)(rows)
        assert state(fitted[name]) == before

    @each_estimator
    def test_names_not_all_strings(self, name):
        rows = FRAME.rename(columns={"a": 0})
        ours, theirs = error_of(clone(ESTIMATORS[name]).fit, rows), error_of(PCA(2).fit, rows)
        assert (type(ours), str(ours)) == (type(theirs), str(theirs))


def read_only(rows):
    rows = rows.copy()
    rows.flags.writeable = False
    return rows


SAME = {
    "Fortran order": np.asfortranarray,
    "negative strides": lambda rows: rows[::-1, ::-1].copy()[::-1, ::-1],
    "read-only": read_only,
    "big-endian": lambda rows: rows.astype(">f8"),
    "big-endian read-only": lambda rows: read_only(rows.astype(">f8")),
    "every other column": lambda rows: np.repeat(rows, 2, axis=1)[:, ::2],
    "broadcast": lambda rows: np.broadcast_to(rows, (1, *rows.shape))[0],
    "objects": lambda rows: rows.astype(object),
    "numbers as strings": lambda rows: np.array([[repr(float(value)) for value in row] for row in rows], dtype=object),
    "list": np.ndarray.tolist,
    "DataFrame": pd.DataFrame,
    "nullable": lambda rows: pd.DataFrame(rows).astype("Float64"),
    "numbers as categories": lambda rows: pd.DataFrame(rows).astype("category"),
    "numbers as strings in a DataFrame": lambda rows: pd.DataFrame(rows).map(lambda value: repr(float(value))),
}
SPARSE = {
    "CSR": sparse.csr_array,
    "CSC": sparse.csc_array,
    "COO": sparse.coo_array,
    "LIL": sparse.lil_array,
    "BSR": sparse.bsr_array,
    "CSR matrix": sparse.csr_matrix,
    "64-bit indices": lambda rows: with_wide_indices(sparse.csr_array(rows)),
    "unsorted indices": lambda rows: with_unsorted_indices(sparse.csr_array(rows)),
    "duplicate entries": lambda rows: with_duplicates(rows),
    "explicit zeros": lambda rows: with_explicit_zeros(rows),
}


def with_wide_indices(rows):
    rows.indices, rows.indptr = rows.indices.astype(np.int64), rows.indptr.astype(np.int64)
    return rows


def with_unsorted_indices(rows):
    n_columns = rows.shape[1]
    order = (np.arange(rows.nnz).reshape(-1, n_columns)[:, ::-1]).ravel()
    return sparse.csr_array((rows.data[order], rows.indices[order], rows.indptr), shape=rows.shape)


def with_duplicates(rows):
    i, j = np.indices(rows.shape)
    halves = np.r_[rows.ravel() / 2, rows.ravel() / 2]
    return sparse.coo_array((halves, (np.r_[i.ravel(), i.ravel()], np.r_[j.ravel(), j.ravel()])), shape=rows.shape)


def with_explicit_zeros(rows):
    i, j = np.indices((len(rows), rows.shape[1]))
    return sparse.csr_array((rows.ravel(), (i.ravel(), j.ravel())), shape=rows.shape)


AFTER_FIT = {"fit": "score_samples", "fit_transform": "transform", "fit_predict": "predict"}


def assert_same_result(estimator, method, given, plain):
    """`method` gives the same for both containers, and leaves the container alone."""
    before = contents(given)
    result = getattr(clone(estimator) if method in FITS else estimator, method)(given)
    assert contents(given) == before
    if method in FITS and plain is not X:
        estimator = clone(estimator).fit(plain)
    expected = getattr(estimator, AFTER_FIT.get(method, method))(plain)
    result = result.score_samples(plain) if method == "fit" else result
    if hasattr(result, "iloc"):
        result = result.to_numpy()
    # Sums in another order, rounded in float64.
    np.testing.assert_allclose(result, expected, rtol=1e-9, atol=1e-9)


class TestContainers:
    """The same numbers in other containers give the same results."""

    @each_call
    @pytest.mark.parametrize("case", SAME)
    def test_dense(self, fitted, name, method, case):
        plain = inputs_of(name, method, X)
        assert_same_result(fitted[name], method, SAME[case](plain), plain)

    @each_call
    @pytest.mark.parametrize("case", SPARSE)
    def test_sparse(self, fitted, name, method, case):
        plain = inputs_of(name, method, X)
        if (name, method) == ("transformer", "predict") or method == "inverse_transform":
            with pytest.raises(TypeError, match="Sparse data was passed"):
                getattr(fitted[name], method)(SPARSE[case](plain))
            return
        assert_same_result(fitted[name], method, SPARSE[case](plain), plain)

    @each_call
    @pytest.mark.parametrize("dtype", [np.float16, np.int8, np.uint64, bool, "Int64", "boolean", "Float32"], ids=str)
    def test_numbers_that_float64_holds(self, fitted, name, method, dtype):
        plain = inputs_of(name, method, np.clip(np.round(np.abs(X)), 0, 1 if "bool" in str(dtype) else 9))
        given = pd.DataFrame(plain).astype(dtype) if isinstance(dtype, str) else plain.astype(dtype)
        assert_same_result(fitted[name], method, given, plain)

    @each_call
    def test_negative_zero(self, fitted, name, method):
        plain = inputs_of(name, method, np.where(np.abs(X) < 1.0, 0.0, X))
        assert_same_result(fitted[name], method, np.where(plain == 0.0, -0.0, plain), plain)


def extreme_rows(rows):
    """Finite numbers that are hard to compute with, by name."""
    n = len(rows)
    sign = np.where(np.arange(n)[:, np.newaxis] % 2, 1.0, -1.0)
    return {
        "1e19": with_value(1e19, rows=rows),
        "-1e30": with_value(-1e30, rows=rows),
        "1e200": with_value(1e200, rows=rows),
        "1.7e308": with_value(1.7e308, rows=rows),
        "both ends": sign * np.full((n, 4), 1.7e308),
        "3e38 in float32": with_value(3e38, np.float32, rows),
        "65504 in float16": with_value(65504, np.float16, rows),
        "5e-324": with_value(5e-324, rows=rows),
        "all of 1e19": rows * 1e19,
        "all of 1e150": rows * 1e150,
        "all of 1e200": rows * 1e200,
        "all of 1e-40": rows * 1e-40,
        "all of 1e-160": rows * 1e-160,
        "all of 1e-300": rows * 1e-300,
        "far from zero": rows + 1e15,
        "zeros": np.zeros((n, 4)),
        "constants": np.full((n, 4), 0.1),
        "large constants": np.full((n, 4), 1e300),
        "a constant column": np.column_stack([rows[:, :3], np.full(n, 7.3)]),
        "equal columns": np.repeat(rows[:, :1], 4, axis=1),
        "duplicates": rows[np.arange(n) % 3],
        "two kinds of row": rows[np.arange(n) % 2],
        "one row unlike the rest": np.vstack([np.ones((n - 1, 4)), rows[:1]]),
    }


EXTREMES = extreme_rows(X)
MANY_EXTREMES = extreme_rows(np.random.RandomState(0).normal(size=(200, 4)))
TOO_LARGE = r"too large for (float64; scale X|dtype\('float(32|64)'\))|scale X or lower learning_rate_init"


# scikit-learn's own check for infinite values adds up numbers that cancel.
@pytest.mark.filterwarnings("ignore:invalid value encountered in reduce:RuntimeWarning")
class TestExtremes:
    """Finite numbers: finite results, or an error that says that they are too large."""

    @each_call
    @each_dtype
    @pytest.mark.parametrize("case", EXTREMES)
    def test_finite_or_refused(self, fitted, fitted_in_float32, name, method, dtype, case):
        rows = inputs_of(name, method, EXTREMES[case])
        estimator = (fitted if dtype == "float64" else fitted_in_float32)[name]
        before, given = state(estimator), contents(rows)
        self.assert_finite_or_refused(clone(estimator) if method in FITS else estimator, method, rows)
        assert state(estimator) == before
        assert contents(rows) == given

    @each_estimator
    @each_dtype
    @pytest.mark.parametrize("case", MANY_EXTREMES)
    def test_with_rows_to_hold_out(self, name, dtype, case):
        estimator = clone(ESTIMATORS[name]).set_params(dtype=dtype, batch_size=64)
        self.assert_finite_or_refused(estimator, "fit", MANY_EXTREMES[case])

    @staticmethod
    def assert_finite_or_refused(estimator, method, rows):
        before = state(estimator)
        result, error = outcome(getattr(estimator, method), rows)
        if error is None:
            result = result.score_samples(rows) if method == "fit" else result
            assert np.isfinite(result).all()
        else:
            assert type(error) is ValueError
            assert re.search(TOO_LARGE, str(error))
            assert np.abs(rows).max() >= 1e18
            assert state(estimator) == before

    @each_estimator
    @pytest.mark.parametrize("shape", [(2, 1), (2, 4), (3, 1), (60, 1), (49, 4), (50, 4), (20, 30), (2, 200)], ids=str)
    def test_few_rows_or_columns(self, name, shape):
        rows = np.random.RandomState(1).normal(size=shape)
        estimator = clone(ESTIMATORS[name]).set_params(n_components=1).fit(rows)
        for method in METHODS[name]:
            given = rows[:, :1] if method == "inverse_transform" else rows
            assert np.isfinite(getattr(estimator, method)(given)).all()

    @pytest.mark.parametrize("name", ["denoising", "reconstruction"])
    @pytest.mark.parametrize("value", [1e6, -1e19, 1e30])
    def test_a_wild_value_is_an_outlier(self, fitted, name, value):
        rows = with_value(value)
        detector = fitted[name]
        assert detector.predict(rows)[3] == -1
        assert detector.p_values(rows)[3] == detector.p_values(rows).min()
        assert detector.score_samples(rows).argmin() == 3
        assert detector.feature_errors(rows)[3].argmax() == 1

    def test_a_wild_value_scores_what_it_is(self, fitted_in_float32):
        """The error of a row 1e25 away is 1e50, which float32 does not hold."""
        rows = with_value(1e25)
        ours = fitted_in_float32["transformer"]
        errors = np.square(rows - ours.reconstruct(rows)).sum(axis=1)
        assert -ours.score_samples(rows)[3] == pytest.approx(errors[3], rel=1e-3)


WEIGHTS = {
    "huge": np.full(N, 1e300),
    "as large as can be": np.full(N, 1.7e308),
    "tiny": np.full(N, 1e-300),
    "denormal": np.full(N, 5e-324),
    "integers": np.full(N, 3),
    "booleans": np.full(N, True),
    "float16": np.full(N, 0.5, dtype=np.float16),
    "big-endian": np.full(N, 2.0, dtype=">f8"),
    "read-only": read_only(np.full(N, 2.0)),
    "a list": [2.0] * N,
    "a Series": pd.Series([2.0] * N, index=np.arange(N) + 100),
    "a number": 2.0,
    "a NumPy number": np.float32(2.0),
}
UNEQUAL_WEIGHTS = {
    "nearly all tiny": np.r_[np.full(N - 1, 1e-60), 1.0],
    "nearly all huge": np.r_[np.full(N - 1, 1e60), 1.0],
    "from tiny to huge": np.logspace(-300, 300, N),
    "half without": np.r_[np.zeros(N // 2), np.ones(N // 2)],
    "one row with": np.r_[np.zeros(N - 1), 1.0],
    "two rows with": np.r_[np.zeros(N - 2), 1.0, 1.0],
}
REFUSED_WEIGHTS = {
    "negative": ([-1.0] * N, "Negative values in data passed to `sample_weight`"),
    "one negative": ([-1e-300] + [1.0] * (N - 1), "Negative values in data passed to `sample_weight`"),
    "a negative number": (-1.0, "Negative values in data passed to `sample_weight`"),
    "zeros": (np.zeros(N), "Sample weights must not all be zero"),
    "zero": (0.0, "Sample weights must not all be zero"),
    "NaN": (np.r_[np.nan, np.ones(N - 1)], "sample_weight contains NaN"),
    "a NaN": (np.nan, "sample_weight contains NaN"),
    "infinity": (np.r_[np.inf, np.ones(N - 1)], "sample_weight contains infinity"),
    "an infinity": (np.inf, "sample_weight contains infinity"),
    "too few": (np.ones(N - 1), "inconsistent numbers of samples"),
    "too many": (np.ones(N + 1), "inconsistent numbers of samples"),
    "two dimensions": (np.ones((N, 1)), "Sample weights must be 1D array or scalar"),
    "a word": ("balanced", "could not convert string to float"),
    "words": (["one"] * N, "could not convert string to float"),
    "complex": (np.ones(N) + 1j, "Complex data not supported"),
    "complex number": (1 + 1j, "Complex data not supported"),
    "objects": ([None] * N, "sample_weight contains NaN"),
}


class TestWeights:
    @each_estimator
    @pytest.mark.parametrize("case", WEIGHTS)
    def test_equal_weights_are_none(self, fitted, name, case):
        weight = WEIGHTS[case]
        given = contents(np.asarray(weight))
        ours = clone(ESTIMATORS[name]).fit(X, sample_weight=weight)
        assert contents(np.asarray(weight)) == given
        # A detector counts weights as rows: more of them shift the quantiles by less than one row does.
        tolerance = {"rtol": 1e-5} if name == "transformer" else {"rtol": 0.2, "atol": 0.1}
        np.testing.assert_allclose(ours.score_samples(X), fitted[name].score_samples(X), **tolerance)

    @each_estimator
    @each_dtype
    @pytest.mark.parametrize("case", UNEQUAL_WEIGHTS)
    def test_unequal_weights_are_finite(self, name, dtype, case):
        ours = clone(ESTIMATORS[name]).set_params(dtype=dtype)
        _, error = outcome(ours.fit, X, sample_weight=UNEQUAL_WEIGHTS[case])
        if error is not None:
            # The variance is that of one row: others are 1e30 deviations away, whose square float32 does not hold.
            assert (dtype, case) == ("float32", "nearly all tiny")
            assert re.search(TOO_LARGE, str(error))
            return
        assert np.isfinite(ours.score_samples(X)).all()
        assert np.isfinite(ours.transform(X)).all()
        assert np.isfinite([ours.best_loss_, ours.pca_loss_, *ours.loss_curve_]).all()
        if name == "transformer":
            assert np.isfinite(ours.score(X, sample_weight=UNEQUAL_WEIGHTS[case]))

    @each_estimator
    @pytest.mark.parametrize("case", REFUSED_WEIGHTS)
    def test_refused(self, fitted, name, case):
        weight, words = REFUSED_WEIGHTS[case]
        before = state(fitted[name])
        for method in ["fit", "score"] if name == "transformer" else ["fit"]:
            with pytest.raises((ValueError, TypeError), match=words):
                getattr(fitted[name], method)(X, sample_weight=weight)
        assert state(fitted[name]) == before

    @pytest.mark.parametrize("case", WEIGHTS)
    def test_score_with_equal_weights(self, fitted, case):
        score = fitted["transformer"].score(X, sample_weight=WEIGHTS[case])
        assert score == pytest.approx(fitted["transformer"].score(X))


# What no parameter may be.
NEVER = [object(), {}, 1j, b"auto", "no such option", np.nan, np.inf, -np.inf, np.array([0.5]), -(10**400), pd.NA]


def out_of_range(constraint):
    """Values just outside what a constraint allows, by its own account of the limits."""
    match constraint:
        case Integer(low):
            return [low - 1, 2.5, "1"]
        case Float(low, high, low_open, high_open):
            below = [low if low_open else np.nextafter(low, -np.inf)]
            return below + ([] if np.isinf(high) else [float(high) if high_open else np.nextafter(high, np.inf)])
        case Boolean():
            return ["True", 2.5]
        case OneOf(options):
            return ["", " ", *(option.upper() for option in options if option)]
        case LayerSizes():
            return [(0,), (-1, 3), (2.5,), (True,), ("8",), 8, {8}, np.array([8])]
        case InstanceOf():
            return [3, True, None]
        case Seed():
            return [-1, 2**32, 0.5, "0", True, np.random.default_rng(0)]


PARAMETERS = [
    (name, parameter, value)
    for name, estimator in ESTIMATORS.items()
    for parameter, constraints in estimator._constraints.items()
    for value in [*NEVER, *(value for constraint in constraints for value in out_of_range(constraint))]
]


class TestParameters:
    def test_all_are_constrained(self):
        for estimator in ESTIMATORS.values():
            assert set(estimator._constraints) == set(estimator.get_params())

    @pytest.mark.parametrize(
        ("name", "parameter", "value"), PARAMETERS, ids=[f"{name}-{p}-{i}" for i, (name, p, _) in enumerate(PARAMETERS)]
    )
    def test_out_of_range(self, fitted, name, parameter, value):
        estimator = copy.copy(fitted[name])
        setattr(estimator, parameter, value)
        before = state(estimator)
        with pytest.raises(ValueError, match=f"^The '{parameter}' parameter") as caught:
            estimator.fit(X[:, :3])
        assert "Got " in str(caught.value)
        assert state(estimator) == before
