"""Distances in the three systems and in spaces, against scikit-learn's nearest neighbours."""

import numpy as np
import pytest
from sklearn.neighbors import NearestNeighbors

from skae._detector._coordinates import N_SYSTEMS, Coordinates
from skae._detector._nearest_rows import SQUARED_FLOOR
from skae._detector._row_distances import RowDistances

RNG = np.random.RandomState(0)
X, NEW = (rng.normal(size=(n, 3)) @ np.diag([1.0, 5.0, 0.1]) for rng, n in ((RNG, 50), (RNG, 20)))
BAGS = np.stack([RNG.permutation(50)[:10] for _ in range(5)])
SPACE = np.array([0, 2]), BAGS[[1]]


def distances_of(X=X, bags=BAGS, spaces=(SPACE,), single=None):
    coordinates = Coordinates.of(X, np.ones(len(X)), True, "float64")
    single = np.ones(len(X), dtype=bool) if single is None else single
    return RowDistances(coordinates, coordinates.scale.deviations(X), single, bags, spaces)


def expected(references, queries, bags, place=0):
    """The mean over the bags of the log-distance to a nearest row of each."""
    found = []
    for bag in bags:
        neighbours = NearestNeighbors(n_neighbors=place + 1).fit(references[bag]).kneighbors(queries)[0][:, place]
        found.append(0.5 * np.log(neighbours**2 + SQUARED_FLOOR * queries.shape[1]))
    return np.mean(found, axis=0)


def test_new_rows_by_scikit_learn():
    distances = distances_of()
    systems, references = distances.systems(NEW), distances.systems(X)
    found = distances.log_distances(systems, "cpu")
    assert found.shape == (20, N_SYSTEMS + 1)
    for number in range(N_SYSTEMS):
        np.testing.assert_allclose(found[:, number], expected(references[number], systems[number], BAGS), rtol=1e-9)
    features, bags = SPACE
    np.testing.assert_allclose(
        found[:, -1], expected(references[2][:, features], systems[2][:, features], bags), rtol=1e-9
    )


class TestCoincidences:
    every = np.arange(50)[np.newaxis]

    def test_a_training_row_is_judged_without_itself(self):
        distances = distances_of(bags=self.every, spaces=())
        systems = distances.systems(X)
        found = distances.log_distances(systems, "cpu")
        for number in range(N_SYSTEMS):
            np.testing.assert_allclose(found[:, number], expected(systems[number], systems[number], self.every, 1))

    @pytest.mark.parametrize("stored", [np.float32, lambda X: X * (1 + 1e-7)])
    def test_also_when_it_is_stored_in_float32(self, stored):
        distances = distances_of(bags=self.every, spaces=())
        found, exact = (distances.log_distances(distances.systems(rows), "cpu") for rows in (stored(X), X))
        np.testing.assert_allclose(found, exact, atol=1e-4)

    def test_but_not_if_it_repeats_by_nature(self):
        single = np.arange(50) % 2 == 0
        distances = distances_of(bags=self.every, spaces=(), single=single)
        found = distances.log_distances(distances.systems(X), "cpu")
        floor = 0.5 * np.log(SQUARED_FLOOR * 3)
        np.testing.assert_array_equal(np.isclose(found, floor), np.repeat(~single[:, np.newaxis], N_SYSTEMS, axis=1))


class TestShares:
    def test_name_the_feature_that_is_off(self):
        distances = distances_of()
        off = NEW + [0.0, 0.0, 2.0]  # twenty deviations
        for shares in distances.feature_shares(distances.systems(off), "cpu"):
            np.testing.assert_allclose(shares.sum(axis=1), 1.0)
            assert (shares >= 0).all()
            assert (shares.argmax(axis=1) == 2).all()

    def test_by_hand(self):
        """With one bag of one row: the squares of the differences to it."""
        distances = distances_of(bags=np.array([[7]]), spaces=())
        systems, references = distances.systems(NEW), distances.systems(X[[7]])
        for number, shares in enumerate(distances.feature_shares(systems, "cpu")):
            squares = (systems[number] - references[number]) ** 2
            np.testing.assert_allclose(shares, squares / squares.sum(axis=1, keepdims=True))


def test_the_state_makes_the_same_distances():
    distances = distances_of()
    again = RowDistances.from_state(distances.to_state())
    np.testing.assert_array_equal(
        again.log_distances(again.systems(NEW), "cpu"), distances.log_distances(distances.systems(NEW), "cpu")
    )
