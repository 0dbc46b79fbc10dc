"""A convolutional network against the dense default, on pictures, at equal code sizes.

    python benchmarks/convolutional.py --data DIR

MNIST, the first 10,000 training rows and all 10,000 test rows, pixels in [0, 1]. Both networks start from the same
PCA, whose R² is given too, and are trained at the same defaults; R² is that of the test rows.
"""

from __future__ import annotations

import argparse

import _data
import pandas as pd
from _results import save

from skae import AutoencoderTransformer
from skae.networks import ConvolutionalNetwork

METHODS = {
    "PCA": {"max_iter": 0},
    "dense": {},
    "convolutional": {"network": ConvolutionalNetwork(image_shape=(1, 28, 28))},
}


def run(mnist, code_sizes) -> pd.DataFrame:
    train, test, rows = mnist[0][:10_000], mnist[2], []
    for k in code_sizes:
        for name, parameters in METHODS.items():
            model = AutoencoderTransformer(k, random_state=0, **parameters).fit(train)
            rows.append({"k": k, "method": name, "r2": model.score(test), "parameters": model._fitted.weights.size})
            print(*rows[-1].values(), flush=True)
    return pd.DataFrame(rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    _data.add_arguments(parser)
    parser.add_argument("--code-sizes", type=int, nargs="+", default=(8, 16))
    arguments = parser.parse_args()
    if (mnist := _data.load_mnist(arguments.data)) is not None:
        save(run(mnist, arguments.code_sizes), arguments.out, "convolutional")


if __name__ == "__main__":
    main()
