"""AdamW against torch's own, by torch's kernel and without it."""

import pytest
import torch

from skae._training import _optimizer
from skae._training._optimizer import BETAS, AdamW


@pytest.mark.parametrize("kernel", ["fused", "absent"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_moves_as_torchs_optimizer_does(kernel, dtype, monkeypatch):
    if kernel == "absent":
        monkeypatch.setattr(_optimizer, "_FUSED_KERNEL", None)
    generator = torch.Generator().manual_seed(0)
    ours = torch.randn(37, generator=generator, dtype=dtype)
    gradient = torch.empty_like(ours)
    optimizer = AdamW(ours, gradient, alpha=0.3)
    theirs = torch.nn.Parameter(ours.clone())
    reference = torch.optim.AdamW([theirs], betas=BETAS, weight_decay=0.3)
    for learning_rate in (0.1, 0.05, 0.01, 0.02):
        drawn = torch.randn(37, generator=generator, dtype=dtype)
        gradient.copy_(drawn)
        optimizer.step(learning_rate)
        theirs.grad = drawn.clone()
        reference.param_groups[0]["lr"] = learning_rate
        reference.step()
    torch.testing.assert_close(ours, theirs.detach())
