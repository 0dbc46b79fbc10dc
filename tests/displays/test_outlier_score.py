"""Histograms, threshold and ROC curve agree with scores, labels and predictions."""

import numpy as np
import pytest
from sklearn.ensemble import IsolationForest
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skae import (
    OutlierScoreDisplay,
)

Figure = pytest.importorskip("matplotlib.figure").Figure


@pytest.mark.parametrize("labels", [(1, -1), (0, 1), (False, True)])
def test_scores_and_roc_are_the_estimators(labels, detector, frame):
    outlier = np.arange(len(frame)) % 5 == 0
    y = np.where(outlier, labels[1], labels[0])
    display = OutlierScoreDisplay.from_estimator(detector, frame, y)
    scores = detector.score_samples(frame)
    np.testing.assert_array_equal(display.scores, scores)
    assert display.offset == detector.offset_
    assert display.roc_auc == pytest.approx(roc_auc_score(outlier, -scores))
    flagged = detector.predict(frame) == -1
    expected = [100 * flagged[~outlier].mean(), 100 * flagged[outlier].mean()]
    assert display.threshold_point_.get_xydata()[0] == pytest.approx(expected)
    for bars in display.histograms_:
        assert sum(bar.get_height() for bar in bars) == pytest.approx(100)
    assert display.roc_ax_ in display.figure_.axes


def test_scores_without_labels(detector, frame):
    display = OutlierScoreDisplay.from_estimator(detector, frame)
    assert display.figure_.axes == [display.ax_]
    assert display.roc_ax_ is display.roc_auc is display.threshold_point_ is None
    assert sum(bar.get_height() for bar in display.histograms_[0]) == len(frame)
    assert set(display.threshold_line_.get_xdata()) == {detector.offset_}
    below = (detector.predict(frame) == -1).sum()
    assert f"{below} below" in display.threshold_line_.get_label()


def test_scores_of_other_detectors_and_pipelines(frame):
    pipeline = make_pipeline(StandardScaler(), IsolationForest(n_estimators=10, random_state=0)).fit(frame)
    display = OutlierScoreDisplay.from_estimator(pipeline, frame)
    assert display.offset == pipeline[-1].offset_
    np.testing.assert_array_equal(display.scores, pipeline.score_samples(frame))


def test_two_axes_one_for_each(detector, frame):
    y = np.arange(len(frame)) % 2
    axes = Figure().subplots(1, 2)
    display = OutlierScoreDisplay.from_estimator(detector, frame, y, ax=axes)
    assert [display.ax_, display.roc_ax_] == list(axes)
    alone = OutlierScoreDisplay.from_estimator(detector, frame, y, ax=axes[0])
    assert alone.roc_ax_ is None
    assert alone.roc_auc == display.roc_auc
    with pytest.raises(ValueError, match="Expected ax to be one or two axes, got 3"):
        display.plot(ax=Figure().subplots(1, 3))


@pytest.mark.parametrize("n_rows", [2, 10, 10_000])
@pytest.mark.parametrize("heavy", [False, True])
def test_histograms_of_few_and_of_many(n_rows, heavy):
    scores = -np.random.RandomState(0).lognormal(sigma=4.0 if heavy else 0.5, size=n_rows)
    display = OutlierScoreDisplay.from_predictions(scores)
    assert sum(bar.get_height() for bar in display.histograms_[0]) == n_rows
    assert 5 <= len(display.histograms_[0]) <= 50
    assert display.threshold_line_ is None


@pytest.mark.parametrize(
    ("labels", "outliers"),
    [
        ([True] * 4, 4),
        ([False] * 4, 0),
        ([True, False, False, True], 2),
        (np.ones(4), 0),
        (-np.ones(4), 4),
        (np.zeros(4, dtype=int), 0),
        ([0, 1, 1, 0], 2),
        ([1, -1, -1, -1], 3),
    ],
)
def test_what_labels_mean(labels, outliers):
    display = OutlierScoreDisplay.from_predictions(np.array([-1.0, -2.0, -3.0, -4.0]), labels)
    assert display.outlier.sum() == outliers
    # The histograms are of those classes that there are.
    names = [text.get_text() for text in display.ax_.get_legend().get_texts()]
    expected = [f"{count} {name}" for count, name in ((4 - outliers, "inliers"), (outliers, "outliers")) if count]
    assert names == expected


def test_booleans_may_have_another_meaning():
    display = OutlierScoreDisplay.from_predictions([-1.0, -2.0, -3.0], [True, True, False], pos_label=False)
    assert display.outlier.tolist() == [False, False, True]


def test_labels_of_outliers():
    scores = np.array([-1.0, -2.0, -3.0, -4.0])
    only_inliers = OutlierScoreDisplay.from_predictions(scores, np.zeros(4))
    assert only_inliers.roc_auc is None
    assert len(only_inliers.histograms_) == 1
    named = OutlierScoreDisplay.from_predictions(scores, ["good", "good", "good", "bad"], pos_label="bad")
    assert named.roc_auc == 1.0
    with pytest.raises(ValueError, match="pos_label is not specified"):
        OutlierScoreDisplay.from_predictions(scores, ["good", "good", "good", "bad"])
    with pytest.raises(ValueError, match=r"pos_label='worse' is not a valid label: It should be one of"):
        OutlierScoreDisplay.from_predictions(scores, ["good", "good", "good", "bad"], pos_label="worse")
    with pytest.raises(ValueError, match="y is not binary"):
        OutlierScoreDisplay.from_predictions(scores, [0, 1, 2, 3])
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        OutlierScoreDisplay.from_predictions(scores, [0, 1])
