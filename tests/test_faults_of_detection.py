"""What once went wrong with the detector's scores: sizes, units, discrete and constant features, weights, copies.

Each test states the right value. Rates of false alarms are means over a few training sets; the documented promise is
"about" the level, and twice the level is what is tested.
"""

from itertools import product

import numpy as np
import pytest
from sklearn.ensemble import IsolationForest
from sklearn.linear_model import LinearRegression
from sklearn.metrics import roc_auc_score

from skae import AutoencoderOutlierDetector

slow, nightly = pytest.mark.slow, pytest.mark.nightly
each_kind = pytest.mark.parametrize("novelty", [False, True], ids=["contaminated", "clean"])
# Masked autoencoders take seconds to train.
each_kind_quick = pytest.mark.parametrize(
    "novelty", [False, pytest.param(True, marks=nightly)], ids=["contaminated", "clean"]
)

# The same on twenty rows, of which no network is trained, and on more.
SIZES_OF_TABLES = [
    *((False, 20), (True, 20)),
    *(pytest.param(novelty, 110, marks=nightly if novelty else slow) for novelty in (False, True)),
]
each_table = pytest.mark.parametrize(("novelty", "n_rows"), SIZES_OF_TABLES)


def fitted(X, novelty, seed=0, **parameters):
    sample_weight = parameters.pop("sample_weight", None)
    detector = AutoencoderOutlierDetector(novelty=novelty, random_state=seed, **parameters)
    return detector.fit(X, sample_weight=sample_weight)


def random_state(seed):
    return np.random.RandomState(seed)


def auc(detector, normal, outliers):
    y = np.r_[np.zeros(len(normal)), np.ones(len(outliers))]
    return roc_auc_score(y, -detector.score_samples(np.vstack([normal, outliers])))


def rates(draw, n_rows, novelty, levels=(0.05,), n_repeats=3, n_new=500):
    """Mean shares of new normal rows with p-values at most the levels, and of those that `predict` labels."""
    found = []
    for seed in range(n_repeats):
        rng = random_state(seed)
        detector, new = fitted(draw(rng, n_rows), novelty, seed), draw(rng, n_new)
        p_values = detector.p_values(new)
        found.append([*((p_values <= level).mean() for level in levels), (detector.predict(new) == -1).mean()])
    return np.mean(found, axis=0)


def gaussian(n_features):
    return lambda rng, n_rows: rng.normal(size=(n_rows, n_features))


SWEEP = [*product((20, 50, 80, 96, 130, 220), (1, 3, 20, 64, 65, 150, 1000))]
SOON = [(80, 150), (20, 3)]


class TestSizes:
    """No threshold on size stands between a fit and the folds that calibrate it."""

    @each_kind
    @pytest.mark.parametrize(
        ("n_rows", "n_features"),
        [
            *(pytest.param(*case, marks=slow if case in SOON else nightly) for case in SWEEP),
        ],
    )
    def test_false_alarms(self, n_rows, n_features, novelty):
        n_repeats = 3 if n_features > 100 else 5
        *of_p_values, of_labels = rates(gaussian(n_features), n_rows, novelty, (0.05, 0.1), n_repeats, n_new=300)
        # With n calibration rows the lowest p-value is 1 / (n + 1), and "auto" cannot promise less.
        deviations = np.sqrt(np.array([0.05, 0.1]) * [0.95, 0.9] / n_rows / n_repeats)
        assert (of_p_values <= np.array([0.1, 0.2]) + 2.0 * deviations).all()
        assert of_labels <= 2.0 * max(0.01, 2.0 / (n_rows + 1))

    @each_kind
    @pytest.mark.parametrize("n_rows", [2, 3, 5])
    def test_very_few_rows(self, n_rows, novelty):
        detector, new = fitted(random_state(0).normal(size=(n_rows, 3)), novelty), random_state(1).normal(size=(5, 3))
        assert np.isfinite(detector.score_samples(new)).all()
        assert np.isfinite(detector.feature_contributions(new)).all()
        assert (detector.p_values(new) >= 1 / (n_rows + 1)).all()

    @each_kind
    def test_two_equal_rows(self, novelty):
        detector = fitted(np.ones((2, 3)), novelty)
        assert np.isfinite(detector.score_samples(random_state(0).normal(size=(5, 3)))).all()
        assert (detector.predict(np.ones((1, 3))) == 1).all()

    @each_kind
    def test_a_row_alone_scores_as_among_others(self, novelty):
        X = random_state(0).normal(size=(100, 4))
        detector = fitted(X, novelty)
        scores = detector.score_samples(X)
        np.testing.assert_allclose(detector.score_samples(X[3:4]), scores[3:4], rtol=1e-6)
        np.testing.assert_allclose(detector.score_samples(X[::-1])[::-1], scores, rtol=1e-6)


DRAWS = {
    "coins": (lambda rng, n: rng.randint(2, size=(n, 4)) * 1.0, slow),
    "many coins": (lambda rng, n: rng.randint(2, size=(n, 12)) * 1.0, nightly),
    "counts": (lambda rng, n: rng.poisson(2, size=(n, 3)) * 1.0, nightly),
    "rounded": (lambda rng, n: np.round(rng.normal(size=(n, 3)), 1), nightly),
    "heavy tails": (lambda rng, n: rng.standard_t(2, size=(n, 4)), slow),
    "Cauchy": (lambda rng, n: rng.standard_cauchy(size=(n, 3)), nightly),
    "one-hot": (lambda rng, n: np.eye(5)[rng.randint(5, size=n)], slow),
}


def draws():
    """Each kind of rows, for both kinds of detectors."""
    for (name, (_, mark)), novelty in product(DRAWS.items(), (False, True)):
        # The state that is seen least of sixteen is beyond the fence, and left out of many bags.
        wrong = pytest.mark.xfail(reason="With contamination='auto' one of several frequent states is labelled.")
        is_wrong = name == "coins" and not novelty
        mark = nightly if name == "heavy tails" and novelty else mark
        yield pytest.param(name, novelty, marks=[mark, wrong] if is_wrong else [mark])


class TestDiscreteAndConstantFeatures:
    @staticmethod
    def mostly_zero(rng, n_rows):
        X = rng.normal(size=(n_rows, 5))
        X[:, 0] = np.where(rng.uniform(size=n_rows) < 0.97, 0, rng.randint(1, 9, size=n_rows))
        return X

    @each_kind_quick
    def test_the_unit_of_a_mostly_constant_feature_is_not_one_entrys(self, novelty):
        rng = random_state(0)
        X = self.mostly_zero(rng, 3000)
        X[5, 0] = 1e6
        normal = self.mostly_zero(rng, 300)
        outliers = normal[:100].copy()
        outliers[:, 0] = 40.0
        detector = fitted(X, novelty)
        assert auc(detector, normal, outliers) > 0.99
        assert (detector.p_values(normal) <= 0.05).mean() <= 0.1

    @pytest.mark.parametrize("novelty", [pytest.param(False, marks=slow), pytest.param(True, marks=nightly)])
    def test_a_rare_count_is_no_yardstick(self, novelty):
        def draw(rng, n_rows):
            return np.column_stack([rng.poisson(0.05, size=n_rows), rng.normal(size=(n_rows, 3))])

        for seed in range(3):
            rng = random_state(seed)
            detector, new = fitted(draw(rng, 4000), novelty, seed), draw(rng, 2000)
            assert (detector.p_values(new) <= 0.05).mean() == pytest.approx(0.05, abs=0.025)
            assert (detector.p_values(new) <= 0.01).mean() == pytest.approx(0.01, abs=0.008)
            # With "auto" at most the rare counts, which are a twentieth.
            assert (detector.predict(new) == -1).mean() < (0.02 if novelty else 0.04)

    @each_kind
    @pytest.mark.parametrize(
        "constant",
        [1.0, pytest.param(0.0, marks=slow), *(pytest.param(c, marks=nightly) for c in (1e-3, 1e3, -5.0))],
    )
    def test_a_constant_that_doubles_is_seen_in_any_unit(self, constant, novelty):
        rng = random_state(0)
        X = np.column_stack([rng.normal(size=(500, 4)), np.full(500, constant)])
        detector = fitted(X, novelty, max_iter=0 if novelty else "auto")
        normal = np.column_stack([rng.normal(size=(200, 4)), np.full(200, constant)])
        outliers, rounded = normal.copy(), normal.copy()
        outliers[:, 4] = 2 * constant if constant else 1.0
        rounded[:, 4] = np.float32(constant) * (1 + 1e-7)
        assert auc(detector, normal, outliers) > 0.99
        assert (detector.p_values(outliers) <= 0.01).all()
        assert (detector.predict(outliers) == -1).all()
        np.testing.assert_array_equal(detector.score_samples(rounded), detector.score_samples(normal))

    @each_kind
    @pytest.mark.parametrize("constant", [1.0, pytest.param(-1e3, marks=slow)])
    def test_a_constant_in_other_digits_is_no_alarm(self, constant, novelty):
        """A hundredth of a per cent of a constant is the rounding of a file."""
        rng = random_state(0)
        X, normal = (np.column_stack([rng.normal(size=(n, 3)), np.full(n, constant)]) for n in (300, 100))
        detector = fitted(X, novelty, max_iter=0)
        stored = normal * [1.0, 1.0, 1.0, 1.00001]
        np.testing.assert_array_equal(detector.score_samples(stored), detector.score_samples(normal))
        np.testing.assert_array_equal(detector.predict(stored), detector.predict(normal))
        off = normal * [1.0, 1.0, 1.0, 1.2]
        assert (detector.predict(off) == -1).all()

    @each_kind
    def test_units_of_constants_do_not_matter(self, novelty):
        X = np.column_stack([random_state(0).normal(size=(100, 2)), np.ones(100)])
        new = random_state(1).normal(size=(50, 3))
        # Powers of two are exact.
        unit = 2.0 ** np.array([0, 0, -10])
        ours, other = fitted(X, novelty, max_iter=0), fitted(X * unit, novelty, max_iter=0)
        np.testing.assert_array_equal(ours.score_samples(new), other.score_samples(new * unit))

    @each_kind
    def test_nothing_but_a_constant(self, novelty):
        p_values = fitted(np.full((100, 1), 3.0), novelty).p_values([[3.0], [6.0], [3.0000001]])
        np.testing.assert_allclose(p_values, [1.0, 1 / 101, 1.0])

    @each_kind
    @slow
    @pytest.mark.parametrize("extreme", [False, True])
    def test_alternating_rows(self, novelty, extreme):
        """Subsamples at even distances would hold one half of the rows only."""
        X = random_state(0).normal(size=(100_000, 3))
        X[::2, 0] = 0.0
        if extreme:
            X[7, 0] = 1e7
        scale = fitted(X, novelty, max_iter=0)._scorer.distances.coordinates.scale
        # A normal column that is zero every other time; the fence of 10 deviations is far beyond normal values.
        # Coordinates of contaminated rows are those of the more usual three quarters.
        assert scale.unit[0] == pytest.approx(np.sqrt(0.5), rel=0.03) if novelty else 0.2 < scale.unit[0] < 0.75

    @pytest.mark.parametrize(("kind", "novelty"), draws())
    def test_false_alarms(self, kind, novelty):
        of_p_values, of_labels = rates(DRAWS[kind][0], 500, novelty, n_repeats=3, n_new=1000)
        assert of_p_values <= 0.1
        # Of heavy tails more than half a percent is beyond the fence.
        assert of_labels <= (0.05 if "tails" in kind or novelty else 0.02)


class TestUnitsAndPrecision:
    @each_kind
    @slow
    @pytest.mark.parametrize("unit", [1e150, 1e200, 1e-200, 1e300])
    def test_large_and_small_units(self, unit, novelty):
        X, new = random_state(0).normal(size=(200, 3)), random_state(1).normal(size=(300, 3))
        detector, expected = fitted(X * unit, novelty, max_iter=0), fitted(X, novelty, max_iter=0)
        np.testing.assert_allclose(detector.score_samples(new * unit), expected.score_samples(new), rtol=1e-3)
        assert np.isfinite(detector.feature_contributions(X * unit)).all()

    @each_kind
    def test_one_entry_near_the_end_of_the_numbers(self, novelty):
        X = random_state(0).normal(size=(200, 3))
        X[0, 0] = 1e300
        detector = fitted(X, novelty, max_iter=0)
        assert np.isfinite(detector.score_samples([[1e300, 0, 0], [-1.7e308, 0, 0]])).all()
        assert (detector.p_values(random_state(1).normal(size=(300, 3))) <= 0.05).mean() <= 0.1

    @each_kind_quick
    def test_units_do_not_matter(self, novelty):
        """Up to the rounding of the products, the networks included."""
        X, new, unit = random_state(0).normal(size=(110, 3)), random_state(4).normal(size=(500, 3)), [1e-3, 7.0, 1e5]
        scores = fitted(X * unit, novelty).score_samples(new * unit)
        np.testing.assert_allclose(scores, fitted(X, novelty).score_samples(new), rtol=1e-6)

    @each_kind
    def test_powers_of_two_are_exact(self, novelty):
        X, new = random_state(0).normal(size=(60, 3)), random_state(4).normal(size=(100, 3))
        unit = 2.0 ** np.array([-10, 3, 20])
        scores = fitted(X * unit, novelty, max_iter=0).score_samples(new * unit)
        np.testing.assert_array_equal(scores, fitted(X, novelty, max_iter=0).score_samples(new))

    @each_kind_quick
    @pytest.mark.parametrize("stored", [lambda X: X.astype(np.float32), lambda X: X.round(4)], ids=["float32", "CSV"])
    def test_training_rows_are_recognised_in_fewer_digits(self, stored, novelty):
        X = 1000.0 + 5.0 * random_state(0).normal(size=(500, 4))
        detector = fitted(X, novelty, contamination=0.1)
        labels = detector.predict(X)
        # Where all are normal, the share is one of new rows, which are a little further from training rows.
        assert (labels == -1).mean() == pytest.approx(0.1, abs=0.04 if novelty else 1e-9)
        assert (detector.predict(stored(X)) == -1).mean() == pytest.approx((labels == -1).mean())

    @each_kind
    def test_where_rows_repeat_by_nature_as_well(self, novelty):
        """Labels are the same; scores differ by no more than the rounding of the values."""
        X = np.round(random_state(0).normal(size=(400, 3)), 1) * 1.1 + 7.0
        detector, stored = fitted(X, novelty, contamination=0.1, max_iter=0), X.astype(np.float32)
        np.testing.assert_array_equal(detector.predict(stored), detector.predict(X))
        np.testing.assert_allclose(detector.score_samples(stored.astype(float)), detector.score_samples(X), atol=1e-4)


class TestWeightsAndCopies:
    NEW = random_state(4).normal(size=(300, 3))

    def scores(self, X, novelty, **parameters):
        return fitted(X, novelty, **parameters).score_samples(self.NEW)

    @each_table
    def test_integer_weights_are_repetitions(self, n_rows, novelty):
        X, weight = random_state(0).normal(size=(n_rows, 3)), random_state(1).randint(0, 4, size=n_rows)
        repeated = np.repeat(X, weight, axis=0)
        ours, other = fitted(X, novelty, sample_weight=weight), fitted(repeated, novelty)
        np.testing.assert_array_equal(ours.score_samples(self.NEW), other.score_samples(self.NEW))
        np.testing.assert_allclose(ours.p_values(self.NEW), other.p_values(self.NEW), rtol=1e-12)
        assert ours.offset_ == pytest.approx(other.offset_)

    @each_table
    def test_the_order_of_rows_does_not_matter(self, n_rows, novelty):
        X = random_state(0).normal(size=(n_rows, 3))
        order = random_state(2).permutation(n_rows)
        np.testing.assert_array_equal(self.scores(X[order], novelty), self.scores(X, novelty))

    @each_table
    def test_a_table_given_twice_is_that_table(self, n_rows, novelty):
        X = random_state(0).normal(size=(n_rows, 3))
        np.testing.assert_array_equal(self.scores(np.vstack([X, X]), novelty), self.scores(X, novelty))

    @each_kind_quick
    @slow
    def test_nor_does_it_raise_false_alarms(self, novelty):
        X = random_state(0).normal(size=(110, 3))
        assert (fitted(np.vstack([X, X]), novelty).p_values(self.NEW) <= 0.05).mean() <= 0.1

    @each_kind
    @pytest.mark.parametrize("weight", [0.01, 0.3, 1 / 3])
    @pytest.mark.parametrize("n_rows", [30, 31, pytest.param(113, marks=nightly)])
    def test_equal_weights_below_one_are_none(self, n_rows, weight, novelty):
        X = random_state(0).normal(size=(n_rows, 3))
        np.testing.assert_array_equal(
            self.scores(X, novelty, sample_weight=np.full(n_rows, weight)), self.scores(X, novelty)
        )

    @each_kind
    def test_equal_weights_of_fifty_are_no_repetition(self, novelty):
        X = random_state(0).normal(size=(40, 3))
        np.testing.assert_array_equal(self.scores(X, novelty, sample_weight=np.full(40, 50)), self.scores(X, novelty))

    @each_kind_quick
    def test_weights_spread_over_sixty_powers_of_ten(self, novelty):
        X, weight = random_state(0).normal(size=(300, 3)), 10.0 ** random_state(0).uniform(-30, 30, size=300)
        detector = fitted(X, novelty, sample_weight=weight)
        assert np.isfinite(detector.score_samples(self.NEW)).all()
        assert np.isfinite(detector.p_values(self.NEW)).all()
        assert np.isfinite(detector.offset_)

    @staticmethod
    def with_idle_state(n_idle):
        """Rows that are all zero, and outliers of six deviations."""
        rng = random_state(0)
        X = rng.normal(size=(2000, 6)) + 5.0
        X[:n_idle] = 0.0
        return X, rng.normal(size=(100, 6)) + [11.0, 5.0, 5.0, 5.0, 5.0, 5.0]

    @pytest.mark.parametrize(
        ("n_idle", "novelty"),
        [
            (100, False),
            *(pytest.param(*case, marks=slow) for case in [(300, False), (300, True)]),
            pytest.param(50, True, marks=nightly),
        ],
    )
    def test_an_idle_state_is_normal(self, n_idle, novelty):
        X, outliers = self.with_idle_state(n_idle)
        detector = fitted(X, novelty)
        assert detector.predict(np.zeros((1, 6))) == 1
        assert detector.p_values(np.zeros((1, 6))) > 0.1
        assert (detector.p_values(outliers) <= 0.01).mean() > 0.9

    def test_a_rare_one_is_not_if_rows_may_contain_outliers(self):
        X, _ = self.with_idle_state(20)
        assert fitted(X, False).predict(np.zeros((1, 6))) == -1


class TestFirstThingsPeopleDo:
    @pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=nightly) for seed in (1, 2))])
    @each_kind
    def test_eight_points(self, seed, novelty):
        """Of scikit-learn's tests, with two outliers among eight."""
        X = [[-2, -1], [-1, -1], [-1, -2], [1, 1], [1, 2], [2, 1], [6, 3], [-4, 7]]
        detector = AutoencoderOutlierDetector(novelty=novelty, contamination=0.25, random_state=seed).fit(X)
        scores = detector.score_samples(X)
        assert scores[6:].max() < scores[:6].min()
        if not novelty:
            np.testing.assert_array_equal(detector.predict(X), [1] * 6 + [-1] * 2)

    @slow
    def test_auto_finds_far_outliers_among_training_rows(self):
        """Two rows in a hundred: about as many as IsolationForest's "auto" finds, at a tenth of its false alarms."""
        rng = random_state(0)
        X = rng.normal(size=(1500, 4))
        X[:31] = rng.normal(size=(31, 4)) * 5.0
        is_far = np.linalg.norm(X[:31], axis=1) > 5.0
        labels, theirs = fitted(X, False).predict(X), IsolationForest(random_state=0).fit_predict(X)
        assert (labels[:31] == -1)[is_far].mean() > 0.9
        assert (labels[31:] == -1).mean() < 0.01 < 0.1 * (theirs[31:] == -1).mean() + 0.01

    @slow
    @pytest.mark.xfail(reason="Beyond 20 deviations all scores are equal, and of equal ones all or none are labelled.")
    def test_more_far_outliers_than_contamination_says(self):
        rng = random_state(0)
        X = np.append(rng.uniform(0.1, 0.3, size=4000), 1.0 + 100.0 * rng.uniform(size=500))[:, np.newaxis]
        labels = fitted(X, False, contamination=0.1, max_iter=0).predict(X)
        assert (labels == -1).mean() > 0.08

    def test_p_values_of_training_rows_count_training_rows(self):
        """A hundredth of them at most, however many are outliers: that is why new rows must be passed."""
        rng = random_state(0)
        X = rng.normal(size=(300, 3))
        X[:30] += 8.0
        assert (fitted(X, False, max_iter=0).p_values(X) <= 0.01).mean() <= 0.02


class TestContributions:
    """On rows of which one feature was broken on purpose, against a regression of each feature on the others."""

    @staticmethod
    def linear(rng, n_rows):
        """Six features of two factors: each follows from the others, apart from a little noise."""
        loadings = random_state(9).normal(size=(2, 6))
        X = rng.normal(size=(n_rows, 2)) @ loadings
        return X / np.linalg.norm(loadings, axis=0) + 0.3 * rng.normal(size=(n_rows, 6))

    @staticmethod
    def curved(rng, n_rows):
        """Six features of two factors along curves, which regressions do not follow."""
        t, u = rng.uniform(-2, 2, size=(2, n_rows))
        X = np.column_stack([t, t**2 / 1.2, 1.4 * np.sin(2 * t), u, u**2 / 1.2, 1.4 * np.sin(2 * u)])
        return X + 0.1 * rng.normal(size=(n_rows, 6))

    @staticmethod
    def shares_named_first(draw, novelty):
        """By the detector, and by linear regressions."""
        rng = random_state(0)
        X, new = draw(rng, 600), draw(rng, 300)
        broken = np.arange(300) % 6
        new[np.arange(300), broken] += np.where(rng.uniform(size=300) < 0.5, 3.0, -3.0)
        errors = np.empty(new.shape)
        for feature in range(6):
            others = np.arange(6) != feature
            model = LinearRegression().fit(X[:, others], X[:, feature])
            residuals = X[:, feature] - model.predict(X[:, others])
            errors[:, feature] = np.abs(new[:, feature] - model.predict(new[:, others])) / residuals.std()
        contributions = fitted(X, novelty).feature_contributions(new)
        named = [(values.argmax(axis=1) == broken).mean() for values in (contributions, errors)]
        print("named first: {:.3f}, by linear regressions {:.3f}".format(*named))
        return named

    @each_kind
    @slow
    def test_on_curves_name_the_feature_as_often(self, novelty):
        ours, regressions = self.shares_named_first(self.curved, novelty)
        assert ours >= regressions - 0.02

    @each_kind
    @slow
    def test_on_planes_as_well(self, novelty):
        """Where regressions are the truth, they are always right."""
        ours, regressions = self.shares_named_first(self.linear, novelty)
        assert ours >= regressions - 0.02
