"""Autoencoders as scikit-learn estimators that start at PCA."""

import skae.networks  # noqa: F401  (an attribute, and no name that `import *` brings)
from skae._displays._feature_contribution import FeatureContributionDisplay
from skae._displays._latent_space import LatentSpaceDisplay
from skae._displays._loss_curve import LossCurveDisplay
from skae._displays._outlier_score import OutlierScoreDisplay
from skae._displays._reconstruction import ReconstructionDisplay
from skae._onnx._conversion import to_onnx
from skae._outlier_detector import AutoencoderOutlierDetector
from skae._rows._processes import distributed
from skae._saved_state import SKOPS_TRUSTED
from skae._transformer import AutoencoderTransformer

__version__ = "0.1.0.dev0"

__all__ = [
    "SKOPS_TRUSTED",
    "AutoencoderOutlierDetector",
    "AutoencoderTransformer",
    "FeatureContributionDisplay",
    "LatentSpaceDisplay",
    "LossCurveDisplay",
    "OutlierScoreDisplay",
    "ReconstructionDisplay",
    "__version__",
    "distributed",
    "to_onnx",
]
