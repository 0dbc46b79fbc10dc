"""Graphs compute what the estimators compute: members, both detectors, pipelines. Run with -s for the differences."""

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
from sklearn.pipeline import FeatureUnion, make_pipeline, make_union
from sklearn.preprocessing import StandardScaler

from skae import AutoencoderOutlierDetector, AutoencoderTransformer, to_onnx
from skae._autoencoder._activations import ACTIVATIONS
from skae._outlier_detector import SCORERS
from skae.networks import ConvolutionalNetwork1d

pytest.importorskip("onnx")
pytest.importorskip("skl2onnx")
pytest.importorskip("onnxscript")
onnxruntime = pytest.importorskip("onnxruntime")

# Fits need not have converged.
pytestmark = pytest.mark.filterwarnings("ignore:The loss was still falling")

# A conversion takes one to six seconds: several things are tried on each graph.
slow, nightly = pytest.mark.slow, pytest.mark.nightly
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
    """Convert, compare, and return the graph."""
    graph = to_onnx(transformer, reconstruct=True, **arguments)
    assert_graph_transforms(graph, transformer, X_new, tolerance)
    return graph


def assert_graph_transforms(graph, transformer, X_new, tolerance=TOLERANCE):
    outputs = run(graph, X_new)
    assert list(outputs) == ["codes", "reconstruction"]
    assert_near(outputs["codes"], transformer.transform(X_new), "codes", tolerance)
    assert_near(outputs["reconstruction"], transformer.reconstruct(X_new), "reconstruction", tolerance)


def assert_detects(detector, *data, tolerance=TOLERANCE, **arguments):
    graph = to_onnx(detector, **arguments)
    for X_new in data:
        outputs = run(graph, X_new)
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
    # So that networks learn something that graphs could lack.
    settings |= {"early_stopping": False, "learning_rate_init": 0.02, "alpha": 0.0}
    return AutoencoderTransformer(**(settings | parameters))


def detector(**parameters):
    settings = {"n_components": 2, "hidden_layer_sizes": (24, 24), "max_iter": 30}
    settings |= {"contamination": 0.1, "random_state": 0}
    return AutoencoderOutlierDetector(**(settings | parameters))


def with_missing(X):
    missing = np.random.RandomState(3).uniform(size=X.shape) < 0.2
    return np.where(missing, np.float32(np.nan), X)


class TestTransformer:
    def test_defaults(self):
        ours = transformer().fit(X)
        graph = assert_transforms(ours, X_NEW, target_opset=18)
        assert [entry.version for entry in graph.opset_import if entry.domain == ""] == [18]
        # Any number of rows.
        assert_graph_transforms(graph, ours, X_NEW[:1])
        # Nothing was asked about missing entries: the codes of their rows are missing.
        holes = with_missing(X_NEW)
        np.testing.assert_array_equal(np.isnan(run(graph, holes)["codes"]).any(axis=1), np.isnan(holes).any(axis=1))

    # onnxruntime must have what is used in float64 too.
    @pytest.mark.parametrize(
        "activation", [pytest.param(name, marks=slow if name == "gelu" else nightly) for name in ACTIVATIONS]
    )
    def test_activations_in_float64(self, activation):
        exact = rows(300, dtype=np.float64), rows(100, dtype=np.float64, seed=1)
        ours = transformer(activation=activation, dtype="float64").fit(exact[0])
        # onnxruntime's error function is that of float32.
        assert_transforms(ours, exact[1], X=exact[1], tolerance=1e-6 if activation == "gelu" else 1e-12)

    @pytest.mark.parametrize(
        "member",
        [
            pytest.param({"whiten": True, "scale": True}, marks=slow),
            pytest.param({"n_components": None}, marks=nightly),
            pytest.param({"hidden_layer_sizes": ()}, marks=nightly),
            pytest.param({"max_iter": 0}, marks=nightly),
            pytest.param({"code": "sparse", "n_nonzero": 2}, marks=slow),
            pytest.param({"code": "sparse", "n_nonzero": 3}, marks=nightly),
            pytest.param({"code": "ordered"}, marks=slow),
            pytest.param({"code": "ordered", "n_components": 0.9}, marks=nightly),
            pytest.param({"code": "variational"}, marks=nightly),
            {"code": "neighbors"},
        ],
        ids=str,
    )
    def test_members(self, member):
        assert_transforms(transformer(**member).fit(X), X_NEW)

    @slow
    @pytest.mark.parametrize(
        ("loss", "code"),
        [
            ("binary_cross_entropy", "dense"),
            ("poisson", "variational"),
            pytest.param("binary_cross_entropy", "variational", marks=nightly),
            pytest.param("poisson", "dense", marks=nightly),
        ],
    )
    def test_losses_with_a_range(self, loss, code):
        positive = np.clip(np.abs(X) / 10, 0, 1), np.clip(np.abs(X_NEW) / 10, 0, 1)
        assert_transforms(transformer(loss=loss, code=code).fit(positive[0]), positive[1])

    @nightly
    @pytest.mark.parametrize("kind", [np.int64, np.int32])
    def test_integers(self, kind):
        whole, new = (10 * X).astype(kind), (10 * X_NEW).astype(kind)
        assert_transforms(transformer().fit(whole), new, X=whole)

    @slow
    def test_means_that_are_large_beside_deviations(self):
        assert_transforms(transformer().fit(X + 1e4), X_NEW + np.float32(1e4))


class Pointwise(torch.nn.Module):
    """A network of which only the function of the hidden layer matters."""

    def __init__(self, n_features, n_outputs, n_components, function):
        super().__init__()
        self.inward, self.outward = torch.nn.Linear(n_features, n_outputs), torch.nn.Linear(n_components, n_features)
        self.function = function

    def encode(self, x):
        return self.function(self.inward(x))

    def decode(self, z):
        return self.outward(z)


def transformer_with(function):
    return transformer(network=lambda *sizes: Pointwise(*sizes, function), max_iter=1)


class TestCustomNetworks:
    @slow
    @pytest.mark.parametrize("takes_mask", [False, pytest.param(True, marks=nightly)])
    def test_convolutions(self, takes_mask):
        known, new = rows(300, 16), rows(100, 16, seed=1)
        if takes_mask:
            known, new = with_missing(known), with_missing(new)
        network = ConvolutionalNetwork1d(channels=(4, 8), hidden_layer_size=16)
        ours = transformer(network=network, max_iter=30).fit(known)
        assert ours.best_loss_ < 0.95 * ours.initial_loss_
        assert_transforms(ours, new, tolerance=1e-4 if takes_mask else TOLERANCE)

    @pytest.mark.parametrize(
        "function",
        [
            pytest.param(lambda h: h if bool(h.sum() > 0) else -h, marks=nightly, id="branch"),
            pytest.param(lambda h: h.reshape(len(h), -1), marks=slow, id="number of rows"),
        ],
    )
    def test_what_the_exporter_cannot_convert(self, function):
        ours = transformer_with(function).fit(X)
        with pytest.raises(NotImplementedError, match=r"that torch\.onnx\.export cannot convert"):
            to_onnx(ours)


class TestMissingValues:
    @slow
    @pytest.mark.parametrize(
        "member",
        [{}, *(pytest.param({"code": code}, marks=nightly) for code in ("variational", "ordered"))],
        ids=str,
    )
    def test_filled_if_training_saw_them(self, member):
        holes = with_missing(X_NEW)
        ours = transformer(**member).fit(np.concatenate([X, holes]))
        # Conjugate gradients carry roundings on from step to step.
        graph = assert_transforms(ours, holes, tolerance=1e-4)
        assert_graph_transforms(graph, ours, X_NEW)

    @slow
    def test_not_filled_on_request(self):
        ours = transformer().fit(np.concatenate([X, with_missing(X_NEW)]))
        assert_transforms(ours, X_NEW, fill_missing=False)

    # Fewer and more components than half of the features: two ways to multiply.
    @nightly
    @pytest.mark.parametrize("n_components", [3, 7])
    def test_filled_on_request(self, n_components):
        ours = transformer(n_components=n_components).fit(X)
        assert_transforms(ours, with_missing(X_NEW), fill_missing=True, tolerance=1e-4)


KINDS = {
    "contaminated": {"method": "denoising"},
    "clean": {"method": "denoising", "novelty": True},
    "reconstruction": {"method": "reconstruction"},
}


each_kind = pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
# Graphs of masked autoencoders take ten seconds to make.
each_kind_in_time = pytest.mark.parametrize(
    "kind", [pytest.param(kind, marks=nightly if name == "clean" else slow, id=name) for name, kind in KINDS.items()]
)


class TestDetectors:
    @each_kind_in_time
    def test_defaults_on_far_and_on_training_rows(self, kind):
        far = X_NEW * np.where(np.arange(len(X_NEW)) % 2, np.float32(100.0), np.float32(1.0))[:, np.newaxis]
        assert_detects(AutoencoderOutlierDetector(**kind, contamination=0.1, random_state=0).fit(X), far, X)

    @each_kind
    @nightly
    @pytest.mark.parametrize("activation", ACTIVATIONS)
    def test_activations(self, kind, activation):
        assert_detects(detector(**kind, activation=activation).fit(X), X_NEW)

    @each_kind
    @pytest.mark.filterwarnings("ignore:Found .* different rows for .* features")
    @pytest.mark.parametrize(
        "shape",
        [
            pytest.param((30, 5), marks=nightly),
            pytest.param((40, 60), marks=nightly),
            pytest.param((200, 90), marks=slow),
        ],
    )
    def test_few_rows_and_many_features(self, kind, shape):
        known = rows(*shape)
        # Without a higher contamination, hardly any of so few rows would be labelled.
        estimator = detector(**kind, contamination=0.2).fit(known)
        assert_detects(estimator, rows(80, shape[1], seed=1), known)

    @each_kind
    @nightly
    def test_rows_that_coincide(self, kind):
        repeated = np.repeat(X[:40], 6, axis=0)
        assert_detects(detector(**kind, hidden_layer_sizes=(14, 14)).fit(repeated), np.concatenate([X, X_NEW]))

    @each_kind
    @nightly
    def test_all_training_rows_coincide(self, kind):
        assert_detects(detector(**kind).fit(np.repeat(X[:1], 40, axis=0)), np.concatenate([X[:1], X_NEW]))

    @each_kind
    @slow
    def test_discrete_and_constant_features(self, kind):
        """Counts of which some are new, a constant that changes, and more distinct values than are kept."""
        known, new = (np.column_stack([np.round(rows(n, 3, seed=n) * 2), rows(n, 1, seed=n)]) for n in (400, 100))
        known, new = (np.column_stack([values, np.full(len(values), 3)]).astype(np.float32) for values in (known, new))
        new[::10, 4], new[::9, 0] = 4.0, 0.5
        # Rows that coincide leave a small floor, whose logarithm magnifies roundings.
        assert_detects(detector(**kind).fit(known), new, known, tolerance=1e-4)

    @each_kind
    @nightly
    def test_weights(self, kind):
        weight = np.random.RandomState(0).uniform(size=len(X)) ** 6 + 1e-3
        assert_detects(detector(**kind).fit(X, sample_weight=weight), np.concatenate([X[:50], X_NEW]))

    @each_kind
    @nightly
    def test_groups(self, kind):
        """New rows: the graph does not know which training rows belong together."""
        assert_detects(detector(**kind).fit(X, groups=np.arange(len(X)) // 5), X_NEW)

    # In float64: fills that differ by roundings may be other known values.
    @each_kind_in_time
    @pytest.mark.parametrize("training_is_complete", [False, True])
    def test_missing_values(self, kind, training_is_complete):
        rows = X.astype(np.float64)
        ours = detector(**kind, dtype="float64").fit(rows if training_is_complete else with_missing(rows))
        new = with_missing(X_NEW.astype(np.float64))
        new[3] = np.nan
        assert_detects(ours, new, tolerance=1e-3, X=rows, fill_missing=True)

    @slow
    def test_a_row_with_missing_values_is_not_scored(self):
        ours = detector().fit(X)
        new = with_missing(X_NEW)
        found = run(to_onnx(ours), new)
        incomplete = np.isnan(new).any(axis=1)
        np.testing.assert_array_equal(np.isnan(found["scores"][:, 0]), incomplete)
        assert (found["label"][incomplete] == -1).all()

    @each_kind
    @nightly
    def test_rows_of_float64(self, kind):
        exact = rows(300, dtype=np.float64), rows(100, dtype=np.float64, seed=1)
        ours = detector(**kind, dtype="float64").fit(exact[0])
        assert_detects(ours, exact[1], X=exact[1], tolerance=1e-10)

    @each_kind
    @nightly
    def test_in_a_pipeline(self, kind):
        # The scalers of the two round differently.
        assert_detects(make_pipeline(StandardScaler(), detector(**kind)).fit(X), X_NEW, tolerance=1e-4)


class TestPipelines:
    @slow
    def test_a_search_is_its_best_estimator(self):
        pipeline = make_pipeline(StandardScaler(), transformer())
        search = GridSearchCV(pipeline, {"autoencodertransformer__alpha": [0.01, 0.1]}, cv=2).fit(X)
        outputs = run(to_onnx(search, reconstruct=True), X_NEW)
        assert_near(outputs["codes"], search.transform(X_NEW), "codes")
        scaler, ours = search.best_estimator_
        # In the units of what the transformer is given.
        assert_near(outputs["reconstruction"], ours.reconstruct(scaler.transform(X_NEW)), "reconstruction")

    @slow
    def test_two_of_ours_beside_each_other(self):
        union = make_union(transformer(), transformer(code="ordered")).fit(X)
        [codes] = run(to_onnx(union), X_NEW).values()
        assert_near(codes, union.transform(X_NEW), "codes")

    @pytest.mark.parametrize(
        "options",
        [
            pytest.param({LogisticRegression: {"zipmap": False}}, marks=nightly),
            pytest.param({"zipmap": False}, marks=nightly),
            pytest.param({"logisticregression__zipmap": False}, marks=nightly),
            pytest.param({"logisticregression": {"zipmap": False}}, marks=slow),
        ],
        ids=str,
    )
    def test_classifier_on_codes(self, options):
        pipeline = make_pipeline(StandardScaler(), transformer(), LogisticRegression()).fit(X, X[:, 0] > 0)
        graph = to_onnx(pipeline, fill_missing=False, options=options)
        assert_near(run(graph, X_NEW)["probabilities"], pipeline.predict_proba(X_NEW), "probabilities")

    @nightly
    def test_columns_of_a_frame(self):
        pd = pytest.importorskip("pandas")
        frame, new = (pd.DataFrame(values, columns=list("abcdefghij")) for values in (X, X_NEW))
        columns = ColumnTransformer(
            [("first", StandardScaler(), list("abcd")), ("rest", "passthrough", list("efghij"))]
        )
        pipeline = make_pipeline(columns, transformer()).fit(frame)
        assert_near(run(to_onnx(pipeline, new), new)["codes"], pipeline.transform(new), "codes")

    @slow
    def test_columns_of_several_dtypes(self):
        pd = pytest.importorskip("pandas")
        frame, new = (pd.DataFrame(values, columns=list("abcdefghij")) for values in (X, X_NEW))
        frame, new = (table.assign(a=(10 * table["a"]).astype(np.int64)) for table in (frame, new))
        ours = transformer().fit(frame)
        assert_near(run(to_onnx(ours, new), new)["codes"], ours.transform(new), "codes")


class TestErrors:
    @slow
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

    @pytest.mark.parametrize("columns", [["a", "b"], lambda X: ["a", "b"]], ids=["list", "callable"])
    def test_columns_by_name_need_a_frame(self, columns):
        pd = pytest.importorskip("pandas")
        frame = pd.DataFrame(X, columns=list("abcdefghij"))
        by_name = ColumnTransformer([("ab", StandardScaler(), columns)], remainder="passthrough")
        pipeline = make_pipeline(by_name, StandardScaler()).fit(frame)
        for example in (None, X):
            with pytest.raises(ValueError, match="chooses columns by name: pass X as a DataFrame"):
                to_onnx(pipeline, example)
        assert [column.name for column in to_onnx(pipeline, frame).graph.input] == list(frame)
        by_number = ColumnTransformer([("ab", StandardScaler(), [0, 1])], remainder="passthrough")
        assert [column.name for column in to_onnx(by_number.fit(frame)).graph.input] == ["X"]

    def test_columns_by_a_slice_of_names(self):
        pd = pytest.importorskip("pandas")
        frame = pd.DataFrame(X, columns=list("abcdefghij"))
        by_slice = ColumnTransformer([("ab", StandardScaler(), slice("a", "b"))]).fit(frame)
        with pytest.raises(NotImplementedError, match="slice of column names"):
            to_onnx(by_slice, frame)

    def test_a_scorer_that_graphs_do_not_know(self, monkeypatch):
        class OtherScorer(SCORERS["reconstruction"]):
            pass

        monkeypatch.setitem(SCORERS, "reconstruction", OtherScorer)
        ours = detector(method="reconstruction").fit(X)
        with pytest.raises(NotImplementedError, match="a detector that scores by OtherScorer"):
            to_onnx(ours)

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
