"""A test of whether a sum of gains is more than chance, which is valid even if few gains make up the sum."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

# Number of random combinations of signs. For at most MAX_ENUMERATED gains all combinations are used.
N_FLIPS = 2000
MAX_ENUMERATED = 10
# Sums that differ by less than this share count as equal: they may be sums of the same gains in another order.
TOLERANCE = 1e-9


def sign_flip_p_value(gains: np.ndarray) -> float:
    """The share of all combinations of signs for which the sum of the gains would be as large or larger (Fisher 1935).

    If there is no true gain, gains and losses of the same size are equally likely. For many gains of similar size, a
    p-value of .16 corresponds to a sum of one standard error. If a single row makes up the sum, the p-value is at least
    .25 unless the other rows gain as well. A standard error does not show this, because the row increases it as much as
    the sum.
    """
    gains = gains[gains != 0.0]
    if not len(gains):
        return 1.0
    total = gains.sum()
    return float(np.mean(_signs(len(gains)) @ gains >= total - TOLERANCE * np.abs(gains).sum()))


@lru_cache(maxsize=4)
def _signs(n: int) -> np.ndarray:
    """Combinations of n signs, one per row: all of them if n is small, else random ones, always with that of all +1."""
    if n <= MAX_ENUMERATED:
        return 1.0 - 2.0 * (np.arange(2**n)[:, np.newaxis] >> np.arange(n) & 1)
    signs = np.random.RandomState(0).choice(np.array([-1, 1], dtype=np.int8), size=(N_FLIPS, n))
    signs[0] = 1
    return signs
