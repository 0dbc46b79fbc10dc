"""Evidence lower bound of the variational autoencoder on binarised MNIST, and whether the bound is honest.

    python benchmarks/variational.py --data DIR

Pixels above 0.5 are one, the others zero; 60,000 training rows, 10,000 test rows, 20 components. `score_samples` takes
the expectation over the posterior as a mean over fixed points. It is compared with a plain mean over draws from the
posterior, which has no bias, and with the importance-weighted bound of the same draws (Burda et al. 2016), which is
nearer the log-likelihood. "untrained" is the same estimator before training. All figures are nats per picture.
"""

from __future__ import annotations

import argparse
import math

import _data
import numpy as np
import pandas as pd
import torch
from _results import save

from skae import AutoencoderTransformer


@torch.no_grad()
def drawn_bounds(
    model: AutoencoderTransformer, X: np.ndarray, n_draws: int, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Evidence lower bound and importance-weighted bound of each row, from draws of its posterior."""
    network = model._fitted.network(torch.device("cpu"))
    generator = torch.Generator().manual_seed(seed)
    x = (torch.as_tensor(X, dtype=network.parameters.dtype) - network.linear.mean) / network.linear.scale
    mean, log_variance = network.code.moments(network._code_outputs(x))
    normaliser = network.loss.log_normaliser(x).sum(1)
    log_weights = []
    for _ in range(n_draws):
        noise = torch.randn(mean.shape, generator=generator, dtype=mean.dtype)
        z = mean + (0.5 * log_variance).exp() * noise
        log_ratio = 0.5 * (noise.square() + log_variance - z.square()).sum(1)  # of the prior to the posterior at z
        log_weights.append(normaliser - network.loss.losses(network._outputs(z), x).sum(1) + log_ratio)
    log_weights = torch.stack(log_weights).double()
    return log_weights.mean(0).numpy(), (torch.logsumexp(log_weights, 0) - math.log(n_draws)).numpy()


def run(mnist, n_draws: int, n_drawn_rows: int) -> pd.DataFrame:
    train, test = (np.float32(X > 0.5) for X in (mnist[0], mnist[2]))
    rows = []
    for name, settings in (("untrained", {"max_iter": 0}), ("trained", {})):
        model = AutoencoderTransformer(
            20, loss="binary_cross_entropy", code="variational", random_state=0, **settings
        ).fit(train)
        bounds = model.score_samples(test)
        drawn, weighted = drawn_bounds(model, test[:n_drawn_rows], n_draws, seed=0)
        difference = np.abs(bounds[:n_drawn_rows] - drawn)
        found = {
            "score_samples, all rows": bounds.mean(),
            "score_samples, first rows": bounds[:n_drawn_rows].mean(),
            "draws, first rows": drawn.mean(),
            "importance-weighted, first rows": weighted.mean(),
            "median difference of draws": np.median(difference),
            "maximum difference of draws": difference.max(),
            "epochs": model.n_iter_,
        }
        rows += [{"model": name, "measure": measure, "value": value} for measure, value in found.items()]
    return pd.DataFrame(rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    _data.add_arguments(parser)
    parser.add_argument("--draws", type=int, default=100)
    parser.add_argument("--drawn-rows", type=int, default=2000, help="test rows that draws are made for")
    arguments = parser.parse_args()
    if (mnist := _data.load_mnist(arguments.data)) is not None:
        results = run(mnist, arguments.draws, arguments.drawn_rows)
        save(results, arguments.out, "variational")
        print(results.pivot_table("value", "measure", "model", sort=False).round(2).to_string())


if __name__ == "__main__":
    main()
