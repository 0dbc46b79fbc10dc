"""Autoencoders as scikit-learn estimators, anchored on PCA."""

from skae._outlier_detector import AutoencoderOutlierDetector
from skae._support._persistence import SKOPS_TRUSTED
from skae._transformer import AutoencoderTransformer

__version__ = "0.1.0"

__all__ = ["SKOPS_TRUSTED", "AutoencoderOutlierDetector", "AutoencoderTransformer", "__version__"]
