"""Nearest rows of bags against scikit-learn's, rows that coincide, and the bags."""

import numpy as np
import pytest
import torch
from sklearn.neighbors import NearestNeighbors

from skae._detector._nearest_rows import NearestRows, coincidences, draw_bags
from skae._detector._scorer import SQUARED_FLOOR

RNG = np.random.RandomState(0)
REFERENCES, QUERIES = RNG.normal(size=(40, 3)), RNG.normal(size=(10, 3))
BAGS = np.stack([RNG.permutation(40)[:15] for _ in range(4)])
CPU = torch.device("cpu")


def by_scikit_learn(references, queries, bags, n_neighbors=1):
    """Distance to and index of the last of the nearest rows of each bag."""
    found = [NearestNeighbors(n_neighbors=n_neighbors).fit(references[bag]).kneighbors(queries) for bag in bags]
    distances = np.stack([distances[:, -1] for distances, _ in found], axis=1)
    return distances, np.stack([bag[places[:, -1]] for bag, (_, places) in zip(bags, found, strict=True)], axis=1)


def log_distances(distances):
    """The documented mean over the bags; the floor is in squares of a row of three features."""
    return 0.5 * np.log(distances**2 + SQUARED_FLOOR * 3).mean(axis=1)


def nearest_rows(spaces=(REFERENCES,), bags=BAGS, n_coordinates=None):
    """In several spaces, all with the same bags."""
    counts = np.full(len(spaces), 3) if n_coordinates is None else np.array(n_coordinates)
    return NearestRows(np.stack(spaces), np.stack([bags] * len(spaces)), counts, CPU)


def in_each(*spaces):
    return torch.as_tensor(np.stack(spaces))


def test_distances_are_scikit_learns():
    found, coincide = nearest_rows().log_distances(in_each(QUERIES))
    distances, _ = by_scikit_learn(REFERENCES, QUERIES, BAGS)
    np.testing.assert_allclose(found[0], log_distances(distances), rtol=1e-12)
    assert not coincide.any()


def test_spaces_do_not_mix():
    """Each space has its references, its rows and its number of coordinates; the others are zero."""
    mask = np.array([1.0, 0.0, 1.0])
    spaces = [REFERENCES, 2.0 * REFERENCES[::-1], REFERENCES * mask]
    x = in_each(QUERIES, QUERIES - 1.0, QUERIES * mask)
    found, _ = nearest_rows(spaces, n_coordinates=[3, 3, 2]).log_distances(x)
    assert found.shape == (3, 10)
    for space, references, rows, count in zip(range(3), spaces, x, (3, 3, 2), strict=True):
        alone, _ = nearest_rows([references], n_coordinates=[count]).log_distances(rows[None])
        np.testing.assert_allclose(found[space], alone[0], rtol=1e-12)
    distances, _ = by_scikit_learn(REFERENCES[:, [0, 2]], QUERIES[:, [0, 2]], BAGS)
    expected = 0.5 * np.log(distances**2 + SQUARED_FLOOR * 2).mean(axis=1)
    np.testing.assert_allclose(found[2], expected, rtol=1e-12)


def test_spaces_may_have_bags_of_their_own():
    bags = np.stack([BAGS, BAGS[::-1, ::-1] // 2])
    found, _ = NearestRows(np.stack([REFERENCES] * 2), bags, np.full(2, 3), CPU).log_distances(in_each(*[QUERIES] * 2))
    for space in range(2):
        distances, _ = by_scikit_learn(REFERENCES, QUERIES, bags[space])
        np.testing.assert_allclose(found[space], log_distances(distances), rtol=1e-12)


EVERY = np.arange(40)[np.newaxis]


def itself_left_out():
    x = torch.as_tensor(REFERENCES)
    return coincidences(x, x, torch.full((3,), 1e-9, dtype=torch.float64))


def test_a_row_is_not_its_own_neighbour():
    nearest, x = nearest_rows(bags=EVERY), in_each(REFERENCES)
    _, coincide = nearest.log_distances(x)
    assert coincide.all()
    np.testing.assert_array_equal(itself_left_out(), np.eye(40, dtype=bool))
    distances, _ = by_scikit_learn(REFERENCES, REFERENCES, EVERY, n_neighbors=2)
    np.testing.assert_allclose(nearest.log_distances(x, itself_left_out())[0][0], log_distances(distances), rtol=1e-12)


def test_where_every_reference_is_left_out_nothing_is_far():
    left_out = torch.ones(10, 40, dtype=torch.bool)
    found, _ = nearest_rows().log_distances(in_each(QUERIES), left_out)
    np.testing.assert_allclose(found[0], log_distances(np.zeros((10, 4))), rtol=1e-12)
    lost = nearest_rows().log_distance_reductions(torch.as_tensor(QUERIES), left_out, 0, None)
    np.testing.assert_array_equal(lost, np.zeros((10, 3)))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_rows_that_coincide_but_for_rounding_are_equally_near(dtype):
    """Products of float32 give squares of some 1e-6 instead of zero; surprisals would take their order seriously."""
    references = np.random.RandomState(1).normal(size=(40, 3)).astype(dtype)
    x = references * (1 + np.random.RandomState(2).uniform(-1e-4, 1e-4, size=(40, 1)).astype(dtype))
    found, _ = nearest_rows([references], EVERY).log_distances(in_each(x))
    np.testing.assert_array_equal(found, found[0, 0])
    assert found[0, 0] == pytest.approx(0.5 * np.log(SQUARED_FLOOR * 3), rel=1e-5)


class TestLost:
    """By how much nearer the nearest rows are if a feature may take any value."""

    NONE_LEFT_OUT = torch.zeros(10, 40, dtype=torch.bool)

    def lost(self, nearest, x, left_out, space=0, product=None):
        product = None if product is None else torch.as_tensor(product)
        return nearest.log_distance_reductions(torch.as_tensor(x), left_out, space, product).numpy()

    @staticmethod
    def expected(references, queries, bags):
        """Distances with and without each feature; the floor is of three features in both. Twice a log-distance."""
        with_all, _ = by_scikit_learn(references, queries, bags)
        columns = []
        for feature in range(3):
            others = np.arange(3) != feature
            without, _ = by_scikit_learn(references[:, others], queries[:, others], bags)
            columns.append(2.0 * (log_distances(with_all) - log_distances(without)))
        return np.stack(columns, axis=1)

    def test_is_scikit_learns_distance_without_the_feature(self):
        found = self.lost(nearest_rows(), QUERIES, self.NONE_LEFT_OUT)
        np.testing.assert_allclose(found, self.expected(REFERENCES, QUERIES, BAGS), rtol=1e-9, atol=1e-12)
        assert (found >= 0).all()

    def test_of_the_space_asked_for(self):
        nearest = nearest_rows([REFERENCES, 3.0 * REFERENCES])
        found = self.lost(nearest, QUERIES, self.NONE_LEFT_OUT, space=1)
        np.testing.assert_allclose(found, self.expected(3.0 * REFERENCES, QUERIES, BAGS), rtol=1e-9, atol=1e-12)

    def test_without_what_is_left_out(self):
        """A row among the references: its nearest other rows, without a feature too, are not itself."""
        found = self.lost(nearest_rows(bags=EVERY), REFERENCES, itself_left_out())
        others = [np.delete(np.arange(40), row)[np.newaxis] for row in range(40)]
        expected = [self.expected(REFERENCES, REFERENCES[[row]], bag)[0] for row, bag in enumerate(others)]
        np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-12)

    def test_of_products_of_features_by_least_squares(self):
        """The value of a feature that brings a row nearest in other coordinates is a regression on its product."""
        A = RNG.normal(size=(3, 3))
        product = A @ A.T + np.eye(3)
        references, x = REFERENCES @ product, QUERIES @ product
        found = self.lost(nearest_rows([references], bags=EVERY), x, self.NONE_LEFT_OUT, product=product)
        differences = x[:, None, :] - references
        squares = (differences**2).sum(axis=2)
        for feature in range(3):
            steps = differences @ product[feature] / (product[feature] @ product[feature])
            nearer = ((differences - steps[:, :, None] * product[feature]) ** 2).sum(axis=2)
            floor = SQUARED_FLOOR * 3
            expected = np.log(squares.min(axis=1) + floor) - np.log(nearer.min(axis=1) + floor)
            np.testing.assert_allclose(found[:, feature], expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_rows_coincide_if_no_feature_differs_by_more_than_its_tolerance(dtype):
    references = np.array([[1.0, -2.0, 3.0], [1.0, -2.0, 3.5]], dtype)
    tolerance = torch.as_tensor(np.array([1e-3, 1e-3, 0.0], dtype))
    queries = references[[0, 0, 0, 1]] + np.array([[0, 0, 0], [5e-4, -5e-4, 0], [2e-3, 0, 0], [0, 0, 1e-3]], dtype)
    found = coincidences(torch.as_tensor(queries), torch.as_tensor(references), tolerance)
    np.testing.assert_array_equal(found, [[True, False], [True, False], [False, False], [False, False]])


class TestBags:
    def test_are_samples_without_repetition(self):
        bags = draw_bags(np.ones(30), 20, 7, np.random.RandomState(0))
        assert bags.shape == (20, 7)
        assert all(len(np.unique(bag)) == 7 for bag in bags)
        np.testing.assert_array_equal(np.sort(draw_bags(np.ones(30), 1, 30, np.random.RandomState(0))[0]), range(30))

    def test_rows_are_in_as_many_as_they_weigh(self):
        weight = np.array([1.0, 2.0, 3.0, 4.0, 10.0])
        count = np.bincount(draw_bags(weight, 4000, 2, np.random.RandomState(0)).ravel())
        # Five standard errors of so many draws.
        np.testing.assert_allclose(count / 8000, weight / 20, atol=5 * np.sqrt(0.25 / 8000))
        # A systematic sample holds what weighs half of all in half of its places, exactly.
        assert count[4] == 4000

    def test_a_row_of_no_weight_is_in_none(self):
        weight = np.array([1.0, 0.0, 1e-60, 1e60])
        bags = draw_bags(weight, 100, 3, np.random.RandomState(0))
        np.testing.assert_array_equal(bags, 3)
