"""A GPU against the CPU: skae, the plain torch loop, and that loop replayed as a CUDA graph, at equal work.

    python benchmarks/gpu.py --data DIR

`fit`: 784-1000-500-250-30 on MNIST, batches of 256, the same epochs for all; skae's time includes PCA.
`defaults`: skae's fits at the defaults, on the GPU and on the CPU, and the detector's scores of 100,000 rows.

Medians of `--repeats` interleaved runs after one that is not counted. Without a CUDA device `--device cpu` runs all but
the graph.
"""

from __future__ import annotations

import argparse
import sys

import _data
import numpy as np
import torch
from _plain_network import plain_autoencoder
from speed import interleaved, many_rows

from skae import AutoencoderOutlierDetector, AutoencoderTransformer

HIDDEN, N_COMPONENTS, BATCH_SIZE = (1000, 500, 250), 30, 256


def ours(X: np.ndarray, device: str, epochs: int) -> None:
    AutoencoderTransformer(
        N_COMPONENTS, hidden_layer_sizes=HIDDEN, batch_size=BATCH_SIZE, max_iter=epochs, n_iter_no_change=epochs + 1,
        early_stopping=False, corruption="gaussian", corruption_level=0.0, random_state=0, device=device,
    ).fit(X)  # fmt: skip


def plain_loop(X: np.ndarray, device: str, epochs: int, graphed: bool = False) -> None:
    rows = torch.from_numpy(X).to(device)
    sizes = [X.shape[1], *HIDDEN, N_COMPONENTS, *HIDDEN[::-1], X.shape[1]]
    network = plain_autoencoder(sizes, torch.nn.SiLU, 0)[0].to(device)
    optimizer = torch.optim.Adam(network.parameters(), fused=True, capturable=graphed)
    x = rows[:BATCH_SIZE].clone()

    def step() -> None:
        optimizer.zero_grad()
        torch.nn.functional.mse_loss(network(x), x).backward()
        optimizer.step()

    run = captured(step) if graphed else step
    for _ in range(epochs):
        # The last rows are left out, so that all batches are as large as the graph's.
        for batch in torch.randperm(len(rows), device=device)[: len(rows) // BATCH_SIZE * BATCH_SIZE].split(BATCH_SIZE):
            torch.index_select(rows, 0, batch, out=x)
            run()
    if device == "cuda":
        torch.cuda.synchronize()


def captured(step):
    """A function that replays what `step` does, captured after three steps of warm-up as torch's manual says."""
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(3):
            step()
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        step()
    return graph.replay


def fit(X: np.ndarray, arguments) -> None:
    device, epochs = arguments.device, arguments.epochs
    functions = {
        "skae": lambda: ours(X, device, epochs),
        "plain torch loop": lambda: plain_loop(X, device, epochs),
    }
    if device == "cuda":
        functions["the same as a CUDA graph"] = lambda: plain_loop(X, device, epochs, graphed=True)
    print(f"\n{len(X):,} x {X.shape[1]}, {HIDDEN}, {epochs} epochs, {device}")
    for name, seconds in interleaved(functions, arguments.repeats).items():
        print(f"  {name:26s} {seconds:8.3f} s")


def defaults(X: np.ndarray, arguments) -> None:
    wide, narrow = many_rows(1_000_000, 100), many_rows(100_000, 20)
    detector = AutoencoderOutlierDetector(random_state=0).fit(narrow[:10_000])
    print("\nAt the defaults")
    for title, function in {
        f"fit {len(X):,} x {X.shape[1]}, 16 components": lambda device: AutoencoderTransformer(
            16, random_state=0, device=device
        ).fit(X),
        "fit 1,000,000 x 100, 8 components": lambda device: AutoencoderTransformer(
            8, random_state=0, device=device
        ).fit(wide),
        "detector, score 100,000 x 20": lambda device: detector.set_params(device=device).score_samples(narrow),
    }.items():
        devices = dict.fromkeys((arguments.device, "cpu"))
        functions = {device: (lambda f=function, device=device: f(device)) for device in devices}
        for device, seconds in interleaved(functions, arguments.repeats).items():
            print(f"  {title:38s} {device:5s} {seconds:8.3f} s")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    _data.add_arguments(parser)
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--parts", nargs="+", choices=("fit", "defaults"), default=("fit", "defaults"))
    parser.add_argument("--max-rows", type=int, default=60_000, help="of MNIST")
    arguments = parser.parse_args()
    if arguments.device == "cuda" and not torch.cuda.is_available():
        sys.exit("No CUDA device is available; --device cpu runs what needs none.")
    mnist = _data.load_mnist(arguments.data)
    if mnist is None:
        sys.exit(1)
    print(f"torch {torch.__version__}, {torch.cuda.get_device_name() if arguments.device == 'cuda' else 'CPU'}")
    for part in arguments.parts:
        globals()[part](mnist[0][: arguments.max_rows], arguments)


if __name__ == "__main__":
    main()
