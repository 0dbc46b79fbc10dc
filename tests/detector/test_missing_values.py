"""Missing values in detectors: filled and measured by hand, then what users see."""

import numpy as np
import pytest
import torch
from family_cases import banana, short
from sklearn.metrics import roc_auc_score

from skae import AutoencoderOutlierDetector
from skae._detector._coordinates import Coordinates
from skae._detector._row_distances import RowDistances
from skae._detector._scorer import SQUARED_FLOOR

CPU = torch.device("cpu")
METHODS = pytest.mark.parametrize("method", ["denoising", "reconstruction"])
NOVELTY = pytest.mark.parametrize("novelty", [False, True])


def hidden(X, share=0.2, seed=5):
    """Without a share of the entries, and one row without any."""
    X = np.where(np.random.RandomState(seed).uniform(size=X.shape) < share, np.nan, X)
    X[7] = np.nan
    return X


def correlated(n_rows, seed):
    rng = np.random.RandomState(seed)
    x = rng.normal(size=n_rows)
    return np.column_stack([x, x + 0.3 * rng.normal(size=n_rows), rng.randint(3, size=n_rows)])


class TestCoordinates:
    def test_the_known_value_nearest_to_the_expectation(self):
        """Of two features by their regression; of an independent one by its middle value."""
        X = correlated(2000, 0)
        coordinates = Coordinates.of(X, np.ones(len(X)), True, "float64")
        rows = np.array([[1.0, np.nan, np.nan], [np.nan, -2.0, 1.0]])
        scale = coordinates.scale
        filled = coordinates.filled(scale.deviations(rows)) * scale.unit + scale.centre
        slope = np.cov(X[:, :2].T)[0, 1] / X[:, :2].var(axis=0)
        # Whitening's axes are those of the four fifths nearest to the centre, whose correlation is lower.
        np.testing.assert_allclose(filled[0, 1], slope[0] * 1.0, atol=0.1)
        np.testing.assert_allclose(filled[1, 0], slope[1] * -2.0, atol=0.2)
        assert filled[0, 2] == pytest.approx(1.0)

    def test_moments_are_those_of_complete_rows(self):
        """Rows filled by expectations alone would vary too little."""
        X = correlated(4000, 0)
        whole, part = (Coordinates.of(rows, np.ones(len(X)), True, "float64") for rows in (X, hidden(X, 0.3)))
        np.testing.assert_allclose(part.scale.unit, whole.scale.unit, rtol=0.05)
        np.testing.assert_allclose(part.whitening.variances, whole.whitening.variances, rtol=0.15)

    def test_ranks_are_among_observed_values(self):
        X = np.array([[1.0], [2.0], [np.nan], [3.0]] * 10)
        ranks = Coordinates.of(X, np.ones(40), True, "float64").ranks
        known = Coordinates.of(X[~np.isnan(X[:, 0])], np.ones(30), True, "float64").ranks
        np.testing.assert_allclose(ranks.at, known.at)

    def test_a_feature_that_was_never_observed_says_nothing(self):
        """As one may be in a fold."""
        X = np.column_stack([np.random.RandomState(0).normal(size=30), np.full(30, np.nan)])
        scale = Coordinates.of(X, np.ones(30), True, "float64").scale
        np.testing.assert_array_equal(scale.deviations(np.array([[0.0, 5.0]]))[:, 1], 0.0)


class TestDistances:
    def test_by_hand(self):
        """Over observed features, times the number of all per observed one; NaN in a space without any."""
        X = np.random.RandomState(0).normal(size=(50, 3))
        coordinates = Coordinates.of(X, np.ones(50), True, "float64")
        references = coordinates.scale.deviations(X)
        spaces = ((np.array([0, 1]), np.array([[7]])), (np.array([2]), np.array([[7]])))
        distances = RowDistances(coordinates, references, np.ones(50, dtype=bool), np.array([[7]]), spaces)
        row = np.array([[0.3, -1.2, np.nan]])
        systems = distances.systems(row)
        found = distances.log_distances(systems, CPU)[0]

        def log_distance(system, features, n_features):
            difference = (system(systems) - system(coordinates(references[[7]])))[0, features]
            return 0.5 * np.log((difference**2).mean() * n_features + SQUARED_FLOOR * n_features)

        expected = [
            log_distance(lambda rows: rows.deviations, [0, 1], 3),
            log_distance(lambda rows: rows.whitened, [0, 1, 2], 3),
            log_distance(lambda rows: rows.ranks, [0, 1], 3),
            log_distance(lambda rows: rows.ranks, [0, 1], 2),
            np.nan,
        ]
        np.testing.assert_allclose(found, expected)


@short
@METHODS
@NOVELTY
class TestDetector:
    @pytest.fixture
    def fitted(self, method, novelty):
        return AutoencoderOutlierDetector(method=method, novelty=novelty, random_state=0).fit(hidden(banana(400, 0)))

    def test_a_row_of_which_nothing_is_observed_is_no_outlier(self, fitted):
        nothing = np.full((1, 4), np.nan)
        assert fitted.score_samples(nothing) == 0.0
        assert fitted.p_values(nothing) == 1.0
        assert fitted.predict(nothing) == 1
        np.testing.assert_array_equal(fitted.feature_contributions(nothing), 0.0)

    def test_contributions(self, fitted):
        X = hidden(banana(50, 1), seed=1)
        contributions = fitted.feature_contributions(X)
        np.testing.assert_allclose(contributions.sum(axis=1), -fitted.score_samples(X))
        assert not contributions[np.isnan(X)].any()

    def test_rows_do_not_matter_to_each_other(self, fitted):
        X = hidden(banana(60, 1), seed=1)
        together, alone = fitted.score_samples(X), [fitted.score_samples(X[[i]])[0] for i in range(20)]
        np.testing.assert_allclose(together[:20], alone, rtol=1e-4, atol=1e-4)

    def test_empty_training_rows_do_not_matter(self, fitted, method, novelty):
        X, nothing = hidden(banana(400, 0)), np.full((5, 4), np.nan)
        again = AutoencoderOutlierDetector(method=method, novelty=novelty, random_state=0).fit(np.vstack([nothing, X]))
        new = banana(50, 1)
        if method == "denoising":  # with "reconstruction" the order of the rows does
            np.testing.assert_allclose(again.score_samples(new), fitted.score_samples(new))
        assert again.n_samples_seen_ == 405

    def test_recalibrate_leaves_empty_rows_out(self, fitted):
        X, new = hidden(banana(100, 2), seed=2), banana(50, 1)
        fitted.recalibrate(X)
        p_values = fitted.p_values(new)
        fitted.recalibrate(np.vstack([X, np.full((50, 4), np.nan)]))
        np.testing.assert_array_equal(fitted.p_values(new), p_values)
        with pytest.raises(ValueError, match=r"at least 2 rows with an observed value\. Got 0\."):
            fitted.recalibrate(np.full((5, 4), np.nan))

    def test_features_without_any_value_are_refused(self, method, novelty):
        X = banana(100, 0)
        X[:, 2] = np.nan
        with pytest.raises(ValueError, match=r"X has features without any observed value: \[2\]. Drop them."):
            AutoencoderOutlierDetector(method=method, novelty=novelty).fit(X)


@NOVELTY
class TestCost:
    """What missing values cost, with a margin for three seeds."""

    def test_anomalies_are_found(self, novelty):
        found = []
        for seed in range(3):
            X, normal = banana(600, seed), banana(600, 10 + seed)
            outliers = np.column_stack([column[np.random.RandomState(seed + j).permutation(600)] for j, column in
                                        enumerate(normal.T)])  # fmt: skip
            new, y = np.vstack([normal, outliers]), np.repeat([0, 1], 600)
            detector = AutoencoderOutlierDetector(novelty=novelty, random_state=0)
            complete = roc_auc_score(y, -detector.fit(X).score_samples(new))
            scores = -detector.fit(hidden(X, 0.1)).score_samples(hidden(new, 0.1, 6))
            found.append((complete, roc_auc_score(y, scores)))
        complete, incomplete = np.mean(found, axis=0)
        assert incomplete > 0.5 + 0.75 * (complete - 0.5)

    @pytest.mark.parametrize("share", [0.1, 0.3])
    def test_false_alarms_where_training_rows_were_complete(self, novelty, share):
        rates = []
        for seed in range(3):
            detector = AutoencoderOutlierDetector(novelty=novelty, random_state=0).fit(banana(600, seed))
            rates.append((detector.p_values(hidden(banana(1000, 10 + seed), share)) <= 0.05).mean())
        assert np.mean(rates) < 0.1
