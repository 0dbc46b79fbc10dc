r"""Corruption of training inputs, with the moments that the best linear denoiser needs.

A corrupted row is :math:`y = \rho x + e`, where :math:`\rho` is `kept_share`, and e is uncorrelated with x and has the
mean `shift` and the variance `noise_variance`. If e is isotropic, the best linear denoiser depends on these moments
only; otherwise they give an approximation.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from torch import Tensor

from skae._autoencoder._config import AutoencoderConfig
from skae._autoencoder._linear import unit_of
from skae._linalg._moments import feature_ranges
from skae._linalg._principal_axes import PrincipalAxes
from skae._rows._training_rows import TrainingRows
from skae._support._draws import normal, uniform
from skae._support._torch import to_tensor

# The named values of the `corruption` parameter.
CORRUPTIONS = ("gaussian", "masking", "salt_and_pepper", "swap")
# At most this share of the entries of a row is masked.
MAX_MASKED = 0.95
# If entries are missing, training masks as many entries in addition, but at least this share.
MIN_MASKED_SHARE = 0.3


@dataclass(frozen=True)
class Gaussian:
    """Noise of standard deviation `level`, in units of a feature's root mean variance."""

    level: float
    kept_share = 1.0
    shift = None

    @property
    def noise_variance(self) -> float:
        return self.level**2

    def __call__(self, x: Tensor, generator: torch.Generator) -> Tensor:
        if not self.level:
            return x
        return normal(x, generator).mul_(self.level).add_(x)


@dataclass(frozen=True)
class Swap:
    """A share `level` of the entries takes the value that the same feature has in another row of the batch."""

    level: float
    shift = None

    @property
    def kept_share(self) -> float:
        return 1.0 - self.level

    @property
    def noise_variance(self) -> float:
        return 1.0 - self.kept_share**2

    def __call__(self, x: Tensor, generator: torch.Generator) -> Tensor:
        other = x[torch.randperm(len(x), generator=generator, device=x.device)]
        return torch.where(_chosen(x, self.level, generator), other, x)


@dataclass(frozen=True)
class SaltAndPepper:
    """A share `level` of the entries takes the lowest or the highest value of its feature, each half of the time."""

    level: float
    lowest: Tensor
    highest: Tensor

    @property
    def kept_share(self) -> float:
        return 1.0 - self.level

    @property
    def shift(self) -> Tensor:
        return self.level * (self.lowest + self.highest) / 2.0

    @property
    def noise_variance(self) -> float:
        squares = (self.lowest.square() + self.highest.square()) / 2.0
        mean_square = self.kept_share + self.level * squares.mean() - self.shift.square().mean()
        return float(mean_square - self.kept_share**2)

    def __call__(self, x: Tensor, generator: torch.Generator) -> Tensor:
        extreme = torch.where(_chosen(x, 0.5, generator), self.lowest, self.highest)
        return torch.where(_chosen(x, self.level, generator), extreme, x)


@dataclass(frozen=True)
class Custom:
    """A function of rows in the units of X and a NumPy generator; NaN in what it returns masks an entry."""

    function: Callable[[np.ndarray, np.random.RandomState], np.ndarray]
    mean: Tensor
    scale: Tensor
    kept_share, noise_variance, shift = 1.0, 0.0, None

    def __call__(self, x: Tensor, generator: torch.Generator) -> Tensor:
        seed = int(torch.randint(2**31 - 1, (), generator=generator, device=x.device))
        restored = torch.addcmul(self.mean, x, self.scale)
        restored = restored.float() if x.dtype == torch.bfloat16 else restored  # NumPy has no bfloat16
        rows = restored.cpu().numpy()
        corrupted = np.asarray(self.function(rows, np.random.RandomState(seed)))
        if corrupted.shape != rows.shape:
            raise ValueError(
                f"corruption returned rows of shape {corrupted.shape}, expected {rows.shape}. It must return "
                "as many rows and features as it is given. See docs/guide_denoising.md."
            )
        return torch.as_tensor(corrupted, dtype=x.dtype, device=x.device).sub(self.mean).div_(self.scale)


@dataclass(frozen=True)
class Corruption:
    """How training corrupts its inputs.

    If `noise_is_task`, the autoencoder is a denoising one: it starts at the best linear denoiser, and held-out rows are
    corrupted as well. Otherwise the noise only regularises. Entries of held-out rows are masked in both cases.
    `fills` says that entries are missing in the data: held-out losses are then those of masked entries alone, because
    filling leaves the others as they are.
    """

    noise: Gaussian | Swap | SaltAndPepper | Custom
    masked_share: float = 0.0
    noise_is_task: bool = False
    fills: bool = False

    @property
    def masks(self) -> bool:
        """Whether training may mask entries. What a custom function does is not known."""
        return self.masked_share > 0 or isinstance(self.noise, Custom)

    def __call__(self, x: Tensor, generator: torch.Generator | None) -> Tensor:
        """Corrupted rows. Without a generator it is the corruption of held-out rows, the same in every call."""
        judging = generator is None
        generator = torch.Generator(device=x.device).manual_seed(0) if generator is None else generator
        if self.noise_is_task or not judging:
            x = self.noise(x, generator)
        return mask(x, self.masked_share, generator) if self.masked_share else x


def make_corruption(
    config: AutoencoderConfig, rows: TrainingRows, axes: PrincipalAxes, dtype: torch.dtype
) -> Corruption:
    """The corruption that `config` asks for, for rows standardised by the mean and scale of the axes."""
    kind, level = config.corruption, config.corruption_level
    masked = max(MIN_MASKED_SHARE, rows.missing_share) if rows.missing_share else 0.0
    corruption = partial(Corruption, fills=rows.missing_share > 0)
    regularising = Gaussian(min(0.1, 100.0 / rows.n_rows_seen))
    if kind is None:
        return corruption(regularising, masked)
    if kind == "masking":
        return corruption(regularising, max(level, masked))
    if kind == "gaussian":
        return corruption(Gaussian(level), masked, noise_is_task=level > 0)
    if kind == "swap":
        return corruption(Swap(level), masked, noise_is_task=True)
    mean, scale = axes.mean, axes.scale * unit_of(axes)
    if callable(kind):
        units = (to_tensor(array, dtype, rows.device) for array in (mean, scale))
        return corruption(Custom(kind, *units), masked, noise_is_task=True)
    extremes = ((extreme - mean) / scale for extreme in feature_ranges(rows.source))
    lowest, highest = (to_tensor(extreme, dtype, rows.device) for extreme in extremes)
    return corruption(SaltAndPepper(level, lowest, highest), masked, noise_is_task=True)


def mask(x: Tensor, level: float, generator: torch.Generator) -> Tensor:
    """Make entries NaN. The share of each row is drawn uniformly between 0 and twice `level`."""
    share = uniform(x[:, :1], generator)
    masked = _chosen(x, share.mul_(2.0 * level).clamp_max_(MAX_MASKED), generator)
    return x.masked_fill(masked, torch.nan)


def _chosen(x: Tensor, share: float | Tensor, generator: torch.Generator) -> Tensor:
    return uniform(x, generator) < share
