"""The training loop on a network whose optimum is known, and its ways to end."""

import numpy as np
import pytest
import torch

from skae._rows._row_source import RowSource
from skae._training._interfaces import Split, TrainingResult
from skae._training._loop import OptimizerState, train, train_on_chunk
from skae._training._schedule import CosineSchedule, PlateauSchedule
from skae._training._settings import TrainingSettings

SETTINGS = {
    "alpha": 0.0,
    "batch_size": 10,
    "learning_rate_init": 0.1,
    "max_iter": 100,
    "tol": 0.0,
    "n_iter_no_change": 1000,
}
X = np.random.RandomState(0).normal(loc=3.0, size=(45, 2))


class Mean:
    """Predicts the same point for every row: the optimum is the weighted mean of the rows."""

    def __init__(self):
        self.parameters = torch.zeros(2, dtype=torch.float64)

    def row_losses(self, x):
        return (x - self.parameters).square().mean(1)

    def bind_gradient(self, gradient):
        self.gradient = gradient

    def loss_and_gradient(self, x, weight):
        weight = torch.ones(len(x), dtype=x.dtype) if weight is None else weight
        share = (weight / weight.sum())[:, None]
        self.gradient.copy_((share * (self.parameters - x)).sum(0))
        return (share[:, 0] * self.row_losses(x)).sum()


def rows_of(X):
    return RowSource(X).standardised(np.zeros(2), np.ones(2), torch.float64, torch.device("cpu"))


def run(network, held_out=None, on_epoch=lambda *_: False, weight=None, previous=None, groups=None, **settings):
    result = TrainingResult()
    inside = np.arange(len(X)) if held_out is None else np.setdiff1d(np.arange(len(X)), held_out)
    split = Split(inside, held_out, weight, groups)
    settings, random_state = TrainingSettings(**SETTINGS | settings), np.random.RandomState(0)
    train(network, rows_of(X), split, settings, random_state, on_epoch, result, previous)
    return result


def test_finds_the_optimum():
    network = Mean()
    result = run(network)
    # The learning rate ends near zero, so that the noise of batches of ten is averaged out.
    np.testing.assert_allclose(network.parameters, X.mean(axis=0), atol=0.05)
    assert len(result.losses) == 100
    assert result.best_loss < result.initial_loss


def test_weights_move_the_optimum():
    network, weight = Mean(), np.where(np.arange(45) < 10, 1.0, 1e-6)
    run(network, weight=weight, batch_size=45, max_iter=300)
    np.testing.assert_allclose(network.parameters, X[:10].mean(axis=0), atol=1e-3)


@pytest.mark.parametrize("weight", [None, np.arange(1.0, 46.0, dtype=np.float32)])
def test_the_host_waits_once_an_epoch_not_once_a_batch(weight, host_reads):
    def reads(batch_size):
        with host_reads() as mode:
            run(Mean(), weight=weight, max_iter=2, batch_size=batch_size)
        return mode.count

    assert reads(2) == reads(45) > 0


def test_keeps_the_last_parameters_though_others_were_better_by_chance():
    network = Mean()
    result = run(network, held_out := np.arange(2, 45, 4))
    assert min(result.held_out_losses) < result.held_out_losses[-1]
    assert result.best_iter == 100
    assert result.best_loss == result.held_out_losses[-1] < result.initial_loss
    assert network.row_losses(torch.as_tensor(X[held_out])).mean() == pytest.approx(result.best_loss)


def test_keeps_the_best_parameters_where_the_last_are_clearly_worse():
    seen, network = [], Mean()
    # The rows held out are far from those trained on, and met on the way.
    held_out = np.flatnonzero(X.sum(axis=1) < 5.0)
    on_epoch = lambda *_: seen.append(network.parameters.clone()) or False  # noqa: E731
    result = run(network, held_out, on_epoch)
    assert result.held_out_losses[0] == result.initial_loss
    assert 0 < result.best_iter < 100
    assert result.best_loss == min(result.held_out_losses) == result.held_out_losses[result.best_iter]
    assert torch.equal(network.parameters, seen[result.best_iter - 1])


def test_keeps_the_start_when_nothing_beats_it():
    network = Mean()
    network.parameters.copy_(torch.as_tensor(X[:8].mean(axis=0)))
    start = network.parameters.clone()
    result = run(network, np.arange(8), max_iter=3)
    assert torch.equal(network.parameters, start)
    assert result.best_iter == 0


def test_a_gain_within_the_noise_of_the_held_out_rows_is_none():
    network = Mean()
    network.parameters.copy_(torch.as_tensor(X[:8].mean(axis=0)) + 0.01)
    result = run(network, np.arange(8), max_iter=1, learning_rate_init=1e-6)
    assert result.held_out_losses[1] != result.held_out_losses[0]
    assert result.best_iter == 0


class Unequal(Mean):
    """A network with two losses, of which training lowers one and leaves the other higher than at the start."""

    def row_losses(self, x):
        return torch.stack([super().row_losses(x), self.parameters.square().mean().expand(len(x))], dim=1)

    def loss_and_gradient(self, x, weight):
        plain = Mean()
        plain.parameters, plain.gradient = self.parameters, self.gradient
        return plain.loss_and_gradient(x, weight)


@pytest.mark.parametrize("weight", [None, np.arange(1.0, 46.0)])
def test_every_loss_must_be_lower_than_at_the_start(weight):
    result = run(Unequal(), np.arange(2, 45, 4), weight=weight)
    assert result.held_out_losses[-1] < result.initial_loss  # the mean of the two
    assert result.best_iter == 0


def test_stops_without_gain():
    result = run(Mean(), tol=0.1, n_iter_no_change=3)
    mark, last_gain = result.initial_loss, 0
    for epoch, loss in enumerate(result.losses, 1):
        if loss < 0.9 * mark:
            mark, last_gain = loss, epoch
    assert last_gain > 1
    assert len(result.losses) == last_gain + 3
    assert result.unfinished_gain == 0.0


class Likely(Mean):
    """A network whose losses are below zero, as minus the logarithm of a density may be."""

    def row_losses(self, x):
        return super().row_losses(x) - 100.0


def test_losses_below_zero_stop_and_are_judged_as_others():
    result = run(Likely(), HELD_OUT, learning_rate_init=1e-9, n_iter_no_change=5, tol=1e-4)
    assert len(result.losses) == 5
    assert TrainingResult(-1.0, losses=[-1.0] * 9 + [-2.0], reached_max_iter=True).unfinished_gain == 1.0


def test_a_callback_can_stop():
    result = run(Mean(), on_epoch=lambda epoch, *_: epoch == 4)
    assert len(result.losses) == 5
    assert not result.reached_max_iter


def test_interrupt_keeps_what_is_there():
    def interrupt(epoch, *_):
        if epoch == 2:
            raise KeyboardInterrupt

    network = Mean()
    result = run(network, np.arange(8), interrupt)
    assert result.interrupted
    assert result.best_loss < result.initial_loss
    assert network.row_losses(torch.as_tensor(X[:8])).mean() == pytest.approx(result.best_loss)


def test_non_finite_parameters_are_an_error():
    with pytest.raises(ValueError, match=r"lower learning_rate_init \(now 1e\+300\)"):
        run(Mean(), learning_rate_init=1e300)


def test_a_run_cut_short_says_how_much_it_was_still_gaining():
    assert run(Mean(), max_iter=2, learning_rate_init=1e-3).unfinished_gain > 0.0
    assert run(Mean(), max_iter=0).unfinished_gain == 0.0


def test_cosine_schedule():
    schedule = CosineSchedule(max_iter=20, steps_per_epoch=10, patience=20, tol=0.0)
    factors = [schedule.factor(step) for step in range(200)]
    assert np.argmax(factors) == pytest.approx(10, abs=1)
    assert factors[0] == pytest.approx(0.1, abs=0.01)
    assert 0.0 < factors[-1] < 1e-3
    assert factors[100] == pytest.approx(0.5)


class TestPlateauSchedule:
    def rates(self, losses, max_iter, patience=5):
        """The rate of every step, ten to an epoch, of training with these losses after the epochs."""
        schedule = PlateauSchedule(max_iter, 10, patience, tol=0.05)
        rates, epoch = [], 0
        while epoch < schedule.n_epochs:
            rates += [schedule.factor(10 * epoch + step) for step in range(10)]
            epoch += 1
            schedule.update(losses[: epoch + 1])
        return np.array(rates), schedule

    def test_the_rate_falls_when_the_loss_does_not(self):
        # Of five epochs each, the means fall by more than 5 % until those of epochs 16 to 20.
        losses = np.concatenate([[2.0], 0.9 ** np.arange(15), np.full(100, 0.9**14)])
        rates, schedule = self.rates(losses, max_iter=90)
        assert len(rates) == 10 * schedule.n_epochs == 10 * 38  # half as many as 25, and those
        assert not schedule.is_cut_short
        assert (rates[20:251] == 1.0).all()
        assert (np.diff(rates[250:]) < 0.0).all()
        assert rates[-1] < 1e-3

    def test_a_loss_that_falls_on_ends_with_the_last_epoch(self):
        rates, schedule = self.rates(0.9 ** np.arange(100), max_iter=30)
        assert len(rates) == 300
        assert schedule.is_cut_short
        assert (rates[15:201] == 1.0).all()
        assert (np.diff(rates[200:]) < 0.0).all()

    def test_losses_below_zero_are_judged_as_others(self):
        falling, _ = self.rates(-100.0 * 1.1 ** np.arange(100), max_iter=60)
        settled, _ = self.rates(np.full(100, -100.0), max_iter=60)
        assert (len(falling), len(settled)) == (600, 150)

    def test_the_warm_up_has_at_most_500_steps(self):
        schedule = PlateauSchedule(100, 10_000, 5, tol=0.05)
        assert schedule.factor(249) == pytest.approx(0.5)
        assert schedule.factor(500) == 1.0

    @pytest.mark.parametrize("max_iter", [1, 2, 3, 7])
    def test_few_epochs(self, max_iter):
        rates, _ = self.rates(np.ones(10), max_iter)
        assert len(rates) == 10 * max_iter
        assert (rates > 0.0).all()
        assert (rates <= 1.0).all()


HELD_OUT = np.arange(0, 45, 3)
OPTIMUM = torch.tensor(X.mean(axis=0))


class TestPreviousParameters:
    def test_are_kept_where_training_does_no_better(self):
        network = Mean()
        result = run(network, HELD_OUT, previous=OPTIMUM, learning_rate_init=100.0, max_iter=2)
        torch.testing.assert_close(network.parameters, OPTIMUM)
        assert result.best_iter == 0
        assert result.best_loss < result.initial_loss
        assert len(result.held_out_losses) == 3

    def test_stay_where_nothing_is_held_out_and_no_epoch_is_run(self):
        network = Mean()
        result = run(network, previous=OPTIMUM, max_iter=0)
        torch.testing.assert_close(network.parameters, OPTIMUM)
        assert result.best_loss < result.initial_loss

    def test_are_where_training_sets_out(self):
        network = Mean()
        run(network, previous=OPTIMUM, learning_rate_init=1e-6, max_iter=1)
        torch.testing.assert_close(network.parameters, OPTIMUM, atol=1e-4, rtol=0)

    def test_do_not_replace_the_start_that_results_must_beat(self):
        network = Mean()
        result = run(network, HELD_OUT, previous=OPTIMUM + 100.0, learning_rate_init=1e-6, max_iter=1)
        assert not network.parameters.any()
        assert result.best_loss == result.initial_loss


def follow(state, held_out=None, **settings):
    """One chunk; the network and the state after it."""
    network, result = Mean(), TrainingResult()
    inside = np.arange(45) if held_out is None else np.setdiff1d(np.arange(45), held_out)
    settings = TrainingSettings(**SETTINGS | {"max_iter": 1} | settings)
    split = Split(inside, held_out, None)
    return network, train_on_chunk(network, rows_of(X), split, settings, np.random.RandomState(0), state, result)


def beginning():
    return OptimizerState(Mean().parameters, Mean().parameters)


class TestChunks:
    def test_find_the_optimum(self):
        state = beginning()
        for _ in range(60):
            network, state = follow(state, HELD_OUT)
        np.testing.assert_allclose(state.average, X[np.setdiff1d(np.arange(45), HELD_OUT)].mean(axis=0), atol=0.05)
        torch.testing.assert_close(network.parameters, state.average)
        assert state.n_steps == 60 * 3

    def test_the_optimiser_goes_on_where_it_was(self):
        state = beginning()
        for _ in range(2):
            _, state = follow(state, batch_size=45)
        _, without = follow(OptimizerState(state.parameters, state.average, state.n_steps), batch_size=45)
        _, onward = follow(state, batch_size=45)
        assert int(onward.memory[2]) == 3
        assert int(without.memory[2]) == 1
        assert (onward.parameters != without.parameters).all()

    def test_the_average_is_mostly_of_the_last_steps(self):
        state = beginning()
        _, state = follow(state, batch_size=45)
        torch.testing.assert_close(state.average, state.parameters)  # the first step forgets the start
        for _ in range(20):
            before = state
            _, state = follow(state, batch_size=45)
        share = 9 / (8 + state.n_steps)
        torch.testing.assert_close(state.average, before.average.lerp(state.parameters, share))

    def test_the_start_stands_where_the_average_does_no_better(self):
        far = OPTIMUM + 100.0
        network, state = follow(OptimizerState(far, far, 1000), HELD_OUT)
        assert not network.parameters.any()
        torch.testing.assert_close(state.average, far, atol=1.0, rtol=0)

    def test_nothing_given_is_changed(self):
        state = follow(beginning())[1]
        copies = [tensor.clone() for tensor in (state.parameters, state.average, *state.memory)]
        follow(state)
        for tensor, copy in zip((state.parameters, state.average, *state.memory), copies, strict=True):
            torch.testing.assert_close(tensor, copy, atol=0, rtol=0)

    def test_a_chunk_that_is_all_held_out_trains_nothing(self):
        network, state = follow(beginning(), np.arange(45))
        assert state.n_steps == 0
        assert not network.parameters.any()


def test_the_loss_of_an_epoch_is_the_weighted_mean_over_rows():
    weight = np.random.RandomState(1).uniform(0.1, 10.0, size=len(X))
    network = Mean()
    result = run(network, weight=weight, learning_rate_init=1e-12, max_iter=1)
    assert result.losses[0] == pytest.approx(np.average(np.square(X).mean(axis=1), weights=weight), rel=1e-9)


class TestWhatVouchesForAGain:
    """Training towards the mean of rows that lie about it, from a start nearer to some of those held out."""

    def gain(self, weight=None, groups=None):
        network = Mean()
        result = run(network, HELD_OUT, weight=weight, groups=groups, learning_rate_init=0.02, max_iter=30)
        return result.initial_loss - result.best_loss

    def test_all_rows_alike(self):
        assert self.gain() > 0.0

    def test_a_row_that_carries_the_weight_does_not(self):
        assert self.gain(np.where(np.arange(45) == HELD_OUT[0], 1e6, 1.0)) > 0.0  # as the others gain too
        mixed = Mean()
        mixed.parameters.copy_(torch.as_tensor(X[HELD_OUT].mean(axis=0)))
        weight = np.where(np.arange(45) == HELD_OUT[0], 1e6, 1.0)
        result = run(mixed, HELD_OUT, weight=weight, previous=torch.as_tensor(X[HELD_OUT[0]]), max_iter=0)
        assert result.best_iter == 0
        assert result.best_loss == result.initial_loss

    @pytest.mark.parametrize(("n_groups", "enough"), [(1, False), (2, False), (3, True), (5, True)])
    def test_groups_count_once(self, n_groups, enough):
        assert (self.gain(groups=np.arange(45) // 3 % n_groups) > 0.0) == enough


def test_an_end_worse_than_the_start_is_not_kept_though_nothing_is_held_out():
    network = Mean()
    network.parameters.copy_(torch.as_tensor(X.mean(axis=0)))
    start = network.parameters.clone()
    run(network, previous=start + 50.0, learning_rate_init=1.0, batch_size=5, max_iter=1)
    assert torch.equal(network.parameters, start)
