"""Behaviour common to all displays: where they draw, which attributes they set, and what they refuse."""

import pytest
from sklearn.cluster import DBSCAN
from sklearn.exceptions import NotFittedError

from skae import (
    AutoencoderOutlierDetector,
    AutoencoderTransformer,
    FeatureContributionDisplay,
    LatentSpaceDisplay,
    LossCurveDisplay,
    OutlierScoreDisplay,
    ReconstructionDisplay,
)

Figure = pytest.importorskip("matplotlib.figure").Figure
pyplot = pytest.importorskip("matplotlib.pyplot")

DISPLAYS = [
    FeatureContributionDisplay,
    LatentSpaceDisplay,
    LossCurveDisplay,
    OutlierScoreDisplay,
    ReconstructionDisplay,
]


def draw(display, transformer, detector, X, ax=None):
    if display is LossCurveDisplay:
        return display.from_estimator(transformer, ax=ax)
    return display.from_estimator(
        detector if display in (OutlierScoreDisplay, FeatureContributionDisplay) else transformer, X, ax=ax
    )


@pytest.mark.parametrize("display", DISPLAYS)
def test_a_given_ax_is_used_and_no_figure_made(display, transformer, detector, frame):
    ax = Figure().subplots()
    drawn = draw(display, transformer, detector, frame, ax)
    assert drawn.ax_ is ax
    assert drawn.figure_ is ax.figure
    assert pyplot.get_fignums() == []
    assert ax.get_title()
    again = drawn.plot(ax=Figure().subplots())
    assert again is drawn
    assert drawn.ax_ is not ax
    assert pyplot.get_fignums() == []


@pytest.mark.parametrize("display", DISPLAYS)
def test_nothing_is_clipped_at_the_default_size(display, transformer, detector, frame):
    drawn = draw(display, transformer, detector, frame)
    figure = drawn.figure_
    assert pyplot.get_fignums() == [figure.number]
    figure.draw_without_rendering()
    for ax in figure.axes:
        box = ax.get_tightbbox()
        assert box.x0 >= -1
        assert box.y0 >= -1
        assert box.x1 <= figure.bbox.width + 1
        assert box.y1 <= figure.bbox.height + 1


@pytest.mark.parametrize("display", DISPLAYS)
def test_what_plot_sets_is_documented(display, transformer, detector, frame):
    docscrape = pytest.importorskip("numpydoc.docscrape")
    drawn = draw(display, transformer, detector, frame)
    documentation = docscrape.NumpyDocString(display.__doc__)
    assert {name for name in vars(drawn) if name.endswith("_")} <= {entry.name for entry in documentation["Attributes"]}
    assert {entry.name for entry in documentation["Attributes"]} <= set(vars(drawn))
    assert {entry.name for entry in documentation["Parameters"]} <= set(vars(drawn))


@pytest.mark.parametrize("display", DISPLAYS)
def test_arrays_have_their_shape_documented(display):
    docscrape = pytest.importorskip("numpydoc.docscrape")
    documentation = docscrape.NumpyDocString(display.__doc__)
    types = [entry.type for part in ("Parameters", "Attributes") for entry in documentation[part]]
    assert all("of shape" in text for text in types if "ndarray" in text or "array-like" in text)


@pytest.mark.parametrize("display", DISPLAYS)
def test_unfitted_estimators_and_wrong_types_are_refused_as_scikit_learn_does(display, frame):
    with pytest.raises(NotFittedError, match=r"This Autoencoder.* instance is not fitted yet"):
        draw(display, AutoencoderTransformer(), AutoencoderOutlierDetector(), frame)
    with pytest.raises(TypeError, match="is a class, not an instance"):
        draw(display, AutoencoderTransformer, AutoencoderOutlierDetector, frame)
    with pytest.raises(TypeError, match="is not an estimator instance"):
        draw(display, "autoencoder", "autoencoder", frame)
    # It neither transforms nor scores rows.
    clusters = DBSCAN().fit(frame)
    with pytest.raises(AttributeError, match="DBSCAN has none of the following attributes: "):
        draw(display, clusters, clusters, frame)
