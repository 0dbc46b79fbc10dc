"""The denoising scorer without branches and shapes that depend on the data."""

from __future__ import annotations

import torch
from torch import Tensor

from skae._detector._denoising import N_MEMBERS, NOISE_LEVELS, DenoisingScorer, _ScorerOn
from skae._detector._nearest_rows import COINCIDENCE, MAX_COPIES, NearestRows
from skae._linalg._robust_axes import CLIP, ON_SPAN


class DenoisingComponents(_ScorerOn):
    """`DenoisingScorer.component_scores` of rows that are tensors."""

    def __init__(self, scorer: DenoisingScorer) -> None:
        super().__init__(scorer, torch.device("cpu"))
        axes = scorer.robust_axes
        self._mean, self._scale, self._centre, self._axes = map(
            self._tensor, (axes.mean, axes.scale, axes.centre, axes.axes)
        )
        references, weight = self._tensor(scorer.references), self._tensor(scorer.reference_weight)
        self._nearest = _MaskedNearestRows(references, weight)
        self._nearest_whitened = _MaskedNearestRows(references * self._whitening, weight)

    def __call__(self, X: Tensor) -> Tensor:
        return self.components(self._coordinates(X))

    def _coordinates(self, X: Tensor) -> Tensor:
        """`RobustAxes.coordinates`."""
        deviations = ((X.double() - self._mean) / self._scale).clamp(-CLIP, CLIP) - self._centre
        coordinates = deviations @ self._axes
        if self._axes.shape[0] == self._axes.shape[1]:
            return coordinates
        outside = _norm(deviations - coordinates @ self._axes.t())
        return torch.cat([coordinates, outside * (outside >= ON_SPAN * _norm(deviations))], 1)

    def squared_residuals(self, whitened: Tensor) -> Tensor:
        # All levels at once: the time an export takes grows with the number of operations.
        split, levels = self._state.n_network_axes, whitened.new_tensor(NOISE_LEVELS)[:, None]
        seen = whitened[:, :split].to(self._network.parameters.dtype)
        rows = seen.repeat(len(levels), 1).expand(N_MEMBERS, -1, -1)
        level = levels.to(seen.dtype).expand(-1, seen.shape[0]).reshape(1, -1, 1).expand(N_MEMBERS, -1, -1)
        residuals = (self._network._denoise(rows, level)[0] - rows).double()
        squares = residuals.square().sum(2).view(N_MEMBERS, len(levels), -1).transpose(0, 1)
        factors = levels.square() / (self._unseen_variances + levels.square())
        return squares + (whitened[:, split:] * factors[:, None]).square().sum(2)[:, None]

    def _log_nearest(self, distances: Tensor) -> Tensor:
        return self._log_distance(distances[:, self._bags].amin(2)).mean(1)

    def _judges(self, n_rows: int, left_out: Tensor) -> Tensor:
        learned_from = (self._fold[:, None] != torch.arange(N_MEMBERS)).double()
        judges = (left_out.double() @ learned_from == 0.0).double().t()
        judges = judges + (judges.sum(0) == 0.0)
        return judges / judges.sum(0)


class _MaskedNearestRows(NearestRows):
    """Tells which references are left out by a mask, shape (n_rows, n_references), not by their indices."""

    def distances(self, x: Tensor) -> tuple[Tensor, Tensor]:
        norms = x.square().sum(1, keepdim=True)
        distances = torch.cat([x, norms, torch.ones_like(norms)], 1) @ self._factors
        coincide = distances <= COINCIDENCE * (norms + x.shape[1])
        left_out = coincide & (coincide.sum(1, keepdim=True) <= MAX_COPIES)
        return distances.clamp_min(0.0).masked_fill(left_out, torch.inf), left_out


def _norm(rows: Tensor) -> Tensor:
    return rows.square().sum(1, keepdim=True).sqrt()
