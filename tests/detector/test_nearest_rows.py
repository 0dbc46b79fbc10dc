"""Nearest rows against scikit-learn's, and rows that coincide."""

import numpy as np
import torch
from sklearn.neighbors import NearestNeighbors

from skae._detector._nearest_rows import MAX_COPIES, NearestRows

RNG = np.random.RandomState(0)
REFERENCES, QUERIES = RNG.normal(size=(40, 3)), RNG.normal(size=(10, 3))


def nearest_rows(references, weight=None):
    weight = np.ones(len(references)) if weight is None else weight
    return NearestRows(torch.as_tensor(references), torch.as_tensor(weight))


def test_kth_and_bags_are_scikit_learns():
    nearest = nearest_rows(REFERENCES)
    distances, left_out = nearest.distances(torch.as_tensor(QUERIES))
    assert len(left_out) == 0
    expected, indices = NearestNeighbors(n_neighbors=5).fit(REFERENCES).kneighbors(QUERIES)
    fifth, which = nearest.to_kth(distances, 5)
    np.testing.assert_allclose(fifth.sqrt(), expected[:, 4])
    np.testing.assert_array_equal(which, indices[:, 4])

    bags = torch.as_tensor(np.stack([np.arange(0, 20), np.arange(20, 40)]))
    values, which = nearest.to_nearest(distances, bags)
    for bag in (0, 1):
        inside = REFERENCES[bags[bag]]
        expected, indices = NearestNeighbors(n_neighbors=1).fit(inside).kneighbors(QUERIES)
        np.testing.assert_allclose(values[:, bag].sqrt(), expected[:, 0])
        np.testing.assert_array_equal(which[:, bag], indices[:, 0] + 20 * bag)


def test_a_row_is_not_its_own_neighbour():
    nearest = nearest_rows(REFERENCES)
    distances, left_out = nearest.distances(torch.as_tensor(REFERENCES))
    np.testing.assert_array_equal(left_out, np.repeat(np.arange(40), 2).reshape(40, 2))
    first, which = nearest.to_kth(distances, 1)
    expected, indices = NearestNeighbors(n_neighbors=2).fit(REFERENCES).kneighbors(REFERENCES)
    np.testing.assert_allclose(first.sqrt(), expected[:, 1])
    np.testing.assert_array_equal(which, indices[:, 1])


def test_weights_are_repetitions():
    weight = RNG.randint(1, 4, size=40)
    weighted, repeated = nearest_rows(REFERENCES, weight.astype(float)), nearest_rows(np.repeat(REFERENCES, weight, 0))
    x = torch.as_tensor(QUERIES)
    expected, _ = repeated.to_kth(repeated.distances(x)[0], 7)
    np.testing.assert_allclose(weighted.to_kth(weighted.distances(x)[0], 7)[0], expected)


def test_where_every_reference_coincides_the_distance_is_infinite():
    nearest = nearest_rows(np.ones((5, 2)))
    distances, _ = nearest.distances(torch.ones(1, 2, dtype=torch.float64))
    assert torch.isinf(nearest.to_kth(distances, 3)[0]).all()


def test_many_copies_are_a_dense_place_and_few_are_left_out():
    few, many = np.zeros((MAX_COPIES, 2)), np.ones((MAX_COPIES + 1, 2))
    nearest = nearest_rows(np.concatenate([few, many]))
    distances, left_out = nearest.distances(torch.as_tensor(np.array([[0.0, 0.0], [1.0, 1.0]])))
    np.testing.assert_array_equal(left_out[:, 0], np.zeros(MAX_COPIES))
    np.testing.assert_array_equal(left_out[:, 1], np.arange(MAX_COPIES))
    assert torch.isinf(distances[0, :MAX_COPIES]).all()
    np.testing.assert_allclose(distances[1], [2.0] * MAX_COPIES + [0.0] * (MAX_COPIES + 1), atol=1e-15)
