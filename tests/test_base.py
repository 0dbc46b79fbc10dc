"""What every estimator of the package promises: determinism, untouched globals, honest interruptions, progress."""

import copy
import pickle
import threading

import numpy as np
import pytest
import torch
from callbacks import Callback, needs_callbacks
from family_cases import short
from interruptions import cut_off_end, cut_off_epoch
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV

from skae import AutoencoderOutlierDetector, AutoencoderTransformer

ESTIMATORS = {
    "transformer": AutoencoderTransformer(3, random_state=0),
    "denoising": AutoencoderOutlierDetector(random_state=0),
    "reconstruction": AutoencoderOutlierDetector(method="reconstruction", n_components=3, random_state=0),
}
each_estimator = pytest.mark.parametrize("estimator", ESTIMATORS.values(), ids=ESTIMATORS)


@pytest.fixture(scope="module")
def rows(digits):
    """Training and test rows of a quarter of the pixels: for so few features 200 rows need no folds."""
    return tuple(X[:, 20:36] for X in digits)


@each_estimator
class TestRandomness:
    @pytest.mark.parametrize("n_rows", [300, pytest.param(150, marks=pytest.mark.slow)])
    def test_same_seed_same_result(self, estimator, rows, n_rows):
        """Also where detectors draw folds."""
        X, X_test = rows[0][:n_rows], rows[1]
        first, second = clone(estimator).fit(X), clone(estimator).fit(X)
        np.testing.assert_array_equal(first.score_samples(X_test), second.score_samples(X_test))
        other = clone(estimator).set_params(random_state=1).fit(X)
        assert np.any(first.score_samples(X_test) != other.score_samples(X_test))

    @pytest.mark.slow
    def test_none_draws_a_new_seed_each_time(self, estimator, rows):
        X = rows[0][:300]
        first, second = (clone(estimator).set_params(random_state=None).fit(X) for _ in range(2))
        assert np.any(first.score_samples(X) != second.score_samples(X))

    @pytest.mark.parametrize("random_state", [0, None])
    def test_global_generators_are_left_alone(self, estimator, rows, random_state):
        numpy_state, torch_state = np.random.mtrand._rand.get_state(legacy=False), torch.get_rng_state()
        clone(estimator).set_params(random_state=random_state).fit(rows[0][:300]).score_samples(rows[1])
        after = np.random.mtrand._rand.get_state(legacy=False)
        np.testing.assert_array_equal(numpy_state["state"]["key"], after["state"]["key"])
        assert numpy_state["state"]["pos"] == after["state"]["pos"]
        assert torch.equal(torch_state, torch.get_rng_state())

    @pytest.mark.slow
    def test_concurrent_fits_equal_serial_ones(self, estimator, rows):
        X, X_test = rows[0][:200], rows[1]
        expected = clone(estimator).fit(X).score_samples(X_test)
        fitted = [clone(estimator) for _ in range(4)]
        threads = [threading.Thread(target=model.fit, args=(X,)) for model in fitted]
        count = torch.get_num_threads()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert torch.get_num_threads() == count
        for model in fitted:
            np.testing.assert_array_equal(model.score_samples(X_test), expected)


LAYERS = {
    "int": (12, (12,)),
    "numpy int": (np.int64(12), (12,)),
    "list": ([12, 6], (12, 6)),
    "array": (np.array([12, 6]), (12, 6)),
    "range": (range(12, 5, -6), (12, 6)),
    "no layers": (np.array([]), ()),
}


@each_estimator
class TestHiddenLayerSizes:
    @pytest.mark.parametrize(("given", "expected"), LAYERS.values(), ids=LAYERS)
    def test_int_or_array_like(self, estimator, rows, given, expected):
        X, X_test = rows[0][:60], rows[1]
        first, second = (clone(estimator).set_params(hidden_layer_sizes=sizes) for sizes in (given, expected))
        assert first.get_params()["hidden_layer_sizes"] is first.hidden_layer_sizes
        assert type(first.hidden_layer_sizes) is type(given)
        first.fit(X)
        assert type(first.hidden_layer_sizes) is type(given)
        np.testing.assert_array_equal(first.score_samples(X_test), second.fit(X).score_samples(X_test))
        again = pickle.loads(pickle.dumps(first))
        np.testing.assert_array_equal(again.score_samples(X_test), first.score_samples(X_test))
        repr(first)

    @pytest.mark.parametrize("value", [0, 8.0, np.array([[8]]), (8, 0)], ids=str)
    def test_the_error_names_what_is_accepted(self, estimator, rows, value):
        with pytest.raises(ValueError, match="must be an int >= 1 or an array-like of ints >= 1"):
            clone(estimator).set_params(hidden_layer_sizes=value).fit(rows[0])


@short
def test_hidden_layer_sizes_in_a_search(rows):
    sizes = [16, (16, 8), np.array([16])]
    search = GridSearchCV(AutoencoderTransformer(3, max_iter=2), {"hidden_layer_sizes": sizes}, cv=2)
    search.fit(rows[0][:100])
    assert len(search.cv_results_["params"]) == 3


@each_estimator
class TestProgress:
    def test_verbose_prints_one_line_per_epoch(self, estimator, rows, capsys):
        model = clone(estimator).set_params(verbose=True).fit(rows[0][:200])
        lines = capsys.readouterr().out.splitlines()
        assert len(lines) == model.n_iter_
        assert lines[0].startswith("Epoch 1/")

    def test_interrupt_keeps_the_best_so_far_and_warns(self, estimator, rows, monkeypatch):
        cut_off_epoch(monkeypatch, 10)
        with pytest.warns(UserWarning, match="interrupted by user"):
            model = clone(estimator).fit(rows[0][:300])
        assert model.n_iter_ == 9
        assert model.best_loss_ < model.initial_loss_


@pytest.mark.parametrize("estimator", [ESTIMATORS["transformer"], ESTIMATORS["denoising"]])
def test_a_first_fit_cut_off_leaves_nothing(estimator, rows, monkeypatch):
    cut_off_end(monkeypatch)
    model = clone(estimator)
    before = dict(vars(model))
    with pytest.raises(KeyboardInterrupt):
        model.fit(rows[0][:300])
    assert vars(model) == before


@each_estimator
def test_a_new_fit_leaves_nothing_of_the_last_one(estimator, rows):
    X, X_test = rows[0][100:300], rows[1]
    model = clone(estimator).set_params(max_iter=0).fit(rows[0][:200])
    before = model.score_samples(X_test)
    after = model.fit(X).score_samples(X_test)
    assert np.abs(after - before).max() > 0.1
    np.testing.assert_array_equal(after, clone(model).fit(X).score_samples(X_test))


class Ended(Callback):
    """A callback that notes when it is ended."""

    def __init__(self):
        self.ended = False

    def teardown(self, estimator, context):
        self.ended = True


class StopAfter(Ended):
    """Looks at the fitted estimator after every epoch and stops after some."""

    def __init__(self, n_epochs):
        super().__init__()
        self.n_epochs, self.epochs, self.begun, self.tasks_ended = n_epochs, [], [], []

    def on_fit_task_begin(self, estimator, context):
        self.begun.append(context.task_name)

    def on_fit_task_end(self, estimator, context, *, fitted_estimator=None):
        self.tasks_ended.append(context.task_name)
        if context.task_name != "epoch":
            return False
        self.epochs.append(fitted_estimator.n_iter_)
        return len(self.epochs) == self.n_epochs


@needs_callbacks
@each_estimator
class TestCallbacks:
    def test_progress_bar(self, estimator, rows, capsys):
        from sklearn.callback import ProgressBar

        pytest.importorskip("rich")
        clone(estimator).set_callbacks(ProgressBar()).fit(rows[0][:200])
        assert type(estimator).__name__ in capsys.readouterr().out

    def test_callbacks_are_ended_when_fit_fails(self, estimator, rows):
        callback = Ended()
        with pytest.raises(ValueError, match="lower learning_rate_init"):
            clone(estimator).set_params(learning_rate_init=1e300).set_callbacks(callback).fit(rows[0][:200])
        assert callback.ended

    def test_a_callback_sees_every_epoch_and_can_stop(self, estimator, rows):
        callback = StopAfter(3)
        model = clone(estimator).set_callbacks(callback).fit(rows[0][:200])
        assert callback.epochs == [1, 2, 3]
        assert model.n_iter_ == 3

    @short
    def test_what_it_keeps_stays_as_it_was(self, estimator, rows):
        X, kept = rows[0][:300], []

        class Keeps(Callback):
            def on_fit_task_end(self, estimator, context, *, fitted_estimator=None):
                if context.task_name == "epoch":
                    kept.append((fitted_estimator, fitted_estimator.score_samples(X)))

        clone(estimator).set_params(max_iter=3).set_callbacks(Keeps()).fit(X)
        assert [len(fitted.loss_curve_) for fitted, _ in kept] == [1, 2, 3]
        for fitted, scores in kept:  # a copy has nothing ready: it reads the state
            np.testing.assert_array_equal(copy.deepcopy(fitted).score_samples(X), scores)

    @short
    @pytest.mark.parametrize("settings", [{"max_iter": 5}, {"n_iter_no_change": 1}, {"max_iter": 0}])
    def test_what_begins_ends(self, estimator, rows, settings):
        callback = StopAfter(1000)
        # A rate too small for any gain, so that patience ends soon.
        model = clone(estimator).set_params(learning_rate_init=1e-12, **settings).set_callbacks(callback)
        n_epochs = len(model.fit(rows[0][:300]).loss_curve_)
        assert n_epochs == settings["max_iter"] if "max_iter" in settings else 1 <= n_epochs <= 5
        assert callback.begun == ["fit"] + ["epoch"] * n_epochs
        assert callback.tasks_ended == ["epoch"] * n_epochs + ["fit"]
