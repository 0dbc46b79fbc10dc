"""Graphs give what the estimators give: every member, both detectors, pipelines. Run with -s for the differences."""

import re

import numpy as np
import pytest
import torch
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import StackingClassifier
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler

from skae import AutoencoderOutlierDetector, AutoencoderTransformer, to_onnx
from skae._model import _autoencoder, _losses
from skae._model._activations import ACTIVATIONS

pytest.importorskip("onnx")
pytest.importorskip("skl2onnx")
onnxruntime = pytest.importorskip("onnxruntime")

# Fits need not have converged.
pytestmark = pytest.mark.filterwarnings("ignore:The loss was still falling")

# Of the outputs' standard deviation: a few roundings of float32, which is what rows and results are held in.
TOLERANCE = 1e-5


def rows(n_rows, n_features=10, dtype=np.float32, seed=0):
    """Curved rows, and a seventh of them far out."""
    rng = np.random.RandomState(seed)
    loadings = np.random.RandomState(99).normal(size=(4, n_features))
    X = np.tanh(rng.normal(size=(n_rows, 4))) @ loadings + 0.1 * rng.normal(size=(n_rows, n_features))
    X[::7] *= 4.0
    return X.astype(dtype)


X, X_NEW = rows(300), rows(100, seed=1)


def run(graph, X):
    """The outputs of a graph by their names."""
    session = onnxruntime.InferenceSession(graph.SerializeToString(), providers=["CPUExecutionProvider"])
    inputs = [value.name for value in session.get_inputs()]
    fed = {inputs[0]: X} if len(inputs) == 1 else {name: X[[name]].to_numpy() for name in inputs}
    return dict(zip([value.name for value in session.get_outputs()], session.run(None, fed), strict=True))


def assert_near(got, expected, name, tolerance=TOLERANCE):
    assert got.shape == expected.shape
    difference = np.abs(got.astype(np.float64) - expected).max() / expected.std()
    print(f"{name}: {difference:.1e} of the standard deviation at most")
    assert difference <= tolerance, name


def assert_transforms(transformer, X_new, *, tolerance=TOLERANCE, **arguments):
    outputs = run(to_onnx(transformer, reconstruct=True, **arguments), X_new)
    assert list(outputs) == ["codes", "reconstruction"]
    assert_near(outputs["codes"], transformer.transform(X_new), "codes", tolerance)
    assert_near(outputs["reconstruction"], transformer.reconstruct(X_new), "reconstruction", tolerance)


def assert_detects(detector, X_new, *, tolerance=TOLERANCE, **arguments):
    outputs = run(to_onnx(detector, **arguments), X_new)
    assert list(outputs) == ["label", "scores"]
    assert outputs["label"].dtype == np.int64
    decision = detector.decision_function(X_new)[:, np.newaxis]
    assert_near(outputs["scores"], decision, "scores", tolerance)
    # Rows this near the threshold may fall on either side by rounding.
    sure = np.abs(decision) > tolerance * decision.std()
    np.testing.assert_array_equal(outputs["label"][sure], detector.predict(X_new)[:, np.newaxis][sure])
    assert len(np.unique(outputs["label"])) == 2


def transformer(**parameters):
    settings = {"n_components": 3, "hidden_layer_sizes": (24, 16), "max_iter": 5, "random_state": 0}
    return AutoencoderTransformer(**(settings | parameters))


def detector(**parameters):
    settings = {"hidden_layer_sizes": (24, 24), "max_iter": 5, "random_state": 0, "contamination": 0.1}
    return AutoencoderOutlierDetector(**(settings | parameters))


class TestTransformer:
    @pytest.mark.parametrize("dtype", ["float32", "float64"])
    @pytest.mark.parametrize("activation", ACTIVATIONS)
    def test_activations(self, activation, dtype):
        assert_transforms(transformer(activation=activation, dtype=dtype).fit(X), X_NEW)

    @pytest.mark.parametrize(
        "member",
        [
            {"whiten": True},
            {"scale": True},
            {"scale": False},
            {"n_components": None},
            {"hidden_layer_sizes": ()},
            {"max_iter": 0},
            {"sparsity": 0.2},
            {"sparsity": 2},
            {"sparsity": 3},
            {"ordered": True},
            {"ordered": True, "n_components": 0.9},
            {"variational": True},
            {"corruption": "swap"},
            {"corruption": "masking"},
            {"corruption": "salt_and_pepper"},
            {"loss": "absolute_error"},
            {"loss": "huber"},
        ],
        ids=str,
    )
    def test_members(self, member):
        assert_transforms(transformer(**member).fit(X), X_NEW)

    @pytest.mark.parametrize("variational", [False, True])
    @pytest.mark.parametrize("loss", ["binary_cross_entropy", "poisson"])
    def test_losses_with_a_range(self, loss, variational):
        positive = np.clip(np.abs(X) / 10, 0, 1), np.clip(np.abs(X_NEW) / 10, 0, 1)
        assert_transforms(transformer(loss=loss, variational=variational).fit(positive[0]), positive[1])

    def test_rows_of_float64(self):
        exact = rows(300, dtype=np.float64), rows(100, dtype=np.float64, seed=1)
        ours = transformer(dtype="float64").fit(exact[0])
        assert_transforms(ours, exact[1], X=exact[1], tolerance=1e-12)

    @pytest.mark.parametrize("kind", [np.int64, np.int32])
    def test_integers(self, kind):
        whole, new = (10 * X).astype(kind), (10 * X_NEW).astype(kind)
        assert_transforms(transformer().fit(whole), new, X=whole)

    def test_means_that_are_large_beside_deviations(self):
        assert_transforms(transformer().fit(X + 1e4), X_NEW + np.float32(1e4))

    def test_lists_of_the_oldest_operators(self):
        graph = to_onnx(transformer().fit(X), target_opset=18)
        assert [entry.version for entry in graph.opset_import if entry.domain == ""] == [18]
        assert list(run(graph, X_NEW)) == ["codes"]


class TestMissingValues:
    @pytest.fixture
    def holes(self):
        hidden = np.random.RandomState(3).uniform(size=X_NEW.shape) < 0.2
        return np.where(hidden, np.float32(np.nan), X_NEW)

    @pytest.mark.parametrize("member", [{}, {"variational": True}, {"ordered": True}], ids=str)
    def test_filled_if_training_saw_them(self, holes, member):
        ours = transformer(**member).fit(np.concatenate([X, holes]))
        # Conjugate gradients carry roundings on from step to step.
        assert_transforms(ours, holes, tolerance=1e-4)
        assert_transforms(ours, X_NEW)
        assert_transforms(ours, X_NEW, fill_missing=False)

    @pytest.mark.parametrize("n_components", [3, 7])
    def test_filled_on_request(self, holes, n_components):
        assert_transforms(transformer(n_components=n_components).fit(X), holes, fill_missing=True, tolerance=1e-4)

    def test_else_they_are_passed_on(self, holes):
        codes = run(to_onnx(transformer().fit(X)), holes)["codes"]
        np.testing.assert_array_equal(np.isnan(codes).any(axis=1), np.isnan(holes).any(axis=1))


@pytest.mark.parametrize("method", ["denoising", "reconstruction"])
class TestDetectors:
    @pytest.mark.parametrize("activation", ACTIVATIONS)
    def test_activations(self, method, activation):
        assert_detects(detector(method=method, activation=activation).fit(X), X_NEW)

    def test_defaults_and_far_rows(self, method):
        far = X_NEW * np.where(np.arange(len(X_NEW)) % 2, np.float32(100.0), np.float32(1.0))[:, np.newaxis]
        assert_detects(AutoencoderOutlierDetector(method=method, random_state=0).fit(X), far)

    def test_training_rows(self, method):
        assert_detects(detector(method=method).fit(X), X)

    @pytest.mark.parametrize("shape", [(30, 5), (40, 60), (200, 90)])
    def test_few_rows_and_many_features(self, method, shape):
        known, new = rows(*shape), rows(80, shape[1], seed=1)
        assert_detects(detector(method=method).fit(known), new)
        assert_detects(detector(method=method).fit(known), known)

    def test_rows_that_coincide(self, method):
        repeated = np.repeat(X[:40], 6, axis=0)
        assert_detects(detector(method=method, hidden_layer_sizes=(14, 14)).fit(repeated), np.concatenate([X, X_NEW]))

    def test_all_training_rows_coincide(self, method):
        assert_detects(detector(method=method).fit(np.repeat(X[:1], 40, axis=0)), np.concatenate([X[:1], X_NEW]))

    def test_weights(self, method):
        # Most stand for less than a row: the k-th nearest is then far beyond the k-th reference.
        weight = np.random.RandomState(0).uniform(size=len(X)) ** 6 + 1e-3
        assert_detects(detector(method=method).fit(X, sample_weight=weight), np.concatenate([X[:50], X_NEW]))

    def test_rows_of_float64(self, method):
        exact = rows(300, dtype=np.float64), rows(100, dtype=np.float64, seed=1)
        ours = detector(method=method, dtype="float64").fit(exact[0])
        assert_detects(ours, exact[1], X=exact[1], tolerance=1e-10)

    def test_in_a_pipeline(self, method):
        assert_detects(make_pipeline(StandardScaler(), detector(method=method)).fit(X), X_NEW)


class TestPipelines:
    @pytest.mark.parametrize("scaler", [StandardScaler(), MinMaxScaler()], ids=["standard", "minmax"])
    def test_scaler(self, scaler):
        pipeline = make_pipeline(scaler, transformer()).fit(X)
        outputs = run(to_onnx(pipeline, reconstruct=True), X_NEW)
        assert_near(outputs["codes"], pipeline.transform(X_NEW), "codes")
        expected = pipeline[-1].reconstruct(pipeline[0].transform(X_NEW))
        assert_near(outputs["reconstruction"], expected, "reconstruction")

    def test_classifier_on_codes(self):
        pipeline = make_pipeline(StandardScaler(), transformer(), LogisticRegression()).fit(X, X[:, 0] > 0)
        for options in (
            {LogisticRegression: {"zipmap": False}},
            {"zipmap": False},
            {"logisticregression__zipmap": False},
            {"logisticregression": {"zipmap": False}},
        ):
            graph = to_onnx(pipeline, fill_missing=False, options=options)
            assert_near(run(graph, X_NEW)["probabilities"], pipeline.predict_proba(X_NEW), "probabilities")

    def test_a_search_is_its_best_estimator(self):
        pipeline = make_pipeline(StandardScaler(), transformer())
        search = GridSearchCV(pipeline, {"autoencodertransformer__alpha": [0.01, 0.1]}, cv=2).fit(X)
        outputs = run(to_onnx(search, reconstruct=True), X_NEW)
        assert_near(outputs["codes"], search.transform(X_NEW), "codes")
        assert "reconstruction" in outputs

    def test_columns_of_a_frame(self):
        pd = pytest.importorskip("pandas")
        frame, new = (pd.DataFrame(values, columns=list("abcdefghij")) for values in (X, X_NEW))
        columns = ColumnTransformer(
            [("first", StandardScaler(), list("abcd")), ("rest", "passthrough", list("efghij"))]
        )
        pipeline = make_pipeline(columns, transformer()).fit(frame)
        assert_near(run(to_onnx(pipeline, new), new)["codes"], pipeline.transform(new), "codes")
        alone = transformer().fit(frame)
        assert_near(run(to_onnx(alone, new), new)["codes"], alone.transform(new), "codes")


class Halves(torch.nn.Module):
    def __init__(self, n_features, n_outputs, n_components):
        super().__init__()
        self.encode = torch.nn.Linear(n_features, n_outputs)
        self.decode = torch.nn.Linear(n_components, n_features)


class TestErrors:
    def test_custom_networks_name_the_way_out(self):
        ours = transformer(network=Halves, max_iter=1).fit(X)
        with pytest.raises(NotImplementedError, match=r"encoder_module\(\).*torch\.onnx\.export"):
            to_onnx(ours)

    def test_a_loss_that_graphs_do_not_know(self, monkeypatch):
        monkeypatch.setitem(_losses.LOSSES, "new", _losses.PoissonDeviance)
        ours = transformer().fit(X)
        ours._state["architecture"]["loss"] = "new"
        assert list(run(to_onnx(ours), X_NEW)) == ["codes"]
        with pytest.raises(NotImplementedError, match="cannot convert loss='new'"):
            to_onnx(ours, reconstruct=True)

    def test_a_bottleneck_that_graphs_do_not_know(self, monkeypatch):
        class SmallestOnly(_autoencoder.LargestOnly):
            pass

        ours = transformer(sparsity=2).fit(X)
        monkeypatch.setattr(_autoencoder, "LargestOnly", SmallestOnly)
        with pytest.raises(NotImplementedError, match="codes that go through SmallestOnly"):
            to_onnx(ours)

    def test_a_detector_gives_no_codes_to_other_steps(self):
        fitted = make_pipeline(detector(), StandardScaler()).fit(X)
        union = FeatureUnion([("outliers", detector())]).fit(X)
        within = make_pipeline(detector(), LogisticRegression())
        stacked = StackingClassifier([("first", within)], cv=2).fit(X, X[:, 0] > 0)
        calibrated = CalibratedClassifierCV(within, cv=2).fit(X, X[:, 0] > 0)
        columns = ColumnTransformer([("outliers", detector(), [0, 1])]).fit(X)
        for estimator in (fitted, union, columns, stacked, calibrated):
            with pytest.raises(NotImplementedError, match="as last step only"):
                to_onnx(estimator)

    def test_reconstruct_needs_a_transformer(self):
        with pytest.raises(ValueError, match="reconstruct=True needs an AutoencoderTransformer"):
            to_onnx(detector().fit(X), reconstruct=True)

    @pytest.mark.parametrize(
        ("given", "message"),
        [
            ({"target_opset": 17}, "'target_opset' parameter of to_onnx must be an int >= 18 or None. Got 17"),
            ({"target_opset": "18"}, "'target_opset' parameter of to_onnx must be an int >= 18 or None. Got '18'"),
            ({"fill_missing": "no"}, "'fill_missing' parameter of to_onnx must be a bool or 'auto'. Got 'no'"),
            ({"fill_missing": None}, "'fill_missing' parameter of to_onnx must be a bool or 'auto'. Got None"),
            ({"reconstruct": "yes"}, "'reconstruct' parameter of to_onnx must be a bool. Got 'yes'"),
            ({"options": 3}, "'options' parameter of to_onnx must be a dict or None. Got 3"),
        ],
        ids=str,
    )
    def test_parameters_out_of_their_range(self, given, message):
        with pytest.raises(ValueError, match=re.escape(message)):
            to_onnx(transformer().fit(X), **given)

    def test_not_fitted(self):
        with pytest.raises(NotFittedError, match="AutoencoderTransformer"):
            to_onnx(transformer())
