"""The rows that the denoising scorer is fitted to: copies, repetitions, folds and order."""

import numpy as np
import pytest
from entry_cases import entries_of
from scipy import stats

from skae._detector import _entries
from skae._detector._entries import MAX_COPIES, N_FOLDS, rounded_down

X = np.random.RandomState(0).normal(size=(60, 3))


def assert_same(ours, other, unit=1.0):
    np.testing.assert_allclose(ours.rows * unit, other.rows, rtol=1e-12)
    for name in ("weight", "fold", "single"):
        np.testing.assert_array_equal(getattr(ours, name), getattr(other, name))


def by_row(entries):
    """Indices of the entries by the row they hold."""
    found = {}
    for index, row in enumerate(entries.rows):
        found.setdefault(tuple(row), []).append(index)
    return found


class TestEntries:
    def test_distinct_rows_are_an_entry_each(self):
        entries = entries_of(X)
        assert len(entries) == 60
        np.testing.assert_array_equal(np.sort(entries.rows, axis=0), np.sort(X, axis=0))
        np.testing.assert_array_equal(entries.weight, 1.0)
        np.testing.assert_array_equal(np.bincount(entries.fold), [20] * N_FOLDS)
        assert entries.single.all()

    def test_the_order_of_the_rows_does_not_matter(self):
        weight = np.random.RandomState(2).randint(1, 4, size=60)
        order = np.random.RandomState(1).permutation(60)
        assert_same(entries_of(X[order], weight[order]), entries_of(X, weight))

    def test_nor_do_their_units(self):
        unit = np.array([1e-3, 7.0, 1e5])
        assert_same(entries_of(X), entries_of(X * unit), unit)

    @pytest.mark.parametrize("weight", [np.arange(60) % 3 + 1, (np.arange(60) < 2) + 1, np.full(60, 7)])
    def test_weights_are_repetitions(self, weight):
        repeated = np.repeat(X, weight, axis=0)
        assert_same(entries_of(X, weight), entries_of(repeated))

    @pytest.mark.parametrize("share", [0.01, 0.3, 1 / 7])
    @pytest.mark.parametrize("n_rows", [60, 59])
    def test_equal_weights_are_none(self, share, n_rows):
        assert_same(entries_of(X[:n_rows], np.full(n_rows, share)), entries_of(X[:n_rows]))

    def test_a_table_given_twice_is_that_table(self):
        assert_same(entries_of(np.vstack([X, X])), entries_of(X))
        assert_same(entries_of(np.tile(X, (MAX_COPIES, 1))), entries_of(X))

    def test_a_few_copies_are_one_entry(self):
        entries = entries_of(np.vstack([X, X[:1], X[:1]]))
        [own] = by_row(entries)[tuple(X[0])]
        assert len(entries) == 60
        assert entries.weight[own] == 3.0
        assert entries.single.all()

    @pytest.mark.parametrize("weight", [2, 50, 1000])
    def test_equal_weights_are_no_repetition(self, weight):
        assert_same(entries_of(X, np.full(60, weight)), entries_of(X))

    def test_but_of_a_few_states_they_are(self):
        """Three rows, fifty times each: states that rows are in, not a table given fifty times."""
        states = np.arange(3.0)[:, np.newaxis]
        entries = entries_of(states, np.full(3, 50))
        assert entries.weight.sum() == 150
        assert not entries.single.any()
        assert_same(entries, entries_of(np.repeat(states, 50, axis=0)))

    def test_rows_that_repeat_by_nature_are_in_several_folds(self):
        values = np.array([[0.0], [1.0], [2.0], [3.0]])
        entries = entries_of(np.repeat(values, [1, 2, 10, 40], axis=0))
        found = by_row(entries)
        for own, count in zip((found[(value,)] for value in range(4)), (1, 2, 10, 40), strict=True):
            assert len(np.unique(entries.fold[own])) == len(own) <= count
            assert entries.weight[own].sum() == count
            np.testing.assert_array_equal(entries.weight[own], np.round(entries.weight[own]))
        assert not entries.single.any()

    def test_their_copies_choose_their_folds_independently(self):
        """As new copies would: the counts in a fold are binomial. Folds of equal counts would vary too little."""
        n_rows, n_copies = 2000, 6
        many = np.arange(float(n_rows))[:, np.newaxis]
        entries = entries_of(many, np.where(np.arange(n_rows) == 0, 7, n_copies))
        counts = np.zeros((n_rows, N_FOLDS))
        np.add.at(counts, (entries.rows[:, 0].astype(int), entries.fold), entries.weight)
        np.testing.assert_array_equal(counts[1:].sum(axis=1), n_copies)
        for fold in range(N_FOLDS):
            observed = np.bincount(counts[1:, fold].astype(int), minlength=n_copies + 1) / (n_rows - 1)
            expected = stats.binom.pmf(np.arange(n_copies + 1), n_copies, 1 / N_FOLDS)
            # Four standard errors of the largest share.
            np.testing.assert_allclose(observed, expected, atol=4 * np.sqrt(0.25 / n_rows))

    def test_parts_of_copies_stay_together(self):
        """Weights that are no whole numbers are as many copies as they hold, of equal weight."""
        entries = entries_of(np.arange(4.0)[:, np.newaxis], [2.5, 40.4, 0.75, 1.0])
        found = by_row(entries)
        for value, count in enumerate([2.5, 40.4, 0.75, 1.0]):
            own = found[(value,)]
            assert entries.weight[own].sum() == pytest.approx(count)
            copies = entries.weight[own] / (count / max(np.floor(count), 1))
            np.testing.assert_allclose(copies, np.round(copies))

    @pytest.mark.parametrize(("n_copies", "n_entries"), [(MAX_COPIES, 1), (MAX_COPIES + 1, N_FOLDS)])
    def test_a_state_that_rows_are_often_in_repeats(self, n_copies, n_entries):
        many = np.random.RandomState(0).normal(size=(1000, 3))
        entries = entries_of(np.vstack([many, np.zeros((n_copies, 3))]))
        own = by_row(entries)[0.0, 0.0, 0.0]
        assert len(own) == n_entries
        assert entries.single[own].all() == (n_entries == 1)
        assert entries.weight[own].sum() == pytest.approx(n_copies)

    def test_of_many_rows_a_weighted_sample(self, monkeypatch):
        monkeypatch.setattr(_entries, "MAX_FITTED_ROWS", 100)
        many = np.column_stack([np.arange(600.0), np.zeros(600)])
        # A thousandth of the weight: about as much of the sample.
        entries = entries_of(many, np.where(np.arange(600) < 300, 1e-3, 1.0))
        assert len(entries) == 100
        np.testing.assert_array_equal(entries.weight, 1.0)
        assert (entries.rows[:, 0] < 300).mean() < 0.05

    def test_select(self):
        entries = entries_of(X)
        chosen = entries.select(np.array([3, 5]))
        np.testing.assert_array_equal(chosen.rows, entries.rows[[3, 5]])
        np.testing.assert_array_equal(chosen.fold, entries.fold[[3, 5]])


class TestGroups:
    GROUPS = np.arange(60) // 4

    def test_each_is_in_one_fold(self):
        entries = entries_of(X, groups=self.GROUPS)
        assert len(entries) == 60
        for group in range(15):
            assert len(np.unique(entries.fold[entries.group == group])) == 1
        np.testing.assert_array_equal(np.bincount(entries.fold), [20] * N_FOLDS)

    def test_folds_are_of_about_the_same_weight(self):
        entries = entries_of(X, np.where(np.arange(60) < 4, 20, 3), groups=self.GROUPS)
        # 80 and fourteen times 12.
        np.testing.assert_array_equal(np.sort(np.bincount(entries.fold, weights=entries.weight)), [80, 84, 84])

    def test_equal_rows_of_one_group_are_copies(self):
        entries = entries_of(np.vstack([X, *[X[:1]] * 30]), groups=np.append(self.GROUPS, np.zeros(30, int)))
        assert len(entries) == 60
        assert entries.weight.max() == 31.0
        assert entries.single.all()

    def test_equal_rows_of_different_groups_are_not(self):
        entries = entries_of(np.vstack([X, X[:1]]), groups=np.append(self.GROUPS, 9))
        own = by_row(entries)[tuple(X[0])]
        np.testing.assert_array_equal(np.sort(entries.group[own]), [0, 9])
        np.testing.assert_array_equal(entries.weight, 1.0)
        assert not entries.single[own].any()
        assert np.delete(entries.single, own).all()

    def test_the_order_of_the_rows_does_not_matter(self):
        order = np.random.RandomState(1).permutation(60)
        ours, other = entries_of(X[order], groups=self.GROUPS[order]), entries_of(X, groups=self.GROUPS)
        assert_same(ours, other)
        np.testing.assert_array_equal(ours.group, other.group)

    def test_select(self):
        entries = entries_of(X, groups=self.GROUPS)
        np.testing.assert_array_equal(entries.select(np.array([3, 5])).group, entries.group[[3, 5]])


def test_whole():
    assert rounded_down(0.1 * 30) == 3
    assert rounded_down(2.9999999999) == 3
    assert rounded_down(2.99) == 2
