"""A convolutional network against the dense default, on pictures, at equal code sizes.

    python benchmarks/convolutional.py --data DIR

MNIST, the first 10,000 training rows and all 10,000 test rows, pixels in [0, 1]. Both networks start from the same
PCA, whose R² is given too, and are trained at the same defaults; R² is that of the test rows.
"""

from __future__ import annotations

import argparse

import _data
import pandas as pd

from skae import AutoencoderTransformer
from skae.networks import ConvolutionalNetwork

NETWORKS = {"dense": None, "convolutional": ConvolutionalNetwork(image_shape=(1, 28, 28))}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    _data.add_arguments(parser)
    parser.add_argument("--code-sizes", type=int, nargs="+", default=(8, 16))
    arguments = parser.parse_args()
    mnist = _data.load_mnist(arguments.data)
    if mnist is None:
        return
    train, test = mnist[0][:10_000], mnist[2]
    rows = []
    for k in arguments.code_sizes:
        rows.append({"k": k, "PCA": AutoencoderTransformer(k, max_iter=0).fit(train).score(test)})
        for name, network in NETWORKS.items():
            model = AutoencoderTransformer(k, network=network, random_state=0).fit(train)
            rows[-1][name] = model.score(test)
            rows[-1][f"{name}, parameters"] = int(model._fitted.weights.size)
        print(rows[-1], flush=True)
    print(pd.DataFrame(rows).round(4).to_string(index=False))


if __name__ == "__main__":
    main()
