"""Optimisers that move one flat vector of parameters.

The updates are torch's own fused kernels, called directly: the bookkeeping of `torch.optim` takes several times as long
as updating a small network does.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import torch
from torch import Tensor

# beta_2 = .98 forgets the large first gradients soon enough for runs of a few hundred steps.
BETAS = (0.9, 0.98)
EPSILON = 1e-8
MOMENTUM = 0.9


class Optimizer(Protocol):
    """Moves the parameters it was made with."""

    @property
    def memory(self) -> tuple[Tensor, ...]:
        """What later steps need of earlier ones."""

    def step(self, learning_rate: float) -> None:
        """Update the parameters from the present gradient."""


class AdamW:
    """Adam with decoupled L2 decay (Loshchilov & Hutter 2019)."""

    _kernel = staticmethod(torch._fused_adamw_)

    def __init__(self, parameters: Tensor, gradient: Tensor, alpha: float) -> None:
        self._step = torch.zeros((), dtype=torch.float32, device=parameters.device)
        self._alpha = alpha
        first, second = torch.zeros_like(parameters), torch.zeros_like(parameters)
        self._vectors: tuple[list[Tensor], ...] = ([parameters], [gradient], [first], [second], [], [self._step])
        self.memory: tuple[Tensor, ...] = (first, second, self._step)

    def step(self, learning_rate: float) -> None:
        self._step += 1
        self._kernel(
            *self._vectors,
            lr=learning_rate,  # type: ignore[arg-type]  # the kernel takes numbers too
            beta1=BETAS[0],
            beta2=BETAS[1],
            weight_decay=self._alpha,
            eps=EPSILON,
            amsgrad=False,
            maximize=False,
        )


class Adam(AdamW):
    """Adam with the decay in the gradient (Kingma & Ba 2015)."""

    _kernel = staticmethod(torch._fused_adam_)


class SGD:
    """Stochastic gradient descent with Nesterov's momentum, the decay in the gradient."""

    def __init__(self, parameters: Tensor, gradient: Tensor, alpha: float) -> None:
        self._parameters, self._gradient, self._alpha = parameters, gradient, alpha
        self._velocity = torch.zeros_like(parameters)
        self.memory: tuple[Tensor, ...] = (self._velocity,)

    def step(self, learning_rate: float) -> None:
        self._gradient.add_(self._parameters, alpha=self._alpha)
        self._velocity.mul_(MOMENTUM).add_(self._gradient)
        self._parameters.add_(self._gradient, alpha=-learning_rate)
        self._parameters.add_(self._velocity, alpha=-learning_rate * MOMENTUM)


SOLVERS: dict[str, Callable[[Tensor, Tensor, float], Optimizer]] = {"adamw": AdamW, "adam": Adam, "sgd": SGD}
