"""Joint scores, thresholds and p-values by hand, and what the rows that calibrate weigh."""

import numpy as np
import pytest
from family_cases import banana, short
from scipy import stats

from skae import AutoencoderOutlierDetector
from skae._detector._calibration import MIN_SPREAD, Calibration, normal_threshold, share_beyond_fence, threshold
from skae._detector._tail_surprisal import cross_fitted_surprisals, mean_of_two_highest

COMPONENTS = np.array([[1.0, 40.0], [2.0, 30.0], [3.0, 20.0], [4.0, 10.0]])
# Of one to four: shares of at least as high values are fifths.
FIRST, SECOND, THIRD, FOURTH = -np.log([4 / 5, 3 / 5, 2 / 5, 1 / 5])


def calibration(component_weight=(1.0, 1.0)):
    return Calibration.of(COMPONENTS, np.ones(4), np.array(component_weight))


class TestScores:
    def test_are_means_of_two_surprisals(self):
        expected = [(FIRST + FOURTH) / 2, (SECOND + THIRD) / 2]
        np.testing.assert_allclose(calibration().scores_of(COMPONENTS[:2]), -np.array(expected))

    def test_surprisals_count_by_the_weight_of_their_component(self):
        expected = [(FIRST + FOURTH / 4) / 2, (SECOND + THIRD / 4) / 2]
        np.testing.assert_allclose(calibration([1.0, 0.25]).scores_of(COMPONENTS[:2]), -np.array(expected))

    def test_the_two_highest_after_weighting_count(self):
        components = np.column_stack([COMPONENTS[:, 0]] * 3)
        ours = Calibration.of(components, np.ones(4), np.array([0.5, 1.0, 0.2]))
        np.testing.assert_allclose(ours.scores_of(components), -0.75 * np.array([FIRST, SECOND, THIRD, FOURTH]))
        parts = ours.contributions_of(components[:1])
        np.testing.assert_allclose(parts, [[0.25 * FIRST, 0.5 * FIRST, 0.0]])

    def test_a_single_component(self):
        ours = Calibration.of(COMPONENTS[:, :1], np.ones(4), np.ones(1))
        np.testing.assert_allclose(ours.scores_of(COMPONENTS[:2, :1]), [-FIRST, -SECOND])
        np.testing.assert_allclose(ours.contributions_of(COMPONENTS[:2, :1]), [[FIRST], [SECOND]])

    def test_calibration_rows_score_as_new_ones(self):
        """Each by the other rows: beyond the highest of them, a value is more surprising than the table allows."""
        weight = np.array([1.0, 0.5])
        expected = -mean_of_two_highest(cross_fitted_surprisals(COMPONENTS, np.ones(4)) * weight)
        np.testing.assert_allclose(calibration(weight).scores, expected)

    def test_parts_sum_to_minus_the_score(self):
        new = np.random.RandomState(0).uniform(0, 6, size=(50, 2)) * [1, 10]
        for weight in ([1.0, 1.0], [0.3, 1.0]):
            ours = calibration(weight)
            np.testing.assert_allclose(ours.contributions_of(new).sum(axis=1), -ours.scores_of(new))

    def test_p_values_count_calibration_rows(self):
        ours = calibration()
        lowest, highest = ours.scores.min(), ours.scores.max()
        # The components run against each other: the two outer rows score alike, and so do the two inner ones.
        np.testing.assert_allclose(ours.p_values(np.array([lowest - 1, lowest, highest, 0.0])), [0.2, 0.6, 1.0, 1.0])
        assert ours.lowest_p_value == pytest.approx(0.2)

    def test_rows_of_a_group_weigh_as_one(self):
        groups = np.array([4, 4, 7, 7])
        ours = Calibration.of(COMPONENTS, np.ones(4), np.ones(2), groups)
        expected = -mean_of_two_highest(cross_fitted_surprisals(COMPONENTS, np.ones(4), groups))
        np.testing.assert_allclose(ours.scores, expected)
        # Of two groups no new row is more unusual than one in three.
        np.testing.assert_allclose(ours.p_values(np.array([ours.scores.min() - 1, 0.0])), [1 / 3, 1.0])
        # Of unequal ones as many as rows drawn from them differ in: 16 / (9 + 1).
        ours = Calibration.of(COMPONENTS, np.ones(4), np.ones(2), np.array([0, 0, 0, 1]))
        assert ours.weight.sum() == pytest.approx(1.6)

    def test_the_state_makes_the_same_calibration(self):
        ours = calibration([0.5, 1.0])
        again = Calibration.from_state(ours.to_state())
        np.testing.assert_array_equal(again.scores_of(COMPONENTS), ours.scores_of(COMPONENTS))
        np.testing.assert_array_equal(again.p_values(ours.scores), ours.p_values(ours.scores))


class TestThreshold:
    def test_a_number_counts_training_rows(self):
        scores = -np.arange(10.0)
        offset = threshold(calibration(), COMPONENTS, 0.2, scores, np.ones(10))
        np.testing.assert_array_equal(scores < offset, scores < -7.5)
        heavy = threshold(calibration(), COMPONENTS, 0.4, scores, np.append(np.ones(9), 5.0))
        np.testing.assert_array_equal(scores < heavy, scores == -9.0)

    @pytest.mark.parametrize(("contamination", "n_below"), [("auto", 10), (0.05, 50), (0.3, 300)])
    def test_where_all_are_normal_it_counts_calibration_rows(self, contamination, n_below):
        components = np.random.RandomState(0).normal(size=(1000, 2))
        ours = Calibration.of(components, np.ones(1000), np.ones(2))
        offset = normal_threshold(ours, contamination)
        assert (ours.scores < offset).sum() == n_below

    @pytest.mark.parametrize("n_outliers", [1, 30])
    def test_auto_counts_what_is_beyond_the_fence(self, n_outliers):
        components = np.random.RandomState(0).uniform(size=(500, 3))
        components[:n_outliers] += 9.0
        ours = Calibration.of(components, np.ones(500), np.ones(3))
        scores = ours.scores_of(components)
        offset = threshold(ours, components, "auto", scores, np.ones(500))
        np.testing.assert_array_equal(scores < offset, np.arange(500) < n_outliers)

    def test_auto_labels_a_training_row_though_calibration_rows_are_stranger(self):
        components = np.random.RandomState(0).uniform(size=(500, 3))
        components[0] += 9.0
        ours, scores = Calibration.of(components, np.ones(500), np.ones(3)), np.array([-1.0, -2.0])
        assert (scores < threshold(ours, components, "auto", scores, np.ones(2))).sum() == 1

    @pytest.mark.parametrize(("scores", "n_below"), [([-3.0, -9.0, -4.0], 1), ([-9.0, -9.0, -4.0], 0), ([-1.0] * 3, 0)])
    def test_auto_takes_the_most_unusual_training_row_if_none_is_beyond(self, scores, n_below):
        """One row and no more: of states that many rows are in none is labelled."""
        components, scores = np.random.RandomState(0).uniform(size=(500, 3)), np.array(scores)
        ours = Calibration.of(components, np.ones(500), np.ones(3))
        offset = threshold(ours, components, "auto", scores, np.ones(3))
        assert (scores < offset).sum() == n_below
        levels, count = np.unique(scores, return_counts=True)
        weighted = threshold(ours, components, "auto", levels, count.astype(float))
        assert weighted == offset


class TestFence:
    def test_by_hand(self):
        """Of 0 to 99 median and upper quartile are at 49.5 and 74.5: the fence is at 49.5 + 4 * 25."""
        values = np.append(np.arange(100.0), [149.4, 149.6])
        share = share_beyond_fence(values[:, np.newaxis], np.append(np.ones(100), [1e-9, 1e-9]))
        assert share == pytest.approx(1e-9 / (100 + 2e-9))

    def test_components_count_on_average(self):
        """Two medians at 49.5: 6 and 1.9 quartile distances above them are less than 4 on average, 6 and 2.1 more."""
        values = np.column_stack([np.append(np.arange(100.0), [199.5, 199.5]), np.append(np.arange(100.0), [97, 102])])
        share = share_beyond_fence(values, np.append(np.ones(100), [1e-9, 1e-9]))
        assert share == pytest.approx(1e-9 / (100 + 2e-9))

    def test_of_a_gaussian_component(self):
        """Four upper quartiles are 2.7 standard deviations."""
        rng = np.random.RandomState(0)
        assert share_beyond_fence(rng.normal(size=(10**5, 1)), np.ones(10**5)) == pytest.approx(
            stats.norm.sf(4 * stats.norm.ppf(0.75)), abs=1e-3
        )

    def test_hardly_varying_components(self):
        """Where most rows are one state, MIN_SPREAD is the quartile's distance."""
        components = np.append(np.zeros(98), [3.9 * MIN_SPREAD, 4.1 * MIN_SPREAD])[:, np.newaxis]
        assert share_beyond_fence(components, np.ones(100)) == 0.01

    def test_a_state_of_many_rows_is_no_outlier(self):
        components = np.append(np.zeros(98), [9.0, 9.0])[:, np.newaxis]
        weight = np.append(np.ones(98), [21.0, 1.0])
        assert share_beyond_fence(components, weight) == 1.0 / 120.0

    def test_weights_are_repetitions(self):
        rng = np.random.RandomState(0)
        components, weight = rng.standard_t(2, size=(300, 3)), rng.randint(1, 4, size=300)
        weighted = share_beyond_fence(components, weight.astype(float))
        repeated = share_beyond_fence(np.repeat(components, weight, axis=0), np.ones(weight.sum()))
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
