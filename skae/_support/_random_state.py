"""NumPy generators made from `random_state`; NumPy's global generator is never used."""

from __future__ import annotations

from numbers import Integral

import numpy as np
from sklearn.utils import check_random_state


def local_random_state(random_state) -> np.random.RandomState:
    """Turn `random_state` into a generator that is not NumPy's global one.

    scikit-learn's `check_random_state` returns NumPy's global generator for None; drawing from that would change the
    caller's.
    """
    return np.random.RandomState() if random_state is None else check_random_state(random_state)


def random_state_after(random_state, n_seen: int) -> np.random.RandomState:
    """Turn `random_state` into a generator for a chunk of rows.

    An int seed is combined with the number of rows seen. Otherwise all chunks of equal size would get the same numbers.
    """
    if isinstance(random_state, Integral):
        high, low = divmod(n_seen, 1 << 32)
        return np.random.RandomState([int(random_state), low] + ([high] if high else []))
    return local_random_state(random_state)
