"""What a saved estimator needs to be opened safely: a version of the format, and the types skops may trust."""

from __future__ import annotations

from typing import Any

# Raised by one whenever the names or the meaning of what an estimator holds change.
FORMAT_VERSION = 1
_KEY = "_skae_format"

# For `skops.io.load(file, trusted=SKOPS_TRUSTED)`: fitted state is NumPy arrays and plain values, no other types, but
# for a custom network, which skops does not save.
SKOPS_TRUSTED = [
    "skae._outlier_detector.AutoencoderOutlierDetector",
    "skae._transformer.AutoencoderTransformer",
]


class VersionedStateMixin:
    """Saves the version of the format with the state, and opens no state of an unknown one."""

    def __getstate__(self) -> dict[str, Any]:
        return {**super().__getstate__(), _KEY: FORMAT_VERSION}  # type: ignore[dict-item]

    def __setstate__(self, state: dict[str, Any]) -> None:
        saved = state.get(_KEY)
        if saved != FORMAT_VERSION:
            raise ValueError(
                f"This {type(self).__name__} was saved in format {saved}, but the installed skae reads format "
                f"{FORMAT_VERSION}. Install the version of skae it was saved with, or fit it again."
            )
        super().__setstate__({name: value for name, value in state.items() if name != _KEY})  # type: ignore[misc]
