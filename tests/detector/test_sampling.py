"""Bags of references: their sizes, what is left out of them, and folds that have no part in each other."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from entry_cases import entries_of
from sklearn.metrics import roc_auc_score

from skae._defaults._training_parameters import TrainingParameters
from skae._detector._entries import N_FOLDS
from skae._detector._sampling import (
    BAG_SIZE,
    BAGS,
    CLEAN_BAG_SIZE,
    CLEAN_BAGS,
    COARSE_BAG_SIZE,
    COARSE_BAGS,
    MAX_REFERENCE_NUMBERS,
    N_SUBSPACES,
    Sampler,
    cross_fitted_distances,
)
from skae._detector._scorer import ScorerParameters

CPU = torch.device("cpu")
TRAINING = TrainingParameters("auto", "auto", "auto", "auto", "auto", "auto", "auto")
PARAMETERS = ScorerParameters(False, 0.9, "auto", "relu", True, TRAINING, None)
CLEAN = replace(PARAMETERS, novelty=True)
each_kind = pytest.mark.parametrize("parameters", [PARAMETERS, CLEAN], ids=["contaminated", "clean"])


def gaussian(n_rows, n_features=3):
    return entries_of(np.random.RandomState(0).normal(size=(n_rows, n_features)))


def sampler_of(entries, parameters):
    return Sampler(entries, parameters, "float32", CPU, np.random.RandomState(0))


def in_order(entries):
    return np.arange(len(entries))


class TestBags:
    def test_of_clean_rows(self):
        entries = gaussian(3000)
        distances = sampler_of(entries, CLEAN).row_distances(in_order(entries))
        assert distances.bags.shape == (CLEAN_BAGS, CLEAN_BAG_SIZE)
        assert len(distances.spaces) == N_SUBSPACES
        for features, bags in distances.spaces:
            assert 1 <= len(features) < 3
            assert bags.shape == (1, CLEAN_BAG_SIZE)

    def test_of_rows_that_may_contain_outliers(self):
        entries = gaussian(3000)
        distances = sampler_of(entries, PARAMETERS).row_distances(in_order(entries))
        assert distances.bags.shape == (BAGS, BAG_SIZE)
        [(features, coarse)] = distances.spaces
        np.testing.assert_array_equal(features, range(3))
        assert coarse.shape == (COARSE_BAGS, COARSE_BAG_SIZE)

    @each_kind
    @pytest.mark.parametrize("n_rows", [2, 3, 9, 100])
    def test_are_as_large_for_the_rows_of_a_fold_as_for_new_rows(self, parameters, n_rows):
        entries = gaussian(n_rows)
        sampler = sampler_of(entries, parameters)
        every = sampler.row_distances(in_order(entries))
        assert every.bags.shape[1] <= max(1, n_rows // 2)
        for fold in range(N_FOLDS):
            others = np.flatnonzero(entries.fold != fold)
            of_fold = sampler.row_distances(others if len(others) else in_order(entries))
            assert of_fold.bags.shape == every.bags.shape
            assert [bags.shape for _, bags in of_fold.spaces] == [bags.shape for _, bags in every.spaces]

    @each_kind
    def test_there_are_fewer_of_wide_rows(self, parameters):
        entries = gaussian(1100, 2000)
        bags = sampler_of(entries, parameters)
        assert bags._n_bags * bags._bag_size * 2000 <= MAX_REFERENCE_NUMBERS

    def test_the_most_unusual_rows_are_in_few(self):
        """Bag b leaves out a share of up to a half."""
        entries = gaussian(1000)
        distances = sampler_of(entries, PARAMETERS).row_distances(in_order(entries))
        rows = {row.tobytes(): place for place, row in enumerate(distances.coordinates.scale.deviations(entries.rows))}
        places = np.array([rows[row.tobytes()] for row in distances.references])
        for bag, own in enumerate(places[distances.bags]):
            assert own.max() < 1000 * (1.0 - 0.5 * (bag + 0.5) / BAGS)
        # The coarse bags are of all rows.
        assert places[distances.spaces[0][1]].max() > 950

    def test_coordinates_are_of_three_quarters(self):
        entries = gaussian(400)
        usual = sampler_of(entries, PARAMETERS).typical(in_order(entries))
        np.testing.assert_array_equal(usual, np.arange(400) < 300)
        assert sampler_of(entries, CLEAN).typical(in_order(entries)).all()


@each_kind
@pytest.mark.parametrize("n_rows", [2, 5, 60])
def test_calibration_rows_are_compared_with_the_other_folds(parameters, n_rows, monkeypatch):
    entries = gaussian(n_rows)
    sampler, order = sampler_of(entries, parameters), in_order(entries)
    seen = []
    draw = Sampler.row_distances
    monkeypatch.setattr(Sampler, "row_distances", lambda self, order: seen.append(order) or draw(self, order))
    distances = cross_fitted_distances(sampler, order, order[::-1])
    assert distances.shape[0] == n_rows
    assert np.isfinite(distances).all()
    folds = [fold for fold in range(N_FOLDS) if (entries.fold == fold).any()]
    for fold, others in zip(folds, seen, strict=True):
        assert fold not in entries.fold[others]


class TestMostUsualFirst:
    def test_outliers_come_last(self):
        X = np.random.RandomState(0).normal(size=(500, 3))
        X[:25] += 4.0
        entries = entries_of(X)
        order = sampler_of(entries, PARAMETERS).most_typical_first()
        np.testing.assert_array_equal(np.sort(order), range(500))
        place = np.empty(500)
        place[order] = np.arange(500)
        is_outlier = (entries.rows[:, None] == X[:25]).all(2).any(1)
        assert roc_auc_score(is_outlier, place) > 0.98

    @pytest.mark.parametrize("X", [np.ones((30, 2)), np.random.RandomState(0).normal(size=(2, 2))])
    def test_of_few_rows(self, X):
        entries = entries_of(X)
        order = sampler_of(entries, PARAMETERS).most_typical_first()
        np.testing.assert_array_equal(np.sort(order), range(len(entries)))
