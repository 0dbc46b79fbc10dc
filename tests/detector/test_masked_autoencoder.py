"""Masked autoencoders: the marginals at the start, gradients against autograd, passes."""

import numpy as np
import pytest
import torch
from ensemble_cases import SIZES, MemberTests, initialised, outputs

from skae._detector._bins import MISSING, NO_BIN
from skae._detector._coordinates import Systems
from skae._detector._masked_autoencoder import INPUT_CLIP, PASSES, MaskedAutoencoder, draw_passes, masked_inputs

N_FEATURES, N_BINS, N_MEMBERS = 3, 4, 2


MARGINALS = torch.log_softmax(
    torch.randn(N_MEMBERS, N_FEATURES, N_BINS, dtype=torch.float64, generator=torch.Generator().manual_seed(3)), 2
)


def make_network(hidden_layer_sizes, trained=True):
    generator = torch.Generator().manual_seed(0)
    return initialised(
        MaskedAutoencoder(MARGINALS, hidden_layer_sizes, "silu", generator=generator), generator, trained
    )


@pytest.fixture
def x():
    """Inputs and indices of bins side by side."""
    generator = torch.Generator().manual_seed(1)
    inputs = torch.randn(9, 2 * N_FEATURES, dtype=torch.float64, generator=generator)
    return torch.cat([inputs, torch.randint(N_BINS, (9, N_FEATURES), generator=generator).double()], 1)


def split(x):
    return x[:, : 2 * N_FEATURES], x[:, 2 * N_FEATURES :].long()


def test_inputs_are_clipped_values_and_ranks_and_zero_where_missing():
    deviations = np.array([[1.0, 2 * INPUT_CLIP, 5.0]])
    systems = Systems(deviations, deviations, -deviations, missing=np.array([[False, False, True]]))
    np.testing.assert_array_equal(masked_inputs(systems), [[1, INPUT_CLIP, 0, -1, -16, 0]])


class TestTraining:
    def test_starts_at_the_marginals(self, x):
        network, (_, index) = make_network((4, 4), trained=False), split(x)
        losses = network.row_losses(x)
        assert losses.shape == (9, N_MEMBERS)
        passes = draw_passes(N_FEATURES, np.random.RandomState(0))[:4]  # those of two members
        found = network.surprisals(*split(x), network.scoring_layers(passes))
        own = MARGINALS[:, torch.arange(N_FEATURES), index]
        torch.testing.assert_close(found, -own.mean(0))

    @pytest.mark.parametrize("hidden_layer_sizes", SIZES)
    @pytest.mark.parametrize("weighted", [False, True])
    def test_gradient_is_autograds(self, x, hidden_layer_sizes, weighted):
        network, (inputs, index) = make_network(hidden_layer_sizes), split(x)
        generator = torch.Generator().manual_seed(2)
        weight = torch.rand(9, N_MEMBERS, dtype=torch.float64, generator=generator) if weighted else None
        gradient = torch.full_like(network.parameters, torch.nan)
        network.bind_gradient(gradient)
        state = network._generator.get_state()
        loss = network.loss_and_gradient(x, weight)

        again = torch.Generator()
        again.set_state(state)
        shape = (N_MEMBERS, 9, N_FEATURES)
        share = torch.rand((*shape[:2], 1), generator=again, dtype=torch.float64)
        shown = (torch.rand(shape, generator=again, dtype=torch.float64) >= share).double()
        parameters = network.parameters.clone().requires_grad_()
        twin = MaskedAutoencoder(MARGINALS, hidden_layer_sizes, "silu", parameters)
        logits = outputs(twin._ensemble.layers, torch.cat([inputs * shown.repeat(1, 1, 2), shown], 2))
        logits = logits.view(*shape, N_BINS) + MARGINALS[:, None]
        losses = torch.nn.functional.cross_entropy(
            logits.flatten(0, 2), index.expand(shape).flatten(), reduction="none"
        ).view(shape)
        counted = (1.0 - shown) * (1.0 if weight is None else weight.t()[..., None])
        expected = ((losses * counted).sum((1, 2)) / counted.sum((1, 2))).mean()
        expected.backward()
        torch.testing.assert_close(loss, expected.detach())
        torch.testing.assert_close(gradient, parameters.grad)

    def test_missing_entries_are_neither_shown_nor_targets(self, x):
        network = make_network((4,))
        x[:, 1] = x[:, N_FEATURES + 1] = 0.0
        x[:, 2 * N_FEATURES + 1] = MISSING
        gradient = torch.zeros_like(network.parameters)
        network.bind_gradient(gradient)
        network.loss_and_gradient(x, None)
        (first, _), (last, bias) = network._ensemble.layer_views(gradient)
        assert not first[:, 2 * N_FEATURES + 1].any()  # the indicator of what is shown
        assert not last.unflatten(2, (N_FEATURES, N_BINS))[:, :, 1].any()
        assert bias.unflatten(2, (N_FEATURES, N_BINS))[:, :, 0].any()


class TestMembers(MemberTests):
    make_network = staticmethod(make_network)


class TestPasses:
    @pytest.mark.parametrize("n_features", [1, 2, 3, 20])
    def test_each_member_masks_every_feature_once(self, n_features):
        passes = draw_passes(n_features, np.random.RandomState(0))
        assert {member for _, member in passes} == set(range(len(PASSES)))
        for member, n_passes in enumerate(PASSES):
            groups = [features for features, own in passes if own == member]
            assert len(groups) == min(n_passes, n_features)
            np.testing.assert_array_equal(np.sort(np.concatenate(groups)), np.arange(n_features))

    # As wide as the inputs are, in training and without the indicators of what is shown.
    @pytest.mark.parametrize("hidden_layer_sizes", [(4, 4), (2 * N_FEATURES, 4), (3 * N_FEATURES, 4)])
    @pytest.mark.parametrize("member", [None, 0, 1])
    def test_surprisals_by_the_formula(self, x, member, hidden_layer_sizes):
        """Cross-entropies of the masked features with the others shown, averaged over the passes."""
        network, (inputs, index) = make_network(hidden_layer_sizes), split(x)
        passes = [(np.array([0, 2]), 0), (np.array([1]), 0), (np.array([0]), 1), (np.array([1, 2]), 1)]
        found = network.surprisals(inputs, index, network.scoring_layers(passes, member))
        expected = torch.zeros(9, N_FEATURES, dtype=torch.float64)
        for features, own in passes:
            judge = own if member is None else member
            shown = torch.ones(9, N_FEATURES, dtype=torch.float64)
            shown[:, features] = 0.0
            logits = outputs(network._ensemble.member(judge), torch.cat([inputs * shown.repeat(1, 2), shown], 1))
            logits = logits.view(9, N_FEATURES, N_BINS) + MARGINALS[judge]
            own_log = torch.log_softmax(logits, 2).gather(2, index[..., None])[..., 0]
            expected[:, features] -= own_log[:, features] / 2
        torch.testing.assert_close(found, expected)

    def test_masked_features_are_not_seen(self, x):
        network, (inputs, index) = make_network((4, 4)), split(x)
        prepared = network.scoring_layers([(np.arange(N_FEATURES), 0)])
        first = network.surprisals(inputs, index, prepared)
        torch.testing.assert_close(network.surprisals(inputs + 9.0, index, prepared), first)

    def test_missing_features_are_masked(self, x):
        network, (inputs, index) = make_network((4, 4)), split(x)
        index[:, 1] = MISSING
        missing = (index == MISSING).double()
        inputs = torch.cat([inputs * (1.0 - missing).repeat(1, 2), missing], 1)
        found = network.surprisals(inputs, index, network.scoring_layers([(np.array([i]), 0) for i in range(3)]))
        for other in (0, 2):
            masked = np.array([other, 1])
            prepared = network.scoring_layers([(masked, 0), (np.array([2 - other]), 0)])
            expected = network.surprisals(inputs[:, : 2 * N_FEATURES], index, prepared)
            torch.testing.assert_close(found[:, other], expected[:, other])

    def test_bins_that_do_not_exist_have_no_probability(self, x):
        marginals = MARGINALS.clone()
        marginals[:, 0, 2:] = NO_BIN
        network, (inputs, index) = MaskedAutoencoder(marginals, (), "silu"), split(x)
        index[:, 0] = 0
        found = network.surprisals(inputs, index, network.scoring_layers([(np.arange(N_FEATURES), 0)]))
        expected = torch.log_softmax(MARGINALS[0, 0, :2], 0)[0]
        torch.testing.assert_close(found[:, 0], -expected.expand(9))
