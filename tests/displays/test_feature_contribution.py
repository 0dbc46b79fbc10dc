"""Bars are the contributions of the features and add up to the score."""

import warnings

import numpy as np
import pytest
from scipy import sparse
from sklearn.base import BaseEstimator
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from skae import (
    AutoencoderOutlierDetector,
    FeatureContributionDisplay,
)

mcolors = pytest.importorskip("matplotlib.colors")
pl = pytest.importorskip("polars")


def test_contributions_are_those_of_the_estimator(detector, frame):
    display = FeatureContributionDisplay.from_estimator(detector, frame, row=7, n_features=4)
    expected = detector.feature_contributions(frame).iloc[7]
    np.testing.assert_allclose(display.feature_contributions, expected, rtol=1e-9)
    assert display.row_name == frame.index[7]
    assert display.p_value == detector.p_values(frame)[7]
    largest = expected.nlargest(4)
    widths = [bar.get_width() for bar in display.bars_]
    np.testing.assert_allclose(widths, [*largest, expected.sum() - largest.sum()], rtol=1e-9)
    labels = [label.get_text() for label in display.ax_.get_yticklabels()]
    assert [label.split(" = ")[0] for label in labels] == [*largest.index, "26 others"]
    assert display.ax_.yaxis_inverted()


def test_the_most_unusual_row_is_the_default(detector, frame):
    display = FeatureContributionDisplay.from_estimator(detector, frame)
    assert display.row_name == frame.index[np.argmin(detector.score_samples(frame))]


@pytest.mark.parametrize("container", [np.asarray, pl.DataFrame, sparse.coo_array, np.ndarray.tolist])
def test_contributions_in_other_containers(container, frame):
    X = frame.to_numpy()
    rows = container(X)
    detector = AutoencoderOutlierDetector(max_iter=0, random_state=0).fit(rows)
    display = FeatureContributionDisplay.from_estimator(detector, rows, row=3)
    expected = np.asarray(detector.feature_contributions(rows))[3]
    np.testing.assert_allclose(display.feature_contributions, expected, rtol=1e-9)
    assert display.feature_names[1] == ("column_1" if container is pl.DataFrame else "x1")


@pytest.mark.parametrize("as_frame", [True, False])
def test_of_a_pipeline_the_last_step_contributes(frame, as_frame):
    rows = frame if as_frame else frame.to_numpy()
    pipeline = make_pipeline(StandardScaler(), AutoencoderOutlierDetector(random_state=0)).fit(rows)
    display = FeatureContributionDisplay.from_estimator(pipeline, rows, row=7)
    expected = pipeline[-1].feature_contributions(pipeline[0].transform(rows))[7]
    np.testing.assert_allclose(display.feature_contributions, expected, rtol=1e-9)
    assert display.estimator_name == "AutoencoderOutlierDetector"
    assert list(display.feature_names) == (list(frame) if as_frame else [f"x{i}" for i in range(frame.shape[1])])
    assert display.row_name == (frame.index[7] if as_frame else 7)


@pytest.mark.parametrize("step", [FunctionTransformer(np.log1p), "passthrough"], ids=["function", "passthrough"])
def test_steps_without_names(frame, step):
    pipeline = make_pipeline(step, AutoencoderOutlierDetector(random_state=0, max_iter=0)).fit(frame)
    for rows in (frame, frame[:10].to_numpy()) if step != "passthrough" else (frame,):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # the detector was fitted to a DataFrame
            display = FeatureContributionDisplay.from_estimator(pipeline, rows, row=7)
        assert len(display.feature_names) == frame.shape[1]
    assert list(FeatureContributionDisplay.from_estimator(pipeline, frame).feature_names) == list(frame)


def test_names_seen_in_fit_are_used_for_arrays(detector, frame):
    with pytest.warns(UserWarning, match="X does not have valid feature names"):
        display = FeatureContributionDisplay.from_estimator(detector, frame.to_numpy(), row=0)
    assert list(display.feature_names) == list(frame.columns)


class ImputingDetector(BaseEstimator):
    """A detector that takes missing entries, which those of the package refuse."""

    def __init__(self, detector, mean):
        self.detector_, self.mean = detector, mean

    def fit(self, X):
        return self

    def feature_contributions(self, X):
        return self.detector_.feature_contributions(X.fillna(self.mean)).where(X.notna(), 0.0)

    def score_samples(self, X):
        return -self.feature_contributions(X).sum(axis=1)


def test_a_missing_value_is_shown_as_nan(detector, frame):
    X = frame.copy()
    X.iloc[3, 1:] = np.nan
    display = FeatureContributionDisplay.from_estimator(
        ImputingDetector(detector, frame.mean()), X, row=3, n_features=2
    )
    labels = [label.get_text() for label in display.ax_.get_yticklabels()]
    assert labels == [f"{frame.columns[0]} = {X.iloc[3, 0]:.4g}", f"{frame.columns[1]} = nan", "28 others"]


def test_contributions_from_predictions(detector, frame):
    series = detector.feature_contributions(frame).iloc[2]
    display = FeatureContributionDisplay.from_predictions(series, n_features=99)
    assert len(display.bars_) == 30
    assert display.row_name == 2
    assert display.feature_names[0] == frame.columns[0]
    plain = FeatureContributionDisplay.from_predictions([1.0, 3.0], n_features=1)
    assert [bar.get_width() for bar in plain.bars_] == [3, 1]
    assert [label.get_text() for label in plain.ax_.get_yticklabels()] == ["x1", "1 other"]
    assert mcolors.same_color(plain.bars_[1].get_facecolor(), "#777777")


def test_invalid_arguments_are_refused(detector, frame):
    with pytest.raises(
        ValueError, match="The 'n_features' parameter of FeatureContributionDisplay must be an int >= 1"
    ):
        FeatureContributionDisplay.from_estimator(detector, frame, n_features=0)
    with pytest.raises(
        ValueError, match=r"The 'row' parameter of FeatureContributionDisplay must be an int < 120\. Got 120"
    ):
        FeatureContributionDisplay.from_estimator(detector, frame, row=120)
    with pytest.raises(
        ValueError, match=r"The 'row' parameter of FeatureContributionDisplay must be an int >= 0\. Got -1"
    ):
        FeatureContributionDisplay.from_estimator(detector, frame, row=-1)
    with pytest.raises(ValueError, match="feature_contributions should be a 1d array"):
        FeatureContributionDisplay.from_predictions([[1.0, 2.0]])
