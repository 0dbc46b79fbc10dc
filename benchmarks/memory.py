"""Memory: fit and transform a large memory-mapped file.

    python benchmarks/memory.py --gigabytes 20
    systemd-run --scope -p MemoryMax=4G python benchmarks/memory.py --gigabytes 20 --written

Makes a sparse float32 file of 100 features (mostly holes, which read as zeros; a block of random rows at every 200th
place), fits one epoch and transforms the first million rows. With `--written` the file has no holes, so that it must
be read from the disk where the process may not hold it in memory, as in the second command.

Prints the peak of the memory that the process allocates (RssAnon) above what it was before, and the peak of the
resident set, which also counts pages of the file that the system may take back at any time. Linux only.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import threading
import time
from pathlib import Path

import numpy as np

from skae import AutoencoderTransformer

N_FEATURES = 100
BLOCK_ROWS = 1000


class PeakMemory:
    """Samples this process' memory twenty times a second."""

    def __enter__(self):
        self.start, self.peak, self._stop = self._read(), dict.fromkeys(("RssAnon", "VmRSS"), 0.0), threading.Event()
        self._thread = threading.Thread(target=self._sample, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        self._thread.join()

    def _sample(self):
        while not self._stop.wait(0.05):
            now = self._read()
            self.peak = {name: max(self.peak[name], now[name] - self.start[name]) for name in self.peak}

    @staticmethod
    def _read() -> dict[str, float]:
        """Gigabytes by name."""
        lines = (line.split() for line in Path("/proc/self/status").read_text().splitlines())
        return {
            line[0].rstrip(":"): int(line[1]) / 1e6 for line in lines if line and line[0].startswith(("Rss", "VmRSS"))
        }


def large_file(path: Path, gigabytes: float, written: bool) -> np.ndarray:
    n_rows = int(gigabytes * 1e9 / (4 * N_FEATURES))
    rng = np.random.RandomState(0)
    mixing = rng.normal(size=(5, N_FEATURES))
    X = np.memmap(path, dtype=np.float32, mode="w+", shape=(n_rows, N_FEATURES))
    block = np.tanh(rng.normal(size=(BLOCK_ROWS, 5)) @ mixing)
    for start in range(0, n_rows - BLOCK_ROWS + 1, (1 if written else 200) * BLOCK_ROWS):
        if start % (200 * BLOCK_ROWS) == 0:
            block = np.tanh(rng.normal(size=(BLOCK_ROWS, 5)) @ mixing)
        X[start : start + BLOCK_ROWS] = block
    X.flush()
    del X
    file = os.open(path, os.O_RDONLY)
    os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)  # what was written is still in memory
    os.close(file)
    return np.memmap(path, dtype=np.float32, mode="r", shape=(n_rows, N_FEATURES))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gigabytes", type=float, default=20.0)
    parser.add_argument("--folder", type=Path, help="where to make the file; the system's temporary folder without it")
    parser.add_argument("--written", action="store_true", help="write all rows")
    arguments = parser.parse_args()
    AutoencoderTransformer(2, max_iter=1).fit(np.random.RandomState(0).normal(size=(100, 5)))  # imports and threads
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        X = large_file(Path(folder) / "rows.f32", arguments.gigabytes, arguments.written)
        start = time.perf_counter()
        with PeakMemory() as memory:
            model = AutoencoderTransformer(5, hidden_layer_sizes=(64,), max_iter=1, random_state=0).fit(X)
            fitted = time.perf_counter()
            model.transform(X[:1_000_000])
        seconds = f"fit {fitted - start:.0f} s, transform {time.perf_counter() - fitted:.0f} s"
        print(f"{X.shape[0]:,} x {X.shape[1]}, {X.nbytes / 1e9:.1f} GB: {seconds}")
        print(f"allocated memory +{memory.peak['RssAnon']:.2f} GB, resident set +{memory.peak['VmRSS']:.2f} GB")


if __name__ == "__main__":
    main()
