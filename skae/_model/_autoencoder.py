"""The anchored autoencoder: a linear path, what corrects it, what happens to the code, and the loss."""

from __future__ import annotations

import copy
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn

from skae._model._bottlenecks import GaussianPosterior, LargestOnly, Plain, Prefix, SoftThreshold
from skae._model._correction import Correction
from skae._model._corruption import Corruption
from skae._model._gaussian_fill import GaussianFill
from skae._model._losses import LOSSES, GaussianLikelihood, SquaredError
from skae._model._module_correction import ModuleCorrection
from skae._model._perceptron import Perceptron

# What an entry that the encoder saw counts in the loss beside one that was hidden from it.
SEEN_SHARE = 0.1


@dataclass(frozen=True)
class Architecture:
    """What fixes the layout of the parameter vector, and what is done with a code.

    `sees_missing` gives perceptrons, beside the filled row, an indicator of the entries that were missing; a module has
    the filled row alone.
    """

    n_features: int
    n_components: int
    hidden_layer_sizes: tuple[int, ...]
    activation: str
    loss: str = "squared_error"
    sparsity: float | int | None = None
    ordered: bool = False
    variational: bool = False
    beta: float = 1.0
    sees_missing: bool = False
    module: nn.Module | None = None

    @property
    def n_code_outputs(self) -> int:
        """Numbers that the encoder returns for a row."""
        return self.n_components * (GaussianPosterior.n_outputs if self.variational else Plain.n_outputs)

    @property
    def encoder_sizes(self) -> tuple[int, ...]:
        n_inputs = self.n_features * (2 if self.sees_missing else 1)
        return (n_inputs, *self.hidden_layer_sizes, self.n_code_outputs)

    @property
    def decoder_sizes(self) -> tuple[int, ...]:
        n_inputs = self.n_components * (2 if self.ordered else 1)
        return (n_inputs, *self.hidden_layer_sizes[::-1], self.n_features)

    @property
    def parts(self) -> tuple[slice, slice, slice]:
        """Where encoder, decoder and loss have their parameters; a module's two halves share theirs."""
        if self.module is not None:
            end = ModuleCorrection.count_parameters(self.module)
            encoder = decoder = slice(0, end)
        else:
            middle = Perceptron.count_parameters(self.encoder_sizes)
            end = middle + Perceptron.count_parameters(self.decoder_sizes)
            encoder, decoder = slice(0, middle), slice(middle, end)
        return encoder, decoder, slice(end, end + self.loss_class.n_parameters)

    @property
    def n_parameters(self) -> int:
        return self.parts[-1].stop

    @property
    def loss_class(self) -> type[SquaredError]:
        return GaussianLikelihood if self.variational and self.loss == "squared_error" else LOSSES[self.loss]

    def on(self, device: torch.device, dtype: torch.dtype) -> Architecture:
        """With a module of its own, if any, there and in that dtype: modules are moved in place."""
        return self if self.module is None else replace(self, module=copy.deepcopy(self.module).to(device, dtype))


@dataclass(frozen=True)
class Anchor:
    """The fixed arrays of the network, as tensors of one dtype on one device.

    `mean` and `scale` lead from standardised rows to the units of X. `log_posterior_variance` and `noise_variance` are
    those of probabilistic PCA.
    """

    encoder_axes: Tensor
    decoder_axes: Tensor
    mean: Tensor
    scale: Tensor
    code_bias: Tensor | None = None
    log_posterior_variance: Tensor | None = None
    noise_variance: float = 1.0


class AnchoredAutoencoder:
    r"""A linear autoencoder, PCA if nothing else is asked for, and two networks that correct it.

    .. math:: z = b(x E + c + f(x)), \qquad \hat x = \ell(z D,\ g(z))

    E, c and D are fixed; f and g start at zero, so that before the first step the network is the linear autoencoder,
    and L2 decay shrinks towards it. The bottleneck b and the loss' link :math:`\ell` are the identity and the sum by
    default.

    Parameters
    ----------
    architecture : Architecture
    anchor : Anchor
    parameters : Tensor of shape (architecture.n_parameters,)
        Of f, of g and of the loss. Zeros make the linear autoencoder.
    fill : GaussianFill, optional
        Replaces missing entries before a row is encoded. Training needs it only if rows lack entries.
    corruption : Corruption, optional
        What training does to its inputs.
    generator : torch.Generator, optional
        Draws corruption and what the bottleneck draws.
    """

    def __init__(
        self,
        architecture: Architecture,
        anchor: Anchor,
        parameters: Tensor,
        fill: GaussianFill | None = None,
        *,
        corruption: Corruption | None = None,
        generator: torch.Generator | None = None,
    ) -> None:
        self.architecture, self.anchor, self.parameters = architecture, anchor, parameters
        self.n_features = architecture.n_features
        self._fill, self._corruption, self._generator = fill, corruption, generator
        self._parts = architecture.parts

    # Made when first needed: encoding one row takes no longer than making either.
    @cached_property
    def _encoder(self) -> Correction:
        return self._correction("encode", self.architecture.encoder_sizes, self.parameters[self._parts[0]])

    @cached_property
    def _decoder(self) -> Correction:
        return self._correction("decode", self.architecture.decoder_sizes, self.parameters[self._parts[1]])

    def _correction(self, method: str, sizes: tuple[int, ...], parameters: Tensor) -> Correction:
        module = self.architecture.module
        if module is not None:
            return ModuleCorrection(module, method, parameters)
        return Perceptron(sizes, self.architecture.activation, parameters)

    @cached_property
    def _posterior(self) -> GaussianPosterior:
        assert self.anchor.log_posterior_variance is not None
        return GaussianPosterior(self.anchor.log_posterior_variance, self.architecture.beta)

    @cached_property
    def bottleneck(self) -> Plain:
        """What happens to the code."""
        architecture = self.architecture
        if architecture.variational:
            return self._posterior
        if architecture.ordered:
            return Prefix()
        if isinstance(architecture.sparsity, float):
            return SoftThreshold(architecture.sparsity)
        return Plain() if architecture.sparsity is None else LargestOnly(architecture.sparsity)

    def correction_layers(self, method: str) -> list[Any]:
        """The layers of f ("encode") or g ("decode"): weights and biases, or the gates and values of a module."""
        part, correction = (self._parts[0], self._encoder) if method == "encode" else (self._parts[1], self._decoder)
        return correction.layer_views(self.parameters[part])

    @cached_property
    def loss(self) -> SquaredError:
        """What a reconstruction is judged by."""
        loss, arguments = self.architecture.loss_class, (self.anchor.mean, self.anchor.scale)
        if loss is GaussianLikelihood:
            return loss(*arguments, self.parameters[self._parts[2]], self.anchor.noise_variance)
        return loss(*arguments)

    def initialise(self, generator: torch.Generator) -> None:
        """Draw the hidden layers of f and g; both still return zero."""
        self._encoder.initialise(generator)
        self._decoder.initialise(generator)

    def is_linear(self) -> bool:
        """Whether f and g both return zero."""
        return self._encoder.is_zero() and self._decoder.is_zero()

    def encode(self, x: Tensor) -> Tensor:
        """Codes of rows, which may have missing entries."""
        return self.bottleneck.code(self._code_outputs(x))

    def _code_outputs(self, x: Tensor) -> Tensor:
        filled, inputs = self._inputs(x)
        return self._add_linear_code(self._encoder(inputs), filled)

    def decode(self, z: Tensor) -> Tensor:
        """Standardised reconstructions of codes."""
        return self.loss.reconstruction(self._outputs(z))

    def _outputs(self, z: Tensor) -> Tensor:
        return self.loss.outputs(self._decoder(self.decoder_inputs(z)), z.mm(self.anchor.decoder_axes))

    def decoder_inputs(self, z: Tensor, tape: Any = None) -> Tensor:
        """What g is given of a code: a module the code alone."""
        return z if self.architecture.module is not None else self.bottleneck.decoder_inputs(z, tape)

    def row_losses(self, x: Tensor) -> Tensor:
        """The loss of each row as training sees it, a mean over its entries; the same in every call."""
        inputs = x if self._corruption is None else self._corruption(x, None)
        z, tape = self.bottleneck.forward(self._code_outputs(inputs), None)
        target, share = self._target(x, inputs, None)
        share = share * len(x)
        losses = (self.loss.losses(self._outputs(z), target) * share).sum(1)
        penalty = self.bottleneck.penalty(tape)
        return losses if penalty is None else losses + penalty * _row_share(share)

    def summed_losses(self, x: Tensor) -> Tensor:
        """The loss of each uncorrupted row, summed over its observed entries."""
        # In float64: squares of what float32 holds need not be within it.
        losses = self.loss.losses(self._outputs(self.encode(x)).double(), torch.nan_to_num(x).double())
        return losses.masked_fill_(torch.isnan(x), 0.0).sum(1)

    def log_evidence_bound(self, x: Tensor) -> Tensor:
        r"""Evidence lower bound of each row in nats, for rows in the units of X; of a variational network only.

        The expectation over the posterior is a mean over the points :math:`m \pm \sqrt{k}\, s_i e_i`, exact where the
        log-likelihood is at most cubic in the code, as for a linear decoder; no row's depends on the others.
        """
        mean, log_variance = self._posterior.moments(self._code_outputs(x))
        target, missing = torch.nan_to_num(x), torch.isnan(x)
        step = (log_variance.exp() * mean.shape[1]).sqrt_()
        expected = torch.zeros(len(x), dtype=x.dtype, device=x.device)
        for i in range(mean.shape[1]):
            for sign in (1.0, -1.0):
                z = mean.clone()
                z[:, i].add_(step[:, i], alpha=sign)
                expected += self.loss.losses(self._outputs(z), target).masked_fill_(missing, 0.0).sum(1)
        normaliser = self.loss.log_normaliser(target).masked_fill_(missing, 0.0).sum(1)
        return normaliser - expected / (2 * mean.shape[1]) - self._posterior.divergence(mean, log_variance)

    def truncated(self, n_components: int) -> AnchoredAutoencoder:
        """The network of the first `n_components` of an ordered code."""
        smaller = replace(self.architecture, n_components=n_components)
        parameters = self.parameters.new_zeros(smaller.n_parameters)
        anchor = replace(
            self.anchor,
            encoder_axes=self.anchor.encoder_axes[:, :n_components].contiguous(),
            decoder_axes=self.anchor.decoder_axes[:n_components].contiguous(),
            code_bias=None if self.anchor.code_bias is None else self.anchor.code_bias[:n_components],
        )
        network = AnchoredAutoencoder(smaller, anchor, parameters, self._fill)
        kept = torch.arange(n_components, device=parameters.device)
        features = torch.arange(self.n_features, device=parameters.device)
        encoder_inputs = torch.arange(self.architecture.encoder_sizes[0], device=parameters.device)
        # Of the decoder's inputs both the kept components and their indicators.
        decoder_inputs = torch.cat([kept, kept + self.architecture.n_components])
        for part, whole, inputs, outputs in (
            (network._encoder, self._encoder, encoder_inputs, kept),
            (network._decoder, self._decoder, decoder_inputs, features),
        ):
            assert isinstance(part, Perceptron)
            assert isinstance(whole, Perceptron)
            part.copy_part(whole, inputs, outputs)
        return network

    def bind_gradient(self, gradient: Tensor) -> None:
        """Name the vector that `loss_and_gradient` writes to."""
        encoder, decoder, loss = self._parts
        self._encoder_gradient = self._encoder.layer_views(gradient[encoder])
        self._decoder_gradient = self._decoder.layer_views(gradient[decoder])
        self._loss_gradient = gradient[loss]

    def loss_and_gradient(self, x: Tensor, weight: Tensor | None) -> Tensor:
        """The weighted mean of the rows' losses on corrupted inputs; its gradient goes into the bound vector."""
        corrupted = x if self._corruption is None else self._corruption(x, self._generator)
        filled, inputs = self._inputs(corrupted)
        a, encoder_tape = self._encoder.forward(inputs)
        z, code_tape = self.bottleneck.forward(self._add_linear_code(a, filled), self._generator)
        correction, decoder_tape = self._decoder.forward(self.decoder_inputs(z, code_tape))
        linear = z.mm(self.anchor.decoder_axes)
        outputs = self.loss.outputs(correction, linear)

        target, share = self._target(x, corrupted, weight)
        if self.loss.n_parameters:
            self._loss_gradient.copy_(self.loss.parameter_slope(outputs, target, share))
        loss, slope = self.loss.loss_and_slope(outputs, target, share)
        hidden = self._decoder.backward(slope, decoder_tape, self._decoder_gradient)
        linear_slope = self.loss.linear_slope(slope, linear)
        input_gradient = self._decoder.input_gradient(hidden)
        code_gradient = input_gradient[:, : self.architecture.n_components].addmm_(
            linear_slope, self.anchor.decoder_axes.t()
        )
        row_share = _row_share(share)
        penalty = self.bottleneck.penalty(code_tape)
        if penalty is not None:
            loss = loss + (penalty * row_share).sum()
        per_row = row_share if isinstance(row_share, float) else row_share[:, None]
        a_gradient = self.bottleneck.backward(code_gradient, code_tape, per_row)
        self._encoder.backward(a_gradient, encoder_tape, self._encoder_gradient)
        return loss

    def _add_linear_code(self, a: Tensor, filled: Tensor) -> Tensor:
        code = a if a.shape[1] == self.architecture.n_components else a[:, : self.architecture.n_components]
        code.addmm_(filled, self.anchor.encoder_axes)
        if self.anchor.code_bias is not None:
            code.add_(self.anchor.code_bias)
        return a

    def _is_complete(self, x: Tensor) -> bool:
        """Whether rows need no fill. Networks that see what is missing always fill; others look whether x has NaN."""
        return self._fill is None or not (self.architecture.sees_missing or bool(torch.isnan(x.sum())))

    def _inputs(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Rows without missing entries, for the linear path, and what the encoder's network sees."""
        if self._fill is None or self._is_complete(x):
            return x, x
        filled = self._fill(x)
        if not self.architecture.sees_missing or self.architecture.module is not None:
            return filled, filled
        return filled, torch.cat([filled, torch.isnan(x).to(x.dtype)], dim=1)

    def _target(self, x: Tensor, corrupted: Tensor, weight: Tensor | None) -> tuple[Tensor, float | Tensor]:
        """Rows to reconstruct, and what each entry's loss counts; the shares of all entries sum to one."""
        n_rows, n_features = x.shape
        if self._is_complete(x):
            if weight is None:
                return x, 1.0 / (n_rows * n_features)
            return x, weight[:, None] / (weight.sum() * n_features)
        # Entries that were there to see are easily copied; those that were hidden are the task. A bound on a row's
        # likelihood counts all alike.
        seen = 1.0 if self.architecture.variational else SEEN_SHARE
        share = torch.where(torch.isnan(corrupted), 1.0, seen).masked_fill_(torch.isnan(x), 0.0).to(x.dtype)
        share /= share.sum(1, keepdim=True).clamp_min(torch.finfo(x.dtype).tiny)
        weight = torch.ones_like(share[:, 0]) if weight is None else weight
        return torch.nan_to_num(x), share.mul_((weight / weight.sum())[:, None])


def _row_share(share: float | Tensor) -> float | Tensor:
    """What a row's penalty counts beside its entries."""
    return share if isinstance(share, float) else share.amax(1)
