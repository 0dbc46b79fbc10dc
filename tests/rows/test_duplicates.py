"""Rows that are duplicates of others against NumPy's unique rows."""

import numpy as np
import pytest
from scipy import sparse

from skae._rows import _duplicates
from skae._rows._duplicates import first_occurrences, n_distinct_rows
from skae._rows._row_source import RowSource

RNG = np.random.RandomState(0)
ROWS = {
    "floats": RNG.normal(size=(500, 3))[RNG.randint(400, size=600)],
    "float32": RNG.normal(size=(500, 3)).astype(np.float32)[RNG.randint(400, size=600)],
    "digits": RNG.randint(0, 3, size=(2000, 6)).astype(float),
    "signs": RNG.choice([-1.0, 1.0], size=(1000, 8)),
    "powers of two": 2.0 ** RNG.randint(-20, 20, size=(1000, 2)),
    "missing": np.where(RNG.uniform(size=(600, 4)) < 0.5, np.nan, 1.0),
}


@pytest.mark.parametrize("kind", [np.asarray, sparse.csr_array], ids=["dense", "sparse"])
@pytest.mark.parametrize("X", ROWS.values(), ids=ROWS)
def test_first_occurrences_are_numpys(X, kind):
    _, first, group = np.unique(np.nan_to_num(X, nan=7.0), axis=0, return_index=True, return_inverse=True)
    counts = np.bincount(group.ravel())
    assert counts.max() <= 0.1 * len(X)
    np.testing.assert_array_equal(first_occurrences(RowSource(kind(X))), first[group.ravel()])
    assert n_distinct_rows(RowSource(kind(X))) == len(first)


def test_zeros_of_either_sign_are_one_number():
    X = np.vstack([np.eye(20), [[0.0] * 20], [[-0.0] * 20]])
    np.testing.assert_array_equal(first_occurrences(RowSource(X)), [*range(21), 20])


def test_none_where_all_differ_or_duplicates_are_a_tenth(monkeypatch):
    X = np.arange(60.0).reshape(30, 2)
    assert first_occurrences(RowSource(X)) is None
    X[:4] = 0.0
    assert first_occurrences(RowSource(X)) is None
    X[:2] = 1.0
    assert first_occurrences(RowSource(X)) is not None
    monkeypatch.setattr(_duplicates, "MAX_SEARCHED_ROWS", 29)
    assert first_occurrences(RowSource(X)) is None


def test_each_row_is_known_by_its_first_occurrence():
    rows = np.arange(40.0).reshape(20, 2)
    rows[1] = rows[0]
    np.testing.assert_array_equal(first_occurrences(RowSource(rows)), [0, 0, *range(2, 20)])


def test_every_nan_is_the_same():
    rows = np.where(RNG.uniform(size=(60, 4)) < 0.3, np.nan, RNG.normal(size=(60, 4)))
    signed = np.where(np.isnan(rows), np.copysign(np.nan, -1.0), rows)
    assert n_distinct_rows(RowSource(np.concatenate([rows, signed]))) == n_distinct_rows(RowSource(rows))


def test_entries_stored_in_parts_are_added_up():
    rows = sparse.csr_array(([1.0, 2.0, 3.0], [0, 0, 0], [0, 2, 3]), shape=(2, 2))
    assert n_distinct_rows(RowSource(rows)) == 1
    assert rows.nnz == 3
