"""The CSVs in `results/`, and how their numbers are printed in the Markdown tables of README and docs."""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.stats import wilcoxon

RESULTS = Path(__file__).parent / "results"
SLASH = "\N{NO-BREAK SPACE}/\N{NO-BREAK SPACE}"  # between two numbers of a cell, which stay on one line


def add_out(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--out", type=Path, default=Path("benchmark_results"), metavar="DIR", help="where to write CSVs"
    )


def load(name: str) -> pd.DataFrame:
    return pd.read_csv(RESULTS / f"{name}.csv")


def save(results: pd.DataFrame, folder: Path, name: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    results.to_csv(folder / f"{name}.csv", index=False, float_format="%.6g")


def explained(X, reconstruction, mean) -> float:
    """R²: the explained share of the squared distances from the mean."""
    return 1.0 - np.square(X - reconstruction).sum() / np.square(X - mean).sum()


def number(value: float, digits: int = 3) -> str:
    """Rounded, without the zero before the point: .826, -.188, 13.90; minus zero has no sign."""
    value = round(float(value), 9)  # equal means may differ in their last bits, which would decide a tie as .0175
    text = f"{round(value, digits) + 0.0:.{digits}f}"
    return text.replace("0.", ".", 1) if text.lstrip("-").startswith("0.") else text


def share(value: float) -> str:
    """A share with three digits; none and all have no point."""
    return {".000": "0", "1.000": "1"}.get(number(value), number(value))


def p_value(p: float) -> str:
    """Two digits below .1, in powers of ten below .001; nothing where nothing differs."""
    if pd.isna(p):
        return ""
    return number(p, 2 if p >= 0.0095 else 3) if p >= 0.00095 else f"{p:.0e}".replace("e-0", "e-")


def paired_p(a: pd.Series, b: pd.Series) -> float:
    """Two-sided p of Wilcoxon's signed-rank test; not a number where nothing differs."""
    differences = (a - b).round(9)  # equal means may differ in their last bits
    return wilcoxon(differences).pvalue if differences.any() else float("nan")


def with_best_bold(values: pd.DataFrame, digits: int = 3) -> pd.DataFrame:
    """Numbers as text, the highest of every row, as it is printed, in bold."""
    best = values.round(digits).max(axis=1)
    return values.apply(
        lambda column: [
            f"**{number(value, digits)}**" if round(value, digits) == highest else number(value, digits)
            for value, highest in zip(column, best, strict=True)
        ]
    )


def pairs(first: pd.DataFrame, second: pd.DataFrame, joined: str = SLASH, digits: int = 3) -> pd.DataFrame:
    """Two tables of numbers in one table of text."""
    return first.map(number, digits=digits) + joined + second.map(number, digits=digits)


def markdown(table: pd.DataFrame) -> str:
    """A Markdown table; the name of the index heads the first column."""
    cells = [[table.index.name or "", *table.columns], *([name, *row] for name, *row in table.itertuples())]
    header, *rows = (f"| {' | '.join(map(str, row))} |\n".replace("|  |", "| |") for row in cells)
    return header + "|---" * len(cells[0]) + "|\n" + "".join(rows)
