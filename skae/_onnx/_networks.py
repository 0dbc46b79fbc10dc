"""Perceptrons and the anchored autoencoder as ONNX graphs; what they compute is `FittedAutoencoder`'s."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from skae._fitted import FittedAutoencoder
from skae._model._activations import ACTIVATIONS
from skae._model._autoencoder import AnchoredAutoencoder
from skae._model._bottlenecks import GaussianPosterior, LargestOnly, Plain, Prefix, SoftThreshold
from skae._model._gaussian_fill import CLIP, N_STEPS
from skae._model._losses import MIN_PROBABILITY, MIN_RATE_SHARE
from skae._onnx._graph import Symbol
from skae._training._rows import float32_holds


@dataclass(frozen=True)
class AutoencoderGraph:
    """Encoding and decoding by a fitted autoencoder; rows may have missing entries if `fill_missing`."""

    fitted: FittedAutoencoder
    fill_missing: bool = False

    def __post_init__(self) -> None:
        if self.fitted.architecture["module"] is not None:
            raise NotImplementedError(
                "to_onnx cannot convert a custom network. Give the torch modules that encoder_module() and "
                "decoder_module() return to torch.onnx.export instead."
            )

    @cached_property
    def _network(self) -> AnchoredAutoencoder:
        return self.fitted.network("cpu")

    @property
    def _scale(self) -> np.ndarray:
        return self.fitted.scale * self.fitted.unit

    def standardised(self, X: Symbol) -> Symbol:
        """Rows as the network sees them, centred in the precision in which `transform` centres them."""
        mean, scale, dtype = self.fitted.mean, self._scale, self.fitted.weights.dtype
        in_float32 = X.dtype == np.float32 and dtype == np.float32 and float32_holds(mean, scale)
        return ((X.cast(np.float32 if in_float32 else np.float64) - mean) / scale).cast(dtype)

    def encode(self, x: Symbol) -> Symbol:
        """The network's codes of standardised rows."""
        architecture = self._network.architecture
        layers = [(weight.numpy(), bias.numpy()) for weight, bias in self._network.correction_layers("encode")]
        # A variational encoder returns posterior means and variances, of which codes are the means.
        weight, bias = layers[-1]
        layers[-1] = weight[:, : architecture.n_components], bias[: architecture.n_components]
        filled = inputs = x
        if self.fill_missing:
            missing = x.apply("IsNaN", dtype=bool)
            filled = inputs = self._filled(x, missing)
            if architecture.sees_missing:
                inputs = filled.beside(missing.cast(x.dtype))
        elif architecture.sees_missing:
            # Complete rows set no indicator of missing entries: its weights are left out.
            layers[0] = layers[0][0][: architecture.n_features], layers[0][1]
        code = _perceptron(inputs, layers, architecture.activation) + filled @ self.fitted.encoder_axes
        if self.fitted.code_bias is not None:
            code = code + self.fitted.code_bias
        return self._bottleneck(code)

    def _bottleneck(self, code: Symbol) -> Symbol:
        bottleneck = self._network.bottleneck
        if type(bottleneck) is SoftThreshold:
            return code - code.clip(-bottleneck.threshold, bottleneck.threshold)
        if type(bottleneck) is LargestOnly:
            if bottleneck.n_active >= self._network.architecture.n_components:
                return code
            _, kept = code.apply("Abs").extreme(bottleneck.n_active, largest=True)
            return (code * 0.0).apply("ScatterElements", kept, code.at(kept), attributes={"axis": 1})
        if type(bottleneck) in (Plain, Prefix, GaussianPosterior):
            return code
        raise NotImplementedError(f"to_onnx cannot convert codes that go through {type(bottleneck).__name__}.")

    def decode(self, z: Symbol) -> Symbol:
        """Standardised reconstructions of the network's codes."""
        inputs = z
        if self._network.architecture.ordered:
            inputs = z.beside(z.apply("Equal", 0.0, dtype=bool).apply("Not").cast(z.dtype))
        layers = [(weight.numpy(), bias.numpy()) for weight, bias in self._network.correction_layers("decode")]
        correction = _perceptron(inputs, layers, self._network.architecture.activation)
        return self._linked(correction, z @ self.fitted.decoder_axes)

    def _linked(self, correction: Symbol, linear: Symbol) -> Symbol:
        """The correction and the linear path, joined as the loss joins them."""
        mean, scale = self.fitted.mean, self._scale
        loss = self._network.architecture.loss
        if loss in ("squared_error", "absolute_error", "huber"):
            return correction + linear
        if loss == "binary_cross_entropy":
            p = (linear * scale + mean).clip(MIN_PROBABILITY, 1.0 - MIN_PROBABILITY)
            log_odds = correction + (p / (-p + 1.0)).apply("Log")
            return (log_odds.apply("Sigmoid") - mean) / scale
        if loss == "poisson":
            lowest = np.maximum(MIN_RATE_SHARE * mean, np.finfo(linear.dtype).tiny)
            rate = (linear * scale + mean).apply("Max", lowest)
            return ((correction + rate.apply("Log")).apply("Exp") - mean) / scale
        raise NotImplementedError(f"to_onnx cannot convert loss={loss!r}.")

    def public_codes(self, z: Symbol) -> Symbol:
        """Codes as `transform` gives them, in float64."""
        return z.cast(np.float64) @ self.fitted.code_map

    def in_units_of_X(self, x: Symbol) -> Symbol:
        return x.cast(np.float64) * self._scale + self.fitted.mean

    def _filled(self, x: Symbol, missing: Symbol) -> Symbol:
        """NaN replaced by what is expected there: the conjugate gradients of `GaussianFill`, unrolled."""
        factors = self.fitted.fill_factors.astype(np.float64)
        inner = factors.T @ factors + self.fitted.fill_noise * np.eye(factors.shape[1])
        projector = np.linalg.solve(inner, factors.T).T
        dense = np.eye(len(factors)) - projector @ factors.T
        dense_costs_less = 2 * factors.shape[1] >= len(factors)

        def times_precision(rows: Symbol) -> Symbol:
            return rows @ dense if dense_costs_less else rows - (rows @ projector) @ factors.T

        deviation = np.ones(len(factors)) if self.fitted.fill_deviation is None else self.fitted.fill_deviation
        filled, mask = missing.where(0.0, (x / deviation).clip(-CLIP, CLIP)), missing.cast(x.dtype)
        diagonal = np.maximum(dense.diagonal(), 1e-6)
        tiny = np.finfo(x.dtype).tiny
        residual = -times_precision(filled) * mask
        direction = scaled = residual / diagonal
        energy = (residual * scaled).total(1, keepdims=True)
        for step_number in range(N_STEPS):
            image = times_precision(direction) * mask
            step = energy / (direction * image).total(1, keepdims=True).apply("Max", tiny)
            filled = filled + step * direction
            if step_number == N_STEPS - 1:
                break
            residual = residual - step * image
            scaled = residual / diagonal
            before, energy = energy, (residual * scaled).total(1, keepdims=True)
            direction = scaled + energy / before.apply("Max", tiny) * direction
        return missing.where(filled * deviation, x)


def _perceptron(inputs: Symbol, layers: list[tuple[np.ndarray, np.ndarray]], activation: str) -> Symbol:
    for weight, bias in layers[:-1]:
        inputs = ACTIVATIONS[activation].graph(inputs @ weight + bias)
    weight, bias = layers[-1]
    return inputs @ weight + bias
