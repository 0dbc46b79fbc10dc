"""Saved and opened again: the same results. Damaged files and those of another format: an error."""

import copy
import pickle
import struct
from zipfile import BadZipFile

import joblib
import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skae import SKOPS_TRUSTED, AutoencoderOutlierDetector, AutoencoderTransformer
from skae._saved_state import FORMAT_VERSION

SETTINGS = {"n_components": 2, "hidden_layer_sizes": (16,), "max_iter": 3}
ESTIMATORS = {
    "transformer": AutoencoderTransformer(**SETTINGS, random_state=0),
    "denoising": AutoencoderOutlierDetector(**SETTINGS, random_state=0),
    "clean": AutoencoderOutlierDetector(novelty=True, **SETTINGS, random_state=0),
    "reconstruction": AutoencoderOutlierDetector(
        method="reconstruction", **SETTINGS, random_state=np.random.RandomState(0)
    ),
}
METHODS = [
    "transform",
    "reconstruct",
    "predict",
    "score_samples",
    "decision_function",
    "p_values",
    "select",
    "feature_contributions",
]
pytestmark = pytest.mark.filterwarnings("ignore:The loss was still falling")

X = np.random.RandomState(0).normal(size=(300, 6))
ASKED = X[:20] + 0.1


@pytest.fixture(scope="module", params=ESTIMATORS)
def fitted(request):
    return clone(ESTIMATORS[request.param]).fit(X)


@pytest.fixture(scope="module")
def skops_io():
    return pytest.importorskip("skops.io")


def parameters(estimator):
    """A RandomState is equal to itself alone."""
    return {name: value for name, value in estimator.get_params().items() if name != "random_state"}


def assert_same(opened, fitted):
    """All that can be asked of the two is equal."""
    assert vars(opened).keys() == vars(fitted).keys()
    assert parameters(opened) == parameters(fitted)
    for method in [method for method in METHODS if hasattr(fitted, method)]:
        np.testing.assert_array_equal(getattr(opened, method)(ASKED), getattr(fitted, method)(ASKED), err_msg=method)


class TestRoundTrip:
    @pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
    def test_pickle(self, fitted, protocol):
        assert_same(pickle.loads(pickle.dumps(fitted, protocol)), fitted)

    @pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy], ids=["copy", "deepcopy"])
    def test_copy(self, fitted, copied):
        assert_same(copied(fitted), fitted)

    def test_cloudpickle(self, fitted):
        cloudpickle = pytest.importorskip("cloudpickle")  # joblib brings it from 1.6 on
        assert_same(cloudpickle.loads(cloudpickle.dumps(fitted)), fitted)

    @pytest.mark.parametrize("compress", [0, 3])
    def test_joblib(self, fitted, compress, tmp_path):
        joblib.dump(fitted, tmp_path / "saved.joblib", compress=compress)
        assert_same(joblib.load(tmp_path / "saved.joblib"), fitted)

    def test_joblib_shares_the_file_between_processes(self, fitted, tmp_path):
        joblib.dump(fitted, tmp_path / "saved.joblib")
        opened = joblib.load(tmp_path / "saved.joblib", mmap_mode="r")
        arrays = list(arrays_in(opened.__getstate__()))
        assert len(arrays) == len(list(arrays_in(fitted.__getstate__()))) > 0
        assert all(isinstance(array, np.memmap) and not array.flags.writeable for array in arrays)
        assert_same(opened, fitted)
        assert_same(opened.fit(X[:60]), clone(fitted).fit(X[:60]))

    def test_skops(self, fitted, tmp_path, skops_io):
        skops_io.dump(fitted, tmp_path / "saved.skops")
        assert set(skops_io.get_untrusted_types(file=tmp_path / "saved.skops")) <= set(SKOPS_TRUSTED)
        assert_same(skops_io.load(tmp_path / "saved.skops", trusted=SKOPS_TRUSTED), fitted)

    def test_skops_of_a_pipeline(self, fitted, skops_io):
        pipeline = make_pipeline(StandardScaler(), clone(fitted)).fit(X)
        opened = skops_io.loads(skops_io.dumps(pipeline), trusted=SKOPS_TRUSTED)
        np.testing.assert_array_equal(opened.predict(X), pipeline.predict(X))

    def test_every_trusted_type_is_needed(self, skops_io):
        saved = [skops_io.dumps(estimator) for estimator in ESTIMATORS.values()]
        asked_for = {name for data in saved for name in skops_io.get_untrusted_types(data=data)}
        assert asked_for == set(SKOPS_TRUSTED)

    def test_names_of_columns(self, skops_io):
        frame = pytest.importorskip("pandas").DataFrame(X, columns=list("abcdef"))
        fitted = clone(ESTIMATORS["transformer"]).fit(frame)
        for opened in (
            pickle.loads(pickle.dumps(fitted)),
            skops_io.loads(skops_io.dumps(fitted), trusted=SKOPS_TRUSTED),
        ):
            assert opened.feature_names_in_.tolist() == list("abcdef")
            np.testing.assert_array_equal(opened.transform(frame), fitted.transform(frame))

    def test_clone_is_not_fitted(self, fitted):
        copied = clone(fitted)
        assert copied.get_params().keys() == fitted.get_params().keys()
        assert set(vars(copied)) == set(fitted.get_params())
        with pytest.raises(NotFittedError):
            copied.transform(X)

    def test_not_fitted(self, fitted):
        opened = pickle.loads(pickle.dumps(clone(fitted)))
        assert_same(opened.fit(X), clone(fitted).fit(X))


def arrays_in(state):
    """All arrays of a nested dict."""
    for value in state.values():
        if isinstance(value, dict):
            yield from arrays_in(value)
        elif isinstance(value, np.ndarray):
            yield value


# What pickle and joblib raise, by the place of the cut.
CUT_SHORT = (EOFError, pickle.UnpicklingError, ValueError, IndexError, struct.error)


class TestDamaged:
    @pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 0.99])
    def test_truncated_pickle(self, fitted, share, tmp_path):
        saved = pickle.dumps(fitted)
        with pytest.raises(CUT_SHORT):
            pickle.loads(saved[: int(share * len(saved))])
        joblib.dump(fitted, tmp_path / "saved.joblib")
        content = (tmp_path / "saved.joblib").read_bytes()
        (tmp_path / "saved.joblib").write_bytes(content[: int(share * len(content))])
        with pytest.raises(CUT_SHORT):
            joblib.load(tmp_path / "saved.joblib")

    @pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 0.99])
    def test_truncated_skops(self, fitted, share, skops_io):
        saved = skops_io.dumps(fitted)
        with pytest.raises(BadZipFile):
            skops_io.loads(saved[: int(share * len(saved))], trusted=SKOPS_TRUSTED)

    @pytest.mark.parametrize("array", [0, 5, -1])
    @pytest.mark.parametrize("bit", [0, 7])
    def test_one_flipped_bit_in_skops(self, fitted, array, bit, skops_io):
        """The zip's check sums tell; a pickle opens with another number in it."""
        saved = bytearray(skops_io.dumps(fitted))
        values = sorted(arrays_in(fitted.__getstate__()), key=lambda values: values.nbytes)[array]
        place = saved.find(values.tobytes())
        assert place > 0
        saved[place + values.nbytes // 2] ^= 1 << bit
        with pytest.raises(BadZipFile, match="Bad CRC-32"):
            skops_io.loads(bytes(saved), trusted=SKOPS_TRUSTED)

    def test_skops_without_trust(self, fitted, skops_io):
        with pytest.raises(skops_io.exceptions.UntrustedTypesFoundException, match="skae"):
            skops_io.loads(skops_io.dumps(fitted))


class TestFormat:
    @pytest.mark.parametrize("saved", [FORMAT_VERSION + 1, None])
    def test_another_one_is_refused(self, fitted, saved):
        state = fitted.__getstate__()
        if saved is None:
            del state["_skae_format"]
        else:
            state["_skae_format"] = saved
        opened = type(fitted).__new__(type(fitted))
        words = f"saved in format {saved}, but the installed skae reads formats 1 to {FORMAT_VERSION}"
        with pytest.raises(ValueError, match=words):
            opened.__setstate__(state)
        assert not vars(opened)

    @pytest.mark.parametrize("saved", [1, 2])
    def test_a_fitted_detector_of_an_earlier_one_is_refused(self, fitted, saved):
        if not hasattr(fitted, "p_values"):
            pytest.skip("transformers are upgraded: tests/test_saved_files.py")
        opened = type(fitted).__new__(type(fitted))
        with pytest.raises(ValueError, match=r"fitted by an earlier version of skae.*Fit it again"):
            opened.__setstate__(fitted.__getstate__() | {"_skae_format": saved})
        assert not vars(opened)

    def test_corrections_did_not_fade_before(self):
        X = np.random.RandomState(0).normal(size=(60, 4))
        for model, name in (
            (AutoencoderTransformer(**SETTINGS), "_fitted"),
            (AutoencoderOutlierDetector(method="reconstruction", **SETTINGS), "_scorer"),
        ):
            state = model.fit(X).__getstate__() | {"_skae_format": 3}
            fitted = state[name] if name == "_fitted" else state[name]["autoencoder"]
            del fitted["training_range"]
            opened = type(model).__new__(type(model))
            opened.__setstate__(state)
            autoencoder = opened._fitted if name == "_fitted" else opened._scorer.autoencoder
            assert autoencoder.training_range.row_norm == np.inf
            np.testing.assert_allclose(opened.transform(X), model.transform(X), atol=0.5)

    def test_one_that_is_not_fitted_may_contain_outliers(self):
        detector = AutoencoderOutlierDetector(max_iter=7)
        state = detector.__getstate__() | {"_skae_format": 2}
        del state["novelty"]
        opened = AutoencoderOutlierDetector.__new__(AutoencoderOutlierDetector)
        opened.__setstate__(state)
        assert opened.get_params() == detector.get_params()

    @pytest.mark.parametrize("saver", ["pickle", "skops.io"])
    def test_a_newer_file_is_refused(self, fitted, saver, monkeypatch):
        saver = pytest.importorskip(saver)
        monkeypatch.setattr("skae._estimator.FORMAT_VERSION", FORMAT_VERSION + 1)
        saved = saver.dumps(fitted)
        monkeypatch.undo()
        trust = {} if saver is pickle else {"trusted": SKOPS_TRUSTED}
        with pytest.raises(ValueError, match=f"was saved in format {FORMAT_VERSION + 1}"):
            saver.loads(saved, **trust)

    def test_the_version_is_in_the_file_alone(self, fitted):
        assert fitted.__getstate__()["_skae_format"] == FORMAT_VERSION
        assert "_skae_format" not in vars(fitted)
        assert "_skae_format" not in vars(copy.copy(fitted))
