"""Detectors of tables with categories: what is unusual about them, in every container, and what is refused."""

import pickle
import sys

import numpy as np
import pytest
from family_cases import short
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder
from sklearn.utils.estimator_checks import check_estimator

from skae import AutoencoderOutlierDetector, AutoencoderTransformer

N_ROWS = 600
NAMES = ["sex", "pregnant", "town", "age", "height"]
each_novelty = pytest.mark.parametrize("novelty", [True, False])


def table(n_rows, seed, contradict=False):
    """Sex and pregnancy, towns with Zipf's frequencies, and two numbers, as objects."""
    rng = np.random.RandomState(seed)
    is_male = rng.uniform(size=n_rows) < 0.5
    is_pregnant = ~is_male & (rng.uniform(size=n_rows) < 0.4)
    if contradict:
        is_male = is_pregnant = np.ones(n_rows, dtype=bool)
    share = 1.0 / np.arange(1, 11)
    town = rng.choice(list("abcdefghij"), p=share / share.sum(), size=n_rows)
    columns = np.where(is_male, "male", "female"), np.where(is_pregnant, "yes", "no"), town
    numbers = rng.normal(size=(n_rows, 2)) * 10 + 40
    return np.column_stack([np.array(columns, dtype=object).T, numbers])


def frame_of(library, rows):
    pytest.importorskip(library)
    if library == "pandas":
        types = dict.fromkeys(NAMES[:3], "category") | dict.fromkeys(NAMES[3:], float)
        return sys.modules["pandas"].DataFrame(rows, columns=NAMES).astype(types)
    pl = sys.modules["polars"]
    columns = dict(zip(NAMES, rows.T.tolist(), strict=True))
    kinds = (pl.Categorical, pl.Enum(["yes", "no", "?"]), pl.Categorical, pl.Float64, pl.Float64)
    return pl.DataFrame(columns, schema=dict(zip(NAMES, kinds, strict=True)))


def make_detector(**parameters):
    return AutoencoderOutlierDetector(categorical_features=[0, 1, 2], random_state=0, **parameters)


TRAIN, NEW, CONTRADICTIONS = table(N_ROWS, 0), table(200, 1), table(50, 2, contradict=True)


@pytest.fixture(scope="module")
def fitted():
    return {novelty: make_detector(novelty=novelty).fit(TRAIN) for novelty in (True, False)}


@pytest.fixture(scope="module")
def quick():
    return {novelty: make_detector(novelty=novelty, max_iter=0).fit(TRAIN) for novelty in (True, False)}


@each_novelty
class TestScores:
    def test_contradictions_are_unusual(self, fitted, novelty):
        """Both are frequent alone, and rows never have them together."""
        detector, y = fitted[novelty], np.repeat([0, 1], [len(NEW), len(CONTRADICTIONS)])
        rows = np.concatenate([NEW, CONTRADICTIONS])
        assert roc_auc_score(y, -detector.score_samples(rows)) > 0.95
        contributions = detector.feature_contributions(CONTRADICTIONS)
        assert (contributions[:, :2].sum(axis=1) > contributions[:, 2:].sum(axis=1)).mean() > 0.9

    def test_frequent_rare_and_unseen(self, quick, novelty):
        """The rarer a category, the more unusual; the most unusual is one that was not seen."""
        rows = np.concatenate([NEW] * 3)
        rows[:, 2] = np.repeat(["a", "j", "?"], len(NEW))
        frequent, rare, unseen = quick[novelty].score_samples(rows).reshape(3, -1)
        assert frequent.mean() > rare.mean() + 0.5
        assert unseen.mean() <= rare.mean()
        if novelty:
            assert (unseen <= rare).mean() > 0.95
            assert (unseen <= frequent).all()

    def test_an_unseen_category_contributes_the_most(self, fitted, novelty):
        rows = NEW.copy()
        rows[:, 2] = "?"
        assert (fitted[novelty].feature_contributions(rows).argmax(axis=1) == 2).mean() > 0.8

    def test_a_missing_category_is_a_missing_value(self, fitted, novelty):
        rows = CONTRADICTIONS.copy()
        rows[:, 1] = None
        detector = fitted[novelty]
        assert detector.score_samples(rows).mean() > detector.score_samples(CONTRADICTIONS).mean() + 1.0
        contributions = detector.feature_contributions(rows)
        np.testing.assert_array_equal(contributions[:, 1], 0.0)
        np.testing.assert_allclose(contributions.sum(axis=1), -detector.score_samples(rows), rtol=1e-6)

    def test_contributions_have_the_shape_of_x_and_sum_to_the_score(self, fitted, novelty):
        contributions = fitted[novelty].feature_contributions(NEW)
        assert contributions.shape == NEW.shape
        np.testing.assert_allclose(contributions.sum(axis=1), -fitted[novelty].score_samples(NEW), rtol=1e-6)

    def test_names_and_order_of_categories_do_not_matter(self, quick, novelty):
        """Codes of other names are in another order: rows and bags are drawn otherwise."""
        renamed = {"female": "x", "male": "b", "yes": "0", "no": "1"} | dict(
            zip("abcdefghij", "jihgfedcba", strict=True)
        )
        rows = [np.column_stack([np.vectorize(renamed.get)(X[:, :3]).astype(object), X[:, 3:]]) for X in (TRAIN, NEW)]
        scores = make_detector(novelty=novelty, max_iter=0).fit(rows[0]).score_samples(rows[1])
        assert np.corrcoef(scores, quick[novelty].score_samples(NEW))[0, 1] > 0.9

    def test_more_categories_than_columns(self, novelty, monkeypatch):
        monkeypatch.setattr("skae._detector._columns.MAX_COLUMNS", 12)
        detector = make_detector(novelty=novelty, max_iter=0).fit(TRAIN)
        assert detector._scorer.distances.references.shape[1] == 3 + 3 + 4 + 2
        assert np.isfinite(detector.score_samples(NEW)).all()

    def test_p_values_of_new_rows_are_uniform(self, fitted, novelty):
        p_values = fitted[novelty].p_values(table(1000, 3))
        for level in (0.1, 0.3, 0.5):  # five standard errors
            assert abs((p_values <= level).mean() - level) < 5 * np.sqrt(level * (1 - level) * (1 / 1000 + 1 / N_ROWS))

    def test_categories_only(self, novelty):
        detector = AutoencoderOutlierDetector(
            novelty=novelty, categorical_features=[True] * 3, random_state=0, max_iter=0
        ).fit(TRAIN[:, :3])
        scores = detector.score_samples(np.concatenate([NEW, CONTRADICTIONS])[:, :3])
        assert roc_auc_score(np.repeat([0, 1], [len(NEW), len(CONTRADICTIONS)]), -scores) > 0.9


@pytest.mark.slow
@each_novelty
def test_no_worse_than_encoded_by_hand(novelty):
    """Fifty categories, each of which belongs to one of eight groups."""
    rng = np.random.RandomState(0)
    share = 1.0 / np.arange(1, 51)
    item = rng.choice(50, p=share / share.sum(), size=2000)
    is_outlier = np.arange(2000) >= 1700
    group = (item * 7 + is_outlier * rng.randint(1, 8, size=2000)) % 8
    X = np.column_stack([rng.permutation(50)[item], group, rng.randint(4, size=2000), rng.normal(size=2000)])
    train, test, found = X[:1500], X[1500:], {}
    encoders = {"one-hot": OneHotEncoder(handle_unknown="ignore", sparse_output=False), "ordinal": OrdinalEncoder()}
    for name, encoder in encoders.items():
        encode = ColumnTransformer([(name, encoder, [0, 1, 2])], remainder="passthrough").fit(X)
        detector = AutoencoderOutlierDetector(novelty=novelty, random_state=0).fit(encode.transform(train))
        found[name] = roc_auc_score(is_outlier[1500:], -detector.score_samples(encode.transform(test)))
    detector = make_detector(novelty=novelty).fit(train)
    assert roc_auc_score(is_outlier[1500:], -detector.score_samples(test)) >= max(found.values())


@pytest.mark.parametrize("library", ["pandas", "polars"])
class TestFrames:
    def test_is_what_arrays_are(self, library):
        # Enums of polars are compared by their strings too.
        train, new = frame_of(library, TRAIN), frame_of(library, NEW)
        detector = AutoencoderOutlierDetector(random_state=0, max_iter=0).fit(train)
        expected = make_detector(max_iter=0).fit(TRAIN)
        assert list(detector.categories_) == [0, 1, 2]
        assert list(detector.feature_names_in_) == NAMES
        np.testing.assert_array_equal(detector.score_samples(new), expected.score_samples(NEW))
        contributions = detector.feature_contributions(new)
        assert type(contributions) is type(new)
        assert list(contributions.columns) == NAMES
        np.testing.assert_array_equal(contributions.to_numpy(), expected.feature_contributions(NEW))
        codes = detector.set_output(transform=library).transform(new)
        assert type(codes) is type(new)

    def test_plain_strings_are_refused(self, library):
        plain = frame_of(library, TRAIN)
        if library == "pandas":
            plain = plain.astype({"town": str})
        else:
            plain = plain.cast({"town": sys.modules["polars"].String})
        rest = plain[["town", "age"]]
        for X in (plain, rest):
            with pytest.raises(ValueError, match=r"category.*OneHotEncoder within a ColumnTransformer"):
                AutoencoderOutlierDetector().fit(X)
        detector = AutoencoderOutlierDetector(categorical_features=NAMES[:3], max_iter=0).fit(plain)
        assert list(detector.categories_) == [0, 1, 2]

    @pytest.mark.parametrize(
        "estimator",
        [
            AutoencoderTransformer(2),
            AutoencoderOutlierDetector(method="reconstruction"),
            AutoencoderOutlierDetector(categorical_features=None),
        ],
        ids=["transformer", "reconstruction", "none"],
    )
    def test_refused(self, library, estimator):
        with pytest.raises(ValueError, match="OneHotEncoder within a ColumnTransformer"):
            estimator.fit(frame_of(library, TRAIN))
        assert not hasattr(estimator, "categories_")

    def test_the_advice_works(self, library):
        if library == "polars":
            pytest.skip("scikit-learn's encoders do not know its categories")
        encode = ColumnTransformer([("codes", OneHotEncoder(), NAMES[:3])], remainder="passthrough")
        make_pipeline(encode, AutoencoderTransformer(2, max_iter=0)).fit(frame_of(library, TRAIN))


class TestEstimator:
    @pytest.mark.slow
    def test_scikit_learns_checks(self):
        check_estimator(AutoencoderOutlierDetector(categorical_features=[0], max_iter=0), on_skip=None)

    def test_clone_and_parameters(self):
        detector = AutoencoderOutlierDetector(categorical_features=["a"])
        assert clone(detector).get_params()["categorical_features"] == ["a"]
        assert AutoencoderOutlierDetector().categorical_features == "from_dtype"

    @each_novelty
    def test_pickles(self, quick, novelty):
        again = pickle.loads(pickle.dumps(quick[novelty]))
        for method in ("score_samples", "feature_contributions", "p_values", "transform"):
            np.testing.assert_array_equal(getattr(again, method)(NEW), getattr(quick[novelty], method)(NEW))

    @each_novelty
    def test_skops(self, quick, novelty):
        io = pytest.importorskip("skops.io")
        from skae import SKOPS_TRUSTED

        again = io.loads(io.dumps(quick[novelty]), trusted=SKOPS_TRUSTED)
        np.testing.assert_array_equal(again.score_samples(NEW), quick[novelty].score_samples(NEW))

    @short
    def test_partial_fit_keeps_the_categories_of_the_first_call(self):
        whole = make_detector(max_iter=2).fit(TRAIN)
        detector = make_detector(max_iter=2).partial_fit(TRAIN[:400]).partial_fit(TRAIN[400:])
        np.testing.assert_array_equal(detector.score_samples(NEW), whole.score_samples(NEW))
        later = TRAIN.copy()
        later[:, 2] = "z"
        detector.partial_fit(later)
        assert "z" not in detector.categories_[2]

    def test_weights_are_repetitions(self):
        weight = np.random.RandomState(0).randint(3, size=N_ROWS)
        weighted = make_detector(max_iter=0).fit(TRAIN, sample_weight=weight)
        repeated = make_detector(max_iter=0).fit(np.repeat(TRAIN, weight, axis=0))
        np.testing.assert_allclose(weighted.score_samples(NEW), repeated.score_samples(NEW), rtol=1e-6)

    def test_recalibrate(self, quick):
        """By rows of which half have a category that was not seen."""
        rows = np.concatenate([NEW, NEW])
        rows[: len(NEW), 2] = "?"
        detector = pickle.loads(pickle.dumps(quick[True])).recalibrate(rows)
        assert np.median(detector.p_values(rows[: len(NEW)])) > 0.1
        assert np.median(quick[True].p_values(rows[: len(NEW)])) < 0.02

    def test_groups(self):
        detector = make_detector(max_iter=0).fit(TRAIN, groups=np.arange(N_ROWS) // 4)
        assert np.isfinite(detector.score_samples(TRAIN)).all()

    def test_a_search(self):
        search = GridSearchCV(
            make_detector(max_iter=0), {"scale": [True, False]}, scoring=lambda model, X: model.score_samples(X).mean()
        )
        assert np.isfinite(search.fit(TRAIN).best_score_)

    def test_unchanged_on_error(self, quick):
        detector = pickle.loads(pickle.dumps(quick[False]))
        before = detector.score_samples(NEW)
        broken, other = TRAIN.copy(), TRAIN.copy()
        broken[0, 3], other[:, 2] = np.inf, "z"
        with pytest.raises(ValueError, match="infinity"):
            detector.fit(broken)
        with pytest.raises(ValueError, match="Negative values"):
            detector.fit(other, sample_weight=-np.ones(N_ROWS))
        np.testing.assert_array_equal(detector.score_samples(NEW), before)

    def test_errors_count_all_columns(self, quick):
        broken = NEW.copy()
        broken[0, 3] = np.inf
        for X, words in [
            (
                NEW[:0],
                r"0 sample\(s\) \(shape=\(0, 5\)\) while a minimum of 1 is required by AutoencoderOutlierDetector",
            ),
            (broken, "Input X contains infinity"),
        ]:
            with pytest.raises(ValueError, match=words):
                quick[False].predict(X)

    def test_a_category_that_was_never_observed(self):
        rows = TRAIN.copy()
        rows[:, 1] = None
        with pytest.raises(ValueError, match=r"without any observed value: \[1\]"):
            make_detector().fit(rows)

    def test_a_constant_category(self):
        rows = TRAIN.copy()
        rows[:, 1] = "no"
        detector = make_detector(novelty=True, max_iter=0).fit(rows)
        new = NEW.copy()
        new[:, 1] = "no"
        usual, (unseen,) = detector.score_samples(new), detector.score_samples([[*new[0, :1], "yes", *new[0, 2:]]])
        assert unseen < usual.min()

    def test_to_onnx_says_that_it_cannot(self, quick):
        pytest.importorskip("skl2onnx")
        from skae import to_onnx

        with pytest.raises(NotImplementedError, match="categorical features"):
            to_onnx(quick[True], np.zeros((2, 5), dtype=np.float32))

    def test_the_display_names_categories(self):
        figure = pytest.importorskip("matplotlib.figure").Figure()
        from skae import FeatureContributionDisplay

        rows = frame_of("pandas", np.concatenate([TRAIN, CONTRADICTIONS[:1]]))
        detector = AutoencoderOutlierDetector(max_iter=0, random_state=0).fit(rows)
        display = FeatureContributionDisplay.from_estimator(detector, rows, row=N_ROWS, ax=figure.subplots())
        labels = {label.get_text() for label in display.ax_.get_yticklabels()}
        assert {"sex = male", "pregnant = yes"} <= labels

    def test_no_library_of_frames_is_imported(self, monkeypatch):
        for library in ("pandas", "polars"):
            monkeypatch.delitem(sys.modules, library, raising=False)
        make_detector(max_iter=0).fit(TRAIN[:60]).score_samples(NEW)
        assert not {"pandas", "polars"} & set(sys.modules)


def test_too_many_categorical_features():
    codes = np.random.RandomState(0).randint(9, size=(30, 900))
    with pytest.raises(ValueError, match=r"at most 2000 features.* Got 2700 columns for features"):
        AutoencoderOutlierDetector(categorical_features=np.ones(900, dtype=bool)).fit(codes)
