"""Methods that return a row for each row of X, in the units of its features, give a DataFrame for a DataFrame."""

import sys

import numpy as np
import pytest
from family_cases import short
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, cross_val_predict, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skae import AutoencoderOutlierDetector, AutoencoderTransformer

X = np.random.RandomState(0).normal(size=(60, 4)) @ np.random.RandomState(1).normal(size=(4, 4))
NAMES = list("dbca")
TRANSFORMER = AutoencoderTransformer(2, max_iter=0)
DETECTOR = AutoencoderOutlierDetector(max_iter=0, random_state=0)
CALLS = [(TRANSFORMER, "reconstruct"), (TRANSFORMER, "predict"), (DETECTOR, "feature_contributions")]

each_call = pytest.mark.parametrize(("estimator", "method"), CALLS, ids=[method for _, method in CALLS])
each_library = pytest.mark.parametrize("library", ["pandas", "polars"])
each_dtype = pytest.mark.parametrize("dtype", [np.float64, np.float32])


def make_frame(library, rows=X, dtype=np.float64):
    columns = dict(zip(NAMES, rows.astype(dtype).T, strict=True))
    frame = pytest.importorskip(library).DataFrame(columns)
    if library == "pandas":
        frame.index = [f"row {i}" for i in range(len(frame))]
        frame.columns.name = "sensor"
    return frame


@each_call
@each_library
@each_dtype
def test_a_frame_for_a_frame(estimator, method, library, dtype):
    frame = make_frame(library, dtype=dtype)
    of_frames, of_arrays = (
        getattr(clone(estimator).fit(rows), method) for rows in (frame, np.asfortranarray(frame.to_numpy()))
    )
    # As many rows as columns: a frame must not be read by columns.
    for rows in (frame, frame[:4], frame[:1]):
        result, expected = of_frames(rows), of_arrays(rows.to_numpy())
        assert type(result) is type(frame)
        assert list(result.columns) == NAMES
        assert isinstance(expected, np.ndarray)
        # scikit-learn makes float64 of every frame of polars.
        assert result.to_numpy().dtype == (expected.dtype if library == "pandas" else np.float64)
        np.testing.assert_allclose(result.to_numpy(), expected, rtol=1e-4, atol=1e-6)
        if library == "pandas":
            assert result.index.equals(rows.index)
            assert result.columns.equals(rows.columns)
            assert result.columns.name == "sensor"


@each_call
def test_columns_without_names_that_scikit_learn_keeps(estimator, method):
    pd = pytest.importorskip("pandas")
    for columns in (range(4), pd.MultiIndex.from_product([["a", "b"], [0, 1]])):
        frame = pd.DataFrame(X, columns=columns)
        assert getattr(estimator.fit(frame), method)(frame).columns.equals(frame.columns)


@each_call
def test_the_frame_is_that_of_the_call(estimator, method):
    """What was fitted to an array gives a frame for a frame, and the other way round an array."""
    frame = make_frame("pandas")
    call = getattr(estimator.fit(X), method)
    with pytest.warns(UserWarning, match="fitted without feature names"):
        assert list(call(frame).columns) == NAMES
    call = getattr(estimator.fit(frame), method)
    with pytest.warns(UserWarning, match="does not have valid feature names"):
        assert type(call(X)) is np.ndarray


@each_library
def test_missing_entries_of_a_frame_are_filled(library):
    rows = np.where(np.random.RandomState(2).uniform(size=X.shape) < 0.1, np.nan, X)
    frame = make_frame(library, rows)
    filled = TRANSFORMER.fit(frame).reconstruct(frame)
    assert np.isfinite(filled.to_numpy()).all()
    if library == "pandas":
        kept = frame.fillna(filled).to_numpy()
        np.testing.assert_array_equal(kept[~np.isnan(rows)], rows[~np.isnan(rows)])


@each_library
def test_set_output_decides_about_transform_alone(library):
    frame = make_frame(library)
    assert type(TRANSFORMER.fit(frame).transform(frame)) is np.ndarray
    codes = AutoencoderTransformer(2, max_iter=0).set_output(transform=library).fit(frame).transform(frame)
    assert type(codes) is type(frame)
    assert type(TRANSFORMER.inverse_transform(codes)) is np.ndarray
    scaler = StandardScaler().set_output(transform=library)
    assert type(make_pipeline(scaler, TRANSFORMER).fit(frame).predict(frame)) is type(frame)


@each_library
@short
def test_scorers_and_searches_take_frames(library):
    frame, scoring = make_frame(library), "neg_mean_squared_error"
    # Sums over columns in another order differ by rounding.
    scores, expected = (cross_val_score(TRANSFORMER, rows, rows, scoring=scoring) for rows in (frame, X))
    np.testing.assert_allclose(scores, expected)
    predictions, expected = (cross_val_predict(TRANSFORMER, rows, rows) for rows in (frame, X))
    np.testing.assert_allclose(predictions, expected)
    search = GridSearchCV(TRANSFORMER, {"n_components": [1, 3]}, scoring=scoring).fit(frame, frame)
    assert search.best_params_ == {"n_components": 3}
    assert type(search.predict(frame)) is type(frame)


@each_call
def test_neither_library_is_imported(estimator, method, monkeypatch):
    for library in ("pandas", "polars"):
        monkeypatch.delitem(sys.modules, library, raising=False)
    assert type(getattr(estimator.fit(X), method)(X)) is np.ndarray
    assert not {"pandas", "polars"} & set(sys.modules)


@each_library
@pytest.mark.parametrize(
    "estimator",
    [TRANSFORMER, DETECTOR, AutoencoderOutlierDetector(method="reconstruction", max_iter=0)],
    ids=["transformer", "detector", "reconstruction"],
)
def test_columns_without_any_value_are_named(estimator, library):
    rows = X.copy()
    rows[:, [1, 3]] = np.nan
    with pytest.raises(ValueError, match=r"without any observed value: \['b', 'a'\]\. Drop them"):
        clone(estimator).fit(make_frame(library, rows))
