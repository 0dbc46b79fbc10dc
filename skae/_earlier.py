"""Going on from an earlier fit with the same architecture: its weights, and new codes rotated to match its codes."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import torch
from scipy import linalg
from torch import nn

from skae._fitted import FittedAutoencoder
from skae._model._autoencoder import Architecture
from skae._model._linear_anchor import LinearAnchor
from skae._numerics._principal_axes import PrincipalAxes

# What users call the parts of an architecture that have another name there.
WORDS = {"module": "network", "sees_missing": "whether entries are missing or hidden"}
# Parts of an architecture that shape nothing, as long as they are numbers.
PENALTIES = ("beta", "sparsity")


def continued(
    earlier: FittedAutoencoder, architecture: Architecture, device: torch.device, dtype: torch.dtype
) -> Architecture:
    """The architecture, with a copy of the earlier one's module, to be run with the earlier weights.

    A network that sees which entries are missing goes on to do so when none is, and penalties may change. Else both
    must be the same, or it is a ValueError.
    """
    before = Architecture(**earlier.architecture)
    if before.sees_missing:
        architecture = replace(architecture, sees_missing=True)
    for name in (field.name for field in fields(Architecture)):
        old, new = getattr(before, name), getattr(architecture, name)
        if isinstance(old, nn.Module) and isinstance(new, nn.Module):
            old, new = _layout(old), _layout(new)
        if old != new and not (name in PENALTIES and isinstance(old, float) and isinstance(new, float)):
            raise ValueError(
                "Training can only go on from earlier weights with the architecture they are of: "
                f"{WORDS.get(name, name)} was {old!r} and is now {new!r}. "
                "To start anew, call fit with warm_start=False."
            )
    return replace(architecture, module=before.module).on(device, dtype)


def _layout(module: nn.Module) -> list[tuple[str, tuple[int, ...]]]:
    return [(name, tuple(parameter.shape)) for name, parameter in module.named_parameters()]


def aligned(anchor: LinearAnchor, axes: PrincipalAxes, earlier: FittedAutoencoder, *, signs_only: bool) -> LinearAnchor:
    """The anchor with its codes rotated towards those of an earlier autoencoder, whose corrections then go on to fit.

    The rotation is the orthogonal one that makes both codes of the rows agree best (Procrustes); `signs_only` is for
    codes whose components are not exchangeable. Atoms of a sparse code stay what they were.
    """
    units = (axes.scale * anchor.unit) / (earlier.scale * earlier.unit)
    agreement = (anchor.decoder_axes * units) @ earlier.encoder_axes
    if signs_only and _are_atoms(earlier.decoder_axes):
        encoder_axes, decoder_axes = earlier.encoder_axes * units[:, np.newaxis], earlier.decoder_axes / units
        return replace(
            anchor, encoder_axes=encoder_axes, decoder_axes=decoder_axes, code_bias=earlier.code_bias,
            code_scale=np.full_like(anchor.code_scale, earlier.unit),
        )  # fmt: skip
    if signs_only:
        return anchor.rotated(np.diag(np.where(np.diag(agreement) < 0, -1.0, 1.0)))
    left, _, right = linalg.svd(agreement)
    return anchor.rotated(left @ right)


def _are_atoms(decoder_axes: np.ndarray) -> bool:
    """Whether they are not orthogonal, as principal axes are."""
    products = decoder_axes @ decoder_axes.T
    return bool(np.abs(products - np.diag(np.diag(products))).max() > 1e-3 * np.abs(products).max())
