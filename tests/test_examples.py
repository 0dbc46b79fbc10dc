"""Every example runs without a warning, prints, and draws its pictures."""

import ast
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

EXAMPLES = sorted((Path(__file__).parents[1] / "examples").glob("plot_*.py"))
# The quick half of the gallery; the others take up to a minute each.
BY_DAY = {
    "plot_broken_sensor",
    "plot_clean_or_not",
    "plot_columns_and_onnx",
    "plot_displays",
    "plot_generate",
    "plot_guess_letters",
    "plot_map",
    "plot_missing_values",
    "plot_mlflow",
    "plot_novelty_digits",
    "plot_optuna",
    "plot_outliers",
    "plot_replace_pca",
    "plot_serving",
    "plot_shap",
    "plot_skrub",
    "plot_sparse_codes",
}

# What examples need beyond their own imports.
ALSO_NEEDED = {
    "plot_columns_and_onnx": ("onnxscript", "skl2onnx"),
    "plot_mlflow": ("alembic", "skops", "sqlalchemy"),
    "plot_serving": ("httpx2",),
}
# Warnings of other libraries about each other.
IGNORED_WARNINGS = {
    "plot_mlflow": ("DeprecationWarning", "UserWarning"),
    "plot_shap": ("DeprecationWarning", "PendingDeprecationWarning"),
}


def test_there_are_examples():
    assert {path.stem for path in EXAMPLES} > BY_DAY


def imported_packages(path):
    """Names of the packages that a script imports."""
    nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
    names = [alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names]
    names += [node.module for node in nodes if isinstance(node, ast.ImportFrom)]
    return {name.partition(".")[0] for name in names}


@pytest.mark.parametrize(
    "path",
    [pytest.param(path, marks=pytest.mark.slow if path.stem in BY_DAY else pytest.mark.nightly) for path in EXAMPLES],
    ids=lambda path: path.stem,
)
def test_example_runs(path, tmp_path):
    needed = imported_packages(path) | {"pandas", *ALSO_NEEDED.get(path.stem, ())}
    missing = sorted(name for name in needed if find_spec(name) is None)
    if missing:
        pytest.skip(f"needs {', '.join(missing)}")
    # A warning of pyplot.show, on machines with a screen.
    options = ["-W", "error", "-W", "ignore:FigureCanvasAgg is non-interactive"]
    for category in IGNORED_WARNINGS.get(path.stem, ()):
        options += ["-W", f"ignore::{category}"]
    environment = {**os.environ, "MPLBACKEND": "agg"}
    command = [sys.executable, *options, str(path), "--out", str(tmp_path)]
    result = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert result.stdout
    pictures = list(tmp_path.glob("*.png"))
    assert all(picture.stat().st_size > 10_000 for picture in pictures)
    assert bool(pictures) == ("savefig" in path.read_text(encoding="utf-8"))
