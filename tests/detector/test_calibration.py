"""Joint scores, thresholds and p-values by hand, and what the rows that calibrate weigh."""

import numpy as np
import pytest
from family_cases import banana, short
from scipy import stats

from skae import AutoencoderOutlierDetector
from skae._detector._calibration import MIN_SPREAD, Calibration, share_beyond_fence, threshold

COMPONENTS = np.array([[1.0, 40.0], [2.0, 30.0], [3.0, 20.0], [4.0, 10.0]])
# Of one to four: shares of at least as high values are fifths.
FIRST, SECOND, THIRD, FOURTH = -np.log([4 / 5, 3 / 5, 2 / 5, 1 / 5])


def calibration(n_highest, weight=None):
    return Calibration.of(COMPONENTS, np.ones(4) if weight is None else weight, n_highest)


class TestScores:
    @pytest.mark.parametrize(
        ("n_highest", "expected"), [(1, [FOURTH, THIRD]), (2, [(FIRST + FOURTH) / 2, (SECOND + THIRD) / 2])]
    )
    def test_are_means_of_the_highest_surprisals(self, n_highest, expected):
        np.testing.assert_allclose(calibration(n_highest).scores_of(COMPONENTS[:2]), -np.array(expected))

    def test_components_count_by_what_they_add(self):
        rows = COMPONENTS[:2]
        np.testing.assert_allclose(calibration(1).component_weights(rows), [[0.0, FOURTH], [0.0, THIRD]])
        np.testing.assert_allclose(
            calibration(2).component_weights(rows), [[FIRST / 2, FOURTH / 2], [SECOND / 2, THIRD / 2]]
        )
        new = np.random.RandomState(0).uniform(0, 6, size=(50, 2)) * [1, 10]
        for n_highest in (1, 2):
            weights = calibration(n_highest).component_weights(new)
            np.testing.assert_allclose(weights.sum(axis=1), -calibration(n_highest).scores_of(new))

    def test_p_values_count_calibration_rows(self):
        ours = calibration(2)
        lowest, highest = ours.scores.min(), ours.scores.max()
        # The components run against each other: the two outer rows score alike, and so do the two inner ones.
        np.testing.assert_allclose(ours.p_values(np.array([lowest - 1, lowest, highest, 0.0])), [0.2, 0.6, 1.0, 1.0])

    def test_the_state_makes_the_same_calibration(self):
        ours = calibration(2)
        again = Calibration.from_state(ours.to_state())
        np.testing.assert_array_equal(again.scores_of(COMPONENTS), ours.scores_of(COMPONENTS))
        np.testing.assert_array_equal(again.p_values(ours.scores), ours.p_values(ours.scores))


class TestThreshold:
    def test_a_number_counts_training_rows(self):
        scores = -np.arange(10.0)
        offset = threshold(calibration(2), COMPONENTS, lambda: (scores, np.ones(10)), 0.2, False)
        np.testing.assert_array_equal(scores < offset, scores < -7.5)
        heavy = threshold(calibration(2), COMPONENTS, lambda: (scores, np.append(np.ones(9), 5.0)), 0.4, False)
        np.testing.assert_array_equal(scores < heavy, scores == -9.0)

    def test_auto_for_clean_rows_counts_one_in_a_hundred_of_the_calibration_rows(self):
        components = np.random.RandomState(0).normal(size=(1000, 2))
        ours = Calibration.of(components, np.ones(1000), 2)
        offset = threshold(ours, components, pytest.fail, "auto", True)
        assert (ours.scores < offset).sum() == 10

    @pytest.mark.parametrize("n_outliers", [0, 1, 30])
    def test_auto_counts_what_is_beyond_the_fence(self, n_outliers):
        components = np.random.RandomState(0).uniform(size=(500, 3))
        components[:n_outliers] += 9.0
        ours = Calibration.of(components, np.ones(500), 3)
        offset = threshold(ours, components, pytest.fail, "auto", False)
        np.testing.assert_array_equal(ours.scores_of(components) < offset, np.arange(500) < n_outliers)


class TestFence:
    def test_by_hand(self):
        """Of 0 to 99 median and upper quartile are at 49.5 and 74.5: the fence is at 49.5 + 4 * 25."""
        values = np.append(np.arange(100.0), [149.4, 149.6])
        share = share_beyond_fence(values[:, np.newaxis], np.append(np.ones(100), [1e-9, 1e-9]), 1)
        assert share == pytest.approx(1e-9 / (100 + 2e-9))

    def test_of_gaussian_rows_about_half_a_percent(self):
        """A log-chi-square with few degrees of freedom is what a log-distance of Gaussian rows is like."""
        rng = np.random.RandomState(0)
        assert share_beyond_fence(rng.normal(size=(10**5, 1)), np.ones(10**5), 1) == pytest.approx(
            stats.norm.sf(4 * stats.norm.ppf(0.75)), abs=1e-3
        )

    def test_hardly_varying_components(self):
        """Where most rows are one state, MIN_SPREAD is the quartile's distance."""
        components = np.append(np.zeros(98), [3.9 * MIN_SPREAD, 4.1 * MIN_SPREAD])[:, np.newaxis]
        assert share_beyond_fence(components, np.ones(100), 1) == 0.01

    def test_weights_are_repetitions(self):
        rng = np.random.RandomState(0)
        components, weight = rng.standard_t(2, size=(300, 3)), rng.randint(1, 4, size=300)
        weighted = share_beyond_fence(components, weight.astype(float), 3)
        repeated = share_beyond_fence(np.repeat(components, weight, axis=0), np.ones(weight.sum()), 3)
        assert weighted == pytest.approx(repeated)


@short
@pytest.mark.parametrize("method", ["denoising", "reconstruction"])
@pytest.mark.parametrize("n_rows", [120, 400])
def test_weights_count_as_rows(method, n_rows):
    X, weight = banana(n_rows, 0), np.arange(n_rows) % 3 + 1.0
    detector = AutoencoderOutlierDetector(method=method, max_iter=2, random_state=0).fit(X, sample_weight=weight)
    scores, weights = detector._calibration.scores, detector._calibration.weight
    if method == "reconstruction":
        assert len(weights) == n_rows if n_rows == 120 else len(weights) < n_rows
        assert set(weights) == {1, 2, 3}
    else:  # rows that repeat by nature are in several folds
        assert weights.sum() == weight.sum()
    for p, score in zip(detector.p_values(X), detector.score_samples(X), strict=True):
        as_low = weights[scores <= score + 1e-12].sum()
        assert p == pytest.approx((as_low + 1) / (weights.sum() + 1), abs=2 / weights.sum())
