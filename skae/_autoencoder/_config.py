"""AutoencoderConfig: the parameters that define an autoencoder, checked against each other."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from skae._autoencoder._codes import CODES, DenseCode
from skae._autoencoder._losses import LOSSES, SquaredError


@dataclass(frozen=True)
class AutoencoderConfig:
    """The parameters that define an autoencoder, named as in the constructors of the estimators.

    Raises ValueError if parameters contradict each other.
    """

    n_components: int | float | None = 2
    code: str = "dense"
    n_nonzero: int | None = None
    beta: float = 1.0
    loss: str = "squared_error"
    corruption: str | Callable[[np.ndarray, np.random.RandomState], np.ndarray] | None = None
    corruption_level: float = 0.25
    network: Any = None
    hidden_layer_sizes: tuple[int, ...] = (256, 128)
    activation: str = "silu"
    whiten: bool = False
    scale: bool = False

    def __post_init__(self) -> None:
        if self.whiten and self.code_class.whiten_conflict:
            raise ValueError(
                f"whiten=True and code={self.code!r} cannot be combined: whitening mixes the components of a code, but "
                f"code={self.code!r} {self.code_class.whiten_conflict}. Set whiten=False. See "
                f"docs/guide_{self.code}.md."
            )
        if self.code_class.is_variational and LOSSES[self.loss].likelihood() is None:
            likelihoods = [repr(name) for name, loss in LOSSES.items() if loss.likelihood() is not None]
            raise ValueError(
                f"code={self.code!r} needs a loss that is a likelihood: {', '.join(likelihoods[:-1])} or "
                f"{likelihoods[-1]}. Got {self.loss!r} instead. See docs/guide_variational.md."
            )
        if self.n_nonzero is not None and self.code != "sparse":
            raise ValueError(
                f"n_nonzero={self.n_nonzero} needs code='sparse'. Got code={self.code!r} instead. Leave n_nonzero at "
                "None, or see docs/guide_sparse.md."
            )
        if self.corruption in ("masking", "salt_and_pepper", "swap") and self.corruption_level > 1:
            raise ValueError(
                f"corruption_level is a share of the entries with corruption={self.corruption!r}, and at most 1. "
                f"Got {self.corruption_level} instead. See docs/guide_denoising.md."
            )
        if self.corruption is not None and self.code_class.has_pairs:
            raise ValueError(
                f"code={self.code!r} and corruption={self.corruption!r} cannot be combined: the neighbours of "
                "corrupted rows are not known. Set corruption=None. See docs/guide_maps.md."
            )
        if self.network is not None and self.code_class.has_prefixes and isinstance(self.n_components, float):
            raise ValueError(
                f"code={self.code!r} cannot shorten the code of a custom network to the share "
                f"n_components={self.n_components}: give n_components as an int. See docs/guide_ordered.md."
            )

    @property
    def code_class(self) -> type[DenseCode]:
        return CODES[self.code]

    @property
    def loss_class(self) -> type[SquaredError]:
        loss = LOSSES[self.loss]
        if not self.code_class.is_variational:
            return loss
        likelihood = loss.likelihood()
        assert likelihood is not None
        return likelihood

    @property
    def masks_entries(self) -> bool:
        """Whether training may mask entries of rows that have none missing."""
        return self.corruption == "masking" or callable(self.corruption)

    def with_n_nonzero(self, n_components: int) -> AutoencoderConfig:
        """The configuration with `n_nonzero` set: a tenth of the components of a sparse code, unless it is given."""
        if self.code != "sparse" or self.n_nonzero is not None:
            return self
        return replace(self, n_nonzero=max(1, n_components // 10))

    def to_state(self) -> dict[str, Any]:
        """The parameters that are saved: those that encoding and decoding need."""
        names = ("code", "n_nonzero", "beta", "loss", "hidden_layer_sizes", "activation")
        return {name: getattr(self, name) for name in names}
