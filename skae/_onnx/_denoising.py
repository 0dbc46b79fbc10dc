"""The denoising scorer on tensors, without branches or shapes that depend on the data, for ONNX graphs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from skae._detector._bins import Bins
from skae._detector._coordinates import N_SYSTEMS, WHITENED, Coordinates
from skae._detector._denoiser import NOISE_LEVELS, DenoiserEnsemble
from skae._detector._denoising import DenoisingScorer
from skae._detector._feature_scale import CLIP
from skae._detector._masked_autoencoder import INPUT_CLIP
from skae._detector._network_scores import DenoiserScores, MaskedScores
from skae._detector._row_distances import DeviceDistances
from skae._detector._scorer import SQUARED_FLOOR
from skae._detector._tail_surprisal import TailSurprisal
from skae._support._torch import dtype_of, to_tensor

CPU = torch.device("cpu")


class Surprisals:
    """`TailSurprisal` of each column."""

    def __init__(self, tails: Sequence[TailSurprisal]) -> None:
        width = max(len(tail.knots) for tail in tails)
        # Tables are padded with their last entry: between equal knots nothing is interpolated.
        self._knots, self._surprisals = (
            torch.from_numpy(np.stack([np.pad(table, (0, width - len(table)), mode="edge") for table in tables]))
            for tables in (
                [np.asarray(tail.knots, np.float64) for tail in tails],
                [np.asarray(tail.surprisals, np.float64) for tail in tails],
            )
        )
        self._units = torch.tensor([tail.unit for tail in tails], dtype=torch.float64, device=CPU)
        self._width = width

    def __call__(self, values: Tensor) -> Tensor:
        values = values.double()
        count = (values[:, :, None] >= self._knots).sum(2)
        lower, upper = (count - 1).clamp(0, self._width - 1), count.clamp(0, self._width - 1)
        low, high = (_of_column(self._knots, places) for places in (lower, upper))
        gap = high - low
        share = torch.where(gap > 0, (values - low) / torch.where(gap > 0, gap, 1.0), 0.0).clamp(0.0, 1.0)
        surprisals = [_of_column(self._surprisals, places) for places in (lower, upper)]
        beyond = (values - self._knots[:, -1]).clamp_min(0.0) / self._units
        return surprisals[0] + share * (surprisals[1] - surprisals[0]) + beyond


class DenoisingComponents:
    """`DenoisingScorer.component_scores`."""

    def __init__(self, scorer: DenoisingScorer, fill_missing: bool) -> None:
        distances, self._fill_missing, self._takes_missing = scorer.distances, fill_missing, scorer.takes_missing
        self._systems, self._distances = _Systems(distances.coordinates, fill_missing), DeviceDistances(distances, CPU)
        self._masks = as_tensor(distances.masks, torch.float64)
        self._tolerance = as_tensor(2.0 * distances.coordinates.scale.tolerance, torch.float64)
        self._references = as_tensor(distances.references, torch.float64) / self._tolerance
        self._single = as_tensor(distances.single, torch.bool)
        self._surprisals = Surprisals(scorer.space_surprisals)
        assert isinstance(scorer.network, MaskedScores | DenoiserScores)
        self._network = (
            _Masked(scorer.network) if isinstance(scorer.network, MaskedScores) else _Denoisers(scorer.network)
        )

    def __call__(self, X: Tensor) -> Tensor:
        deviations, whitened, ranks = self._systems(X)
        left_out, systems = self._left_out(deviations), torch.stack([deviations, whitened, ranks])
        observed = (~torch.isnan(X)).to(deviations.dtype) if self._fill_missing else None
        distances = self._distances.log_distances(systems, left_out, observed)[0].t().double()
        of_spaces = self._of_spaces(distances[:, N_SYSTEMS:], observed)
        of_network = self._network(deviations, ranks, observed)[:, None]
        of_systems = distances[:, :N_SYSTEMS].split(1, 1)
        if observed is not None and not self._takes_missing:  # incomplete rows then have no whitened distance
            is_complete = observed.sum(1, keepdim=True) == observed.shape[1]
            whitened = torch.where(is_complete, of_systems[WHITENED], -torch.inf)
            of_systems = (*of_systems[:WHITENED], whitened, *of_systems[WHITENED + 1 :])
        return torch.cat([*of_systems, of_spaces, of_network], 1)

    def _of_spaces(self, distances: Tensor, observed: Tensor | None) -> Tensor:
        surprisals = self._surprisals(distances)
        if observed is None:
            return surprisals.mean(1, keepdim=True)
        known = observed.double() @ self._masks.t() > 0
        total = torch.where(known, surprisals, 0.0).sum(1, keepdim=True)
        return total / known.double().sum(1, keepdim=True).clamp_min(1.0)

    def _left_out(self, x: Tensor) -> Tensor:
        """A mask of the references that equal each row, among those that represent a single training row.

        A row equals a reference if the mean square of their differences, in units of the tolerance, is at most one. The
        largest difference would be the better test, but needs memory for each feature of each reference.
        """
        scaled = x.double() / self._tolerance
        norms = scaled.square().sum(1, keepdim=True)
        distances = self._references.square().sum(1) + norms - 2.0 * scaled @ self._references.t()
        return (distances <= x.shape[1]) & self._single


class _Systems:
    """`Coordinates` of rows of X."""

    def __init__(self, coordinates: Coordinates, fill_missing: bool) -> None:
        self._imputer = coordinates.whitening.imputer if fill_missing else None
        scale, ranks = coordinates.scale, coordinates.ranks
        self._centre, self._unit = (as_tensor(array, torch.float64) for array in (scale.centre, scale.unit))
        self._dtype = torch.float64 if scale.dtype == "float64" else torch.float32
        self._tolerance = as_tensor(scale.tolerance, torch.float64)
        self._product = as_tensor(coordinates.whitening.product, self._dtype)
        counts = np.diff(ranks.starts)
        self._counts, width = torch.from_numpy(counts), int(counts.max())
        parts = [slice(start, stop) for start, stop in zip(ranks.starts[:-1], ranks.starts[1:], strict=True)]
        self._knots = _padded([ranks.values[part] for part in parts], width, np.inf)
        self._at = _padded([ranks.at[part] for part in parts], width, 0.0).to(self._dtype)
        between = [slice(part.start + j, part.stop + j + 1) for j, part in enumerate(parts)]
        self._between = _padded([ranks.between[part] for part in between], width + 1, 0.0).to(self._dtype)
        self._interpolated = as_tensor(ranks.interpolated, torch.bool)
        self._lowest, self._highest = (
            torch.tensor([ranks.values[place] for place in places], device=CPU)
            for places in (ranks.starts[:-1], ranks.starts[1:] - 1)
        )

    def __call__(self, X: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        x = ((X.double() - self._centre) / self._unit).clamp(-CLIP, CLIP)
        x = torch.where(x.abs() <= self._tolerance, 0.0, x).to(self._dtype)
        if self._imputer is not None:
            x = torch.where(torch.isnan(x), self._nearest_known(self._imputer(x.double())), x)
        return x, x @ self._product, self._ranks(x)

    def _nearest_known(self, x: Tensor) -> Tensor:
        middles = 0.5 * (self._knots[:, 1:] + self._knots[:, :-1])
        return _of_column(self._knots, (x[:, :, None] > middles).sum(2)).to(self._dtype)

    def _ranks(self, x: Tensor) -> Tensor:
        tolerance = self._tolerance.to(x.dtype)
        after = (torch.where(self._interpolated, x, x + tolerance)[:, :, None] >= self._knots).sum(2)
        before = (after - 1).clamp_min(0)
        following = torch.minimum(after, self._counts - 1)
        low, high = _of_column(self._knots, before), _of_column(self._knots, following)
        at, next_at = _of_column(self._at, before), _of_column(self._at, following)
        gap = torch.where(high > low, high - low, 1.0)
        share = ((x - low) / gap).clamp(0.0, 1.0)
        interpolated = torch.where(high > low, at + share * (next_at - at), at)
        is_inside = (self._lowest <= x) & (x <= self._highest)
        is_known = (self._interpolated & is_inside) | (~self._interpolated & ((low - x).abs() <= tolerance))
        known = torch.where(self._interpolated, interpolated, at)
        found = torch.where(is_known, known, _of_column(self._between, after))
        return found + (x - torch.minimum(torch.maximum(x, self._lowest), self._highest)).clamp(-CLIP, CLIP)


class _Masked:
    """`MaskedScores.component`."""

    def __init__(self, scores: MaskedScores) -> None:
        bins, self._network = scores.bins, scores.network
        self._dtype, self._scoring_layers = self._network.parameters.dtype, self._network.scoring_layers(scores.passes)
        self._edges = as_tensor(bins.edges, torch.float32)
        self._offsets, self._surprisals = _Offsets(bins), Surprisals(scores.feature_surprisals)

    def __call__(self, deviations: Tensor, ranks: Tensor, observed: Tensor | None) -> Tensor:
        index = (deviations[:, :, None] >= self._edges).sum(2)
        parts = [deviations.clamp(-INPUT_CLIP, INPUT_CLIP), ranks]
        if observed is not None:
            parts = [*(part * observed for part in parts), 1.0 - observed]
        inputs = torch.cat(parts, 1).to(self._dtype)
        raw = self._network.surprisals(inputs, index, self._scoring_layers) + self._offsets(deviations, index)
        tails = self._surprisals(raw)
        if observed is not None:
            tails = tails * observed
        return tails.topk(min(2, tails.shape[1]), 1).values.mean(1)


class _Offsets:
    """`Bins.offset`."""

    def __init__(self, bins: Bins) -> None:
        self._log_widths, self._log_weight = as_tensor(bins.log_widths, torch.float32), bins.log_weight
        self._tolerance = as_tensor(bins.tolerance, torch.float32)
        self._is_value = torch.from_numpy(np.isfinite(bins.values))
        self._values = torch.from_numpy(np.where(np.isfinite(bins.values), bins.values, 0.0))
        self._lowest, self._highest = (
            torch.from_numpy(ends) for ends in (bins.lowest.min(axis=0), bins.highest.max(axis=0))
        )

    def __call__(self, x: Tensor, index: Tensor) -> Tensor:
        beyond = torch.maximum(x - self._highest, self._lowest - x).clamp(0.0, CLIP)
        off = (x - _of_column(self._values, index)).abs()
        penalty = torch.where(off > self._tolerance, 0.5 * self._log_weight + off.clamp(0.0, CLIP), 0.0)
        return _of_column(self._log_widths, index) + torch.where(_of_column(self._is_value, index), penalty, beyond)


class _Denoisers:
    """`DenoiserScores.component`."""

    def __init__(self, scores: DenoiserScores) -> None:
        self._network: DenoiserEnsemble = scores.network
        self._scoring_layers = self._network.scoring_layers()
        self._axes, self._medians = as_tensor(scores.axes, torch.float32), as_tensor(scores.medians, torch.float64)
        assert len(self._medians) == len(NOISE_LEVELS)

    def __call__(self, deviations: Tensor, ranks: Tensor, observed: Tensor | None) -> Tensor:
        coordinates = (deviations @ self._axes.to(deviations.dtype)).to(self._network.parameters.dtype)
        squares = self._network.squared_residuals(coordinates, self._scoring_layers).double()
        return 0.5 * ((squares / self._medians).mean(1) + SQUARED_FLOOR).log()


def _of_column(table: Tensor, places: Tensor) -> Tensor:
    """Entries of a table that has one row per column of `places`; shape (n_rows, n_columns), as that of `places`."""
    width = table.shape[1]
    return table.flatten()[places + torch.arange(len(table), device=table.device) * width]


def _padded(rows: list[np.ndarray], width: int, value: float) -> Tensor:
    return torch.from_numpy(np.stack([np.pad(row, (0, width - len(row)), constant_values=value) for row in rows]))


def as_tensor(array: np.ndarray, dtype: torch.dtype | None = None) -> Tensor:
    """A tensor on the CPU, by default in the dtype of the array."""
    return to_tensor(np.ascontiguousarray(array), dtype or dtype_of(array), CPU)
