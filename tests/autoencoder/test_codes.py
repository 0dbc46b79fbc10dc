"""What happens to a code, against the optimisation problem or distribution it stands for, and against autograd."""

from itertools import combinations

import numpy as np
import pytest
import torch
from torch.distributions import Normal, kl_divergence

from skae._autoencoder._codes import CODES
from skae._autoencoder._config import AutoencoderConfig
from skae._autoencoder._linear import LinearAutoencoder

N_ROWS, N_COMPONENTS = 10, 5
LOG_VARIANCE = torch.linspace(-1.0, 1.0, N_COMPONENTS, dtype=torch.float64)
BETA = 0.7
LINEAR = LinearAutoencoder(None, None, 1.0, np.eye(7, N_COMPONENTS), None, log_posterior_variance=LOG_VARIANCE)


def make_code(name, **parameters):
    return CODES[name](AutoencoderConfig(N_COMPONENTS, code=name, beta=BETA, **parameters), LINEAR)


def make_sparse(n_nonzero):
    return make_code("sparse", n_nonzero=n_nonzero)


def draw(seed, *shape):
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


@pytest.fixture
def orthonormal():
    """Orthonormal axes, as rows, in more dimensions than axes."""
    return torch.linalg.qr(draw(0, N_COMPONENTS + 3, N_COMPONENTS))[0].t()


@pytest.mark.parametrize("per_row", [False, True])
@pytest.mark.parametrize("name", CODES)
def test_backward_is_autograds(name, per_row):
    code = make_sparse(2) if name == "sparse" else make_code(name)
    a = draw(1, N_ROWS, N_COMPONENTS * code.n_outputs)
    weights = draw(2, N_ROWS, N_COMPONENTS)
    share = torch.rand(code.n_decoded(N_ROWS), 1, dtype=torch.float64) if per_row else 0.3

    leaf = a.clone().requires_grad_()
    z, tape = code.forward(leaf, torch.Generator().manual_seed(3))
    loss, penalty = (z * weights).sum(), code.penalty(tape)
    if penalty is not None:
        loss = loss + (penalty[:, None] * share).sum()
    (expected,) = torch.autograd.grad(loss, leaf)

    _, tape = code.forward(a, torch.Generator().manual_seed(3))
    torch.testing.assert_close(code.backward(weights.clone(), tape, share), expected)


class TestNeighbors:
    def test_losses_of_pairs_are_the_formula(self):
        codes, neighbors = draw(4, N_ROWS, 2), draw(5, N_ROWS, 2)
        code = make_code("neighbors")
        kernel = 1 / (1 + (code.FINAL_SCALE * torch.cdist(codes, neighbors)).square())
        own = kernel.diagonal()
        expected = -0.5 * (own / kernel.sum(1)).log() - 0.5 * (own / kernel.sum(0)).log()
        torch.testing.assert_close(code.pair_losses(torch.cat([codes, neighbors])), code.WEIGHT * expected)

    def test_the_penalty_at_the_end_is_the_loss_of_pairs(self):
        a, code = draw(6, N_ROWS, N_COMPONENTS), make_code("neighbors")
        torch.testing.assert_close(self.penalty(code, a), code.pair_losses(a))

    def test_the_kernel_narrows_and_attraction_falls(self):
        a, code = 0.01 * draw(7, N_ROWS, N_COMPONENTS), make_code("neighbors")
        code.advance_to(0.0)
        # A wide kernel tells no row from another.
        torch.testing.assert_close(
            self.penalty(code, a), torch.full((5,), code.WEIGHT * np.log(5), dtype=torch.float64), rtol=1e-2, atol=0
        )
        # From two fifths of training on, the kernel is that of the end.
        code.advance_to(0.4)
        torch.testing.assert_close(self.penalty(code, a), code.pair_losses(a))

    def test_backward_is_autograds_while_the_kernel_is_wide(self):
        a, code = draw(9, N_ROWS, N_COMPONENTS).requires_grad_(), make_code("neighbors")
        code.advance_to(0.2)
        tape = code.forward(a, torch.Generator())[1]
        (expected,) = torch.autograd.grad(0.3 * code.penalty(tape).sum(), a)
        with torch.no_grad():
            torch.testing.assert_close(code.backward(torch.zeros_like(a), tape, 0.3), expected)

    @staticmethod
    def penalty(code, a):
        return code.penalty(code.forward(a, torch.Generator())[1]) / LINEAR.n_features

    def test_rows_without_neighbours_have_no_penalty(self):
        code = make_code("neighbors")
        z, tape = code.forward(draw(8, 3, N_COMPONENTS), None)
        assert code.penalty(tape) is None
        torch.testing.assert_close(z, draw(8, 3, N_COMPONENTS))


class TestSparse:
    @pytest.mark.parametrize("n_nonzero", [1, 2, 4])
    def test_is_the_best_approximation_with_so_many_axes(self, orthonormal, n_nonzero):
        x = draw(5, N_ROWS, orthonormal.shape[1])
        codes = make_sparse(n_nonzero).code(x @ orthonormal.t())
        assert ((codes != 0).sum(1) == n_nonzero).all()
        errors = [
            (x - x @ orthonormal[list(chosen)].t() @ orthonormal[list(chosen)]).square().sum(1)
            for chosen in combinations(range(N_COMPONENTS), n_nonzero)
        ]
        torch.testing.assert_close((x - codes @ orthonormal).square().sum(1), torch.stack(errors).amin(0))

    def test_sign_does_not_matter_and_values_are_kept(self):
        codes = make_sparse(2).code(torch.tensor([[1.0, -3.0, 2.0, 0.5]]))
        torch.testing.assert_close(codes, torch.tensor([[0.0, -3.0, 2.0, 0.0]]))

    @pytest.mark.parametrize("n_nonzero", [N_COMPONENTS, N_COMPONENTS + 1])
    def test_as_many_as_there_are_changes_nothing(self, n_nonzero):
        a = draw(6, N_ROWS, N_COMPONENTS)
        assert torch.equal(make_sparse(n_nonzero).code(a), a)


class TestOrdered:
    def test_training_keeps_prefixes_of_every_length_and_users_see_all(self):
        a = torch.ones(2000, N_COMPONENTS, dtype=torch.float64)
        z, _ = make_code("ordered").forward(a, torch.Generator().manual_seed(0))
        lengths = z.sum(1)
        assert ((z.cumsum(1) == lengths[:, None]) == (torch.arange(1, N_COMPONENTS + 1) >= lengths[:, None])).all()
        share = torch.bincount(lengths.long())[1:] / len(a)
        # Four standard errors of a share of a fifth.
        np.testing.assert_allclose(share, 1 / N_COMPONENTS, atol=4 * (0.2 * 0.8 / 2000) ** 0.5)
        assert torch.equal(make_code("ordered").code(a), a)

    def test_without_a_generator_as_many_rows_have_each_length_always_the_same(self):
        a = torch.ones(100 * N_COMPONENTS, N_COMPONENTS)
        z, _ = make_code("ordered").forward(a, None)
        lengths = z.sum(1).long()
        assert torch.bincount(lengths).tolist() == [0] + [100] * N_COMPONENTS
        assert torch.equal(make_code("ordered").forward(a, None)[0], z)
        # Rows in turns have all lengths; four standard errors of the mean of 100.
        in_turns = lengths.view(100, N_COMPONENTS).double()
        np.testing.assert_allclose(in_turns.mean(0), (N_COMPONENTS + 1) / 2, atol=0.4 * lengths.double().std())


class TestVariational:
    a = draw(7, N_ROWS, 2 * N_COMPONENTS)

    def posterior(self):
        mean, offset = self.a[:, :N_COMPONENTS], self.a[:, N_COMPONENTS:]
        return Normal(mean, (0.5 * (offset + LOG_VARIANCE)).exp())

    def test_divergence_is_torchs(self):
        code = make_code("variational")
        prior = Normal(torch.zeros(N_COMPONENTS).double(), torch.ones(N_COMPONENTS).double())
        expected = kl_divergence(self.posterior(), prior).sum(1)
        torch.testing.assert_close(code.divergence(*code.moments(self.a)), expected)
        _, tape = code.forward(self.a, None)
        torch.testing.assert_close(code.penalty(tape), BETA * expected)

    def test_the_prior_itself_costs_nothing(self):
        zero = torch.zeros(2, N_COMPONENTS, dtype=torch.float64)
        assert not CODES["variational"].divergence(zero, zero).any()

    def test_draws_have_the_posteriors_moments(self):
        generator, n_draws = torch.Generator().manual_seed(0), 4000
        draws = torch.stack([make_code("variational").forward(self.a, generator)[0] for _ in range(n_draws)])
        posterior = self.posterior()
        # Standardised, 45 means are within four standard errors, and as many deviations.
        means = (draws.mean(0) - posterior.mean) / posterior.stddev
        assert means.abs().max() < 4 / n_draws**0.5
        assert (draws.std(0) / posterior.stddev - 1).abs().max() < 4 / (2 * n_draws) ** 0.5

    def test_users_see_the_mean(self):
        assert torch.equal(make_code("variational").code(self.a), self.a[:, :N_COMPONENTS])
