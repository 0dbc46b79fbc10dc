"""How an anchored autoencoder is fitted: where it starts and what it is trained for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from skae._anchoring import AnchoringRows, anchor_arrays, anchor_rows, linear_anchor, sparse_anchor
from skae._base import BaseAutoencoder, TrainingData
from skae._earlier import aligned, continued
from skae._fit import Fit, Task, fitted_attributes
from skae._fitted import FittedAutoencoder
from skae._model._autoencoder import Anchor, AnchoredAutoencoder, Architecture
from skae._model._corruption import Corruption, Custom, Gaussian, SaltAndPepper, Swap
from skae._model._linear_anchor import LinearAnchor, ProbabilisticAnchor, unit_of
from skae._model._module_correction import build_module
from skae._numerics._moments import feature_ranges
from skae._numerics._principal_axes import PrincipalAxes
from skae._numerics._shards import processes_of
from skae._support._torch import make_generator, to_tensor
from skae._training import _automatic
from skae._training._data_parallel import DataParallel, ShardedRows
from skae._training._loop import Network, Split
from skae._training._mixed_precision import MixedPrecision


@dataclass(frozen=True)
class Member:
    """Which member of the family of autoencoders is fitted: the parameters of that name."""

    corruption: str | Callable[[np.ndarray, np.random.RandomState], np.ndarray] = "gaussian"
    loss: str = "squared_error"
    sparsity: float | int | None = None
    ordered: bool = False
    variational: bool = False
    beta: float = 1.0
    network: Any = None

    @property
    def hides_entries(self) -> bool:
        """Whether training may hide entries of complete rows."""
        return self.corruption == "masking" or callable(self.corruption)

    @property
    def has_exchangeable_components(self) -> bool:
        """Whether any rotation of a code is as good a code."""
        return self.sparsity is None and not self.ordered and not self.variational


class BaseAnchored(BaseAutoencoder):
    """Fits the anchored autoencoder."""

    @property
    def _member(self) -> Member:
        return Member()

    def _fit_autoencoder(
        self,
        data: TrainingData,
        n_components: int | float | None,
        whiten: bool,
        random_state: np.random.RandomState,
        split: Split | None = None,
        earlier: FittedAutoencoder | None = None,
        apart: bool = False,
        finished: Callable[[dict[str, Any]], dict[str, Any]] = lambda fitted: fitted,
    ) -> dict[str, Any]:
        """Find the principal axes and train the anchored autoencoder; the fitted attributes.

        Training sets out from an `earlier` autoencoder if there is one. `apart` keeps rows held out away from the axes
        and the map of codes as well. `finished` makes the estimator's attributes of the autoencoder's, at the end and
        whenever a callback asks.
        """
        if earlier is not None and not isinstance(n_components, int | np.integer):
            n_components = earlier.architecture["n_components"]
        apart_from = split.train if apart and split is not None else None
        anchored = data if apart_from is None else data.take(apart_from)
        anchoring = anchor_rows(
            anchored.X,
            n_components,
            sample_weight=anchored.sample_weight,
            scale_features=self.scale,
            share_missing=data.share_missing,
            hides_entries=self._member.hides_entries or (earlier is not None and earlier.architecture["sees_missing"]),
            random_state=random_state,
        )
        # Two kinds of CPU may find different bases of the same space.
        anchoring = processes_of(data.X).first("the principal axes", anchoring)
        task = Task(n_components, whiten, split, earlier, apart_from)
        fit = self._start(data, anchoring, task, random_state)
        start = None if earlier is None else to_tensor(earlier.weights, data.dtype, data.device)
        self._train(
            fit.trainee,
            data,
            fit.rows,
            fit.split,
            fit.result,
            lambda: finished(fitted_attributes(fit)),
            random_state,
            start,
        )
        return finished(fitted_attributes(fit)) | self._kept_for_chunks(fit, data, random_state)

    def _kept_for_chunks(self, fit: Fit, data: TrainingData, random_state: np.random.RandomState) -> dict[str, Any]:
        """What `partial_fit` needs of a fit."""
        return {}

    def _start(
        self, data: TrainingData, anchoring: AnchoringRows, task: Task, random_state: np.random.RandomState
    ) -> Fit:
        """The network at its anchor, its codes aligned with those of an earlier autoencoder if there is one."""
        axes, member, earlier = anchoring.axes, self._member, task.earlier
        generator = make_generator(random_state, data.device)
        corruption = self._corruption(data, anchoring)
        sparse_code = member.sparsity is not None
        anchor = linear_anchor(axes, corruption, variational=member.variational, sparse_code=sparse_code)
        rows = data.rows(axes.mean, axes.scale * anchor.unit)
        if isinstance(member.sparsity, int) and earlier is None:
            anchor = sparse_anchor(anchor, anchoring, rows, member.sparsity, data.sample_weight, random_state)
        architecture = self._architecture(anchor, corruption, data, generator)
        if earlier is not None:
            architecture = continued(earlier, architecture, data.device, data.dtype)
            anchor = aligned(anchor, axes, earlier, signs_only=not member.has_exchangeable_components)
        anchor = processes_of(data.X).first("the anchor", anchor)
        network = _anchored_network(architecture, anchoring, anchor, corruption, data, generator)
        trainee: Network = network
        if self.dtype == "bfloat16":
            trainee = MixedPrecision(
                network, self._low_precision_twin(architecture, anchoring, anchor, data, generator)
            )
        if isinstance(rows, ShardedRows):
            trainee = DataParallel(trainee, rows, generator)
        split = task.split or self._split(data, random_state)
        return Fit(task, rows, split, anchoring, anchor, network, trainee)

    def _low_precision_twin(
        self,
        architecture: Architecture,
        anchoring: AnchoringRows,
        anchor: LinearAnchor,
        data: TrainingData,
        generator: torch.Generator,
    ) -> AnchoredAutoencoder:
        """The network in bfloat16 that steps are computed with."""
        data = replace(data, dtype=torch.bfloat16)
        corruption = self._corruption(data, anchoring)
        return _anchored_network(
            architecture.on(data.device, data.dtype), anchoring, anchor, corruption, data, generator
        )

    def _resolved(self, name: str, data: TrainingData) -> Any:
        value = super()._resolved(name, data)
        fills = self._member.hides_entries or data.share_missing > 0
        if not isinstance(getattr(self, name, "auto"), str):
            return value
        if name == "learning_rate_init" and fills:
            return _automatic.RATE_OF_FILLING * value
        if name == "max_iter" and (fills or self._member.ordered):
            return round(_automatic.EPOCHS_OF_MANY_TASKS * value)
        return value

    def _corruption(self, data: TrainingData, anchoring: AnchoringRows) -> Corruption:
        """What is done to the inputs: noise that regularises, or the task of a denoising autoencoder."""
        kind, given = self._member.corruption, not isinstance(getattr(self, "corruption_level", "auto"), str)
        level = self._resolved("corruption_level", data)
        if kind in ("swap", "salt_and_pepper", "masking") and not given:
            level = _automatic.CORRUPTED_SHARE
        hidden = max(_automatic.MIN_HIDDEN_SHARE, data.share_missing) if data.share_missing else 0.0
        if kind == "masking":
            regularising = _automatic.corruption_level(*data.shape_seen)
            return Corruption(Gaussian(regularising), hidden_level=max(level, hidden))
        if kind == "gaussian":
            return Corruption(Gaussian(level), hidden, noise_is_task=given and level > 0)
        if kind == "swap":
            return Corruption(Swap(level), hidden, noise_is_task=True)
        mean, scale = anchoring.axes.mean, anchoring.axes.scale * unit_of(anchoring.axes)
        if callable(kind):
            units = (to_tensor(array, data.dtype, data.device) for array in (mean, scale))
            return Corruption(Custom(kind, *units), hidden, noise_is_task=True, may_hide=True)
        ends = ((end - mean) / scale for end in feature_ranges(data.X))
        lowest, highest = (to_tensor(end, data.dtype, data.device) for end in ends)
        return Corruption(SaltAndPepper(level, lowest, highest), hidden, noise_is_task=True)

    def _architecture(
        self, anchor: LinearAnchor, corruption: Corruption, data: TrainingData, generator: torch.Generator
    ) -> Architecture:
        member = self._member
        n_features, n_components = anchor.encoder_axes.shape
        return Architecture(
            n_features,
            n_components,
            tuple(self._resolved("hidden_layer_sizes", data)),
            self.activation,
            loss=member.loss,
            sparsity=member.sparsity,
            ordered=member.ordered,
            variational=member.variational,
            beta=member.beta,
            sees_missing=corruption.hides,
            module=self._module(member.network, anchor, data, generator),
        )

    def _module(self, network: Any, anchor: LinearAnchor, data: TrainingData, generator: torch.Generator):
        """The user's module in the dtype and on the device of training, or None."""
        if network is None:
            return None
        n_features, n_components = anchor.encoder_axes.shape
        n_outputs = n_components * (2 if isinstance(anchor, ProbabilisticAnchor) else 1)
        return build_module(network, n_features, n_outputs, n_components, generator).to(data.device, data.dtype)


def _anchored_network(
    architecture: Architecture,
    anchoring: AnchoringRows,
    anchor: LinearAnchor,
    corruption: Corruption,
    data: TrainingData,
    generator: torch.Generator,
) -> AnchoredAutoencoder:
    """The network before training: its anchor."""
    fill = anchoring.fill.in_unit(anchor.unit).to(data.dtype, data.device) if architecture.sees_missing else None
    network = AnchoredAutoencoder(
        architecture,
        _anchor_tensors(anchoring.axes, anchor, data),
        torch.zeros(architecture.n_parameters, dtype=data.dtype, device=data.device),
        fill,
        corruption=corruption,
        generator=generator,
    )
    network.initialise(generator)
    return network


def _anchor_tensors(axes: PrincipalAxes, anchor: LinearAnchor, data: TrainingData) -> Anchor:
    def tensor(array: np.ndarray) -> torch.Tensor:
        return to_tensor(array, data.dtype, data.device)

    arrays = anchor_arrays(anchor)
    numbers: dict[str, Any] = {"noise_variance": arrays.pop("noise_variance")}
    units = {"mean": axes.mean, "scale": axes.scale * arrays.pop("unit")}
    tensors = {name: None if array is None else tensor(array) for name, array in (arrays | units).items()}
    return Anchor(**(numbers | tensors))
