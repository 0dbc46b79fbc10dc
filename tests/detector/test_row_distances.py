"""Distances in the three systems and in spaces, against scikit-learn's nearest neighbours."""

import numpy as np
import pytest
import torch
from sklearn.neighbors import NearestNeighbors

from skae._detector import _row_distances
from skae._detector._coordinates import N_SYSTEMS, Coordinates
from skae._detector._row_distances import DeviceDistances, RowDistances
from skae._detector._scorer import SQUARED_FLOOR

CPU = torch.device("cpu")
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
    found = distances.log_distances(systems, CPU)
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
        found = distances.log_distances(systems, CPU)
        for number in range(N_SYSTEMS):
            np.testing.assert_allclose(found[:, number], expected(systems[number], systems[number], self.every, 1))

    @pytest.mark.parametrize("stored", [np.float32, lambda X: X * (1 + 1e-7)])
    def test_also_when_it_is_stored_in_float32(self, stored):
        distances = distances_of(bags=self.every, spaces=())
        found, exact = (distances.log_distances(distances.systems(rows), CPU) for rows in (stored(X), X))
        np.testing.assert_allclose(found, exact, atol=1e-4)

    def test_but_not_if_it_repeats_by_nature(self):
        single = np.arange(50) % 2 == 0
        distances = distances_of(bags=self.every, spaces=(), single=single)
        found = distances.log_distances(distances.systems(X), CPU)
        floor = 0.5 * np.log(SQUARED_FLOOR * 3)
        np.testing.assert_array_equal(np.isclose(found, floor), np.repeat(~single[:, np.newaxis], N_SYSTEMS, axis=1))


class TestShares:
    def test_name_the_feature_that_is_off(self):
        distances = distances_of()
        off = NEW + [0.0, 0.0, 2.0]  # twenty deviations
        for shares in distances.feature_shares(distances.systems(off), CPU):
            np.testing.assert_allclose(shares.sum(axis=1), 1.0)
            assert (shares >= 0).all()
            assert (shares.argmax(axis=1) == 2).all()

    def test_by_hand(self):
        """With one bag of one row: by how much its log-distance falls without a feature."""
        distances = distances_of(bags=np.array([[7]]), spaces=())
        systems, references = distances.systems(NEW), distances.systems(X[[7]])
        product, floor = distances.coordinates.whitening.product, SQUARED_FLOOR * 3
        axes = [np.eye(3), product / np.linalg.norm(product, axis=0), np.eye(3)]
        for shares, rows, reference, along in zip(
            distances.feature_shares(systems, CPU), systems.filled, references.filled, axes, strict=True
        ):
            difference = rows - reference
            squares = (difference**2).sum(axis=1, keepdims=True)
            lost = np.log(squares + floor) - np.log(squares - (difference @ along) ** 2 + floor)
            np.testing.assert_allclose(shares, lost / lost.sum(axis=1, keepdims=True), rtol=1e-6)

    def test_a_training_row_is_compared_with_others(self):
        every = np.arange(50)[np.newaxis]
        rows = X.copy()
        rows[3] = rows[4] + [0.0, 0.0, 3.0]  # row 4 is the nearest if one feature is left out
        distances = distances_of(rows, every, ())
        for shares in distances.feature_shares(distances.systems(rows[[3]]), CPU):
            assert shares[0].argmax() == 2

    def test_of_a_row_like_all_others_are_equal(self):
        rows = np.ones((50, 3))
        distances = distances_of(rows, spaces=(), single=np.zeros(50, dtype=bool))
        for shares in distances.feature_shares(distances.systems(rows[:2]), CPU):
            np.testing.assert_allclose(shares, 1 / 3)


class TestSpaces:
    def test_a_training_row_is_judged_without_itself_there_too(self):
        every = np.arange(50)[np.newaxis]
        features = np.array([0, 2])
        distances = distances_of(bags=every, spaces=((features, every),))
        systems = distances.systems(X)
        ranks = systems[2][:, features]
        np.testing.assert_allclose(distances.log_distances(systems, CPU)[:, -1], expected(ranks, ranks, every, 1))

    def test_coincidences_are_looked_for_in_whole_spaces(self):
        """A row that is in no bag of the systems, but in one of a space of all features."""
        bags, others = np.arange(25)[np.newaxis], np.arange(25, 50)[np.newaxis]
        distances = distances_of(bags=bags, spaces=((np.arange(3), others),))
        systems = distances.systems(X[30:])
        found = distances.log_distances(systems, CPU)[:, -1]
        ranks = distances.systems(X)[2]
        np.testing.assert_allclose(found, expected(ranks, ranks[30:], others, 1))

    def test_masks(self):
        distances = distances_of(spaces=(SPACE, (np.array([1]), BAGS[[0]])))
        np.testing.assert_array_equal(distances.masks, [[True, False, True], [False, True, False]])


class TestDeviceDistances:
    def test_is_made_once(self):
        distances = distances_of()
        assert distances._on(CPU) is distances._on(CPU)

    def test_numbers_in_a_block(self):
        """As many distances per row as there are to all systems or to all spaces, whichever are more."""
        features = np.array([1])
        assert DeviceDistances(distances_of(), CPU).n_distances == N_SYSTEMS * BAGS.size
        many = distances_of(bags=BAGS[:1], spaces=((features, BAGS),) * 2)
        assert DeviceDistances(many, CPU).n_distances == 2 * BAGS.size

    def test_blocks_do_not_matter(self, monkeypatch):
        distances = distances_of()
        systems = distances.systems(np.concatenate([NEW, X]))
        together = distances.log_distances(systems, CPU)
        monkeypatch.setattr(_row_distances, "MAX_BLOCK_DISTANCES", 150)
        np.testing.assert_allclose(distances.log_distances(systems, CPU), together, rtol=1e-12)


def test_the_state_makes_the_same_distances():
    distances = distances_of()
    again = RowDistances.from_state(distances.to_state())
    np.testing.assert_array_equal(
        again.log_distances(again.systems(NEW), CPU), distances.log_distances(distances.systems(NEW), CPU)
    )
