"""The scorers there are."""

from __future__ import annotations

from skae._detector._denoising import DenoisingScorer
from skae._detector._reconstruction import ReconstructionScorer
from skae._detector._scorer import Scorer

# The values of the `method` parameter.
SCORERS: dict[str, type[Scorer]] = {"denoising": DenoisingScorer, "reconstruction": ReconstructionScorer}
