"""Weights of components by hand, and the corrupted rows that tell which components can be trusted."""

import numpy as np
import pytest
from entry_cases import entries_of

from skae import AutoencoderOutlierDetector
from skae._detector._component_reliability import MIN_WEIGHT, N_ROWS, NOISE, corrupted_rows, reliability


class TestReliability:
    NORMAL, CORRUPTED = np.arange(4.0), np.array([1.5, 9.0])

    def test_by_hand(self):
        """Of eight pairs of a normal and a corrupted row six are in order: an AUC of .75, a Gini coefficient of .5."""
        normal = np.column_stack([self.NORMAL, self.NORMAL])
        corrupted = np.column_stack([self.CORRUPTED, [8.0, 9.0]])
        np.testing.assert_allclose(reliability(normal, np.ones(4), corrupted), [0.5, 1.0])

    def test_the_largest_is_one(self):
        found = reliability(np.c_[self.NORMAL], np.ones(4), np.c_[self.CORRUPTED])
        np.testing.assert_array_equal(found, [1.0])

    def test_components_that_tell_nothing_weigh_a_little(self):
        """Chance, and worse than chance, beside one that is always right."""
        normal = np.column_stack([self.NORMAL, np.zeros(4), self.NORMAL])
        corrupted = np.array([[8.0, 0.0, -1.0], [9.0, 0.0, -2.0]])
        np.testing.assert_allclose(reliability(normal, np.ones(4), corrupted), [1.0, MIN_WEIGHT, MIN_WEIGHT])

    def test_where_no_component_tells_anything_all_count_alike(self):
        np.testing.assert_array_equal(reliability(np.zeros((4, 3)), np.ones(4), np.zeros((2, 3))), np.ones(3))

    def test_weights_are_repetitions(self):
        rng = np.random.RandomState(0)
        normal, corrupted, weight = rng.normal(size=(40, 3)), rng.normal(0.7, 1.0, size=(30, 3)), rng.randint(1, 4, 40)
        weighted = reliability(normal, weight.astype(float), corrupted)
        repeated = reliability(np.repeat(normal, weight, axis=0), np.ones(weight.sum()), corrupted)
        np.testing.assert_allclose(weighted, repeated)


class TestCorruptedRows:
    def test_half_of_them_are_of_values_of_several_rows(self):
        """Each value is one of its feature's, but features no longer go together."""
        X = np.random.RandomState(1).normal(size=(300, 1)) * [1.0, 1.0, -1.0]
        shuffled = corrupted_rows(entries_of(X), np.ones(3), np.random.RandomState(0))[:N_ROWS]
        for feature in range(3):
            assert np.isin(shuffled[:, feature], X[:, feature]).all()
        # Four standard errors of correlations of so many independent rows.
        assert np.abs(np.corrcoef(shuffled.T) - np.eye(3)).max() < 4 / np.sqrt(N_ROWS)

    def test_the_others_have_noise_in_units_of_the_features(self):
        X, unit = np.tile([3.0, -5.0], (40, 1)), np.array([1.0, 20.0])
        noisy = corrupted_rows(entries_of(X), unit, np.random.RandomState(0))[N_ROWS:]
        assert noisy.shape == (N_ROWS, 2)
        # Four standard errors of means and deviations.
        np.testing.assert_allclose((noisy.mean(axis=0) - [3.0, -5.0]) / unit, 0.0, atol=4 * NOISE / np.sqrt(N_ROWS))
        np.testing.assert_allclose(noisy.std(axis=0) / unit, NOISE, rtol=4 / np.sqrt(2 * N_ROWS))

    def test_rows_are_drawn_as_they_weigh(self):
        X = np.column_stack([np.arange(10.0), np.arange(10.0)])
        weight = np.where(np.arange(10) < 2, 40.0, 2.5)
        shuffled = corrupted_rows(entries_of(X, weight), np.ones(2), np.random.RandomState(0))[:N_ROWS]
        # Four standard errors of 500 draws.
        assert (shuffled[:, 0] < 2).mean() == pytest.approx(0.8, abs=4 * np.sqrt(0.16 / N_ROWS))

    def test_of_the_largest_numbers(self):
        """Noise may make infinite values; distances clip them."""
        X = np.array([[1.7e308, 0.0], [-1.7e308, 1.0], [0.0, 2.0]])
        rows = corrupted_rows(entries_of(X), np.array([1.7e308, 1.0]), np.random.RandomState(0))
        assert not np.isnan(rows).any()


class TestDetector:
    X = np.random.RandomState(0).normal(size=(60, 3))

    def weights(self, **parameters):
        detector = AutoencoderOutlierDetector(max_iter=0, random_state=0, **parameters).fit(self.X)
        return detector._calibration.component_weight

    def test_components_are_weighted_where_all_rows_are_normal(self):
        found = self.weights(novelty=True)
        assert found.max() == 1.0
        assert MIN_WEIGHT <= found.min() < 1.0

    @pytest.mark.parametrize("parameters", [{}, {"method": "reconstruction"}], ids=["denoising", "reconstruction"])
    def test_elsewhere_all_count_alike(self, parameters):
        np.testing.assert_array_equal(self.weights(**parameters), 1.0)

    def test_features_that_go_together_are_for_what_compares_features(self):
        """Rows near a plane: whitened distances find rows off it, those of single features do not."""
        factors = np.random.RandomState(1).normal(size=(400, 2))
        X = np.column_stack([factors, factors.sum(axis=1)]) + 0.02 * np.random.RandomState(2).normal(size=(400, 3))
        detector = AutoencoderOutlierDetector(novelty=True, max_iter=0, random_state=0).fit(X)
        standardised, whitened, *_ = detector._calibration.component_weight
        assert whitened > standardised
