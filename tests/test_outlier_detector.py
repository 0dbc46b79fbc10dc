"""AutoencoderOutlierDetector: closed-form limits, what it finds, its thresholds, p-values and reasons."""

import pickle
import warnings
from functools import cache

import numpy as np
import pytest
from family_cases import banana, short
from interruptions import cut_off_epoch
from scipy import sparse
from sklearn.base import clone
from sklearn.covariance import EmpiricalCovariance
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skae import AutoencoderOutlierDetector

METHODS = ["denoising", "reconstruction"]
each_method = pytest.mark.parametrize("method", METHODS)
# What the detector can be: `novelty` changes the denoising scorer, and the "auto" threshold of both.
KINDS = [("denoising", False), ("denoising", True), ("reconstruction", False)]
each_kind = pytest.mark.parametrize(("method", "novelty"), KINDS)
# Masked autoencoders take seconds to train.
each_kind_fitted = pytest.mark.parametrize(
    ("method", "novelty"), [pytest.param(*kind, marks=[pytest.mark.slow] * kind[1]) for kind in KINDS]
)
at_night = pytest.mark.nightly
few_rows = pytest.mark.filterwarnings("ignore:Found .* different rows for .* features")


@cache
def fitted_to_banana(n_rows, method="denoising", novelty=False):
    """Fitted once for all tests of a process: none may change it."""
    return AutoencoderOutlierDetector(method=method, novelty=novelty, random_state=0).fit(banana(n_rows, 0))


@pytest.fixture(params=[False, True], ids=["contaminated", "clean"])
def fitted(request):
    return fitted_to_banana(500, novelty=request.param)


class TestFinds:
    @each_kind
    def test_far_rows(self, method, novelty):
        detector = fitted_to_banana(300, method, novelty)
        assert (detector.predict(banana(100, 1) + [0, 0, 5, 0]) == -1).all()
        assert (detector.predict(banana(100, 1)) == 1).mean() > 0.85

    def test_rows_off_a_curve_that_are_near_the_mean(self, fitted):
        """Inside the parabola the Mahalanobis distance is small, and there are no rows.

        Samples of 32 and 8 rows, which forgive outliers among the training rows, see less of it.
        """
        inside = np.tile([0.0, 2.5, 0.0, 0.0], (20, 1)) + 0.1 * np.random.RandomState(2).normal(size=(20, 4))
        normal = banana(200, 1)
        y, X = np.r_[np.zeros(200), np.ones(20)], np.vstack([normal, inside])
        mahalanobis = EmpiricalCovariance().fit(banana(500, 0)).mahalanobis(X)
        assert roc_auc_score(y, -fitted.score_samples(X)) > (0.99 if fitted.novelty else 0.8)
        assert roc_auc_score(y, mahalanobis) < 0.5

    def test_training_keeps_what_beats_the_closed_form(self, fitted):
        """Marginal frequencies, or the Wiener filter, which denoisers leave soon, being trained briefly."""
        assert fitted.best_loss_ < (0.8 if fitted.novelty else 0.95) * fitted.initial_loss_

    def test_outliers_among_the_training_rows(self):
        outliers = banana(40, 2) + np.random.RandomState(3).normal(scale=3.0, size=(40, 4))
        X = np.vstack([banana(360, 0), outliers])
        y = np.r_[np.zeros(360), np.ones(40)]
        detector = AutoencoderOutlierDetector(random_state=0).fit(X)
        assert roc_auc_score(y, -detector.score_samples(X)) > 0.9


class TestRobustToOddFeatures:
    @each_kind_fitted
    def test_one_hot_columns_ties_and_duplicates(self, method, novelty):
        rng = np.random.RandomState(0)
        X = np.eye(4)[rng.randint(4, size=200)]
        detector = AutoencoderOutlierDetector(method=method, novelty=novelty, random_state=0).fit(X)
        assert np.isfinite(detector.score_samples(X)).all()
        # Two states at once, and none.
        assert detector.score_samples([[1.0, 1, 0, 0], [0, 0, 0, 0]]).max() < detector.score_samples(X).min()

    @each_kind_fitted
    def test_identical_rows(self, method, novelty):
        detector = AutoencoderOutlierDetector(method=method, novelty=novelty, random_state=0).fit(np.ones((60, 3)))
        assert np.isfinite(detector.score_samples(np.ones((2, 3)))).all()
        assert detector.score_samples([[1.0, 1.0, 5.0]])[0] < detector.score_samples([[1.0, 1.0, 1.0]])[0]

    @few_rows
    @each_kind_fitted
    def test_more_features_than_rows(self, method, novelty):
        X = np.random.RandomState(0).normal(size=(40, 100))
        detector = AutoencoderOutlierDetector(method=method, novelty=novelty, random_state=0).fit(X[:30])
        assert (detector.score_samples(10 * X[30:]) < detector.score_samples(X[30:])).all()
        np.testing.assert_allclose(
            detector.feature_contributions(X[30:]).sum(axis=1), -detector.score_samples(X[30:]), rtol=1e-6
        )


class TestThreshold:
    @each_method
    @pytest.mark.parametrize("contamination", [0.01, 0.1, 0.5])
    def test_share_of_training_rows(self, method, contamination):
        X = banana(200, 1)
        detector = AutoencoderOutlierDetector(method=method, contamination=contamination, random_state=0)
        assert (detector.fit_predict(X) == -1).sum() == round(contamination * 200)

    @pytest.mark.parametrize("contamination", [0.1, 0.5])
    def test_where_training_rows_are_normal_share_of_new_ones(self, contamination):
        X, new = banana(400, 1), banana(4000, 2)
        detector = AutoencoderOutlierDetector(novelty=True, contamination=contamination, max_iter=0, random_state=0)
        found = (detector.fit(X).predict(new) == -1).mean()
        # Three standard errors of the quantile of 400 rows.
        assert found == pytest.approx(contamination, abs=3 * np.sqrt(contamination * (1 - contamination) / 400))

    def test_where_training_rows_are_normal_auto_is_a_hundredth(self):
        X = banana(300, 0)
        auto, number = (
            AutoencoderOutlierDetector(novelty=True, contamination=value, max_iter=0, random_state=0).fit(X)
            for value in ("auto", 0.01)
        )
        assert auto.offset_ == number.offset_

    @pytest.mark.parametrize("n_rows", [19, 100])
    @each_method
    def test_auto_flags_the_most_unusual_training_row(self, method, n_rows):
        """None of uniform rows is beyond the fence."""
        for seed in range(3):
            X = np.random.RandomState(seed).uniform(size=(n_rows, 3))
            detector = AutoencoderOutlierDetector(method=method, max_iter=0, random_state=0)
            labels = detector.fit_predict(X)
            np.testing.assert_array_equal(np.flatnonzero(labels == -1), [detector.score_samples(X).argmin()])

    def test_auto_flags_what_is_beyond_the_fence(self):
        X = banana(400, 0)
        X[:15] = np.random.RandomState(1).normal(scale=0.3, size=(15, 4)) + [0, 0, 6, 0]
        labels = AutoencoderOutlierDetector(random_state=0).fit_predict(X)
        assert (labels[:15] == -1).all()
        assert (labels[15:] == -1).mean() < 0.03

    @pytest.mark.slow
    def test_auto_for_contaminated_rows_flags_half_a_percent_of_gaussian_ones(self):
        rng = np.random.RandomState(0)
        rates = []
        for seed in range(4):
            detector = AutoencoderOutlierDetector(random_state=seed).fit(rng.normal(size=(2000, 5)))
            rates.append((detector.predict(rng.normal(size=(5000, 5))) == -1).mean())
        assert 0.001 < np.mean(rates) < 0.01

    @at_night
    def test_auto_for_clean_rows_flags_one_percent_of_new_ones(self):
        rates = []
        for seed in range(4):
            detector = AutoencoderOutlierDetector(novelty=True, random_state=seed).fit(banana(1000, 2 * seed))
            rates.append([(detector.predict(banana(2000, 2 * seed + 1)) == -1).mean()])
        assert_at_most([0.01], rates, 1000)
        assert np.mean(rates) > 0.004

    def test_decision_function_is_the_score_about_the_offset(self, fitted):
        X = banana(50, 1)
        np.testing.assert_array_equal(fitted.decision_function(X), fitted.score_samples(X) - fitted.offset_)
        np.testing.assert_array_equal(fitted.predict(X) == -1, fitted.decision_function(X) < 0)
        assert (fitted.score_samples(X) < 0).all()

    def test_fewer_false_alarms_than_rows_allow(self):
        """Only where rows are normal is `contamination` a rate of false alarms."""
        X = banana(60, 0)
        detector = AutoencoderOutlierDetector(novelty=True, contamination=0.01, max_iter=0, random_state=0)
        with pytest.warns(
            UserWarning, match=r"contamination=0\.01: no p-value is below 0\.0164, .* at least 99 normal"
        ):
            detector.fit(X)
        with pytest.warns(UserWarning, match="too few calibration rows"):
            clone(detector).partial_fit(X)
        detector.set_params(contamination=1 / 61).fit(X)
        detector.set_params(novelty=False, contamination=0.01).fit(X)
        detector.set_params(novelty=True, contamination="auto").fit(X)

    @pytest.mark.parametrize("contamination", [0.0, 0.6, -0.1, "some", None])
    def test_out_of_range(self, contamination):
        with pytest.raises(ValueError, match=r"'contamination' parameter of AutoencoderOutlierDetector must be"):
            AutoencoderOutlierDetector(contamination=contamination).fit(banana(60, 0))


LEVELS = [0.01, 0.05, 0.1]


def assert_at_most(levels, rates, n_rows, factor=1):
    """The mean rate over training sets is at most `factor` times the level, plus the 99 % band of so many sets.

    Given its training rows a detector's rate is beta distributed (Vovk 2012); 1,000 new rows observe it.
    """
    n_calibrated = min(n_rows, 2000)
    allowed = np.floor(np.multiply(levels, n_calibrated + 1)) / (n_calibrated + 1)
    variance = allowed * (1 - allowed) * (1 / (n_calibrated + 2) + 1 / 1000)
    assert (np.mean(rates, axis=0) <= factor * allowed + 2.576 * np.sqrt(variance / len(rates))).all()


class TestFewRowsForTheirFeatures:
    X = np.random.RandomState(0).normal(size=(60, 120))

    def test_labels_of_training_rows_that_mean_nothing_are_announced(self):
        with pytest.warns(UserWarning, match=r"fewer than 2 rows per feature.*use method='denoising'"):
            detector = AutoencoderOutlierDetector(method="reconstruction", random_state=0).fit(self.X)
        # By the measure of new rows three times as many as promised are unusual, and most of them at the next p-value:
        # 15 rows calibrate, so that p-values are multiples of 1/16.
        p_values = detector.p_values(self.X)
        assert (p_values <= 0.1).mean() > 0.3
        assert (p_values <= 2 / 16).mean() > 0.5

    @pytest.mark.parametrize("novelty", [False, True])
    def test_the_way_out(self, novelty):
        detector = AutoencoderOutlierDetector(novelty=novelty, random_state=0).fit(self.X)
        assert (detector.p_values(self.X) <= 0.1).mean() <= 0.2
        assert (detector.predict(self.X) == -1).mean() <= 0.1


class TestPValues:
    @pytest.mark.slow
    @pytest.mark.parametrize(
        ("n_rows", "n_repeats"),
        [(200, 2), *(pytest.param(*case, marks=at_night) for case in [(50, 60), (200, 15), (500, 12), (5000, 3)])],
    )
    @pytest.mark.parametrize("novelty", [False, True])
    def test_false_alarm_rate(self, n_rows, n_repeats, novelty):
        rates = []
        for seed in range(n_repeats):
            detector = AutoencoderOutlierDetector(novelty=novelty, random_state=seed).fit(banana(n_rows, 2 * seed))
            p_values = detector.p_values(banana(1000, 2 * seed + 1))
            rates.append([(p_values <= level).mean() for level in LEVELS])
        assert_at_most(LEVELS, rates, n_rows)

    @few_rows
    @each_kind_fitted
    @pytest.mark.slow
    @pytest.mark.parametrize(
        ("n_rows", "n_features"),
        [
            (30, 60),
            *(pytest.param(*case, marks=at_night) for case in [(120, 60), (300, 100), (300, 200), (1050, 150)]),
        ],
    )
    def test_false_alarm_rate_with_many_features(self, method, novelty, n_rows, n_features):
        """Mean and covariance of all rows fit those rows better than new ones; p-values must not go by that."""
        # Six rows cannot say more than that nothing is beyond all of them.
        levels = [0.05, 0.1] if n_rows == 30 else [0.05, 0.1, 0.5]
        rates = []
        for seed in range(3):
            rng = np.random.RandomState(seed)
            detector = AutoencoderOutlierDetector(method=method, novelty=novelty, random_state=seed)
            detector.fit(rng.normal(size=(n_rows, n_features)))
            p_values = detector.p_values(rng.normal(size=(1000, n_features)))
            rates.append([(p_values <= level).mean() for level in levels])
            assert (detector.predict(rng.normal(size=(1000, n_features))) == -1).mean() <= 0.1 or n_rows < 100
        # Rows that calibrate at the least.
        few = 6 if method == "reconstruction" else 30
        # Denoising scorers are fitted to half as many rows again as what judges the rows that calibrate them.
        assert_at_most(levels, rates, few if n_rows == 30 else max(n_rows // 5, 30), 1 + (method == "denoising"))

    @pytest.mark.slow
    @pytest.mark.parametrize(
        ("n_rows", "n_repeats"), [(200, 2), *(pytest.param(*case, marks=at_night) for case in [(200, 12), (500, 8)])]
    )
    def test_false_alarm_rate_of_predict(self, n_rows, n_repeats):
        rates = []
        for seed in range(n_repeats):
            detector = AutoencoderOutlierDetector(contamination=0.05, novelty=True, random_state=seed)
            detector.fit(banana(n_rows, 2 * seed))
            rates.append([(detector.predict(banana(1000, 2 * seed + 1)) == -1).mean()])
        assert_at_most([0.05], rates, n_rows)

    def test_range_and_order(self, fitted):
        X = np.vstack([banana(100, 1), [[50.0] * 4]])
        p_values = fitted.p_values(X)
        assert p_values[-1] == pytest.approx(1 / 501)
        assert (p_values > 0).all()
        assert (p_values <= 1).all()
        order = np.argsort(fitted.score_samples(X))
        assert (np.diff(p_values[order]) >= 0).all()


class TestRobustness:
    @pytest.mark.parametrize(
        ("n_rows", "novelty"),
        [(200, False), (2000, False), *(pytest.param(n_rows, True, marks=at_night) for n_rows in (200, 2000))],
    )
    @pytest.mark.slow
    def test_one_extreme_value_does_not_hide_a_feature(self, n_rows, novelty):
        rng = np.random.RandomState(0)
        X = rng.normal(4.0, 0.5, size=(n_rows, 4))
        X[0, 1] = 1e9
        outliers = rng.normal(4.0, 0.5, size=(200, 4)) + [0.0, 5.0, 0.0, 0.0]
        detector = AutoencoderOutlierDetector(novelty=novelty, random_state=0).fit(X)
        assert (detector.p_values(outliers) <= 0.01).mean() > 0.95
        assert (detector.p_values(rng.normal(4.0, 0.5, size=(500, 4))) <= 0.05).mean() < 0.1

    def test_a_row_entered_several_times_is_not(self):
        X = banana(500, 0)
        X[:10] = [0.0, 0.0, 5.0, 0.0]
        assert (AutoencoderOutlierDetector(random_state=0).fit_predict(X)[:10] == -1).all()


class TestReasons:
    @each_kind
    def test_rows_sum_to_the_score(self, method, novelty):
        detector = fitted_to_banana(300, method, novelty)
        X = np.vstack([banana(30, 1), banana(30, 2) + 3.0])
        errors = detector.feature_contributions(X)
        assert (errors >= 0).all()
        np.testing.assert_allclose(errors.sum(axis=1), -detector.score_samples(X), rtol=1e-9)

    @pytest.mark.parametrize("novelty", [False, True])
    @pytest.mark.parametrize("broken", range(4))
    def test_names_the_broken_feature(self, broken, novelty):
        detector, X = fitted_to_banana(300, novelty=novelty), banana(30, 1)
        X[:, broken] += 8.0
        assert (detector.feature_contributions(X).argmax(axis=1) == broken).mean() > 0.9

    def test_names_of_a_data_frame(self):
        pd = pytest.importorskip("pandas")
        X = pd.DataFrame(banana(100, 0), columns=list("abcd"), index=np.arange(100) + 7)
        errors = AutoencoderOutlierDetector(random_state=0).fit(X).feature_contributions(X)
        assert list(errors.columns) == list("abcd")
        assert list(errors.index) == list(X.index)


class TestInterface:
    def test_weights_of_reconstructions_are_repetitions_where_nothing_is_drawn(self):
        X = banana(18, 0)  # folds are drawn from 20 rows on
        weight = np.random.RandomState(1).randint(0, 3, size=18)
        assert weight.sum() < 20
        ours = AutoencoderOutlierDetector(method="reconstruction", contamination=0.2, random_state=0)
        weighted = ours.fit(X, sample_weight=weight).decision_function(X)
        np.testing.assert_allclose(ours.fit(np.repeat(X, weight, axis=0)).decision_function(X), weighted, atol=1e-8)

    def test_scores_do_not_depend_on_the_batch(self, fitted):
        X = banana(3000, 1)
        together = fitted.score_samples(X)
        np.testing.assert_array_equal(fitted.score_samples(X), together)
        # Matrix products of other shapes add in another order: float32 rounding of the networks.
        np.testing.assert_allclose(fitted.score_samples(X[5:6]), together[5:6], rtol=1e-5)
        np.testing.assert_allclose(fitted.score_samples(X[::-1])[::-1], together, rtol=1e-5)

    @each_method
    @pytest.mark.parametrize("n_components", [1, 3, 0.5, None])
    def test_codes(self, method, n_components):
        detector = AutoencoderOutlierDetector(method=method, n_components=n_components, random_state=0)
        X, X_new = banana(220, 0), banana(20, 1)
        codes = detector.fit(X).transform(X_new)
        assert codes.shape == (20, detector.n_components_)
        assert codes.dtype == np.float64
        assert detector.transform(X_new.astype(np.float32)).dtype == np.float32
        if method == "reconstruction" and n_components is not None:
            np.testing.assert_allclose(np.cov(detector.transform(X).T), np.eye(codes.shape[1]), atol=0.1)
        assert detector.get_feature_names_out()[0] == "autoencoderoutlierdetector0"

    @each_kind
    def test_sparse_pipeline_and_pickle(self, method, novelty):
        X = banana(300, 0)
        detector = fitted_to_banana(300, method, novelty)
        scores = detector.score_samples(X)
        np.testing.assert_allclose(detector.score_samples(sparse.csr_array(X)), scores, rtol=1e-5)
        np.testing.assert_array_equal(pickle.loads(pickle.dumps(detector)).score_samples(X), scores)
        pipeline = make_pipeline(StandardScaler(), clone(detector).set_params(contamination=0.1, max_iter=0))
        assert set(pipeline.fit(X).predict(X)) == {-1, 1}
        if not novelty:
            np.testing.assert_array_equal(pipeline.fit_predict(X), pipeline.predict(X))

    def test_training_rows_that_are_normal_are_not_labelled(self):
        X = banana(60, 0)
        detector = AutoencoderOutlierDetector(novelty=True, max_iter=0, random_state=0)
        for estimator in (detector, make_pipeline(StandardScaler(), detector)):
            assert not hasattr(estimator, "fit_predict")
            with pytest.raises(AttributeError):
                estimator.fit_predict(X)
        with pytest.raises(AttributeError) as raised:
            detector.fit_predict(X)
        assert "not available when novelty=True" in str(raised.value.__cause__)
        assert not hasattr(detector, "offset_")

    @each_method
    def test_fit_predict_is_fit_and_predict(self, method):
        X, weight = banana(60, 0), np.arange(60) % 3 + 1.0
        detector = AutoencoderOutlierDetector(method=method, max_iter=0, random_state=0)
        labels = detector.fit_predict(X, sample_weight=weight)
        np.testing.assert_array_equal(clone(detector).fit(X, sample_weight=weight).predict(X), labels)

    @short
    def test_folds_are_silent_and_an_interrupt_of_one_ends_the_fit(self, monkeypatch):
        X = banana(100, 0)
        detector = AutoencoderOutlierDetector(method="reconstruction", max_iter=3, random_state=0)
        with warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always")
            before = vars(detector.fit(X)).copy()
        # Three epochs are too few.
        assert [warning.category for warning in warned] == [ConvergenceWarning]

        epochs = cut_off_epoch(monkeypatch, 4)  # the first of a fold
        with pytest.raises(KeyboardInterrupt):
            detector.fit(X)
        assert vars(detector) == before
        assert len(epochs) == 4

    @short
    @pytest.mark.parametrize("novelty", [False, True])
    def test_networks_of_all_folds_are_interrupted_at_once(self, novelty, monkeypatch):
        X = banana(100, 0)
        detector = AutoencoderOutlierDetector(novelty=novelty, max_iter=5, random_state=0)
        cut_off_epoch(monkeypatch, 3)
        with pytest.warns(UserWarning, match="interrupted by user"):
            detector.fit(X)
        assert detector.n_iter_ < 5
        assert (detector.p_values(banana(500, 1)) <= 0.05).mean() <= 0.1
