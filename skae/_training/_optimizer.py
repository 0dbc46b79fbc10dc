"""AdamW on one flat vector of parameters.

The update calls torch's fused kernel directly, because the bookkeeping of `torch.optim` takes several times as long as
the update of a small network.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

# With beta_2 = .98 the large first gradients are forgotten soon enough, even in runs of a few hundred steps.
BETAS = (0.9, 0.98)
EPSILON = 1e-8
# A private function, which another version of torch may not have. The update is then made by `_unfused_step`.
_FUSED_KERNEL: Any = getattr(torch, "_fused_adamw_", None)


class AdamW:
    """Adam with decoupled L2 decay (Loshchilov & Hutter 2019), which updates `parameters` in place.

    `memory` holds the moments and the number of steps, from which training can continue.
    """

    def __init__(self, parameters: Tensor, gradient: Tensor, alpha: float) -> None:
        self._parameters, self._gradient, self._alpha = parameters, gradient, alpha
        self._first, self._second = torch.zeros_like(parameters), torch.zeros_like(parameters)
        self._step = torch.zeros((), dtype=torch.float32, device=parameters.device)
        self.memory: tuple[Tensor, ...] = (self._first, self._second, self._step)

    def step(self, learning_rate: float) -> None:
        """Update the parameters from the present gradient."""
        self._step += 1
        if _FUSED_KERNEL is None:
            self._unfused_step(learning_rate)
            return
        _FUSED_KERNEL(
            [self._parameters],
            [self._gradient],
            [self._first],
            [self._second],
            [],
            [self._step],
            lr=learning_rate,
            beta1=BETAS[0],
            beta2=BETAS[1],
            weight_decay=self._alpha,
            eps=EPSILON,
            amsgrad=False,
            maximize=False,
        )

    def _unfused_step(self, learning_rate: float) -> None:
        self._parameters.mul_(1.0 - learning_rate * self._alpha)
        self._first.lerp_(self._gradient, 1.0 - BETAS[0])
        self._second.lerp_(self._gradient.square(), 1.0 - BETAS[1])
        step = self._step.double()
        first = self._first / (1.0 - BETAS[0] ** step)
        second = self._second / (1.0 - BETAS[1] ** step)
        self._parameters.addcdiv_(first, second.sqrt_().add_(EPSILON), value=-learning_rate)
