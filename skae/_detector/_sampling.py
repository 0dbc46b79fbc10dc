"""Random samples (bags) of the typical training rows, which are the references of distances."""

from __future__ import annotations

import numpy as np
import torch

from skae._detector._coordinates import N_SYSTEMS, Coordinates
from skae._detector._entries import Entries, rounded_down
from skae._detector._known_rows import KnownRows
from skae._detector._nearest_rows import draw_bags
from skae._detector._row_distances import RowDistances
from skae._detector._scorer import ScorerParameters
from skae._detector._tail_surprisal import TailSurprisal

# If all training rows are normal, bags are large, and distances are also measured in random subspaces.
CLEAN_BAGS, CLEAN_BAG_SIZE, N_SUBSPACES = 6, 512, 12
# If they may contain outliers, bags are small, so that most bags contain few outliers.
BAGS, BAG_SIZE = 40, 32
# Small bags rank the training rows from typical to unusual.
COARSE_BAGS, COARSE_BAG_SIZE = 100, 8
# Bag b is drawn without the share MAX_LEFT_OUT * (b + 1/2) / n_bags of the most unusual rows. Coordinates and networks
# are fitted without half of MAX_LEFT_OUT.
MAX_LEFT_OUT = 0.5
# Maximum number of values in all references. With many features, there are fewer bags.
MAX_REFERENCE_NUMBERS = 2_000_000


class Sampler:
    """Draws references in the same way for new rows and, in cross-fitting, for the rows of a fold."""

    def __init__(
        self,
        entries: Entries,
        parameters: ScorerParameters,
        dtype: str,
        device: torch.device,
        random_state: np.random.RandomState,
    ) -> None:
        self.entries, self.parameters, self.device = entries, parameters, device
        self._dtype, self._random_state = dtype, random_state
        novelty, n_features = parameters.novelty, entries.rows.shape[1]
        self._left_out = 0.0 if novelty else MAX_LEFT_OUT
        self._known = None if entries.group is None else KnownRows.of(entries.rows, entries.group)
        n_bags, bag_size = (CLEAN_BAGS, CLEAN_BAG_SIZE) if novelty else (BAGS, BAG_SIZE)
        self._n_bags = max(1, min(n_bags, MAX_REFERENCE_NUMBERS // (bag_size * entries.n_columns)))
        # No larger than the rows outside a fold allow, so that bags are as large for calibration rows as for new rows.
        self._bag_size = self._limited_bag_size(bag_size, 1.0 - self._left_out)
        self._subspaces = _draw_subspaces(n_features, random_state) if novelty else []

    def _limited_bag_size(self, bag_size: int, share: float = 1.0) -> int:
        weight, half = self.entries.weight, 0.5
        if self.entries.group is not None:  # a fold of a large group may be more than half
            half = min(half, 1.0 - np.bincount(self.entries.fold, weights=weight).max() / weight.sum())
        return max(1, min(bag_size, rounded_down(half * share * weight.sum())))

    def most_typical_first(self) -> np.ndarray:
        """Indices of the entries, sorted by the mean surprisal of their distances to small bags of the other folds."""
        entries, parameters = self.entries, self.parameters
        distances, bag_size = np.empty((len(entries), N_SYSTEMS)), self._limited_bag_size(COARSE_BAG_SIZE)
        for fold in np.unique(entries.fold):
            own = entries.fold == fold
            others = entries if own.all() else entries.select(~own)
            coordinates = Coordinates.of(others.rows, others.weight, parameters.scale, self._dtype, entries.columns)
            bags = draw_bags(others.weight, COARSE_BAGS, bag_size, self._random_state)
            references = coordinates.filled(coordinates.scale.deviations(others.rows))
            row_distances = RowDistances(coordinates, references, others.single, bags, ())
            distances[own] = row_distances.log_distances(row_distances.systems(entries.rows[own]), self.device)
        surprisals = [TailSurprisal.of(values, entries.weight)(values) for values in distances.T]
        return np.argsort(np.mean(surprisals, axis=0), kind="stable")

    def typical(self, order: np.ndarray) -> np.ndarray:
        """Mask of the entries that coordinates and networks are fitted to: the first ones of the order."""
        mask = np.zeros(len(self.entries), dtype=bool)
        mask[_most_typical(order, self.entries.weight, 1.0 - 0.5 * self._left_out)] = True
        return mask

    def row_distances(self, order: np.ndarray) -> RowDistances:
        """Distances to bags of the given entries, which are ordered from the most to the least typical."""
        entries, random_state = self.entries, self._random_state
        typical = entries.select(np.flatnonzero(self.typical(order)))
        coordinates = Coordinates.of(typical.rows, typical.weight, self.parameters.scale, self._dtype, entries.columns)
        bags = []
        for bag in range(self._n_bags):
            share = 1.0 - self._left_out * (bag + 0.5) / self._n_bags
            pool = _most_typical(order, entries.weight, share)
            bags.append(pool[draw_bags(entries.weight[pool], 1, self._bag_size, random_state)[0]])
        coarse_size = self._limited_bag_size(COARSE_BAG_SIZE)
        coarse = order[draw_bags(entries.weight[order], COARSE_BAGS, coarse_size, random_state)]
        drawn = [np.stack(bags)] if self._subspaces else [np.stack(bags), coarse]
        used, indices = np.unique(np.concatenate([each.ravel() for each in drawn]), return_inverse=True)
        ends = np.cumsum([each.size for each in drawn])[:-1]
        main, *others = (part.reshape(each.shape) for part, each in zip(np.split(indices, ends), drawn, strict=True))
        spaces = [(features, main[[number % len(main)]]) for number, features in enumerate(self._subspaces)]
        spaces += [(np.arange(entries.rows.shape[1]), other) for other in others]
        references = coordinates.filled(coordinates.scale.deviations(entries.rows[used]))
        groups = None if entries.group is None else entries.group[used]
        return RowDistances(coordinates, references, entries.single[used], main, tuple(spaces), self._known, groups)


def cross_fitted_distances(sampler: Sampler, order: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    """The log-distances of the chosen entries, each to bags of entries of the other folds."""
    entries = sampler.entries
    found: dict[int, np.ndarray] = {}
    for fold in np.unique(entries.fold[chosen]):
        own, others = chosen[entries.fold[chosen] == fold], order[entries.fold[order] != fold]
        row_distances = sampler.row_distances(others if len(others) else order)
        distances = row_distances.log_distances(row_distances.systems(entries.rows[own]), sampler.device)
        found |= dict(zip(own, distances, strict=True))
    return np.stack([found[entry] for entry in chosen])


def _most_typical(order: np.ndarray, weight: np.ndarray, share: float) -> np.ndarray:
    """The first entries of the order that make up a share of the weight; at least one entry."""
    cumulative = np.cumsum(weight[order])
    return order[: max(1, int(np.searchsorted(cumulative, share * cumulative[-1] * (1.0 + 1e-12), side="right")))]


def _draw_subspaces(n_features: int, random_state: np.random.RandomState) -> list[np.ndarray]:
    """Random proper subsets of the features, of random sizes."""
    sizes = random_state.randint(1, max(2, n_features), size=N_SUBSPACES)
    return [np.sort(random_state.permutation(n_features)[:size]) for size in sizes]
