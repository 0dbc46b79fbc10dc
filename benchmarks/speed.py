"""Speed at equal work: skae against MLPRegressor, skorch and PyOD, and against the bare matrix products.

    python benchmarks/speed.py --data DIR
    python benchmarks/speed.py --parts step transform

`fit`: the same layers, batches and number of epochs for all, nothing held out, no noise, no early stopping.
`defaults`: both at their defaults, skae with 8 components against PyOD's AutoEncoder, sets of at most 4,000 rows.
`step`: one step of training against the matrix products it consists of, without the linear path.
`transform`: 60,000 rows against the encoder's matrix products, and one row against `PCA.transform`.
`growth`: rows per second of training as rows or features grow.
`grid`: 24 fits of GridSearchCV on one and on two jobs.
`busy`: default threads against `OMP_NUM_THREADS=1`, on a quiet machine and beside a busy process for each CPU.

Medians of `--repeats` interleaved runs in one process, after one run of each that is not counted.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from contextlib import ExitStack
from itertools import pairwise

import _data
import numpy as np
import torch
from _equal_work import AVAILABLE
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.model_selection import GridSearchCV

from skae import AutoencoderOutlierDetector, AutoencoderTransformer
from skae._autoencoder._config import AutoencoderConfig
from skae._autoencoder._linear import LinearAutoencoder
from skae._autoencoder._network import AutoencoderNetwork
from skae._training._optimizer import AdamW

PARTS = ("fit", "defaults", "step", "transform", "growth", "grid", "busy")
DEFAULTS_SETS = ("digits", "breast_cancer", "cardio", "SpamBase", "landsat", "InternetAds", "magic.gamma")


def interleaved(functions: dict, repeats: int, clock: Callable[[], float] = time.perf_counter) -> dict[str, float]:
    """Median seconds of each, by the given clock."""
    seconds: dict[str, list[float]] = {name: [] for name in functions}
    for repeat in range(repeats + 1):
        for name, function in functions.items():
            start = clock()
            function()
            if repeat > 0:
                seconds[name].append(clock() - start)
    return {name: statistics.median(values) for name, values in seconds.items()}


def many_rows(n_rows: int, n_features: int) -> np.ndarray:
    """Rows with ten curved directions and noise."""
    rng = np.random.RandomState(0)
    mixing = rng.normal(size=(10, n_features))
    return np.float32(np.tanh(rng.normal(size=(n_rows, 10)) @ mixing) + 0.3 * rng.normal(size=(n_rows, n_features)))


def fit(arguments) -> None:
    cells = {"digits, (128,), k=8, batch 128, 50 epochs": (np.float32(load_digits().data / 16), (128,), 8, 128, 50)}
    mnist = _data.load_mnist(arguments.data)
    if mnist is not None:
        cells["MNIST 20,000, (512, 256), k=30, batch 256, 2 epochs"] = (mnist[0][:20_000], (512, 256), 30, 256, 2)
    cells["100,000 x 100, (128,), k=8, batch 256, 2 epochs"] = (many_rows(100_000, 100), (128,), 8, 256, 2)
    for title, (X, *settings) in cells.items():
        runs = {name: (lambda fit=fit, X=X, settings=settings: fit(X, *settings)) for name, fit in AVAILABLE.items()}
        seconds = interleaved(runs, arguments.repeats)
        print(f"\n{title}")
        for name, value in seconds.items():
            print(f"  {name:13s} {value:8.3f} s   {value / seconds['skae']:5.2f} times skae's")


def defaults(arguments) -> None:
    if "PyOD" not in AVAILABLE:
        print("\nPyOD is not installed: fits at the defaults are left out.")
        return
    from pyod.models.auto_encoder import AutoEncoder

    print("\nFits at the defaults")
    for name, load in _data.reduction_sets(arguments.data).items():
        if name in DEFAULTS_SETS:
            X, y, pictures = load()
            X, y = _data.subsample(X, y, 5000, 0)
            X = _data.split_for_reduction(X, y, pictures, 0)[0]
            functions = {
                "skae": lambda X=X: AutoencoderTransformer(8, random_state=0).fit(X),
                "PyOD": lambda X=X: AutoEncoder(verbose=0, random_state=0).fit(X),
            }
            seconds = interleaved(functions, arguments.repeats)
            print(f"  {name:13s} {X.shape[0]:5d} x {X.shape[1]:<4d}  skae {seconds['skae']:.2f} s, "
                  f"PyOD {seconds['PyOD']:.2f} s, ratio {seconds['skae'] / seconds['PyOD']:.2f}")  # fmt: skip


def bare_products(sizes: list[int], batch_size: int):
    """A function that does a step's matrix products: one per layer forwards, two backwards, none for the inputs."""
    weights = [torch.randn(a, b) for a, b in pairwise(sizes)]
    values = [torch.randn(batch_size, a) for a in sizes]
    gradients = [torch.empty_like(weight) for weight in weights]
    back = [torch.empty_like(value) for value in values]

    @torch.no_grad()
    def run():
        for depth, weight in enumerate(weights):
            torch.mm(values[depth], weight, out=back[depth + 1])
        for depth in range(len(weights) - 1, -1, -1):
            torch.mm(values[depth].t(), values[depth + 1], out=gradients[depth])
            if depth > 0:
                torch.mm(values[depth + 1], weights[depth].t(), out=back[depth])

    return run


def network_step(n_features: int, hidden: tuple[int, ...], k: int, batch_size: int):
    """A function that does one step of training: loss, gradient and AdamW, as the package's loop does."""
    generator = torch.Generator().manual_seed(0)
    axes = torch.linalg.qr(torch.randn(n_features, k, generator=generator)).Q.contiguous()
    linear = LinearAutoencoder(torch.zeros(n_features), torch.ones(n_features), 1.0, axes, axes.t().contiguous())
    network = AutoencoderNetwork(AutoencoderConfig(k, hidden_layer_sizes=hidden), linear)
    network.initialise(generator)
    gradient = torch.zeros_like(network.parameters)
    network.bind_gradient(gradient)
    optimizer = AdamW(network.parameters, gradient, alpha=0.1)
    x = torch.randn(batch_size, n_features, generator=generator)

    @torch.no_grad()
    def run():
        network.loss_and_gradient(x, None)
        optimizer.step(1e-4)

    return run


def step(arguments) -> None:
    print("\nOne step of training against the bare matrix products")
    for n_features, hidden, k, batch_size, times in (
        (30, (128,), 8, 128, 500),
        (64, (256, 128), 8, 256, 100),
        (784, (512, 256), 30, 256, 20),
    ):
        sizes = [n_features, *hidden, k]
        functions = {
            "step": network_step(n_features, hidden, k, batch_size),
            "products": bare_products([*sizes, *sizes[-2::-1]], batch_size),
        }
        for threads in sorted({1, torch.get_num_threads()}):
            seconds = at_threads(threads, functions, times, arguments.repeats)
            print(
                f"  {'-'.join(map(str, sizes))}, batch {batch_size}, {threads} thread(s): "
                f"{1e3 * seconds['step'] / times:.3f} ms, products {1e3 * seconds['products'] / times:.3f} ms, "
                f"ratio {seconds['step'] / seconds['products']:.2f}"
            )


def at_threads(threads: int, functions: dict, times: int, repeats: int) -> dict[str, float]:
    def repeated(function):
        for _ in range(times):
            function()

    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        return interleaved({name: (lambda f=f: repeated(f)) for name, f in functions.items()}, repeats)
    finally:
        torch.set_num_threads(before)


def transform(arguments) -> None:
    X = many_rows(60_000, 784)
    sizes = [784, 512, 256, 30]
    model = AutoencoderTransformer(30, hidden_layer_sizes=(512, 256), max_iter=1, random_state=0).fit(X[:2000])
    pca = PCA(30, random_state=0).fit(X[:2000])
    weights = [torch.randn(a, b) for a, b in pairwise(sizes)]
    x = torch.from_numpy(X)

    @torch.no_grad()
    def products():
        for block in x.split(1024):
            for weight in weights:
                block = block @ weight

    seconds = interleaved({"transform": lambda: model.transform(X), "products": products}, arguments.repeats)
    print(f"\ntransform of 60,000 x 784 through (512, 256) to 30: {seconds['transform']:.3f} s, "
          f"products {seconds['products']:.3f} s, ratio {seconds['transform'] / seconds['products']:.2f}")  # fmt: skip
    digits = np.float32(load_digits().data)
    small, small_pca = AutoencoderTransformer(8, max_iter=1, random_state=0).fit(digits), PCA(8).fit(digits)
    for title, ours, theirs, rows in (
        ("784, (512, 256), 30", model, pca, X),
        ("64, (256, 128), 8", small, small_pca, digits),
    ):
        one = rows[:1]
        functions = {"skae": lambda m=ours, r=one: m.transform(r), "PCA": lambda m=theirs, r=one: m.transform(r)}
        seconds = at_threads(torch.get_num_threads(), functions, 200, arguments.repeats)
        print(f"one row, {title}: {1e6 * seconds['skae'] / 200:.0f} µs, PCA {1e6 * seconds['PCA'] / 200:.0f} µs, "
              f"ratio {seconds['skae'] / seconds['PCA']:.2f}")  # fmt: skip


def growth(arguments) -> None:
    print("\nRows per second of training, hidden (128,), k=8, batch 256, 2 epochs")
    everything = many_rows(1_000_000, 30)
    for n_rows in (1_000, 10_000, 100_000, 1_000_000):
        rows_per_second(everything[:n_rows], arguments.repeats)
    for n_features in (10, 100, 1000):
        rows_per_second(many_rows(20_000, n_features), arguments.repeats)


def rows_per_second(X: np.ndarray, repeats: int) -> None:
    seconds = interleaved({"skae": lambda: AVAILABLE["skae"](X, (128,), 8, 256, 2)}, max(1, min(repeats, 3)))
    print(f"  {X.shape[0]:9,d} x {X.shape[1]:<4d} {2 * len(X) / seconds['skae']:10,.0f} rows/s")


def grid(arguments) -> None:
    X = np.float32(load_digits().data)
    search = {"n_components": [2, 4, 8, 16], "alpha": [0.1, 0.3]}

    def run(n_jobs: int):
        GridSearchCV(AutoencoderTransformer(random_state=0), search, cv=3, n_jobs=n_jobs, refit=False).fit(X)

    seconds = interleaved({"1": lambda: run(1), "2": lambda: run(2)}, max(1, arguments.repeats // 2))
    print(f"\nGridSearchCV, 24 fits: {seconds['1']:.1f} s on one job, {seconds['2']:.1f} s on two, "
          f"{seconds['1'] / seconds['2']:.2f} times faster")  # fmt: skip


def busy_tasks() -> dict:
    """What `busy` times; each function is made in a process of its own."""

    def transformer(n_rows, n_features, k, rows_to_transform=0, **parameters):
        X = many_rows(n_rows, n_features)
        model = AutoencoderTransformer(k, random_state=0, **parameters)
        if not rows_to_transform:
            return lambda: model.fit(X)
        model.fit(X[:2000])
        return lambda: model.transform(X[:rows_to_transform])

    def detector(scores: bool):
        X = many_rows(10_000, 20)
        model = AutoencoderOutlierDetector(random_state=0).fit(X)
        return lambda: model.score_samples(X) if scores else model.fit(X)

    wide = {"hidden_layer_sizes": (512, 256), "batch_size": 256, "max_iter": 2, "early_stopping": False}
    return {
        "fit 2,000 x 30 at the defaults": lambda: transformer(2000, 30, 8),
        "fit 5,000 x 784, (512, 256), 2 epochs": lambda: transformer(5000, 784, 30, **wide),
        "fit 20,000 x 784, max_iter=0": lambda: transformer(20_000, 784, 30, max_iter=0),
        "transform 60,000 x 784, (512, 256)": lambda: transformer(60_000, 784, 30, 60_000, **wide),
        "transform 60,000 x 30": lambda: transformer(60_000, 30, 8, 60_000, max_iter=2),
        "transform 1,000 x 30": lambda: transformer(2000, 30, 8, 1000, max_iter=2),
        "detector, fit 10,000 x 20": lambda: detector(False),
        "detector, score 10,000 x 20": lambda: detector(True),
    }


def busy(arguments) -> None:
    print("\nDefault threads, as times the seconds with OMP_NUM_THREADS=1")
    for title in busy_tasks():
        for n_busy in (0, os.cpu_count() or 1):
            with ExitStack() as stack:
                for _ in range(n_busy):
                    spinning = stack.enter_context(subprocess.Popen([sys.executable, "-c", "while True: pass"]))
                    stack.callback(spinning.kill)
                seconds: dict[str, list[float]] = {"one": [], "default": []}
                for _ in range(arguments.repeats):
                    for name, times in seconds.items():
                        times.append(seconds_of_task(title, name == "one"))
            one, default = (statistics.median(times) for times in seconds.values())
            print(f"  {title:40s} beside {n_busy} busy: {default:7.3f} s, one thread {one:7.3f} s, "
                  f"ratio {default / one:.2f}", flush=True)  # fmt: skip


def seconds_of_task(title: str, on_one_thread: bool) -> float:
    """Median seconds of a task in a process of its own, after a first run."""
    environment = {name: value for name, value in os.environ.items() if name != "OMP_NUM_THREADS"}
    environment |= {"OMP_NUM_THREADS": "1"} if on_one_thread else {}
    command = [sys.executable, __file__, "--task", title]
    return float(subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout)


def run_task(title: str) -> None:
    function = busy_tasks()[title]()
    print(interleaved({title: function}, 3)[title])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    _data.add_arguments(parser)
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--task", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")  # peers warn that so few epochs do not converge
    if arguments.task:
        run_task(arguments.task)
        return
    print(f"torch {torch.__version__}, {torch.get_num_threads()} thread(s)")
    for part in arguments.parts:
        globals()[part](arguments)


if __name__ == "__main__":
    main()
