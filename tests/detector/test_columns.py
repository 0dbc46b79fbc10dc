"""Columns of categorical features, by hand: indicators, units, weights of rare categories, corrupted rows."""

import numpy as np
import pytest
import torch

from skae._detector import _columns
from skae._detector._bins import MAX_BINS, MISSING, Bins, log_marginals
from skae._detector._columns import FeatureColumns
from skae._detector._component_reliability import N_ROWS, corrupted_rows
from skae._detector._coordinates import Coordinates
from skae._detector._entries import Entries
from skae._detector._feature_scale import MIN_CHANCE, FeatureScale
from skae._detector._masked_autoencoder import MaskedAutoencoder
from skae._detector._nearest_rows import NearestRows

NAN = np.nan
# A number, two categories of shares 3/4 and 1/4, a number, and three categories.
ROWS = np.array([[1.0, 0, 5.0, 2], [2.0, 0, 6.0, 0], [3.0, 1, 7.0, 1], [4.0, 0, 8.0, 0]])
WEIGHT, N_CATEGORIES = np.ones(4), np.array([0, 2, 0, 3])


@pytest.fixture
def columns():
    return FeatureColumns.of(ROWS, WEIGHT, N_CATEGORIES)


class TestColumns:
    def test_layout(self, columns):
        np.testing.assert_array_equal(columns.n_bins, [0, 3, 0, 4])
        np.testing.assert_array_equal(columns.feature_of, [0, 1, 1, 1, 2, 3, 3, 3, 3])
        np.testing.assert_array_equal(columns.first_column, [0, 1, 4, 5])
        np.testing.assert_array_equal(columns.is_numeric, [1, 0, 0, 0, 1, 0, 0, 0, 0])
        np.testing.assert_array_equal(columns.input_features, [0, 1, 1, 1, 2, 3, 3, 3, 3, 0, 2])

    def test_indicators(self, columns):
        rows = np.array([[1.5, 1, 7.0, 2], [2.5, 2, NAN, NAN]])  # the second has a category that was not seen
        expected = [[1.5, 0, 1, 0, 7, 0, 0, 1, 0], [2.5, 0, 0, 1, NAN, NAN, NAN, NAN, NAN]]
        np.testing.assert_array_equal(columns.expanded(rows), expected)
        np.testing.assert_array_equal(columns.collapsed(columns.expanded(rows)), rows)

    def test_rare_categories_share_a_column(self, monkeypatch):
        monkeypatch.setattr(_columns, "MAX_COLUMNS", 4)
        codes = np.repeat([0, 1, 2, 3, 4], [2, 30, 1, 20, 3])[:, np.newaxis].astype(float)
        columns = FeatureColumns.of(codes, np.ones(len(codes)), np.array([5]))
        np.testing.assert_array_equal(columns.bins, [[2, 0, 2, 1, 2, 3]])
        weight = np.where(codes[:, 0] == 4, 100.0, 1.0)
        np.testing.assert_array_equal(FeatureColumns.of(codes, weight, np.array([5])).bins, [[2, 0, 2, 2, 1, 3]])


class TestScale:
    def test_two_rows_are_as_far_apart_as_in_a_number(self):
        """The mean square of the difference of two random rows is 2 in every feature, in deviations and with rarity."""
        rng = np.random.RandomState(0)
        codes = rng.choice(6, p=[0.4, 0.3, 0.15, 0.1, 0.04, 0.01], size=(400, 1)).astype(float)
        columns = FeatureColumns.of(codes, np.ones(400), np.array([6]))
        scale = FeatureScale.of(codes, np.ones(400), True, "float64", columns)
        deviations = scale.deviations(codes)
        for coordinates in (deviations, deviations * scale.rarity):
            differences = np.square(coordinates[:, np.newaxis] - coordinates).sum(axis=2)
            np.testing.assert_allclose(differences.mean(), 2.0, rtol=1e-9)
        np.testing.assert_allclose(deviations.mean(axis=0), 0.0, atol=1e-12)

    def test_by_hand(self, columns):
        scale = FeatureScale.of(ROWS, WEIGHT, True, "float64", columns)
        share = np.array([0.75, 0.25, 0.0])
        unit = np.sqrt(2 * 0.75 * 0.25)
        np.testing.assert_allclose(scale.centre[1:4], share)
        np.testing.assert_allclose(scale.unit[1:4], unit)
        weights = np.array([0.75, 0.25, 0.5 / 4]) ** -0.5  # what was not seen counts as half a row
        weights /= weights[:2].sum() * 0.75 * 0.25
        np.testing.assert_allclose(scale.rarity[1:4], np.sqrt(weights) * unit)
        np.testing.assert_array_equal(scale.rarity[scale.columns.is_numeric], 1.0)
        numbers = FeatureScale.of(ROWS[:, [0, 2]], WEIGHT, True, "float64")
        np.testing.assert_array_equal(scale.unit[[0, 4]], numbers.unit)
        np.testing.assert_array_equal(scale.centre[[0, 4]], numbers.centre)

    def test_a_constant_feature_has_a_unit(self):
        codes = np.zeros((50, 1))
        columns = FeatureColumns.of(codes, np.ones(50), np.array([1]))
        scale = FeatureScale.of(codes, np.ones(50), True, "float64", columns)
        known, unknown = scale.deviations(np.array([[0.0], [1.0]]))
        np.testing.assert_array_equal(known, 0.0)
        np.testing.assert_allclose(np.square(unknown - known).sum(), 2 / MIN_CHANCE)

    def test_numbers_share_a_unit_without_scale(self, columns):
        scale = FeatureScale.of(ROWS * [1, 1, 10, 1], WEIGHT, False, "float64", columns)
        assert scale.unit[0] == scale.unit[4]
        np.testing.assert_allclose(scale.unit[1:4], np.sqrt(2 * 0.75 * 0.25))


def test_a_missing_category_is_filled_by_the_one_that_is_expected():
    rng = np.random.RandomState(0)
    first = rng.randint(3, size=300)
    rows = np.column_stack([first, (first + 1) % 3, rng.normal(size=300)]).astype(float)
    columns = FeatureColumns.of(rows, np.ones(300), np.array([3, 3, 0]))
    coordinates = Coordinates.of(rows, np.ones(300), True, "float64", columns)
    asked = rows[:20].copy()
    asked[:, 1] = NAN
    filled = coordinates.filled(coordinates.scale.deviations(asked))
    np.testing.assert_allclose(filled, coordinates.scale.deviations(rows[:20]), atol=1e-12)
    systems = coordinates(coordinates.scale.deviations(asked))
    np.testing.assert_array_equal(np.isnan(systems.values), np.isnan(asked))


class TestNearestRows:
    """Two features of three and one coordinates."""

    FEATURE_OF = np.array([0, 0, 0, 1])

    @pytest.fixture
    def rows(self):
        rng = np.random.RandomState(0)
        return rng.normal(size=(5, 4)), rng.normal(size=(8, 4))

    def nearest(self, references):
        bags = np.arange(8)[np.newaxis, np.newaxis]
        return NearestRows(references[np.newaxis], bags, np.array([2]), torch.device("cpu"), self.FEATURE_OF)

    def test_a_feature_is_observed_or_missing_with_all_its_columns(self, rows):
        x, references = rows
        observed = np.tile([0.0, 0.0, 0.0, 1.0], (5, 1))
        found, _ = self.nearest(references).log_distances(
            torch.from_numpy(x)[None], None, torch.from_numpy(observed)[None]
        )
        # Twice the square of the one feature of two that is known.
        squares = 2 * np.square(x[:, np.newaxis, 3] - references[:, 3]).min(axis=1)
        np.testing.assert_allclose(found[0], 0.5 * np.log(squares + 2e-3), rtol=1e-6)

    @pytest.mark.parametrize("is_whitened", [False, True])
    def test_what_features_take_away(self, rows, is_whitened):
        """The least square over all values of a feature's columns, by least squares."""
        x, references = rows
        root = np.random.RandomState(1).normal(size=(4, 4))
        product = root @ root.T + np.eye(4) if is_whitened else np.eye(4)
        whitened, own = x @ product, references @ product
        lost = self.nearest(own).log_distance_reductions(
            torch.from_numpy(whitened),
            torch.zeros(5, 8, dtype=torch.bool),
            0,
            torch.from_numpy(product) if is_whitened else None,
        )
        differences = whitened[:, np.newaxis] - own
        squares = np.square(differences).sum(axis=2)
        for feature in range(2):
            moves = product[self.FEATURE_OF == feature].T
            left = differences - differences @ moves @ np.linalg.pinv(moves)
            rest = np.square(left).sum(axis=2)
            expected = np.log(squares.min(axis=1) + 2e-3) - np.log(rest.min(axis=1) + 2e-3)
            np.testing.assert_allclose(lost[:, feature], expected, rtol=1e-6)


class TestMaskedAutoencoder:
    def test_a_bin_for_each_category(self):
        n = MAX_BINS + 15
        values = np.column_stack([np.repeat(np.arange(n - 1), 2), np.linspace(0, 1, 2 * n - 2)])
        weight = np.ones(len(values))
        bins = Bins.of(values, weight, weight[:, np.newaxis], np.full(2, 1e-6), np.array([n, 0]))
        np.testing.assert_array_equal(bins.n_bins, [n, len(values) // 5])
        index = bins.index(values)
        np.testing.assert_array_equal(index[:, 0], values[:, 0])
        asked = np.array([[n - 1.0, 0.5], [NAN, 0.5]])  # the last bin is that of categories that were not seen
        np.testing.assert_array_equal(bins.index(asked)[:, 0], [n - 1, MISSING])
        assert bins.offset(asked, bins.index(asked))[0, 0] == 0.0
        marginals = log_marginals(index, bins.n_bins, weight)
        frequencies = np.append(np.full(n - 1, 2.5), 0.5)
        np.testing.assert_allclose(np.exp(marginals[0]), frequencies / frequencies.sum(), rtol=1e-5)

    def test_columns_of_a_feature_are_masked_together(self):
        features = np.array([0, 0, 0, 1, 1])
        marginals = torch.log_softmax(torch.zeros(1, 2, 3, dtype=torch.float64), 2)
        generator = torch.Generator().manual_seed(0)
        network = MaskedAutoencoder(marginals, (4,), "silu", generator=generator, input_features=features)
        network.parameters.normal_(generator=generator)
        inputs = torch.randn(6, 5, dtype=torch.float64, generator=generator)
        index = torch.zeros(6, 2, dtype=torch.int64)
        prepared = network.scoring_layers([(np.array([0]), 0), (np.array([1]), 0)])
        before = network.surprisals(inputs, index, prepared)
        changed = inputs.clone()
        changed[:, :3] += 1.0
        after = network.surprisals(changed, index, prepared)
        torch.testing.assert_close(after[:, 0], before[:, 0])
        assert (after[:, 1] != before[:, 1]).all()

    def test_gradient_by_differences(self):
        features = np.array([0, 0, 0, 1, 1])
        marginals = torch.log_softmax(torch.zeros(1, 2, 3, dtype=torch.float64), 2)
        network = MaskedAutoencoder(marginals, (4,), "silu", generator=torch.Generator(), input_features=features)
        network.parameters.normal_(generator=torch.Generator().manual_seed(0))
        rows = torch.cat([torch.randn(6, 5).double(), torch.randint(3, (6, 2)).double()], 1)
        gradient = torch.empty_like(network.parameters)
        network.bind_gradient(gradient)

        def loss():
            network._generator.manual_seed(1)
            return float(network.loss_and_gradient(rows, None))

        loss()
        found = gradient.clone()
        for place in (0, 7, 20, 35, -1):
            before = float(network.parameters[place])
            sides = []
            for step in (1e-6, -1e-6):
                network.parameters[place] = before + step
                sides.append(loss())
            network.parameters[place] = before
            np.testing.assert_allclose(float(found[place]), (sides[0] - sides[1]) / 2e-6, rtol=1e-4, atol=1e-8)


def test_corrupted_rows_have_categories():
    rng = np.random.RandomState(0)
    rows = np.column_stack([rng.normal(size=200), rng.randint(4, size=200)])
    ones = np.ones(200)
    entries = Entries(rows, ones, np.zeros(200, dtype=int), ones > 0).with_categories(np.array([0, 4]))
    scale = FeatureScale.of(rows, ones, True, "float64", entries.columns)
    corrupted = corrupted_rows(entries, scale.unit, rng)
    assert corrupted.shape == (2 * N_ROWS, 2)
    assert set(corrupted[:, 1]) == {0.0, 1.0, 2.0, 3.0}
    noisy = corrupted[N_ROWS:]
    nearest = np.abs(noisy[:, np.newaxis, 0] - rows[:, 0]).argmin(axis=1)
    assert (noisy[:, 0] != rows[nearest, 0]).all()
