"""The autoencoder that people write for themselves: plain layers, torch's default initialisation."""

from __future__ import annotations

from itertools import pairwise

import torch


def plain_autoencoder(sizes: list[int], activation: type[torch.nn.Module], seed: int):
    """A `Sequential` through `sizes` with a linear code in the middle, and the generator that goes on to shuffle rows.

    Weights and biases are drawn as `torch.nn.Linear` draws them, but not from torch's global generator.
    """
    generator = torch.Generator().manual_seed(seed)
    layers: list[torch.nn.Module] = []
    for depth, (fan_in, fan_out) in enumerate(pairwise(sizes), start=1):
        layer = torch.nn.utils.skip_init(torch.nn.Linear, fan_in, fan_out)
        for parameter in layer.parameters():
            torch.nn.init.uniform_(parameter, -(fan_in**-0.5), fan_in**-0.5, generator=generator)
        layers.append(layer)
        if depth not in (len(sizes) // 2, len(sizes) - 1):
            layers.append(activation())
    return torch.nn.Sequential(*layers), generator
