"""A test of whether gains are more than chance, which holds where a few of them carry the sum."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

# So many combinations of signs; all there are where those are fewer.
N_FLIPS = 2000
MAX_ENUMERATED = 10
# Sums that differ by less than this share are equal: they may be sums of the same gains in another order.
TOLERANCE = 1e-9


def sign_flip_p_value(gains: np.ndarray) -> float:
    """The share of all combinations of signs with which the gains would sum to as much or more (Fisher 1935).

    Gains and losses of the same size are equally likely if nothing was gained. Among many gains of like size a p-value
    of .16 is a sum of one standard error. A sum that a single row carries has a p-value of at least .25 unless the
    others sum to a gain as well, of which the standard error knows nothing: that row is both in it and in the sum.
    """
    gains = gains[gains != 0.0]
    if not len(gains):
        return 1.0
    total = gains.sum()
    return float(np.mean(_signs(len(gains)) @ gains >= total - TOLERANCE * np.abs(gains).sum()))


@lru_cache(maxsize=4)
def _signs(n: int) -> np.ndarray:
    """Rows of signs: all combinations of a few, random ones (from a fixed generator) of many, all +1 among them."""
    if n <= MAX_ENUMERATED:
        return 1.0 - 2.0 * (np.arange(2**n)[:, np.newaxis] >> np.arange(n) & 1)
    signs = np.random.RandomState(0).choice(np.array([-1, 1], dtype=np.int8), size=(N_FLIPS, n))
    signs[0] = 1
    return signs
