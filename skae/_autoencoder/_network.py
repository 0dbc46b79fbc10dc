"""The network of an autoencoder: a linear path, the networks that correct it, the code, and the loss."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from skae._autoencoder._codes import DenseCode, VariationalCode
from skae._autoencoder._config import AutoencoderConfig
from skae._autoencoder._correction import Correction
from skae._autoencoder._corruption import Corruption
from skae._autoencoder._custom_network import CustomCorrection
from skae._autoencoder._imputation import GaussianImputer
from skae._autoencoder._linear import LinearAutoencoder
from skae._autoencoder._losses import SquaredError
from skae._autoencoder._perceptron import Perceptron
from skae._autoencoder._training_range import UNLIMITED, TrainingRange, norms_of_both

# Weight in the loss of an entry that the encoder was given, compared with one that was masked.
OBSERVED_SHARE = 0.1


@dataclass(frozen=True)
class ParameterLayout:
    """Widths of encoder and decoder, and the slices of one flat vector that hold the parameters of each part."""

    encoder_sizes: tuple[int, ...]
    decoder_sizes: tuple[int, ...]
    encoder: slice
    decoder: slice
    loss: slice

    @classmethod
    def of(
        cls, config: AutoencoderConfig, n_features: int, n_components: int, takes_mask: bool, module: nn.Module | None
    ) -> ParameterLayout:
        code, hidden = config.code_class, tuple(config.hidden_layer_sizes)
        encoder_sizes = (n_features * (2 if takes_mask else 1), *hidden, n_components * code.n_outputs)
        decoder_sizes = (n_components * code.n_decoder_inputs, *hidden[::-1], n_features)
        if module is not None:  # encoder and decoder of a module share one slice
            end = CustomCorrection.count_parameters(module)
            encoder = decoder = slice(0, end)
        else:
            middle = Perceptron.count_parameters(encoder_sizes)
            end = middle + Perceptron.count_parameters(decoder_sizes)
            encoder, decoder = slice(0, middle), slice(middle, end)
        loss = slice(end, end + config.loss_class.n_parameters)
        return cls(encoder_sizes, decoder_sizes, encoder, decoder, loss)

    @property
    def n_parameters(self) -> int:
        return self.loss.stop


class AutoencoderNetwork:
    r"""A linear autoencoder, PCA unless the configuration asks for another, and two networks that correct it.

    .. math:: z = b(x E + c + f(x)), \qquad \hat x = \ell(z D,\ g(z))

    E, c and D are fixed. f and g start at zero, so that before the first step the network is the linear autoencoder,
    and L2 decay shrinks it towards that. The code determines the function b, which is the identity by default, and the
    loss determines :math:`\ell`, which is the sum by default.

    Parameters
    ----------
    config : AutoencoderConfig
    linear : LinearAutoencoder
        The fixed path; its arrays are tensors.
    parameters : Tensor of shape (n_parameters,), optional
        Parameters of f, of g and of the loss. The default is zeros, which make the linear autoencoder.
    imputer : GaussianImputer, optional
        Fills missing entries before a row is encoded. Training needs it only if entries are missing or masked.
    module : torch.nn.Module, optional
        A custom network instead of perceptrons.
    takes_mask : bool, default=False
        If True, the perceptron f is given an indicator of the missing entries in addition to the filled row. A custom
        network is given the filled row only.
    corruption : Corruption, optional
        How training corrupts its inputs.
    generator : torch.Generator, optional
        Draws the corruption and, for some codes, random numbers of the code.
    training_range : TrainingRange, optional
        The range beyond which f and g fade out. During training there is none.
    """

    def __init__(
        self,
        config: AutoencoderConfig,
        linear: LinearAutoencoder,
        parameters: Tensor | None = None,
        imputer: GaussianImputer | None = None,
        *,
        module: nn.Module | None = None,
        takes_mask: bool = False,
        corruption: Corruption | None = None,
        generator: torch.Generator | None = None,
        training_range: TrainingRange = UNLIMITED,
    ) -> None:
        self.config, self.linear, self.module, self.takes_mask = config, linear, module, takes_mask
        self.training_range = training_range
        self.n_features, self.n_components = linear.n_features, linear.n_components
        self._layout = ParameterLayout.of(config, self.n_features, self.n_components, takes_mask, module)
        if parameters is None:
            parameters = linear.encoder_axes.new_zeros(self._layout.n_parameters)
        self.parameters = parameters
        self._imputer, self._corruption, self._generator = imputer, corruption, generator

    # Made when needed, because making one takes as long as encoding a row.
    @cached_property
    def _encoder(self) -> Correction:
        return self._correction("encode", self._layout.encoder_sizes, self.parameters[self._layout.encoder])

    @cached_property
    def _decoder(self) -> Correction:
        return self._correction("decode", self._layout.decoder_sizes, self.parameters[self._layout.decoder])

    def _correction(self, method: str, sizes: tuple[int, ...], parameters: Tensor) -> Correction:
        if self.module is not None:
            return CustomCorrection(self.module, method, parameters)
        return Perceptron(sizes, self.config.activation, parameters)

    @cached_property
    def code(self) -> DenseCode:
        """The kind of code."""
        return self.config.code_class(self.config, self.linear)

    def correction_layers(self, method: str) -> list[Any]:
        """The layers of f ("encode") or g ("decode"): weights and biases, or the gates and values of a module."""
        layout = self._layout
        part, correction = (layout.encoder, self._encoder) if method == "encode" else (layout.decoder, self._decoder)
        return correction.layer_views(self.parameters[part])

    @cached_property
    def loss(self) -> SquaredError:
        """The loss of a reconstruction."""
        parameters, linear = self.parameters[self._layout.loss], self.linear
        return self.config.loss_class(linear.mean, linear.scale, parameters, linear.noise_variance)

    def initialise(self, generator: torch.Generator) -> None:
        """Draw the hidden layers of f and g; both still return zero."""
        self._encoder.initialise(generator)
        self._decoder.initialise(generator)

    def is_linear(self) -> bool:
        """Whether f and g both return zero."""
        return all([self._encoder.is_zero(), self._decoder.is_zero()])

    def encode(self, x: Tensor) -> Tensor:
        """Codes of rows, which may have missing entries."""
        return self.code.code(self._code_outputs(x))

    def _code_outputs(self, x: Tensor) -> Tensor:
        filled, inputs = self._inputs(x)
        return self._add_linear_code(self.training_range.fade_rows(self._encoder(inputs), filled), filled)

    def norms(self, x: Tensor) -> np.ndarray:
        """Norms of the filled rows and of their codes, which are computed without fading the correction."""
        filled, inputs = self._inputs(x)
        return norms_of_both(filled, self.code.code(self._add_linear_code(self._encoder(inputs), filled)))

    def decode(self, z: Tensor) -> Tensor:
        """Standardised reconstructions of codes."""
        return self.loss.reconstruction(self._outputs(z))

    def _outputs(self, z: Tensor) -> Tensor:
        correction = self.training_range.fade_codes(self._decoder(self.decoder_inputs(z)), z)
        return self.loss.outputs(correction, z.mm(self.linear.decoder_axes))

    def decoder_inputs(self, z: Tensor, tape: Any = None) -> Tensor:
        """The inputs of g for a code. A module is given the code alone."""
        return z if self.module is not None else self.code.decoder_inputs(z, tape)

    def row_losses(self, x: Tensor) -> Tensor:
        """The training loss of each row, a mean over its entries. Random numbers are the same in every call."""
        inputs = x if self._corruption is None else self._corruption(x, None)
        z, tape = self.code.forward(self._code_outputs(inputs), None)
        target, share = self._target(x, inputs, None, judging=True)
        share = share * len(x)
        losses = (self.loss.losses(self._outputs(z), target) * share).sum(1)
        penalty = self.code.penalty(tape)
        return losses if penalty is None else losses + penalty * _row_share(share)

    def summed_losses(self, x: Tensor) -> Tensor:
        """The loss of each uncorrupted row, summed over its observed entries."""
        # In float64, because squares of float32 numbers may be beyond its range.
        losses = self.loss.losses(self._outputs(self.encode(x)).double(), torch.nan_to_num(x).double())
        return losses.masked_fill_(torch.isnan(x), 0.0).sum(1)

    def log_evidence_bound(self, x: Tensor) -> Tensor:
        r"""Evidence lower bound of each row in nats, for rows in the units of X; for variational networks only.

        The expectation over the posterior is a mean over the points :math:`m \pm \sqrt{k}\, s_i e_i`. It is exact if
        the log-likelihood is at most cubic in the code, as with a linear decoder, and the bound of a row does not
        depend on other rows.
        """
        assert isinstance(self.code, VariationalCode)
        mean, log_variance = self.code.moments(self._code_outputs(x))
        target, missing = torch.nan_to_num(x), torch.isnan(x)
        step = (log_variance.exp() * mean.shape[1]).sqrt_()
        expected = torch.zeros(len(x), dtype=x.dtype, device=x.device)
        for i in range(mean.shape[1]):
            for sign in (1.0, -1.0):
                z = mean.clone()
                z[:, i].add_(step[:, i], alpha=sign)
                expected += self.loss.losses(self._outputs(z), target).masked_fill_(missing, 0.0).sum(1)
        normaliser = self.loss.log_normaliser(target).masked_fill_(missing, 0.0).sum(1)
        return normaliser - expected / (2 * mean.shape[1]) - self.code.divergence(mean, log_variance)

    def truncated(self, n_components: int) -> AutoencoderNetwork:
        """The network of the first `n_components` of an ordered code."""
        network = AutoencoderNetwork(
            self.config, self.linear.truncated(n_components), imputer=self._imputer, takes_mask=self.takes_mask
        )
        device = self.parameters.device
        kept, features = torch.arange(n_components, device=device), torch.arange(self.n_features, device=device)
        encoder_inputs = torch.arange(self._layout.encoder_sizes[0], device=device)
        # The decoder's inputs are the components that are kept, and their indicators.
        decoder_inputs = torch.cat([kept, kept + self.n_components])
        for part, whole, inputs, outputs in (
            (network._encoder, self._encoder, encoder_inputs, kept),
            (network._decoder, self._decoder, decoder_inputs, features),
        ):
            assert isinstance(part, Perceptron)
            assert isinstance(whole, Perceptron)
            part.copy_part(whole, inputs, outputs)
        return network

    def bind_gradient(self, gradient: Tensor) -> None:
        """Set the vector that `loss_and_gradient` writes to."""
        layout = self._layout
        self._encoder_gradient = self._encoder.layer_views(gradient[layout.encoder])
        self._decoder_gradient = self._decoder.layer_views(gradient[layout.decoder])
        self._loss_gradient = gradient[layout.loss]

    def loss_and_gradient(self, x: Tensor, weight: Tensor | None) -> Tensor:
        """The weighted mean loss of corrupted rows. Its gradient is written to the vector given to `bind_gradient`.

        Weights are those of the rows that the code decodes.
        """
        corrupted = x if self._corruption is None else self._corruption(x, self._generator)
        filled, inputs = self._inputs(corrupted)
        a, encoder_tape = self._encoder.forward(inputs)
        z, code_tape = self.code.forward(self._add_linear_code(a, filled), self._generator)
        n_decoded = self.code.n_decoded(len(x))
        correction, decoder_tape = self._decoder.forward(self.decoder_inputs(z[:n_decoded], code_tape))
        linear = z[:n_decoded].mm(self.linear.decoder_axes)
        outputs = self.loss.outputs(correction, linear)

        target, share = self._target(x[:n_decoded], corrupted[:n_decoded], weight)
        if self.loss.n_parameters:
            self._loss_gradient.copy_(self.loss.parameter_slope(outputs, target, share))
        loss, slope = self.loss.loss_and_slope(outputs, target, share)
        hidden = self._decoder.backward(slope, decoder_tape, self._decoder_gradient)
        linear_slope = self.loss.linear_slope(slope, linear)
        input_gradient = self._decoder.input_gradient(hidden)
        code_gradient = input_gradient[:, : self.n_components].addmm_(linear_slope, self.linear.decoder_axes.t())
        if n_decoded < len(x):
            code_gradient = nn.functional.pad(code_gradient, (0, 0, 0, len(x) - n_decoded))
        row_share = _row_share(share)
        penalty = self.code.penalty(code_tape)
        if penalty is not None:
            loss = loss + (penalty * row_share).sum()
        per_row = row_share if isinstance(row_share, float) else row_share[:, None]
        a_gradient = self.code.backward(code_gradient, code_tape, per_row)
        self._encoder.backward(a_gradient, encoder_tape, self._encoder_gradient)
        return loss

    def _add_linear_code(self, a: Tensor, filled: Tensor) -> Tensor:
        code = a if a.shape[1] == self.n_components else a[:, : self.n_components]
        code.addmm_(filled, self.linear.encoder_axes)
        if self.linear.code_bias is not None:
            code.add_(self.linear.code_bias)
        return a

    def _is_complete(self, x: Tensor) -> bool:
        """Whether no entry must be filled. Networks that take a mask always fill; others do if x has NaN."""
        return self._imputer is None or not (self.takes_mask or bool(torch.isnan(x.sum())))

    def _inputs(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Rows without missing entries, for the linear path, and the inputs of the encoder's network."""
        filled = x if self._imputer is None or self._is_complete(x) else self._imputer(x)
        if not self.takes_mask or self.module is not None:
            return filled, filled
        return filled, torch.cat([filled, torch.isnan(x).to(x.dtype)], dim=1)

    def _target(
        self, x: Tensor, corrupted: Tensor, weight: Tensor | None, *, judging: bool = False
    ) -> tuple[Tensor, float | Tensor]:
        """Rows to reconstruct, and the weight of each entry's loss; the weights of all entries sum to one."""
        n_rows, n_features = x.shape
        if self._is_complete(x):
            if weight is None:
                return x, 1.0 / (n_rows * n_features)
            return x, weight[:, None] / (weight.sum() * n_features)
        # Observed entries are easy to copy, and the task is to fill the masked ones. In a bound on the likelihood of a
        # row, all entries count the same.
        masked_alone = judging and self._corruption is not None and self._corruption.fills
        observed = 1.0 if self.config.code_class.is_variational else 0.0 if masked_alone else OBSERVED_SHARE
        share = torch.where(torch.isnan(corrupted), 1.0, observed).masked_fill_(torch.isnan(x), 0.0).to(x.dtype)
        share /= share.sum(1, keepdim=True).clamp_min(torch.finfo(x.dtype).tiny)
        weight = torch.ones_like(share[:, 0]) if weight is None else weight
        return torch.nan_to_num(x), share.mul_((weight / weight.sum())[:, None])


def _row_share(share: float | Tensor) -> float | Tensor:
    """The weight of the penalty of a row, relative to the losses of its entries."""
    return share if isinstance(share, float) else share.amax(1)
