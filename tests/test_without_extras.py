"""Where optional packages are absent skae imports, and what needs them names the extra."""

import subprocess
import sys

import numpy as np
import pytest

import skae

X = np.random.RandomState(0).normal(size=(20, 4))


@pytest.mark.slow
def test_the_package_imports():
    extras = ("matplotlib", "onnx", "onnxruntime", "onnxscript", "skl2onnx")
    hidden = f"import sys; sys.modules.update(dict.fromkeys({extras})); import skae"
    subprocess.run([sys.executable, "-c", hidden], check=True)


@pytest.mark.parametrize(
    ("draw", "name"),
    [
        (lambda: skae.LossCurveDisplay.from_estimator(None), "LossCurveDisplay.from_estimator"),
        (lambda: skae.LossCurveDisplay(loss_curve=[1.0]).plot(), "LossCurveDisplay.plot"),
        (lambda: skae.ReconstructionDisplay.from_estimator(None, None), "ReconstructionDisplay.from_estimator"),
        (lambda: skae.ReconstructionDisplay.from_predictions(None, None), "ReconstructionDisplay.from_predictions"),
        (lambda: skae.LatentSpaceDisplay.from_estimator(None, None), "LatentSpaceDisplay.from_estimator"),
        (lambda: skae.LatentSpaceDisplay.from_predictions(None), "LatentSpaceDisplay.from_predictions"),
        (lambda: skae.OutlierScoreDisplay.from_estimator(None, None), "OutlierScoreDisplay.from_estimator"),
        (lambda: skae.OutlierScoreDisplay.from_predictions(None), "OutlierScoreDisplay.from_predictions"),
        (
            lambda: skae.FeatureContributionDisplay.from_estimator(None, None),
            "FeatureContributionDisplay.from_estimator",
        ),
        (lambda: skae.FeatureContributionDisplay.from_predictions(None), "FeatureContributionDisplay.from_predictions"),
    ],
)
def test_displays_name_the_extra(draw, name, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ImportError) as caught:
        draw()
    words = str(caught.value)
    assert words.startswith(f"{name} requires matplotlib.")
    assert words.endswith("You can install matplotlib with `pip install skae[plot]`.")


@pytest.mark.parametrize("name", ["onnxscript", "skl2onnx"])
def test_to_onnx_names_the_extra(name, monkeypatch):
    fitted = skae.AutoencoderTransformer(2, max_iter=0).fit(X)
    monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ImportError, match=r"pip install skae\[onnx\]"):
        skae.to_onnx(fitted)
