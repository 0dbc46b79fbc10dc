"""What networks say of rows: each row is calibrated by the network that did not learn from it."""

import numpy as np
import pytest

from skae import AutoencoderOutlierDetector
from skae._detector._coordinates import Systems
from skae._detector._entries import N_FOLDS
from skae._detector._network_scores import out_of_fold
from skae._detector._tail_surprisal import mean_of_two_highest

X = np.random.RandomState(0).normal(size=(90, 5)) @ np.diag([3.0, 2.0, 1.0, 0.5, 0.2])
NEW = np.random.RandomState(1).normal(size=(20, 5))


def scorer(novelty):
    detector = AutoencoderOutlierDetector(novelty=novelty, hidden_layer_sizes=(16, 16), random_state=0)
    return detector.fit(X)._scorer


def test_by_own_members():
    fold = np.array([2, 0, 1, 0, 2])
    systems = Systems(*(np.arange(5.0)[:, np.newaxis],) * 3)
    found = out_of_fold(lambda parts, member: parts[0] + 100.0 * member, systems, fold)
    np.testing.assert_array_equal(found[:, 0], np.arange(5) + 100.0 * fold)
    in_one = out_of_fold(lambda parts, member: parts[0] + 100.0 * member, systems, np.full(5, N_FOLDS - 1))
    np.testing.assert_array_equal(in_one[:, 0], np.arange(5) + 100.0 * (N_FOLDS - 1))


@pytest.mark.parametrize("novelty", [False, True])
class TestComponents:
    def test_rows_do_not_matter_to_each_other(self, novelty):
        ours = scorer(novelty)
        together = ours.network.component(ours.distances.systems(NEW))
        alone = np.concatenate([ours.network.component(ours.distances.systems(row[np.newaxis])) for row in NEW])
        np.testing.assert_allclose(alone, together, rtol=1e-6)

    def test_far_rows_have_high_ones(self, novelty):
        ours = scorer(novelty)
        near, far = (ours.network.component(ours.distances.systems(rows)) for rows in (X, X + 30.0))
        assert far.min() > np.median(near)

    def test_the_state_makes_the_same_scores(self, novelty):
        ours = scorer(novelty)
        again = type(ours.network).from_state(ours.network.to_state())
        systems = ours.distances.systems(NEW)
        np.testing.assert_array_equal(again.component(systems), ours.network.component(systems))


def test_masked_scores_are_the_two_most_surprising_features():
    ours = scorer(True)
    systems = ours.distances.systems(NEW)
    raw = ours.network._raw(systems)
    assert raw.shape == NEW.shape
    surprisals = np.column_stack(
        [tail(values) for tail, values in zip(ours.network.feature_surprisals, raw.T, strict=True)]
    )
    np.testing.assert_array_equal(ours.network.component(systems), mean_of_two_highest(surprisals))


def test_denoisers_count_each_level_by_its_median():
    ours = scorer(False)
    systems = ours.distances.systems(NEW)
    raw = ours.network._raw(systems)
    expected = 0.5 * np.log((raw / ours.network.medians).mean(axis=1) + 1e-3)
    np.testing.assert_allclose(ours.network.component(systems), expected)
