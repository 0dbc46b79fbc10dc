"""The optimisers against torch's own."""

import pytest
import torch

from skae._training._optimizers import BETAS, MOMENTUM, SOLVERS

REFERENCES = {
    "adamw": lambda p: torch.optim.AdamW([p], betas=BETAS, weight_decay=0.3),
    "adam": lambda p: torch.optim.Adam([p], betas=BETAS, weight_decay=0.3),
    "sgd": lambda p: torch.optim.SGD([p], lr=0.1, momentum=MOMENTUM, nesterov=True, weight_decay=0.3),
}


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_moves_as_torchs_optimizer_does(solver, dtype):
    generator = torch.Generator().manual_seed(0)
    ours = torch.randn(37, generator=generator, dtype=dtype)
    gradient = torch.empty_like(ours)
    optimizer = SOLVERS[solver](ours, gradient, alpha=0.3)
    theirs = torch.nn.Parameter(ours.clone())
    reference = REFERENCES[solver](theirs)
    for learning_rate in (0.1, 0.05, 0.01, 0.02):
        drawn = torch.randn(37, generator=generator, dtype=dtype)
        gradient.copy_(drawn)
        optimizer.step(learning_rate)
        theirs.grad = drawn.clone()
        reference.param_groups[0]["lr"] = learning_rate
        reference.step()
    torch.testing.assert_close(ours, theirs.detach())
