"""Files of earlier versions open, and the estimators in them return what they returned then.

Detectors of the first format, whose scores were others, are refused.
"""

from pathlib import Path

import joblib
import numpy as np
import pytest
import sklearn
from packaging.version import Version

from skae import SKOPS_TRUSTED

FILES = sorted(Path(__file__).parent.glob("saved/*/*.npz"))
# scikit-learn's pickles open in the version that made them and in later ones.
PICKLED_BY = {"0.1.0": "1.9", "0.1.0.dev0": "1.9"}
REFUSED = [("0.1.0", "denoising"), ("0.1.0", "reconstruction")]


def assert_returns_the_same(estimator, file):
    asked, expected = np.load(file.parent / "asked.npy"), np.load(file)
    assert len(expected.files) >= 2
    for method in expected.files:
        np.testing.assert_allclose(getattr(estimator, method)(asked), expected[method], rtol=1e-4, atol=1e-5)


def test_there_are_files():
    assert len(FILES) >= 17


def is_refused(file):
    return (file.parent.name, file.stem) in REFUSED


def each_of(files):
    return pytest.mark.parametrize("file", files, ids=lambda file: f"{file.parent.name}-{file.stem}")


@each_of([file for file in FILES if not is_refused(file)])
class TestOpens:
    def test_skops(self, file):
        skops_io = pytest.importorskip("skops.io")
        assert_returns_the_same(skops_io.load(file.with_suffix(".skops"), trusted=SKOPS_TRUSTED), file)

    @pytest.mark.filterwarnings("ignore::sklearn.exceptions.InconsistentVersionWarning")
    def test_joblib(self, file):
        if Version(sklearn.__version__) < Version(PICKLED_BY[file.parent.name]):
            pytest.skip("saved by a later scikit-learn")
        assert_returns_the_same(joblib.load(file.with_suffix(".joblib")), file)


@each_of([file for file in FILES if is_refused(file)])
class TestIsRefused:
    """In words that say what to do."""

    WORDS = "AutoencoderOutlierDetector was fitted by an earlier version of skae.*Fit it again"

    def test_skops(self, file):
        skops_io = pytest.importorskip("skops.io")
        with pytest.raises(ValueError, match=self.WORDS):
            skops_io.load(file.with_suffix(".skops"), trusted=SKOPS_TRUSTED)

    @pytest.mark.filterwarnings("ignore::sklearn.exceptions.InconsistentVersionWarning")
    def test_joblib(self, file):
        if Version(sklearn.__version__) < Version(PICKLED_BY[file.parent.name]):
            pytest.skip("saved by a later scikit-learn")
        with pytest.raises(ValueError, match=self.WORDS):
            joblib.load(file.with_suffix(".joblib"))
