"""What happens to a code, against the optimisation problem or distribution it stands for, and against autograd."""

from itertools import combinations

import numpy as np
import pytest
import torch
from sklearn.linear_model import Lasso
from torch.distributions import Normal, kl_divergence

from skae._model._bottlenecks import GaussianPosterior, LargestOnly, Plain, Prefix, SoftThreshold

N_ROWS, N_COMPONENTS = 9, 5
LOG_VARIANCE = torch.linspace(-1.0, 1.0, N_COMPONENTS, dtype=torch.float64)
BETA = 0.7
BOTTLENECKS = {
    "plain": Plain(),
    "soft threshold": SoftThreshold(0.4),
    "largest only": LargestOnly(2),
    "prefix": Prefix(),
    "posterior": GaussianPosterior(LOG_VARIANCE, BETA),
}


def draw(seed, *shape):
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


@pytest.fixture
def orthonormal():
    """Orthonormal axes, as rows, in more dimensions than axes."""
    return torch.linalg.qr(draw(0, N_COMPONENTS + 3, N_COMPONENTS))[0].t()


@pytest.mark.parametrize("per_row", [False, True])
@pytest.mark.parametrize("name", BOTTLENECKS)
def test_backward_is_autograds(name, per_row):
    bottleneck = BOTTLENECKS[name]
    a = draw(1, N_ROWS, N_COMPONENTS * bottleneck.n_outputs)
    weights = draw(2, N_ROWS, N_COMPONENTS)
    share = torch.rand(N_ROWS, 1, dtype=torch.float64) if per_row else 0.3

    leaf = a.clone().requires_grad_()
    z, tape = bottleneck.forward(leaf, torch.Generator().manual_seed(3))
    loss, penalty = (z * weights).sum(), bottleneck.penalty(tape)
    if penalty is not None:
        loss = loss + (penalty[:, None] * share).sum()
    (expected,) = torch.autograd.grad(loss, leaf)

    _, tape = bottleneck.forward(a, torch.Generator().manual_seed(3))
    torch.testing.assert_close(bottleneck.backward(weights.clone(), tape, share), expected)


class TestSoftThreshold:
    @pytest.mark.parametrize("threshold", [0.1, 0.5])
    def test_is_the_lassos_solution_for_orthonormal_axes(self, orthonormal, threshold):
        x = draw(4, N_ROWS, orthonormal.shape[1])
        codes = SoftThreshold(threshold).code(x @ orthonormal.t())
        # Lasso minimises |x - V w|^2 / (2 d) + alpha |w|_1: the same problem at alpha = t / d.
        lasso = Lasso(alpha=threshold / x.shape[1], fit_intercept=False, tol=1e-12, max_iter=10_000)
        expected = lasso.fit(orthonormal.t().numpy(), x.t().numpy()).coef_
        np.testing.assert_allclose(codes, expected, atol=1e-8)
        assert 0 < (codes == 0).double().mean() < 1

    def test_penalty_is_the_lassos(self, orthonormal):
        """Squared error and penalty together rise with any change of the code."""
        bottleneck, x = SoftThreshold(0.3), draw(4, N_ROWS, orthonormal.shape[1])
        code, _ = bottleneck.forward(x @ orthonormal.t(), None)

        def objective(z):
            return (x - z @ orthonormal).square().sum(1) + bottleneck.penalty(z)

        for seed in range(20):
            assert (objective(code + 0.1 * draw(seed, *code.shape)) > objective(code)).all()


class TestLargestOnly:
    @pytest.mark.parametrize("n_active", [1, 2, 4])
    def test_is_the_best_approximation_with_so_many_axes(self, orthonormal, n_active):
        x = draw(5, N_ROWS, orthonormal.shape[1])
        codes = LargestOnly(n_active).code(x @ orthonormal.t())
        assert ((codes != 0).sum(1) == n_active).all()
        errors = [
            (x - x @ orthonormal[list(chosen)].t() @ orthonormal[list(chosen)]).square().sum(1)
            for chosen in combinations(range(N_COMPONENTS), n_active)
        ]
        torch.testing.assert_close((x - codes @ orthonormal).square().sum(1), torch.stack(errors).amin(0))

    def test_sign_does_not_matter_and_values_are_kept(self):
        codes = LargestOnly(2).code(torch.tensor([[1.0, -3.0, 2.0, 0.5]]))
        torch.testing.assert_close(codes, torch.tensor([[0.0, -3.0, 2.0, 0.0]]))

    @pytest.mark.parametrize("n_active", [N_COMPONENTS, N_COMPONENTS + 1])
    def test_as_many_as_there_are_changes_nothing(self, n_active):
        a = draw(6, N_ROWS, N_COMPONENTS)
        assert torch.equal(LargestOnly(n_active).code(a), a)


class TestPrefix:
    def test_training_keeps_prefixes_of_every_length_and_users_see_all(self):
        a = torch.ones(2000, N_COMPONENTS, dtype=torch.float64)
        z, _ = Prefix().forward(a, torch.Generator().manual_seed(0))
        lengths = z.sum(1)
        assert ((z.cumsum(1) == lengths[:, None]) == (torch.arange(1, N_COMPONENTS + 1) >= lengths[:, None])).all()
        share = torch.bincount(lengths.long())[1:] / len(a)
        # Four standard errors of a share of a fifth.
        np.testing.assert_allclose(share, 1 / N_COMPONENTS, atol=4 * (0.2 * 0.8 / 2000) ** 0.5)
        assert torch.equal(Prefix().code(a), a)

    def test_without_a_generator_lengths_take_turns(self):
        z, _ = Prefix().forward(torch.ones(2 * N_COMPONENTS, N_COMPONENTS), None)
        assert z.sum(1).tolist() == 2 * list(range(1, N_COMPONENTS + 1))


class TestGaussianPosterior:
    a = draw(7, N_ROWS, 2 * N_COMPONENTS)

    def posterior(self):
        mean, offset = self.a[:, :N_COMPONENTS], self.a[:, N_COMPONENTS:]
        return Normal(mean, (0.5 * (offset + LOG_VARIANCE)).exp())

    def test_divergence_is_torchs(self):
        bottleneck = BOTTLENECKS["posterior"]
        prior = Normal(torch.zeros(N_COMPONENTS).double(), torch.ones(N_COMPONENTS).double())
        expected = kl_divergence(self.posterior(), prior).sum(1)
        torch.testing.assert_close(bottleneck.divergence(*bottleneck.moments(self.a)), expected)
        _, tape = bottleneck.forward(self.a, None)
        torch.testing.assert_close(bottleneck.penalty(tape), BETA * expected)

    def test_the_prior_itself_costs_nothing(self):
        zero = torch.zeros(2, N_COMPONENTS, dtype=torch.float64)
        assert not GaussianPosterior.divergence(zero, zero).any()

    def test_draws_have_the_posteriors_moments(self):
        generator, n_draws = torch.Generator().manual_seed(0), 4000
        draws = torch.stack([BOTTLENECKS["posterior"].forward(self.a, generator)[0] for _ in range(n_draws)])
        posterior = self.posterior()
        # Standardised, 45 means are within four standard errors, and as many deviations.
        means = (draws.mean(0) - posterior.mean) / posterior.stddev
        assert means.abs().max() < 4 / n_draws**0.5
        assert (draws.std(0) / posterior.stddev - 1).abs().max() < 4 / (2 * n_draws) ** 0.5

    def test_users_see_the_mean(self):
        assert torch.equal(BOTTLENECKS["posterior"].code(self.a), self.a[:, :N_COMPONENTS])
