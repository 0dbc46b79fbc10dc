"""Numbers and weights that are hard to compute with: finite results, or an error that says that they are too large."""

import re
from functools import partial

import numpy as np
import pytest
from fault_cases import (
    CALLS,
    DTYPES,
    ESTIMATORS,
    FITS,
    METHODS,
    N,
    X,
    contents,
    each_dtype,
    each_estimator,
    few_epochs,
    fitted_estimators,
    inputs_of,
    outcome,
    pd,
    read_only,
    state,
    table,
    with_value,
)
from sklearn.base import clone

from skae import AutoencoderOutlierDetector, AutoencoderTransformer

DETECTORS = ["denoising", "clean", "reconstruction"]

pytestmark = few_epochs


@pytest.fixture
def fitted():
    return fitted_estimators()


@pytest.fixture
def fitted_in_float32():
    return fitted_estimators("float32")


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
TOO_LARGE = r"too large for (float64: divide X|dtype\('float(32|64)'\))|scale X or lower learning_rate_init"


# scikit-learn's own check for infinite values adds up numbers that cancel.
@pytest.mark.filterwarnings("ignore:invalid value encountered in reduce:RuntimeWarning")
class TestExtremes:
    """Finite numbers: finite results, or an error that says that they are too large."""

    @table(CALLS, case=EXTREMES, dtype=DTYPES)
    def test_finite_or_refused(self, fitted, fitted_in_float32, name, method, dtype, case):
        rows = inputs_of(name, method, EXTREMES[case])
        estimator = (fitted if dtype == "float64" else fitted_in_float32)[name]
        before, given = state(estimator), contents(rows)
        self.assert_finite_or_refused(clone(estimator) if method in FITS else estimator, method, rows)
        assert state(estimator) == before
        assert contents(rows) == given

    @table([(name, "fit") for name in ESTIMATORS], case=MANY_EXTREMES, dtype=DTYPES)
    def test_with_rows_to_hold_out(self, name, method, dtype, case):
        estimator = clone(ESTIMATORS[name]).set_params(dtype=dtype, batch_size=64)
        self.assert_finite_or_refused(estimator, method, MANY_EXTREMES[case])

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

    @pytest.mark.filterwarnings("ignore:Found .* different rows for .* features")
    @each_estimator
    @pytest.mark.parametrize("shape", [(2, 1), (2, 4), (3, 1), (60, 1), (49, 4), (50, 4), (20, 30), (2, 200)], ids=str)
    def test_few_rows_or_columns(self, name, shape):
        rows = np.random.RandomState(1).normal(size=shape)
        estimator = clone(ESTIMATORS[name]).set_params(n_components=1).fit(rows)
        for method in METHODS[name]:
            given = rows[:, :1] if method == "inverse_transform" else rows
            assert np.isfinite(getattr(estimator, method)(given)).all()

    @each_estimator
    @pytest.mark.parametrize("method", ["fit", "partial_fit"])
    def test_more_components_than_features(self, name, method):
        estimator = clone(ESTIMATORS[name]).set_params(n_components=5)
        before = state(estimator)
        with pytest.raises(ValueError, match="n_components=5 must be between 1 and n_features=4"):
            getattr(estimator, method)(X[:, :4])
        assert state(estimator) == before

    def test_sparse_codes_may_have_more_components_than_features(self):
        assert AutoencoderTransformer(5, code="sparse").fit(X[:, :4]).transform(X[:, :4]).shape == (N, 5)

    @pytest.mark.parametrize(
        "make", [AutoencoderTransformer, partial(AutoencoderOutlierDetector, method="reconstruction")]
    )
    def test_deviations_that_float64_does_not_hold(self, make):
        """Dividing by an infinite one would make every row the mean. The denoising scorer computes in other units."""
        with pytest.raises(ValueError, match="too large for float64: divide X by a constant first"):
            make(scale=True).fit(X * 1e200)

    @pytest.mark.parametrize("unit", [1e-50, 1e50])
    def test_units_that_float32_does_not_hold(self, unit):
        """Rows of zeros are the same rows in float32; only the model's mean and scale are not."""
        ours = AutoencoderTransformer(2, dtype="float32").fit(X * unit)
        rows = np.zeros((2, 4))
        scores = ours.score_samples(rows)
        assert (scores < 0).all()
        np.testing.assert_allclose(ours.score_samples(rows.astype(np.float32)), scores, rtol=1e-5)

    def test_squares_that_float32_does_not_hold(self):
        ours = AutoencoderTransformer(2, dtype="float32", max_iter=2).fit(X)
        assert np.isfinite(ours.score(1e25 * X))
        with pytest.raises(ValueError, match=r"too large for dtype\('float32'\)"):
            ours.transform(1e200 * X)

    def test_a_row_far_from_all_others_in_float32(self):
        """A fold without it is 1e40 times narrower: p-values need its distance all the same."""
        rows = np.zeros((30, 1), dtype=np.float32)
        rows[:2, 0] = 1e-40, 1e11
        detector = AutoencoderOutlierDetector(method="reconstruction", scale=False, random_state=0).fit(rows)
        assert detector.p_values(rows)[1] == detector.p_values(rows).min()
        assert detector.predict(rows)[1] == -1

    def test_training_on_constants_with_noise(self):
        """There is no variance to measure the noise by, and none to magnify it by."""
        noisy = {"corruption": "gaussian", "corruption_level": 0.3, "batch_size": 1, "max_iter": 1}
        ours = AutoencoderTransformer(1, hidden_layer_sizes=(), random_state=0, **noisy).fit(np.zeros((20, 1)))
        np.testing.assert_allclose(ours.reconstruct(np.zeros((2, 1))), 0.0, atol=0.01)

    def test_codes_that_vary_by_rounding_alone(self):
        """Weighted means of 0.1 are off by rounding, which is then all the variance there is."""
        weight = np.r_[1e-3, np.full(6, 40.0)]
        for whiten in [False, True]:
            ours = AutoencoderTransformer(None, whiten=whiten).fit(np.full((7, 5), 0.1), sample_weight=weight)
            np.testing.assert_allclose(ours.reconstruct(np.full((2, 5), 0.1)), 0.1)

    @pytest.mark.parametrize("name", DETECTORS)
    @pytest.mark.parametrize("value", [1e6, -1e19, 1e30])
    def test_a_wild_value_is_an_outlier(self, fitted, name, value):
        rows = with_value(value)
        detector = fitted[name]
        assert detector.predict(rows)[3] == -1
        assert detector.p_values(rows)[3] == detector.p_values(rows).min()
        assert detector.score_samples(rows).argmin() == 3

    @pytest.mark.parametrize("name", DETECTORS)
    @pytest.mark.parametrize("value", [1e6, -1e19, 1e30])
    def test_a_wild_value_is_named(self, fitted, name, value):
        assert fitted[name].feature_contributions(with_value(value))[3].argmax() == 1

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
    "a Series": lambda: pd.Series([2.0] * N, index=np.arange(N) + 100),
    "a number": 2.0,
    "a NumPy number": np.float32(2.0),
}


def equal_weights(case):
    return WEIGHTS[case]() if callable(WEIGHTS[case]) else WEIGHTS[case]


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
    "no dimension": (np.array(1.0), "Input should have at least 1 dimension|Singleton array"),
    "objects": ([None] * N, "sample_weight contains NaN"),
}


class TestWeights:
    @each_estimator
    @pytest.mark.parametrize("case", WEIGHTS)
    def test_equal_weights_are_none(self, fitted, name, case):
        weight = equal_weights(case)
        given = contents(np.asarray(weight))
        ours = clone(ESTIMATORS[name]).fit(X, sample_weight=weight)
        assert contents(np.asarray(weight)) == given
        if name in DETECTORS[:-1] and np.max(weight) > 20:  # then all rows repeat by nature
            assert np.isfinite(ours.score_samples(X)).all()
            return
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
        assert np.isfinite([ours.best_loss_, ours.initial_loss_, *ours.loss_curve_]).all()
        if name == "transformer":
            assert np.isfinite(ours.score(X, sample_weight=UNEQUAL_WEIGHTS[case]))

    def test_batches_of_tiny_weights(self):
        weight = np.where(np.arange(N) % 2, 1e-60, 1.0)
        ours = AutoencoderTransformer(2, dtype="float32", batch_size=2, max_iter=2, early_stopping=False)
        assert np.isfinite(ours.fit(X, sample_weight=weight).loss_curve_).all()

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
        score = fitted["transformer"].score(X, sample_weight=equal_weights(case))
        assert score == pytest.approx(fitted["transformer"].score(X))
