"""Histograms and threshold agree with scores, labels and predictions."""

import numpy as np
import pytest
from sklearn.ensemble import IsolationForest
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skae import (
    OutlierScoreDisplay,
)


@pytest.mark.parametrize("labels", [(1, -1), (0, 1), (False, True)])
def test_scores_are_those_of_the_estimator(labels, detector, frame):
    outlier = np.arange(len(frame)) % 5 == 0
    y = np.where(outlier, labels[1], labels[0])
    display = OutlierScoreDisplay.from_estimator(detector, frame, y)
    np.testing.assert_array_equal(display.scores, detector.score_samples(frame))
    np.testing.assert_array_equal(display.outlier, outlier)
    assert display.offset == detector.offset_
    assert display.figure_.axes == [display.ax_]
    for bars in display.histograms_:
        assert sum(bar.get_height() for bar in bars) == pytest.approx(100)


def test_the_legend_counts_the_rows_below_the_threshold_by_class():
    scores, outlier = [-1.0, -2.0, -3.0, -4.0, -5.0], [False, False, True, False, True]
    display = OutlierScoreDisplay.from_predictions(scores, outlier, offset=-2.5)
    names = [text.get_text() for text in display.ax_.get_legend().get_texts()]
    assert names == ["3 inliers, 1 below", "2 outliers, 2 below", "threshold -2.5"]


def test_scores_without_labels(detector, frame):
    display = OutlierScoreDisplay.from_estimator(detector, frame)
    assert display.outlier is None
    assert sum(bar.get_height() for bar in display.histograms_[0]) == len(frame)
    assert set(display.threshold_line_.get_xdata()) == {detector.offset_}
    below = (detector.predict(frame) == -1).sum()
    assert display.ax_.get_legend().get_texts()[0].get_text() == f"120 rows, {below} below"


def test_scores_of_other_detectors_and_pipelines(frame):
    pipeline = make_pipeline(StandardScaler(), IsolationForest(n_estimators=10, random_state=0)).fit(frame)
    display = OutlierScoreDisplay.from_estimator(pipeline, frame)
    assert display.offset == pipeline[-1].offset_
    np.testing.assert_array_equal(display.scores, pipeline.score_samples(frame))


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
    # Only classes with rows have a histogram.
    names = [text.get_text() for text in display.ax_.get_legend().get_texts()]
    expected = [f"{count} {name}" for count, name in ((4 - outliers, "inliers"), (outliers, "outliers")) if count]
    assert names == expected


def test_booleans_may_have_another_meaning():
    display = OutlierScoreDisplay.from_predictions([-1.0, -2.0, -3.0], [True, True, False], pos_label=False)
    assert display.outlier.tolist() == [False, False, True]


def test_labels_of_outliers():
    scores = np.array([-1.0, -2.0, -3.0, -4.0])
    only_inliers = OutlierScoreDisplay.from_predictions(scores, np.zeros(4))
    assert len(only_inliers.histograms_) == 1
    named = OutlierScoreDisplay.from_predictions(scores, ["good", "good", "good", "bad"], pos_label="bad")
    assert named.outlier.tolist() == [False, False, False, True]
    with pytest.raises(ValueError, match="pos_label is not specified"):
        OutlierScoreDisplay.from_predictions(scores, ["good", "good", "good", "bad"])
    with pytest.raises(ValueError, match=r"pos_label='worse' is not a valid label: It should be one of"):
        OutlierScoreDisplay.from_predictions(scores, ["good", "good", "good", "bad"], pos_label="worse")
    with pytest.raises(ValueError, match="y is not binary"):
        OutlierScoreDisplay.from_predictions(scores, [0, 1, 2, 3])
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        OutlierScoreDisplay.from_predictions(scores, [0, 1])
