"""Pairs of neighbours are what a search of all rows finds, and codes of neighbours end up together."""

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from sklearn.neighbors import KNeighborsClassifier, NearestNeighbors

from skae import AutoencoderTransformer
from skae._autoencoder._neighbors import N_NEIGHBORS, NeighborPairs
from skae._rows._row_source import RowSource

short = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@pytest.fixture
def X():
    return np.random.RandomState(0).normal(size=(60, 4))


def make_pairs(X, train=None, axes=None):
    rows = RowSource(X).standardised(np.zeros(X.shape[1]), np.ones(X.shape[1]), torch.float64, torch.device("cpu"))
    train = np.arange(len(X)) if train is None else train
    return NeighborPairs(rows, train, axes, np.random.RandomState(0))


def neighbors_of(pairs, order):
    """The second half of a batch of all rows."""
    ((indices, x),) = pairs.batches(order, len(order))
    rows, neighbors = x.numpy()[: len(indices)], x.numpy()[len(indices) :]
    return indices, rows, neighbors


class TestPairs:
    @pytest.mark.parametrize("train", [np.arange(60), np.arange(0, 60, 2)], ids=["all", "half"])
    def test_neighbours_are_the_nearest_training_rows(self, X, train):
        pairs, random_state = make_pairs(X, train), np.random.RandomState(1)
        search = NearestNeighbors(n_neighbors=N_NEIGHBORS).fit(X[train])
        # Without X, the rows of the fit are no neighbours of themselves.
        own, others = search.kneighbors()[1], np.setdiff1d(np.arange(60), train)
        expected = {row: set(train[found]) for row, found in zip(train, own, strict=True)}
        if len(others):
            expected |= dict(zip(others, map(set, train[search.kneighbors(X[others])[1]]), strict=True))
        seen = {row: set() for row in range(60)}
        for _ in range(200):
            order = pairs.shuffled(np.arange(60), random_state)
            indices, rows, neighbors = neighbors_of(pairs, order)
            np.testing.assert_array_equal(rows, X[indices])
            for row, neighbor in zip(indices, neighbors, strict=True):
                seen[row].add(int(np.flatnonzero((X == neighbor).all(axis=1))[0]))
        assert seen == expected

    def test_compared_are_the_coordinates_along_the_axes(self, X):
        axes = np.eye(4, 1, dtype=np.float32)
        near = NearestNeighbors(n_neighbors=N_NEIGHBORS).fit(X[:, :1]).kneighbors()[1]
        x = make_pairs(X, axes=axes).take(np.arange(60)).numpy()
        for row in range(60):
            assert (X[near[row]] == x[60 + row]).all(axis=1).any()

    def test_rows_to_compare_have_the_same_neighbours_in_every_epoch(self, X):
        pairs, rows = make_pairs(X), np.array([3, 50])
        before = pairs.take(rows)
        pairs.shuffled(np.arange(60), np.random.RandomState(1))
        assert torch.equal(pairs.take(rows), before)

    def test_duplicates_are_not_neighbours_of_themselves_by_position(self):
        pairs = make_pairs(np.zeros((40, 2)))
        assert pairs._neighbors.shape == (40, N_NEIGHBORS)
        assert not (pairs._neighbors == np.arange(40)[:, np.newaxis]).any()
        assert pairs.noise == 0.0

    def test_few_rows_have_fewer_neighbours(self, X):
        assert make_pairs(X[:5])._neighbors.shape == (5, 4)


@pytest.mark.slow
def test_new_rows_are_near_rows_of_their_kind_and_come_back():
    """Two numbers per digit: UMAP's figures are .97 for neighbours, PCA's .64 and an R² of .28."""
    X, y = load_digits(return_X_y=True)
    X, X_new, y, y_new = train_test_split(X / 16, y, stratify=y, random_state=0)
    ours = AutoencoderTransformer(2, code="neighbors", random_state=0).fit(X)
    neighbors = KNeighborsClassifier(10).fit(ours.transform(X), y)
    assert neighbors.score(ours.transform(X_new), y_new) > 0.93
    assert ours.score(X_new) > 0.55
    # Both components are in the same units, and of PCA's order of size.
    assert 0.3 < ours.transform(X).std() / AutoencoderTransformer(2, max_iter=0).fit_transform(X).std() < 3


@short
def test_noise_is_left_to_pca():
    X = np.random.RandomState(0).normal(size=(200, 10))
    ours = AutoencoderTransformer(2, code="neighbors", max_iter=5, random_state=0)
    codes = ours.fit_transform(X)
    np.testing.assert_allclose(codes, AutoencoderTransformer(2, max_iter=0).fit_transform(X), rtol=1e-5, atol=1e-6)


@short
def test_the_same_seed_gives_the_same_map():
    X = load_digits().data[:300] / 16
    codes = [AutoencoderTransformer(2, code="neighbors", max_iter=20, random_state=0).fit_transform(X) for _ in "ab"]
    np.testing.assert_array_equal(*codes)


@short
@pytest.mark.parametrize("weight", [None, np.eye(3)[0]], ids=["rows", "weight"])
def test_one_training_row_has_no_neighbours(X, weight):
    ours = AutoencoderTransformer(1, code="neighbors", max_iter=3, early_stopping=0.5, random_state=0)
    rows = X[:2] if weight is None else X[:3]
    assert np.isfinite(ours.fit(rows, sample_weight=weight).transform(X)).all()


@short
def test_all_epochs_are_run(X):
    ours = AutoencoderTransformer(2, code="neighbors", max_iter=12, n_iter_no_change=1, early_stopping=False)
    assert ours.fit(X).n_iter_ == 12


def test_missing_values_are_refused(X):
    fitted = AutoencoderTransformer(2, code="neighbors", max_iter=0).fit(X)
    X[3, 2] = np.nan
    for method in (fitted.fit, fitted.transform):
        with pytest.raises(ValueError, match=r"Input X contains NaN, which code='neighbors' does not accept\. Fill"):
            method(X)


def test_there_is_no_partial_fit():
    ours = AutoencoderTransformer(code="neighbors")
    assert not hasattr(ours, "partial_fit")
    with pytest.raises(AttributeError) as error:
        ours.partial_fit  # noqa: B018
    assert "Use fit, or another code" in str(error.value.__cause__)
