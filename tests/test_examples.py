"""Every example runs without a warning and draws its pictures."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = sorted((Path(__file__).parents[1] / "examples").glob("plot_*.py"))
# The quick half of the gallery; the others take up to a minute each.
BY_DAY = {
    "plot_clean_or_not",
    "plot_displays",
    "plot_generate",
    "plot_guess_letters",
    "plot_missing_values",
    "plot_novelty_digits",
    "plot_outliers",
    "plot_replace_pca",
    "plot_sparse_codes",
}


def test_there_are_examples():
    assert {path.stem for path in EXAMPLES} > BY_DAY


@pytest.mark.parametrize(
    "path",
    [pytest.param(path, marks=pytest.mark.slow if path.stem in BY_DAY else pytest.mark.nightly) for path in EXAMPLES],
    ids=lambda path: path.stem,
)
def test_example_runs(path, tmp_path):
    for library in ("matplotlib", "pandas"):
        pytest.importorskip(library)
    environment = {**os.environ, "MPLBACKEND": "agg"}
    # A warning of pyplot.show, on machines with a screen.
    options = ["-W", "error", "-W", "ignore:FigureCanvasAgg is non-interactive"]
    command = [sys.executable, *options, str(path), "--out", str(tmp_path)]
    result = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert result.stdout
    pictures = list(tmp_path.glob("*.png"))
    assert all(picture.stat().st_size > 10_000 for picture in pictures)
    assert bool(pictures) == ("savefig" in path.read_text(encoding="utf-8"))
