"""Networks for the `network` parameter: convolutions for images and for sequences.

Each is a description from which `fit` makes the torch module. It can be cloned, compared and used in a grid search like
any other parameter.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn

from skae._support._constraints import Constraint, Integer, LayerSizes, OddInteger, check_parameters, layer_sizes

__all__ = ["ConvolutionalNetwork", "ConvolutionalNetwork1d"]

# Constraints of the parameters that both networks have.
_CONSTRAINTS: dict[str, tuple[Constraint, ...]] = {
    "channels": (LayerSizes(),),
    "kernel_size": (OddInteger(1),),
    "hidden_layer_size": (Integer(1),),
}


@dataclass(frozen=True)
class ConvolutionalNetwork:
    """Convolutional encoder and decoder for images.

    Each stage of the encoder halves height and width by a strided convolution, and each stage of the decoder doubles
    them. A dense hidden layer is between the last stage and the code. Every layer is followed by SiLU, except those
    that return codes and images.

    Parameters
    ----------
    image_shape : tuple of int, (channels, height, width)
        Shape of one image. The rows of X are images flattened in this order.
    channels : int or array-like of int, default=(16, 32)
        Number of channels of each stage; an int makes one stage.
    kernel_size : int, default=3
        Height and width of the kernels in pixels, an odd number.
    hidden_layer_size : int, default=256
        Width of the dense layer between the last stage and the code.

    Raises
    ------
    ValueError
        In `fit`, if a parameter is out of its range or the product of `image_shape` is not the number of features.

    See Also
    --------
    ConvolutionalNetwork1d : The same for sequences.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skae import AutoencoderTransformer
    >>> from skae.networks import ConvolutionalNetwork
    >>> X, _ = load_digits(return_X_y=True)
    >>> network = ConvolutionalNetwork(image_shape=(1, 8, 8), channels=(16,))
    >>> model = AutoencoderTransformer(8, network=network, random_state=0).fit(X[:200])
    >>> model.transform(X[:3]).shape
    (3, 8)
    """

    image_shape: tuple[int, int, int]
    channels: int | Sequence[int] = (16, 32)
    kernel_size: int = 3
    hidden_layer_size: int = 256

    def __call__(self, n_features: int, n_outputs: int, n_components: int) -> nn.Module:
        """Make the module.

        Parameters
        ----------
        n_features : int
            Length of a row: the product of `image_shape`.
        n_outputs : int
            Number of outputs of the encoder: `n_components`, or twice that for a variational code.
        n_components : int
            Length of a code.

        Returns
        -------
        torch.nn.Module
            A module with the methods ``encode`` and ``decode``.

        Raises
        ------
        ValueError
            If a parameter is out of its range or `n_features` is not the product of `image_shape`.
        """
        check_parameters(type(self).__name__, vars(self), _CONSTRAINTS)
        shape = layer_sizes(self.image_shape) if LayerSizes().accepts(self.image_shape) else ()
        if len(shape) != 3 or math.prod(shape) != n_features:
            raise ValueError(
                f"The 'image_shape' parameter of {type(self).__name__} must be (channels, height, width) with the "
                f"number of features, {n_features}, as their product. Got {self.image_shape!r} instead. See "
                "docs/guide_networks.md."
            )
        sizes = n_outputs, n_components
        return _Convolutional(shape, layer_sizes(self.channels), self.kernel_size, self.hidden_layer_size, *sizes)


@dataclass(frozen=True)
class ConvolutionalNetwork1d:
    """Convolutional encoder and decoder for sequences: sound, spectra, time series.

    The layers are those of `ConvolutionalNetwork`, along one axis: each stage of the encoder halves the length.

    Parameters
    ----------
    n_channels : int, default=1
        Number of channels of a sequence. The rows of X hold the channels one after the other.
    channels : int or array-like of int, default=(16, 32, 64)
        Number of channels of each stage; an int makes one stage.
    kernel_size : int, default=9
        Length of the kernels in samples, an odd number.
    hidden_layer_size : int, default=256
        Width of the dense layer between the last stage and the code.

    Raises
    ------
    ValueError
        In `fit`, if a parameter is out of its range or `n_channels` does not divide the number of features.

    See Also
    --------
    ConvolutionalNetwork : The same for images.

    Examples
    --------
    >>> import numpy as np
    >>> from skae import AutoencoderTransformer
    >>> from skae.networks import ConvolutionalNetwork1d
    >>> phase = np.random.RandomState(0).uniform(0, 6, size=(200, 1))
    >>> X = np.sin(np.linspace(0, 20, 64) + phase)
    >>> network = ConvolutionalNetwork1d(channels=(8, 16))
    >>> AutoencoderTransformer(1, network=network, max_iter=2, random_state=0).fit(X).n_components_
    1
    """

    n_channels: int = 1
    channels: int | Sequence[int] = (16, 32, 64)
    kernel_size: int = 9
    hidden_layer_size: int = 256

    def __call__(self, n_features: int, n_outputs: int, n_components: int) -> nn.Module:
        """Make the module.

        Parameters
        ----------
        n_features : int
            Length of a row: the number of channels times that of samples.
        n_outputs : int
            Number of outputs of the encoder: `n_components`, or twice that for a variational code.
        n_components : int
            Length of a code.

        Returns
        -------
        torch.nn.Module
            A module with the methods ``encode`` and ``decode``.

        Raises
        ------
        ValueError
            If a parameter is out of its range or `n_channels` does not divide `n_features`.
        """
        check_parameters(type(self).__name__, vars(self), _CONSTRAINTS)
        if not Integer(1).accepts(self.n_channels) or n_features % self.n_channels:
            raise ValueError(
                f"The 'n_channels' parameter of {type(self).__name__} must be an int >= 1 that divides the number of "
                f"features, {n_features}. Got {self.n_channels!r} instead. See docs/guide_networks.md."
            )
        shape = (self.n_channels, n_features // self.n_channels)
        sizes = n_outputs, n_components
        return _Convolutional(shape, layer_sizes(self.channels), self.kernel_size, self.hidden_layer_size, *sizes)


class _Convolutional(nn.Module):
    """Strided convolutions, a dense layer, and the way back, in as many dimensions as the shape has besides channels.

    Without the dense layer, the features of the last stage would be linear in the code, which is worse than no
    convolutions at all.
    """

    def __init__(
        self,
        shape: tuple[int, ...],
        channels: tuple[int, ...],
        kernel_size: int,
        hidden_layer_size: int,
        n_outputs: int,
        n_components: int,
    ) -> None:
        super().__init__()
        convolution, transposed = _LAYERS[len(shape) - 1]
        widths = (shape[0], *channels)
        sizes = [shape[1:]]
        for _ in channels:
            sizes.append(tuple((size + 1) // 2 for size in sizes[-1]))
        padding = kernel_size // 2
        self._shape, self._inner = shape, (widths[-1], *sizes[-1])
        n_inner = math.prod(self._inner)
        self.down = nn.Sequential()
        for before, after in pairwise(widths):
            self.down += nn.Sequential(convolution(before, after, kernel_size, stride=2, padding=padding), nn.SiLU())
        self.to_code = _dense(n_inner, hidden_layer_size, n_outputs)
        self.from_code = _dense(n_components, hidden_layer_size, n_inner)
        self.up = nn.Sequential()
        for depth in range(len(channels), 0, -1):
            # If the size was odd, the pixel that doubling would add is left out.
            extra = tuple(1 - size % 2 for size in sizes[depth - 1])
            self.up += nn.Sequential(
                nn.SiLU(),
                transposed(
                    widths[depth], widths[depth - 1], kernel_size, stride=2, padding=padding, output_padding=extra
                ),
            )
        _draw_weights(self)

    def encode(self, x: Tensor) -> Tensor:
        return self.to_code(self.down(x.view(-1, *self._shape)).flatten(1))

    def decode(self, z: Tensor) -> Tensor:
        return self.up(self.from_code(z).view(-1, *self._inner)).flatten(1)


def _dense(n_inputs: int, n_hidden: int, n_outputs: int) -> nn.Module:
    return nn.Sequential(nn.Linear(n_inputs, n_hidden), nn.SiLU(), nn.Linear(n_hidden, n_outputs))


@torch.no_grad()
def _draw_weights(module: nn.Module) -> None:
    """Normal weights of variance 1.5 / fan-in: the first epochs get further than with torch's 1 / (3 fan-in)."""
    for part in module.modules():
        if isinstance(part, nn.Linear | nn.Conv1d | nn.Conv2d):
            fan_in = part.weight[0].numel()
        elif isinstance(part, nn.ConvTranspose1d | nn.ConvTranspose2d):
            # Each output pixel depends on one number of the kernel per stride.
            fan_in = max(1, part.weight[:, 0].numel() // math.prod(part.stride))
        else:
            continue
        nn.init.normal_(part.weight, std=(1.5 / fan_in) ** 0.5)


_LAYERS: dict[int, tuple[Any, Any]] = {1: (nn.Conv1d, nn.ConvTranspose1d), 2: (nn.Conv2d, nn.ConvTranspose2d)}
