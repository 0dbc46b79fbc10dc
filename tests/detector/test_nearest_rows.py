"""Nearest rows of bags against scikit-learn's, rows that coincide, and the bags."""

import numpy as np
import pytest
import torch
from sklearn.neighbors import NearestNeighbors

from skae._detector._nearest_rows import SQUARED_FLOOR, NearestRows, coincidences, draw_bags

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


def test_distances_are_scikit_learns():
    nearest = NearestRows(REFERENCES, BAGS, CPU)
    found, coincide = nearest.log_distances(torch.as_tensor(QUERIES))
    distances, indices = by_scikit_learn(REFERENCES, QUERIES, BAGS)
    np.testing.assert_allclose(found, log_distances(distances), rtol=1e-12)
    assert not coincide.any()
    rows = list(nearest.nearest(torch.as_tensor(QUERIES), torch.zeros(10, 40, dtype=torch.bool)))
    for bag, reference in enumerate(rows):
        np.testing.assert_array_equal(reference, REFERENCES[indices[:, bag]])


def test_a_row_is_not_its_own_neighbour():
    every = np.arange(40)[np.newaxis]
    nearest, x = NearestRows(REFERENCES, every, CPU), torch.as_tensor(REFERENCES)
    _, coincide = nearest.log_distances(x)
    assert coincide.all()
    left_out = coincidences(x, x, torch.full((3,), 1e-9, dtype=torch.float64))
    np.testing.assert_array_equal(left_out, np.eye(40, dtype=bool))
    distances, indices = by_scikit_learn(REFERENCES, REFERENCES, every, n_neighbors=2)
    np.testing.assert_allclose(nearest.log_distances(x, left_out)[0], log_distances(distances), rtol=1e-12)
    [reference] = nearest.nearest(x, left_out)
    np.testing.assert_array_equal(reference, REFERENCES[indices[:, 0]])


def test_where_every_reference_is_left_out_nothing_is_far():
    nearest = NearestRows(REFERENCES, BAGS, CPU)
    left_out = torch.ones(10, 40, dtype=torch.bool)
    found, _ = nearest.log_distances(torch.as_tensor(QUERIES), left_out)
    np.testing.assert_allclose(found, log_distances(np.zeros((10, 4))), rtol=1e-12)


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
