"""Lists of alarms by `select`, and p-values and thresholds from recent normal rows by `recalibrate`."""

import pickle
import warnings
from functools import cache

import numpy as np
import pytest
import torch
from family_cases import banana
from fault_cases import state
from scipy import sparse
from scipy.stats import false_discovery_control
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from skae import AutoencoderOutlierDetector

KINDS = {
    "denoising": AutoencoderOutlierDetector(max_iter=0, random_state=0),
    "clean": AutoencoderOutlierDetector(novelty=True, max_iter=0, random_state=0),
    "reconstruction": AutoencoderOutlierDetector(method="reconstruction", max_iter=0, random_state=0),
}
each_kind = pytest.mark.parametrize("kind", KINDS)
OUTLIERS = banana(20, 5) + [0, 0, 9, 0]


@cache
def fitted_once(kind):
    """No test may change it."""
    return clone(KINDS[kind]).fit(banana(300, 0))


def fitted(kind, **parameters):
    return clone(KINDS[kind]).set_params(**parameters).fit(banana(300, 0))


def noisier(n_rows, seed):
    """Rows like `banana`'s whose noise has grown."""
    return banana(n_rows, seed) + 0.3 * np.random.RandomState(seed + 1000).normal(size=(n_rows, 4))


@each_kind
class TestSelect:
    def test_is_benjamini_hochberg(self, kind):
        """The largest k of the m rows whose k-th lowest p-value is at most fdr * k / m, ties included."""
        X, detector = np.vstack([noisier(60, 1), OUTLIERS]), fitted_once(kind)
        p_values = detector.p_values(X)
        for fdr in (0.05, 0.1, np.float32(0.3), 0.9):
            ordered = np.sort(p_values)
            below = np.flatnonzero(ordered <= fdr * np.arange(1, 81) / 80)
            expected = p_values <= ordered[below[-1]]
            selected = detector.select(X, fdr=fdr)
            assert selected.dtype == bool
            np.testing.assert_array_equal(selected, expected)
        np.testing.assert_array_equal(detector.select(X), detector.select(X, 0.1))

    def test_finds_outliers(self, kind):
        selected = fitted_once(kind).select(np.vstack([banana(100, 1), OUTLIERS]))
        assert selected[100:].all()
        assert selected[:100].sum() <= 10

    def test_all_rows_may_be_selected(self, kind):
        assert fitted_once(kind).select(OUTLIERS).all()
        assert fitted_once(kind).select(OUTLIERS[:1]).all()

    def test_tensors_and_sparse_rows(self, kind):
        X = np.vstack([banana(50, 1), OUTLIERS])
        selected = fitted_once(kind).select(torch.tensor(X))
        assert selected.dtype == torch.bool
        np.testing.assert_array_equal(selected.numpy(), fitted_once(kind).select(X))
        np.testing.assert_array_equal(fitted_once(kind).select(sparse.csr_array(X)), fitted_once(kind).select(X))

    def test_a_single_alarm_that_few_calibration_rows_cannot_support(self, kind):
        """One row of 100 must have a p-value of .001; of 300 calibration rows none is below 1 / 301."""
        detector = fitted_once(kind)
        lowest = 1.0 / (1.0 + detector._calibration.weight.sum())
        X = np.vstack([np.tile(banana(400, 1)[detector.p_values(banana(400, 1)).argmax()], (99, 1)), OUTLIERS[:1]])
        least = int(np.ceil(lowest * 100 / 0.1))
        assert least > 1
        with pytest.warns(UserWarning, match=rf"With fdr=0\.1, either none or at least {least} of the 100 rows"):
            assert not detector.select(X).any()
        # As many are a list.
        X[:least] = OUTLIERS[0]
        assert detector.select(X).sum() == least + 1

    def test_normal_rows_do_not_warn(self, kind):
        X = banana(400, 1)
        X = X[fitted_once(kind).p_values(X) > 0.2]
        assert not fitted_once(kind).select(X).any()

    @pytest.mark.parametrize("fdr", [0, 1, 0.0, 1.0, -0.1, 2, True, np.nan, np.inf, "auto", None, [0.1]])
    def test_levels_out_of_range(self, kind, fdr):
        with pytest.raises(ValueError, match=r"The 'fdr' parameter of .*select must be a float in \(0, 1\)\. Got"):
            fitted_once(kind).select(OUTLIERS, fdr)


@each_kind
class TestRecalibrate:
    def test_rows_count_by_the_rows_given(self, kind):
        detector, recent, new = fitted(kind), noisier(99, 1), noisier(50, 2)
        components = detector._scorer.component_scores(recent, torch.device("cpu"))
        assert detector.recalibrate(recent) is detector
        p_values = detector.p_values(new)
        np.testing.assert_allclose(p_values * 100, np.round(p_values * 100))
        assert detector.p_values(OUTLIERS + 100.0).max() == pytest.approx(1 / 100)
        # The share of the rows given that have the 50th lowest component of 99, or a higher one.
        middle = np.sort(components, axis=0)[49:50]
        surprisals = [tail(value)[0] for tail, value in zip(detector._calibration.surprisals, middle.T, strict=True)]
        np.testing.assert_allclose(surprisals, np.log(2.0), atol=0.02)

    def test_by_rows_like_the_training_rows_it_changes_little(self, kind):
        detector, new = fitted(kind), np.vstack([banana(200, 2), OUTLIERS])
        before = detector.p_values(new)
        # Two samples of 300 rows differ by .08 (two deviations) in their shares.
        assert np.abs(detector.recalibrate(banana(300, 1)).p_values(new) - before).max() < 0.15

    def test_contributions_sum_to_the_new_scores(self, kind):
        detector, new = fitted(kind), np.vstack([noisier(50, 2), OUTLIERS])
        before = detector.score_samples(new)
        scores = detector.recalibrate(noisier(200, 1)).score_samples(new)
        assert (scores > before).mean() > 0.9
        np.testing.assert_allclose(detector.feature_contributions(new).sum(axis=1), -scores)

    def test_false_alarms_after_drift(self, kind):
        """Given the rows that calibrate, the rate is beta distributed: at .05 of 1,000 its deviation is .007."""
        detector, new = fitted(kind), noisier(3000, 2)
        assert (detector.p_values(new) <= 0.05).mean() > 0.2
        detector.set_params(contamination=0.05).recalibrate(noisier(1000, 1))
        assert (detector.p_values(new) <= 0.05).mean() == pytest.approx(0.05, abs=0.03)
        assert (detector.predict(new) == -1).mean() == pytest.approx(0.05, abs=0.03)
        assert (detector.p_values(OUTLIERS) <= 0.01).all()

    @pytest.mark.parametrize(("contamination", "n_below"), [("auto", 5), (0.1, 50), (np.float32(0.25), 125)])
    def test_contamination_is_the_share_of_the_rows_given(self, kind, contamination, n_below):
        detector = fitted(kind, contamination=contamination).recalibrate(noisier(500, 1))
        assert (detector._calibration.scores < detector.offset_).sum() == n_below
        # Each of them was compared with the others, and is compared with all now.
        assert (detector.predict(noisier(500, 1)) == -1).sum() == pytest.approx(n_below, abs=3)

    def test_few_rows_label_what_is_more_unusual_than_all(self, kind):
        recent = noisier(20, 1)
        detector = fitted(kind).recalibrate(recent)
        assert (detector.predict(recent) == 1).all()
        assert (detector.predict(OUTLIERS + 100.0) == -1).all()

    @pytest.mark.parametrize("recent", [noisier(2, 1), noisier(3, 1), np.ones((5, 4)), np.tile(noisier(2, 1), (3, 1))])
    def test_two_rows_and_equal_rows(self, kind, recent):
        with pytest.warns(UserWarning, match=r"no p-value is below 0\..*Pass at least 19 normal rows to recalibrate\."):
            detector, new = fitted(kind).recalibrate(recent), np.vstack([banana(20, 2), OUTLIERS, recent])
        assert np.isfinite(detector.score_samples(new)).all()
        assert np.isfinite(detector.feature_contributions(new)).all()
        assert (detector.p_values(new) >= 1 / (len(recent) + 1)).all()
        assert (detector.predict(recent) == 1).all()

    @pytest.mark.parametrize(
        ("contamination", "n_enough"), [("auto", 19), (0.01, 99), (np.float32(0.25), 3), (0.3, 3)], ids=str
    )
    def test_too_few_rows_for_so_few_false_alarms(self, kind, contamination, n_enough):
        """Of n + 1 exchangeable rows, each is the most unusual one with a chance of 1 / (n + 1)."""
        detector, recent = fitted(kind, contamination=contamination), noisier(2 * n_enough, 1)
        detector.recalibrate(recent[:n_enough])
        detector.recalibrate(recent, groups=np.arange(2 * n_enough) // 2)
        few = recent[: n_enough - 1]
        words = rf"no p-value is below {1 / n_enough:.3g}, and predict .*Pass at least {n_enough} normal rows"
        with pytest.warns(UserWarning, match=words):
            detector.recalibrate(few)
        with pytest.warns(UserWarning, match=words):
            detector.recalibrate(np.repeat(few, 2, axis=0), groups=np.repeat(np.arange(n_enough - 1), 2))

    def test_a_warning_that_is_an_error_leaves_the_estimator_unchanged(self, kind):
        before = state(fitted_once(kind))
        with pytest.raises(UserWarning, match="too few calibration rows"):
            fitted_once(kind).recalibrate(noisier(5, 1))
        assert state(fitted_once(kind)) == before

    def test_weights_are_repetitions(self, kind):
        recent, weight, new = noisier(60, 1), np.arange(60) % 3, np.vstack([noisier(50, 2), OUTLIERS])
        ours = fitted(kind, contamination=0.2).recalibrate(recent, sample_weight=weight)
        repeated = fitted(kind, contamination=0.2).recalibrate(np.repeat(recent, weight, axis=0))
        np.testing.assert_allclose(ours.p_values(new), repeated.p_values(new))
        assert ours.offset_ == pytest.approx(repeated.offset_)

    def test_groups_count_as_one(self, kind):
        recent, groups = np.repeat(noisier(40, 1), 5, axis=0), np.repeat(np.arange(40), 5)
        detector = fitted(kind).recalibrate(recent + 0.01 * banana(200, 7), groups=groups)
        assert detector.p_values(OUTLIERS + 100.0).max() == pytest.approx(1 / 41)
        assert (detector.p_values(noisier(1000, 2)) <= 0.05).mean() <= 0.12  # of 40: two deviations are .07

    def test_missing_values(self, kind):
        recent, new = noisier(1000, 1), noisier(1000, 2)
        for X in (recent, new):
            X[np.random.RandomState(3).uniform(size=X.shape) < 0.1] = np.nan
        recent[0] = np.nan  # a row of which nothing is known
        detector = fitted(kind).recalibrate(recent)
        assert np.isfinite([detector.offset_, *detector.score_samples(new)]).all()
        assert (detector.p_values(new) <= 0.05).mean() == pytest.approx(0.05, abs=0.03)

    def test_twice_is_once(self, kind):
        ours = fitted(kind).recalibrate(noisier(100, 1)).recalibrate(noisier(200, 2))
        assert state(ours) == state(fitted(kind).recalibrate(noisier(200, 2)))

    def test_a_fit_calibrates_anew(self, kind):
        ours = fitted(kind).recalibrate(noisier(100, 1))
        assert state(ours.fit(banana(300, 0))) == state(fitted_once(kind))

    def test_saved_and_opened_before_and_after(self, kind):
        opened = pickle.loads(pickle.dumps(fitted_once(kind))).recalibrate(noisier(100, 1))
        expected, new = fitted(kind).recalibrate(noisier(100, 1)), np.vstack([noisier(50, 2), OUTLIERS])
        assert state(opened) == state(expected)
        again = pickle.loads(pickle.dumps(opened))
        for method in ("p_values", "predict", "decision_function", "select"):
            np.testing.assert_array_equal(getattr(again, method)(new), getattr(expected, method)(new))

    def test_tensors_and_sparse_rows(self, kind):
        recent, weight = noisier(100, 1), np.arange(100) % 3 + 1.0
        expected = state(fitted(kind).recalibrate(recent, weight, np.arange(100) // 2))
        tensors = [torch.tensor(each) for each in (recent, weight, np.arange(100) // 2)]
        assert state(fitted(kind).recalibrate(*tensors)) == expected
        ours = fitted(kind).recalibrate(sparse.csr_array(recent))
        assert ours.offset_ == pytest.approx(fitted(kind).recalibrate(recent).offset_)

    @pytest.mark.slow
    def test_the_graph_follows(self, kind):
        onnxruntime = pytest.importorskip("onnxruntime")
        pytest.importorskip("skl2onnx")
        from skae import to_onnx

        detector, new = fitted(kind).recalibrate(noisier(200, 1)), np.float32(noisier(50, 2))
        session = onnxruntime.InferenceSession(to_onnx(detector).SerializeToString())
        _, decision = session.run(None, {session.get_inputs()[0].name: new})
        np.testing.assert_allclose(decision[:, 0], detector.decision_function(new), atol=1e-3)


FAULTS = {
    "one row": ({"X_normal": banana(1, 1)}, "minimum of 2 is required"),
    "no rows": ({"X_normal": banana(1, 1)[:0]}, "minimum of 2 is required"),
    "a column less": ({"X_normal": banana(20, 1)[:, :3]}, "expecting 4 features"),
    "inf": ({"X_normal": np.full((20, 4), np.inf)}, "contains infinity"),
    "weights of another length": ({"sample_weight": np.ones(3)}, "inconsistent numbers of samples"),
    "negative weights": ({"sample_weight": -np.ones(20)}, "Negative values in data passed to `sample_weight`"),
    "no weight": ({"sample_weight": np.zeros(20)}, "must not all be zero"),
    "one group": ({"groups": np.zeros(20)}, "fewer than 2 unique groups"),
    "groups of another length": ({"groups": np.zeros(3)}, "inconsistent numbers of samples"),
}


@each_kind
@pytest.mark.parametrize("fault", FAULTS)
def test_errors_leave_the_estimator_unchanged(kind, fault):
    arguments, words = FAULTS[fault]
    before = state(fitted_once(kind))
    with pytest.raises(ValueError, match=words):
        fitted_once(kind).recalibrate(**{"X_normal": banana(20, 1)} | arguments)
    assert state(fitted_once(kind)) == before


@each_kind
def test_a_parameter_out_of_its_range(kind):
    detector = fitted(kind).set_params(contamination=2.0)
    before = state(detector)
    with pytest.raises(ValueError, match="'contamination' parameter of AutoencoderOutlierDetector must be"):
        detector.recalibrate(banana(20, 1))
    assert state(detector) == before


@each_kind
def test_before_fit(kind):
    for method in ("select", "recalibrate"):
        with pytest.raises(NotFittedError):
            getattr(clone(KINDS[kind]), method)(banana(20, 1))


@each_kind
@pytest.mark.parametrize("recalibrated", [False, True])
@pytest.mark.parametrize("fdr", [0.1, 0.3])
@pytest.mark.slow
def test_false_share_of_lists(kind, recalibrated, fdr):
    """Lists from 20 pairs of training rows and batches; the mean false share of each is at most fdr, up to chance."""
    shares = []
    for seed in range(20):
        detector = clone(KINDS[kind]).set_params(random_state=seed).fit(banana(200, 5 * seed))
        if recalibrated:
            detector.recalibrate(banana(400, 5 * seed + 1))
        X = np.vstack([banana(300, 5 * seed + 2), banana(40, 5 * seed + 3) + [0, 0, 0.5, 0]])
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "No row is selected")
            selected = detector.select(X, fdr=fdr)
        shares.append(selected[:300].sum() / max(1, selected.sum()))
    assert np.mean(shares) <= fdr + 2.6 * np.std(shares) / np.sqrt(len(shares))
    assert np.mean(shares) > 0.0


def test_the_recipe_without_the_method():
    X = np.vstack([banana(100, 1), OUTLIERS])
    adjusted = false_discovery_control(fitted_once("denoising").p_values(X))
    np.testing.assert_array_equal(fitted_once("denoising").select(X, fdr=0.2), adjusted <= 0.2)
