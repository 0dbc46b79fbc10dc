"""The PCA-anchored autoencoder."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from skae._model._perceptron import Perceptron


@dataclass(frozen=True)
class Architecture:
    """The widths that fix the layout of the parameter vector."""

    n_features: int
    n_components: int
    hidden_layer_sizes: tuple[int, ...]
    activation: str

    @property
    def encoder_sizes(self) -> tuple[int, ...]:
        return (self.n_features, *self.hidden_layer_sizes, self.n_components)

    @property
    def n_parameters(self) -> int:
        """Encoder and decoder mirror each other but for the biases of their last layers."""
        sizes = self.encoder_sizes
        return Perceptron.count_parameters(sizes) + Perceptron.count_parameters(sizes[::-1])


class AnchoredAutoencoder:
    r"""A linear autoencoder that is PCA, and two perceptrons that correct it.

    .. math:: z = x E + f(x), \qquad \hat x = z D + g(z)

    E of shape (n_features, n_components) and D of shape (n_components, n_features) are fixed; f and g start at zero,
    so that before the first step the network is the linear autoencoder, and L2 decay shrinks towards it.

    Parameters
    ----------
    architecture : Architecture
    encoder_axes, decoder_axes : Tensor
        E and D.
    parameters : Tensor of shape (architecture.n_parameters,)
        Of f, then of g. Zeros make the linear autoencoder.
    corruption_level : float, default=0.0
        Standard deviation of the Gaussian noise that training adds to the inputs.
    generator : torch.Generator, optional
        Draws that noise.
    """

    def __init__(
        self,
        architecture: Architecture,
        encoder_axes: Tensor,
        decoder_axes: Tensor,
        parameters: Tensor,
        *,
        corruption_level: float = 0.0,
        generator: torch.Generator | None = None,
    ) -> None:
        self.architecture = architecture
        self._split = Perceptron.count_parameters(architecture.encoder_sizes)
        self._encoder_axes, self._decoder_axes = encoder_axes, decoder_axes
        self._corruption_level, self._generator = corruption_level, generator
        self.n_features = architecture.n_features
        self.parameters = parameters

    # Made when first needed: encoding one row takes no longer than making either.
    @cached_property
    def _encoder(self) -> Perceptron:
        sizes = self.architecture.encoder_sizes
        return Perceptron(sizes, self.architecture.activation, self.parameters[: self._split])

    @cached_property
    def _decoder(self) -> Perceptron:
        sizes = self.architecture.encoder_sizes[::-1]
        return Perceptron(sizes, self.architecture.activation, self.parameters[self._split :])

    def initialise(self, generator: torch.Generator) -> None:
        """Draw the hidden layers of f and g; both still return zero."""
        self._encoder.initialise(generator)
        self._decoder.initialise(generator)

    def is_linear(self) -> bool:
        """Whether f and g both return zero."""
        return self._encoder.is_zero() and self._decoder.is_zero()

    def encode(self, x: Tensor) -> Tensor:
        return torch.addmm(self._encoder(x), x, self._encoder_axes)

    def decode(self, z: Tensor) -> Tensor:
        return torch.addmm(self._decoder(z), z, self._decoder_axes)

    def row_losses(self, x: Tensor) -> Tensor:
        """Mean squared error of each row's reconstruction."""
        return self.decode(self.encode(x)).sub_(x).square_().mean(1)

    def bind_gradient(self, gradient: Tensor) -> None:
        """Name the vector that `loss_and_gradient` writes to."""
        self._encoder_gradient = self._encoder.layer_views(gradient[: self._split])
        self._decoder_gradient = self._decoder.layer_views(gradient[self._split :])

    def loss_and_gradient(self, x: Tensor, weight: Tensor | None) -> Tensor:
        """The weighted mean of `row_losses` on corrupted inputs; its gradient goes into the bound vector."""
        inputs = self._corrupt(x)
        z, encoder_tape = self._encoder.forward(inputs)
        z.addmm_(inputs, self._encoder_axes)
        residual, decoder_tape = self._decoder.forward(z)
        residual.addmm_(z, self._decoder_axes).sub_(x)

        slope = residual * (2.0 / residual.numel())
        if weight is not None:
            slope.mul_(weight[:, None] * (len(x) / weight.sum()))
        loss = torch.dot(residual.view(-1), slope.view(-1)).mul_(0.5)
        hidden = self._decoder.backward(slope, decoder_tape, self._decoder_gradient)
        code_gradient = self._decoder.input_gradient(hidden).addmm_(slope, self._decoder_axes.t())
        self._encoder.backward(code_gradient, encoder_tape, self._encoder_gradient)
        return loss

    def squared_jacobian(self, z: Tensor, weight: Tensor) -> Tensor:
        r"""The weighted sum over codes z of :math:`J J^\top`, shape (n_components, n_components).

        Row j of J is the derivative of the reconstruction along code axis j.
        """
        jacobian = self._decoder.jacobian(z) + self._decoder_axes
        return torch.einsum("n,naf,nbf->ab", weight, jacobian, jacobian)

    def _corrupt(self, x: Tensor) -> Tensor:
        if not self._corruption_level:
            return x
        noise = torch.randn(x.shape, generator=self._generator, dtype=x.dtype, device=x.device)
        return noise.mul_(self._corruption_level).add_(x)
