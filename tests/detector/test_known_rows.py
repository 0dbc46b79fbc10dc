"""Training rows of groups, recognised by their values."""

import numpy as np
from scipy import sparse

from skae._detector._known_rows import NO_GROUP, KnownRows

X = np.random.RandomState(0).normal(size=(30, 4))
GROUPS = np.arange(30) // 3


def test_rows_are_recognised():
    known = KnownRows.of(X, GROUPS)
    for rows in (X, X.astype(np.float32), sparse.csr_array(X)):
        np.testing.assert_array_equal(known.groups_of(rows), GROUPS)
    np.testing.assert_array_equal(known.groups_of(X, slice(5, 9)), GROUPS[5:9])


def test_new_rows_have_no_group():
    np.testing.assert_array_equal(KnownRows.of(X, GROUPS).groups_of(X + 1e-4), NO_GROUP)
    # Beyond float32.
    np.testing.assert_array_equal(KnownRows.of(X, GROUPS).groups_of(np.full((2, 4), 1e300)), NO_GROUP)


def test_nor_have_values_of_several_groups():
    known = KnownRows.of(np.vstack([X, X[:1], X[3:4]]), np.append(GROUPS, [5, 1]))
    expected = np.where(np.arange(30) == 0, NO_GROUP, GROUPS)
    np.testing.assert_array_equal(known.groups_of(X), expected)
