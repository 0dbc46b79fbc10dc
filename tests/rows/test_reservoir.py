"""A random sample of the rows of a stream."""

import numpy as np
from scipy import sparse

from skae._rows._reservoir import Reservoir, draw_priorities, highest_priorities

X = np.arange(12.0).reshape(6, 2)
PRIORITIES = np.array([0.3, 0.9, 0.1, 0.5, 0.2, 0.8])


def test_the_highest_priorities():
    np.testing.assert_array_equal(np.flatnonzero(highest_priorities(PRIORITIES, 3)), [1, 3, 5])
    assert highest_priorities(PRIORITIES, 6).all()
    assert highest_priorities(PRIORITIES, 7).all()


def test_rows_keep_their_order_and_what_belongs_to_them():
    chosen = highest_priorities(PRIORITIES, 4)
    kept = Reservoir.of(sparse.csr_array(X), np.arange(6.0), PRIORITIES, chosen).select(
        np.array([True, False, True, True])
    )
    kept = kept.followed_by(Reservoir.of(X, None, PRIORITIES, PRIORITIES == 0.1))
    np.testing.assert_array_equal(kept.rows, X[[0, 3, 5, 2]])
    np.testing.assert_array_equal(kept.weight, [0, 3, 5, 1])
    np.testing.assert_array_equal(kept.priorities, PRIORITIES[[0, 3, 5, 2]])


def test_chances_follow_the_weights():
    weight, random_state = np.array([1.0, 1.0, 2.0]), np.random.RandomState(0)
    first = [highest_priorities(draw_priorities(weight, random_state), 1).argmax() for _ in range(4000)]
    # Four standard errors of a share of 4,000 draws.
    np.testing.assert_allclose(np.bincount(first) / 4000, [0.25, 0.25, 0.5], atol=0.03)
