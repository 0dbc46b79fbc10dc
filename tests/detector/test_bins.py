"""Bins and marginal frequencies by hand."""

import math

import numpy as np

from skae._detector._bins import MAX_BINS, NO_BIN, Bins, log_marginals
from skae._detector._feature_scale import CLIP


def bins_of(columns, weight=None, member_weight=None, tolerance=0.0):
    X = np.column_stack(columns).astype(float)
    weight = np.ones(len(X)) if weight is None else weight
    member_weight = weight[:, np.newaxis] if member_weight is None else member_weight
    return Bins.of(X, weight, member_weight, np.full(X.shape[1], tolerance))


class TestBins:
    def test_few_distinct_values_are_a_bin_each(self):
        bins = bins_of([[0, 1, 1, 5] * 10])
        assert bins.n_bins == [3]
        np.testing.assert_array_equal(bins.edges[0, :3], [0.5, 3.0, np.inf])
        np.testing.assert_array_equal(bins.values[0, :4], [0.0, 1.0, 5.0, np.inf])
        np.testing.assert_array_equal(bins.log_widths, 0.0)
        np.testing.assert_array_equal(bins.index(np.array([[0.0], [1.0], [5.0], [9.0]])), [[0], [1], [2], [2]])

    def test_quantile_bins_hold_as_many_rows(self):
        values = np.random.RandomState(0).normal(size=1000)
        bins = bins_of([values])
        assert bins.n_bins == [MAX_BINS]
        assert not np.isfinite(bins.values).any()
        counts = np.bincount(bins.index(values[:, np.newaxis])[:, 0])
        np.testing.assert_allclose(counts, 1000 / MAX_BINS, atol=1)
        ends = np.concatenate([[values.min()], bins.edges[0], [values.max()]])
        expected = np.log(np.diff(ends) / np.median(np.diff(ends)))
        np.testing.assert_allclose(bins.log_widths[0], expected, rtol=1e-4)

    def test_fewer_bins_for_few_rows(self):
        assert bins_of([np.arange(25)]).n_bins == [5]
        assert bins_of([np.arange(4)]).n_bins == [1]

    def test_weights_are_repetitions(self):
        rng = np.random.RandomState(0)
        values, weight = rng.normal(size=200), rng.randint(1, 4, size=200)
        weighted, repeated = bins_of([values], weight.astype(float)), bins_of([np.repeat(values, weight)])
        np.testing.assert_array_equal(weighted.edges, repeated.edges)
        np.testing.assert_array_equal(weighted.log_widths, repeated.log_widths)

    def test_a_value_of_no_bin_is_penalised(self):
        """By half the logarithm of the number of rows, and by how far it is from the bin's value."""
        bins = bins_of([[0, 1] * 20], tolerance=0.01)
        X = np.array([[0.0], [1.0], [1.005], [1.3], [100.0]])
        at_all = 0.5 * math.log(41)
        expected = [0.0, 0.0, 0.0, at_all + 0.3, at_all + CLIP]
        np.testing.assert_allclose(bins.offset(X, bins.index(X))[:, 0], expected, rtol=1e-6)

    def test_beyond_the_range_the_distance_is_added(self):
        values = np.linspace(0, 1, 500)
        bins = bins_of([values])
        X = np.array([[0.0], [1.0], [3.0], [-1.0], [1000.0]])
        width = bins.log_widths[0, [0, -1, -1, 0, -1]]
        np.testing.assert_allclose(bins.offset(X, bins.index(X))[:, 0] - width, [0, 0, 2, 1, CLIP], atol=1e-6)

    def test_a_member_knows_the_range_of_its_own_rows(self):
        values = np.linspace(0, 1, 100)
        own = np.stack([np.where(values <= 0.5, 1.0, 0.0), np.ones(100)], axis=1)
        bins = bins_of([values], member_weight=own)
        X = np.array([[1.0]])
        found = [bins.offset(X, bins.index(X), member)[0, 0] - bins.log_widths[0, -1] for member in (0, 1, None)]
        # The largest of its own values is 49 ninety-ninths.
        np.testing.assert_allclose(found, [50 / 99, 0.0, 0.0], atol=1e-6)


def test_marginals_by_hand():
    """Half a row is added to each bin."""
    index = np.array([[0, 0], [1, 0], [1, 0]])
    found = log_marginals(index, np.array([2, 1]), np.array([1.0, 1.0, 3.0]))
    np.testing.assert_allclose(np.exp(found[0, :2]), [1.5 / 6, 4.5 / 6], rtol=1e-6)
    assert found[1, 0] == 0.0
    np.testing.assert_array_equal(found[:, 2:], np.float32(NO_BIN))
