"""Odd and wrong input: each gets the documented result, or an error in scikit-learn's words.

Every case is put to every public method; to each estimator and dtype at night. PCA says what the error is; the
estimator and what it was given are the same afterwards, and nothing warns (the suite turns warnings into errors).
"""

from functools import cache

import numpy as np
import pytest
from fault_cases import (
    AFTER_FIT,
    CALLS,
    ESTIMATORS,
    FITS,
    PREDICTIONS,
    N,
    X,
    contents,
    each_call,
    each_estimator,
    few_epochs,
    fitted_estimators,
    frame,
    inputs_of,
    outcome,
    pd,
    read_only,
    state,
    table,
    with_value,
)
from scipy import sparse
from sklearn.base import clone
from sklearn.decomposition import PCA

from skae._support._categories import ADVICE_ON_DATES, ADVICE_TO_CONVERT, ADVICE_TO_ENCODE

pytestmark = few_epochs


@pytest.fixture
def fitted():
    return fitted_estimators()


@pytest.fixture
def fitted_to_frame():
    return fitted_estimators(to_frame=True)


@cache
def error_of_pca(case, fits):
    """The error that PCA raises for the same rows."""
    peer, rows = PCA(2, svd_solver="covariance_eigh"), REFUSED[case]()
    return outcome(peer.fit if fits else peer.fit(X).transform, rows)[1]


def words_of_scikit_learn(name, method, case):
    """The same in our estimator's name."""
    theirs = error_of_pca(case, method in FITS)
    words = str(theirs).replace("PCA", type(ESTIMATORS[name]).__name__)
    # PCA is content with one row.
    if case in ("no rows", "frame without rows") and method in (*FITS, "recalibrate"):
        words = words.replace("minimum of 1", "minimum of 2")
    advice = ADVICE_TO_CONVERT if name in ("denoising", "clean") else ADVICE_TO_ENCODE
    if case in ("dates", "NaT") and isinstance(theirs, TypeError):
        return TypeError, f"X has columns that cannot be converted to numbers: ['b']. {ADVICE_ON_DATES}"
    if "could not convert string" in words:
        columns = "Columns: ['b']. " if case == "string column" else ""
        words = f"{words}. {columns}{advice}"
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
    "string column": lambda: frame().assign(b="word"),
    "frame without rows": lambda: frame()[:0],
    "no rows": lambda: np.empty((0, 4)),
    "no columns": lambda: np.empty((N, 0)),
    "one dimension": lambda: X[:, 0],
    "three dimensions": lambda: X[:, :, np.newaxis],
    "a number": lambda: 3.0,
    "None": lambda: None,
    "a word": lambda: "word",
    "a dict": lambda: {"a": 1},
    "ragged": lambda: [[1.0, 2.0], [3.0]],
    "pd.NA among objects": lambda: with_value(pd.NA, object),
    "dates": lambda: frame().assign(b=pd.Timestamp("2020-02-20")),
    "NaT": lambda: frame().assign(b=pd.NaT),
}
# Detectors that are fitted to them take categories.
TAKEN = [(name, method) for name in ("denoising", "clean") for method in FITS]
CATEGORIES = {
    "words": lambda: frame().assign(b=pd.Categorical(["low", "high"] * (N // 2))),
    "numbers": lambda: pd.DataFrame(X).astype("category"),
}
# Calls that take codes, or refuse sparse rows.
DENSE_ONLY = [("transformer", "inverse_transform"), ("transformer", "predict")]
# Containers of the same rows with missing entries.
MISSING = {
    "float32": lambda rows: rows.astype(np.float32),
    "CSR": sparse.csr_array,
    "None among numbers": lambda rows: np.where(np.isnan(rows), None, rows),
    "pd.NA": lambda rows: pd.DataFrame(rows).astype("Float64").mask(np.isnan(rows), pd.NA),
}


class TestRefused:
    """Input with which nothing can be done."""

    @table(CALLS, case=REFUSED)
    def test_as_scikit_learn_does(self, fitted, name, method, case):
        self.assert_refused(fitted[name], name, method, case, REFUSED[case]())

    @table([(name, "recalibrate") for name in ESTIMATORS if name != "transformer"], case=REFUSED)
    def test_by_recalibrate(self, fitted, name, method, case):
        self.assert_refused(fitted[name], name, method, case, REFUSED[case]())

    @table(
        [(name, method) for name, method in CALLS if method != "inverse_transform" and (name, method) not in TAKEN],
        case=CATEGORIES,
    )
    def test_categories(self, fitted, name, method, case):
        """Of a detector that takes them, by methods after a fit to numbers."""
        estimator, rows = fitted[name], inputs_of(name, method, CATEGORIES[case]())
        before = state(estimator)
        with pytest.raises(ValueError, match=r"categorical.*OneHotEncoder within a ColumnTransformer"):
            getattr(estimator, method)(rows)
        assert state(estimator) == before

    @staticmethod
    def assert_refused(estimator, name, method, case, rows):
        codes = method == "inverse_transform"
        if codes and getattr(rows, "ndim", 0) == 2 and rows.shape[1] > 2:
            rows = inputs_of(name, method, rows)
        before, given = state(estimator), contents(rows)
        _, ours = outcome(getattr(estimator, method), rows)
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


OTHER_COLUMNS = {
    "reordered": (list("bacd"), "Feature names must be in the same order as they were in fit"),
    "renamed": (list("abce"), "Feature names unseen at fit time:\n- e\n"),
    "dropped": (list("abc"), "Feature names seen at fit time, yet now missing:\n- d\n"),
}


class TestNames:
    """Columns of a DataFrame, checked as scikit-learn checks them."""

    # Codes have no names.
    @table([call for call in PREDICTIONS if call[1] != "inverse_transform"], case=OTHER_COLUMNS)
    def test_other_columns_are_refused(self, fitted_to_frame, name, method, case):
        columns, words = OTHER_COLUMNS[case]
        rows = frame().rename(columns={"d": "e"} if "e" in columns else {})[columns]
        before, given = state(fitted_to_frame[name]), contents(rows)
        with pytest.raises(ValueError, match="The feature names should match those that were passed") as caught:
            getattr(fitted_to_frame[name], method)(rows)
        assert words in str(caught.value)
        assert state(fitted_to_frame[name]) == before
        assert contents(rows) == given

    @table(PREDICTIONS, width=[1, 3, 5])
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
        rows = frame().rename(columns={"a": 0})
        (_, ours), (_, theirs) = outcome(clone(ESTIMATORS[name]).fit, rows), outcome(PCA(2).fit, rows)
        assert (type(ours), str(ours)) == (type(theirs), str(theirs))


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
    "DataFrame": lambda rows: pd.DataFrame(rows),
    "nullable": lambda rows: pd.DataFrame(rows).astype("Float64"),
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


class TestMissing:
    """Rows with missing entries, one of them with nothing else."""

    @table([call for call in CALLS if call not in DENSE_ONLY], case=MISSING)
    def test_containers(self, fitted, name, method, case):
        rows = with_value(np.nan)
        rows[5] = np.nan
        estimator = clone(ESTIMATORS[name]) if method in FITS else fitted[name]
        given = MISSING[case](rows)
        before, contents_before = state(estimator), contents(given)
        found = getattr(estimator, method)(given)
        if method == "fit":
            assert np.isfinite(estimator.transform(rows)).all()
            return
        expected = getattr(clone(estimator) if method in FITS else estimator, method)(rows)
        found, expected = (each.toarray() if sparse.issparse(each) else np.asarray(each) for each in (found, expected))
        assert np.isfinite(found).all()
        np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-3 * np.abs(expected).max())
        assert contents(given) == contents_before
        if method not in FITS:
            assert state(estimator) == before


class TestContainers:
    """The same numbers in other containers give the same results."""

    @table(CALLS, case=SAME)
    def test_dense(self, fitted, name, method, case):
        plain = inputs_of(name, method, X)
        assert_same_result(fitted[name], method, SAME[case](plain), plain)

    @table(CALLS, case=SPARSE)
    def test_sparse(self, fitted, name, method, case):
        plain = inputs_of(name, method, X)
        if (name, method) == ("transformer", "predict") or method == "inverse_transform":
            with pytest.raises(TypeError, match="Sparse data was passed"):
                getattr(fitted[name], method)(SPARSE[case](plain))
            return
        assert_same_result(fitted[name], method, SPARSE[case](plain), plain)

    @table(CALLS, dtype=["float16", "int8", "uint64", "bool", "Int64", "boolean", "Float32"])
    def test_numbers_that_float64_holds(self, fitted, name, method, dtype):
        plain = inputs_of(name, method, np.clip(np.round(np.abs(X)), 0, 1 if "bool" in str(dtype) else 9))
        given = pd.DataFrame(plain).astype(dtype) if dtype in ("Int64", "boolean", "Float32") else plain.astype(dtype)
        assert_same_result(fitted[name], method, given, plain)

    @each_call
    def test_negative_zero(self, fitted, name, method):
        plain = inputs_of(name, method, np.where(np.abs(X) < 1.0, 0.0, X))
        assert_same_result(fitted[name], method, np.where(plain == 0.0, -0.0, plain), plain)
