"""The learning rate during training."""

from __future__ import annotations

import math

WARM_UP_SHARE = 0.05


def learning_rate_factor(step: int, n_steps: int) -> float:
    """Linear warm-up over the first 5 % of the steps, under a half cosine that ends near zero.

    Without warm-up the first steps, taken before Adam's second moments are settled, lose what the start gained.
    """
    warm_up = min(1.0, (step + 1) / (WARM_UP_SHARE * n_steps))
    return warm_up * 0.5 * (1.0 + math.cos(math.pi * step / n_steps))
