"""Rows that belong together: groups are not on both sides of a hold-out, a fold or a comparison."""

import pickle

import numpy as np
import pytest
import sklearn
import torch
from fault_cases import state
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, GroupKFold
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from skae import AutoencoderOutlierDetector, AutoencoderTransformer
from skae._detector import _sampling

SHORT = {"hidden_layer_sizes": (16,), "max_iter": 5, "random_state": 0}
ESTIMATORS = {
    "transformer": AutoencoderTransformer(2, **SHORT),
    "denoising": AutoencoderOutlierDetector(**SHORT),
    "clean": AutoencoderOutlierDetector(novelty=True, **SHORT),
    "reconstruction": AutoencoderOutlierDetector(method="reconstruction", n_components=2, **SHORT),
}
DETECTORS = {name: ESTIMATORS[name] for name in ("denoising", "clean", "reconstruction")}
each_estimator = pytest.mark.parametrize("estimator", ESTIMATORS.values(), ids=ESTIMATORS)
each_detector = pytest.mark.parametrize("detector", DETECTORS.values(), ids=DETECTORS)
pytestmark = pytest.mark.filterwarnings("ignore:The loss was still falling")

AXES = np.random.RandomState(0).normal(size=(4, 20))


def subjects(n_groups, seed, n_rows=10, n_features=20):
    """Rows of subjects: a vector of its own for each, in part along axes that all share, and noise."""
    rng = np.random.RandomState(seed)
    vectors = 0.5 * rng.normal(size=(n_groups, 4)) @ AXES[:, :n_features] + rng.normal(size=(n_groups, n_features))
    return np.repeat(vectors, n_rows, axis=0) + 0.2 * rng.normal(size=(n_groups * n_rows, n_features))


X, GROUPS, NEW = subjects(20, 0, 6, 5), np.repeat(np.arange(20), 6), subjects(200, 1, 3, 5)


def assert_same_fit(first, second):
    for rows in (X, NEW):
        np.testing.assert_array_equal(first.score_samples(rows), second.score_samples(rows))


class TestNewGroups:
    @pytest.mark.parametrize("n_components", [4, pytest.param(8, marks=pytest.mark.slow)])
    def test_the_transformer_is_no_worse_than_pca(self, n_components):
        """Without groups it learns the subjects by heart, and the loss on held-out rows of the same does not tell."""
        X, groups, new = subjects(300, 0), np.repeat(np.arange(300), 10), subjects(300, 1)
        expected = AutoencoderTransformer(n_components, max_iter=0).fit(X).score(new)
        without = AutoencoderTransformer(n_components, random_state=0).fit(X)
        assert 1.0 - without.best_loss_ > 0.9
        assert without.score(new) < expected - 0.05
        ours = AutoencoderTransformer(n_components, random_state=0).fit(X, groups=groups)
        assert ours.score(new) >= expected - 0.01
        # Axes are found with the held-out rows as well, which makes losses on those a little lower.
        assert 1.0 - ours.best_loss_ == pytest.approx(ours.score(new), abs=0.05)

    def test_the_transformer_still_learns_what_groups_share(self):
        rng = np.random.RandomState(0)
        t, groups = rng.uniform(-1, 1, size=600), np.repeat(np.arange(60), 10)
        X = np.column_stack([t, t**2, -t]) + 0.05 * rng.normal(size=(60, 3))[groups]
        ours = AutoencoderTransformer(1, random_state=0).fit(X, groups=groups)
        assert ours.best_loss_ < 0.5 * ours.initial_loss_

    @pytest.mark.parametrize("n_groups", [2, 3])
    def test_pca_is_kept_where_one_group_is_held_out(self, n_groups):
        X, groups = subjects(n_groups, 0, 60), np.repeat(np.arange(n_groups), 60)
        ours = AutoencoderTransformer(2, random_state=0).fit(X, groups=groups)
        assert ours.validation_loss_curve_ is not None
        assert ours.best_loss_ == ours.initial_loss_

    @pytest.mark.slow
    @each_detector
    def test_false_alarms(self, detector):
        """Without groups, all rows of new subjects are far from the training rows."""
        X, groups, new = subjects(40, 0), np.repeat(np.arange(40), 10), subjects(200, 1, 3)
        detector = clone(detector).set_params(max_iter="auto", hidden_layer_sizes=(64,))
        assert np.mean(clone(detector).fit(X).p_values(new) <= 0.05) > 0.3
        ours = detector.fit(X, groups=groups)
        assert np.mean(ours.p_values(new) <= 0.05) <= 0.1  # 40 groups: two standard errors are .07
        assert ours.p_values(new - 100.0).min() == pytest.approx(1 / 41)

    @pytest.mark.parametrize("name", ["denoising", "clean"])
    def test_training_rows_are_compared_with_other_groups(self, name):
        X, groups, new = subjects(40, 0), np.repeat(np.arange(40), 10), subjects(200, 1, 3)
        without, ours = (clone(ESTIMATORS[name]).set_params(max_iter=0).fit(X, groups=each) for each in (None, groups))
        deviation = ours.score_samples(new).std()
        assert without.score_samples(X).mean() > without.score_samples(new).mean() + deviation
        assert ours.score_samples(X).mean() == pytest.approx(ours.score_samples(new).mean(), abs=0.5 * deviation)
        # They are recognised in float32 as well, whatever comes with them. Once they are changed they are new rows.
        np.testing.assert_allclose(ours.score_samples(X[:3].astype(np.float32)), ours.score_samples(X)[:3], rtol=1e-3)
        assert ours.score_samples(X + 1e-3).mean() > ours.score_samples(X).mean() + 0.25 * deviation

    @pytest.mark.parametrize("contamination", [0.05, 0.2])
    def test_where_rows_are_normal_the_threshold_is_a_p_value(self, contamination):
        detector = clone(ESTIMATORS["clean"]).set_params(contamination=contamination, max_iter=0)
        detector.fit(X, groups=GROUPS)
        new = NEW * np.linspace(0.5, 4.0, len(NEW))[:, np.newaxis]
        np.testing.assert_array_equal(detector.predict(new) == -1, detector.p_values(new) <= contamination)

    def test_fit_predict_labels_as_predict_does(self):
        labels = clone(ESTIMATORS["denoising"]).fit_predict(X, groups=GROUPS)
        np.testing.assert_array_equal(labels, clone(ESTIMATORS["denoising"]).fit(X, groups=GROUPS).predict(X))


class TestWhatGroupsAre:
    @pytest.mark.parametrize("name", ["transformer", "reconstruction"])
    @pytest.mark.parametrize(
        "labels",
        [
            [f"subject {group:02}" for group in GROUPS],
            np.array([f"{group:02}" for group in GROUPS], dtype=object),
            GROUPS / 7.0,
            np.datetime64("2026-01-01") + GROUPS,
            torch.tensor(GROUPS),
        ],
        ids=["list of str", "object", "float", "datetime", "tensor"],
    )
    def test_any_dtype(self, name, labels):
        estimator = ESTIMATORS[name]
        assert_same_fit(clone(estimator).fit(X, groups=labels), clone(estimator).fit(X, groups=GROUPS))

    @each_estimator
    def test_they_matter(self, estimator):
        ours, without = clone(estimator).fit(X, groups=GROUPS), clone(estimator).fit(X)
        assert state(ours) != state(without)

    @each_estimator
    def test_groups_without_weight_are_left_out(self, estimator):
        weight = (GROUPS % 4 > 0).astype(float)
        kept = weight > 0
        ours = clone(estimator).fit(X, sample_weight=weight, groups=GROUPS)
        np.testing.assert_allclose(
            ours.score_samples(NEW), clone(estimator).fit(X[kept], groups=GROUPS[kept]).score_samples(NEW), rtol=1e-6
        )

    @each_estimator
    def test_saved_and_opened(self, estimator):
        ours = clone(estimator).fit(X, groups=GROUPS)
        opened = pickle.loads(pickle.dumps(ours))
        for rows in (X, NEW):
            np.testing.assert_array_equal(opened.score_samples(rows), ours.score_samples(rows))

    @each_estimator
    def test_groups_of_one_row_each(self, estimator):
        assert np.isfinite(clone(estimator).fit(X, groups=np.arange(len(X))).score_samples(NEW)).all()

    @each_estimator
    @pytest.mark.parametrize("sizes", [(60, 60), (115, 5), (100, 10, 10), (1, 119)])
    def test_few_groups_of_any_size(self, estimator, sizes):
        ours = clone(estimator).fit(X, groups=np.repeat(np.arange(len(sizes)), sizes))
        assert np.isfinite(ours.score_samples(np.concatenate([X, NEW]))).all()

    def test_no_bag_has_a_row_twice(self, monkeypatch):
        """Each row is compared with as many different rows, even if few are outside the largest group."""
        bags, draw = [], _sampling.draw_bags
        monkeypatch.setattr(_sampling, "draw_bags", lambda *arguments: bags.append(draw(*arguments)) or bags[-1])
        clone(ESTIMATORS["denoising"]).fit(X, groups=np.repeat([0, 1], [117, 3]))
        for bag in (bag for drawn in bags for bag in drawn):
            assert len(np.unique(bag)) == len(bag)

    @each_detector
    def test_equal_rows_of_different_groups(self, detector):
        """Every subject was in one of four states."""
        states = subjects(4, 0, 1, 5)[np.arange(120) % 4]
        ours = clone(detector).fit(states, groups=GROUPS)
        assert (ours.p_values(states) > 0.05).all()


FAULTS = {
    "length": (GROUPS[:-1], ValueError, "Found input variables with inconsistent numbers of samples"),
    "two columns": (np.column_stack([GROUPS, GROUPS]), ValueError, r"groups should be a 1d array, got .* \(120, 2\)"),
    "a number": (3, ValueError, r"groups should be a 1d array, got an array of shape \(\) instead"),
    "NaN": (np.where(GROUPS == 0, np.nan, GROUPS), ValueError, "Input groups contains NaN"),
    "None": (["a", None] * 60, ValueError, "Input groups contains NaN"),
    "NaN among objects": (np.array(["a", np.nan] * 60, dtype=object), ValueError, "Input groups contains NaN"),
    "NaT": (np.array(["2026-01-01", "NaT"] * 60, dtype="M8[D]"), ValueError, "Input groups contains NaN"),
    "kinds": (np.array([1, "a"] * 60, dtype=object), TypeError, "must be uniformly strings or numbers"),
    "one": (["a"] * 120, ValueError, r"fewer than 2 unique groups \(\['a'\]\).*expects at least 2"),
}


class TestFaults:
    @each_estimator
    @pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
    def test_leave_the_estimator_unchanged(self, estimator, fault):
        groups, error, words = fault
        ours = clone(estimator).set_params(max_iter=0).fit(X)
        before = state(ours)
        with pytest.raises(error, match=words):
            ours.fit(X + 1.0, groups=groups)
        assert state(ours) == before

    def test_missing_values_of_pandas(self):
        pd = pytest.importorskip("pandas")
        for groups in (pd.Series(["a", pd.NA] * 60, dtype="string"), pd.Series(["a", None] * 60, dtype="category")):
            with pytest.raises(ValueError, match="Input groups contains NaN"):
                ESTIMATORS["transformer"].fit(X, groups=groups)
        clone(ESTIMATORS["transformer"]).fit(X, groups=pd.Series(GROUPS.astype(str), dtype="category"))

    @each_estimator
    def test_one_group_has_weight(self, estimator):
        with pytest.raises(ValueError, match=r"fewer than 2 unique groups \(\[3\]\) of rows with positive weight"):
            clone(estimator).fit(X, sample_weight=(GROUPS == 3).astype(float), groups=GROUPS)


@pytest.fixture
def routing():
    with sklearn.config_context(enable_metadata_routing=True):
        yield


def in_pipeline(estimator):
    return Pipeline([("scaler", StandardScaler()), ("ae", estimator)])


class TestRouting:
    @each_estimator
    def test_pipeline(self, estimator, routing):
        expected = clone(estimator).fit(StandardScaler().fit_transform(X), groups=GROUPS)
        ours = in_pipeline(clone(estimator).set_fit_request(groups=True)).fit(X, groups=GROUPS)
        assert_same_fit(ours["ae"], expected)

    @each_estimator
    def test_pipeline_without_routing(self, estimator):
        expected = clone(estimator).fit(StandardScaler().fit_transform(X), groups=GROUPS)
        assert_same_fit(in_pipeline(clone(estimator)).fit(X, ae__groups=GROUPS)["ae"], expected)

    @pytest.mark.parametrize(
        "estimator",
        [
            ESTIMATORS["transformer"],
            ESTIMATORS["reconstruction"],
            pytest.param(ESTIMATORS["denoising"], marks=pytest.mark.slow),
        ],
    )
    def test_search(self, estimator, routing):
        """Groups go to the splitter and to the estimator."""
        seen = []

        class Noted(type(estimator)):
            def fit(self, X, y=None, sample_weight=None, groups=None):
                seen.append((len(X), groups))
                return super().fit(X, sample_weight=sample_weight, groups=groups)

        noted = Noted(**estimator.get_params()).set_fit_request(groups=True)
        search = GridSearchCV(
            in_pipeline(noted), {"ae__n_components": [1, 2]}, cv=GroupKFold(2), scoring=lambda model, X, y=None: 0.0
        )
        search.fit(X, groups=GROUPS)
        assert len(seen) == 5
        for n_rows, groups in seen:
            assert n_rows == len(groups)
            assert len(np.unique(groups)) == (20 if n_rows == 120 else 10)

    def test_fit_transform(self, routing):
        model = clone(ESTIMATORS["transformer"]).set_fit_request(groups=True)
        pipeline = Pipeline([("ae", model), ("scaler", StandardScaler())]).fit(X, groups=GROUPS)
        assert_same_fit(pipeline["ae"], clone(ESTIMATORS["transformer"]).fit(X, groups=GROUPS))
        codes = clone(ESTIMATORS["transformer"]).fit_transform(X, groups=GROUPS)
        np.testing.assert_array_equal(codes, pipeline["ae"].transform(X))
