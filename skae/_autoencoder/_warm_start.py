"""Training that continues from a previous fit: the same network, and new codes rotated to match the previous ones."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from scipy import linalg
from torch import nn

from skae._autoencoder._config import AutoencoderConfig
from skae._autoencoder._fitted import FittedAutoencoder
from skae._autoencoder._linear import LinearAutoencoder
from skae._linalg._principal_axes import PrincipalAxes

# Parameters that shape the network, beside its custom module.
SHAPING = ("code", "n_nonzero", "loss", "hidden_layer_sizes", "activation")


def continued(config: AutoencoderConfig, previous: FittedAutoencoder | None) -> tuple[AutoencoderConfig, bool]:
    """The configuration with the previous number of components, unless it is an int; whether entries may be masked."""
    if previous is None:
        return config, config.masks_entries
    if not isinstance(config.n_components, int):
        config = replace(config, n_components=previous.n_components)
    return config, config.masks_entries or previous.takes_mask


def check_continues(
    previous: FittedAutoencoder,
    config: AutoencoderConfig,
    n_components: int,
    takes_mask: bool,
    module: nn.Module | None,
) -> None:
    """Raise ValueError unless a network of this configuration fits the weights of the previous one."""
    pairs: list[tuple[str, Any, Any]] = [("n_components", previous.n_components, n_components)]
    pairs += [(name, getattr(previous.config, name), getattr(config, name)) for name in SHAPING]
    pairs.append(("whether entries are missing or masked", previous.takes_mask, takes_mask))
    pairs.append(("network", _shapes(previous.module), _shapes(module)))
    for name, before, now in pairs:
        if before != now:
            raise ValueError(
                f"Training can only continue from previous weights if the architecture is the same: {name} was "
                f"{before!r} and is now {now!r}. Set it back, or call fit with warm_start=False to start from PCA. See "
                "docs/guide_troubleshooting.md."
            )


def _shapes(module: nn.Module | None) -> list[tuple[str, tuple[int, ...]]] | None:
    if module is None:
        return None
    return [(name, tuple(parameter.shape)) for name, parameter in module.named_parameters()]


def aligned(linear: LinearAutoencoder, axes: PrincipalAxes, previous: FittedAutoencoder) -> LinearAutoencoder:
    """The linear path, with codes rotated towards those of a previous autoencoder, so that its corrections still fit.

    The rotation is the orthogonal matrix that makes the two codes of each row agree best (Procrustes). If the code must
    not be rotated, only signs are changed. Atoms of a sparse code are kept.
    """
    before = previous.linear
    units = linear.scale / before.scale
    agreement = (linear.decoder_axes * units) @ before.encoder_axes
    if previous.config.code_class.is_rotatable:
        left, _, right = linalg.svd(agreement)
        return linear.rotated(left @ right)
    if _are_atoms(before.decoder_axes):
        assert linear.code_scale is not None
        return replace(
            linear,
            encoder_axes=before.encoder_axes * units[:, np.newaxis],
            decoder_axes=before.decoder_axes / units,
            code_bias=before.code_bias,
            code_scale=np.full_like(linear.code_scale, before.unit),
        )
    return linear.rotated(np.diag(np.where(np.diag(agreement) < 0, -1.0, 1.0)))


def _are_atoms(decoder_axes: np.ndarray) -> bool:
    """Whether the axes are atoms: those are not orthogonal, while principal axes are."""
    products = decoder_axes @ decoder_axes.T
    return bool(np.abs(products - np.diag(np.diag(products))).max() > 1e-3 * np.abs(products).max())
