"""Training of the networks of the denoising scorer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from skae._defaults._denoising import DENOISERS, MASKED_AUTOENCODERS, denoising_settings
from skae._defaults._training_parameters import resolved
from skae._detector._bins import Bins, log_marginals
from skae._detector._denoiser import NOISE_LEVELS, DenoiserEnsemble
from skae._detector._entries import N_FOLDS, Entries
from skae._detector._masked_autoencoder import MaskedAutoencoder, draw_passes, masked_inputs
from skae._detector._network_scores import DenoiserScores, MaskedScores, NetworkScores
from skae._detector._row_distances import RowDistances
from skae._detector._scorer import ScorerParameters
from skae._rows._blocks import row_indices
from skae._rows._row_source import RowSource
from skae._rows._training_rows import TrainingRows
from skae._support._torch import make_generator, to_numpy, to_tensor
from skae._training._interfaces import Network, Split, TrainingResult
from skae._training._loop import train
from skae._training._mixed_precision import MixedPrecision

# With more features, bins take too much time and memory, so that denoisers are trained instead of masked autoencoders.
MAX_BINNED_FEATURES = 64
# Denoisers use at most this many leading principal axes.
MAX_NETWORK_AXES = 64

# A function that makes the networks in a dtype, their inputs, and a function from their weights to their scores.
Model = tuple[Callable[[torch.dtype], Any], np.ndarray, Callable[[np.ndarray], NetworkScores]]


class NetworkTraining:
    """The training of an ensemble of networks. Each is trained on the typical rows outside one fold."""

    def __init__(
        self,
        entries: Entries,
        typical: np.ndarray,
        distances: RowDistances,
        parameters: ScorerParameters,
        rows: TrainingRows,
        random_state: np.random.RandomState,
    ) -> None:
        self._entries, self._typical, self._coordinates = entries, typical, distances.coordinates
        self._systems = distances.systems(entries.rows)
        self._activation, self._rows, self._random_state = parameters.activation, rows, random_state
        # Distances and denoisers hardly detect unusual combinations of categories, which masked autoencoders do detect.
        is_masked = (parameters.novelty or entries.columns is not None) and rows.n_features <= MAX_BINNED_FEATURES
        amount = MASKED_AUTOENCODERS if is_masked else DENOISERS
        self._sizes = tuple(resolved(parameters.hidden_layer_sizes, lambda: amount.hidden_layer_sizes))
        self.settings = denoising_settings(parameters.training, amount, len(entries))
        self.result = TrainingResult()
        weight = entries.weight * typical
        members = [np.where(entries.fold != member, weight, 0.0) for member in range(N_FOLDS)]
        # A member without rows is trained on all rows.
        self._weight = np.stack([own if own.any() else entries.weight for own in members], axis=1)
        generator = make_generator(random_state, rows.device)
        network_in, inputs, self._scores_of = (self._masked_autoencoders if is_masked else self._denoisers)(generator)
        # With "auto", training is in float32, even if there are so few rows that scores are computed in float64.
        dtype, width = torch.float32 if parameters.training.dtype == "auto" else rows.dtype, inputs.shape[1]
        self._inputs = RowSource(inputs).standardised(np.zeros(width), np.ones(width), dtype, rows.device)
        self._network = network_in(dtype)
        self._network.initialise(generator)
        self._trainee: Network = self._network
        if self.settings.mixed_precision:
            self._trainee = MixedPrecision(self._network, network_in(torch.bfloat16))

    def run(self, on_epoch: Callable[..., bool]) -> None:
        """Train the networks, and fill in `result`."""
        split = Split(row_indices(len(self._entries)), None, self._weight)
        train(self._trainee, self._inputs, split, self.settings, self._random_state, on_epoch, self.result)

    def network_scores(self) -> NetworkScores:
        """The scores of the present networks, which are not calibrated yet."""
        return self._scores_of(to_numpy(self._network.parameters.to(self._rows.dtype, copy=True)))

    def _masked_autoencoders(self, generator: torch.Generator) -> Model:
        entries, typical, columns = self._entries, self._typical, self._entries.columns
        values, tolerance = self._systems.values, self._coordinates.scale.tolerance
        if columns is not None:
            tolerance = tolerance[columns.first_column]
        categories = None if columns is None else columns.n_bins
        bins = Bins.of(values[typical], entries.weight[typical], self._weight[typical], tolerance, categories)
        index = bins.index(values)
        marginals = np.stack([log_marginals(index, bins.n_bins, own) for own in self._weight.T])
        marginals = marginals[:, :, : bins.n_bins.max()]
        input_features = None if columns is None else columns.input_features
        passes = draw_passes(values.shape[1], self._random_state)

        def network_in(dtype: torch.dtype) -> MaskedAutoencoder:
            on_device = to_tensor(marginals, dtype, self._rows.device)
            return MaskedAutoencoder(
                on_device, self._sizes, self._activation, generator=generator, input_features=input_features
            )

        def scores_of(weights: np.ndarray) -> MaskedScores:
            return MaskedScores(
                bins, marginals, weights, self._sizes, self._activation, passes, input_features=input_features
            )

        return network_in, np.concatenate([masked_inputs(self._systems), index], axis=1), scores_of

    def _denoisers(self, generator: torch.Generator) -> Model:
        whitening = self._coordinates.whitening
        factors = whitening.factors[:MAX_NETWORK_AXES]
        axes = whitening.axes[:, : len(factors)] * factors
        variances = whitening.variances[: len(factors)] * factors**2

        def network_in(dtype: torch.dtype) -> DenoiserEnsemble:
            on_device = to_tensor(variances, dtype, self._rows.device)
            return DenoiserEnsemble(on_device, self._sizes, self._activation, N_FOLDS, generator=generator)

        def scores_of(weights: np.ndarray) -> DenoiserScores:
            return DenoiserScores(axes, variances, weights, self._sizes, self._activation, np.ones(len(NOISE_LEVELS)))

        return network_in, self._systems.deviations @ axes, scores_of
