"""The tables and figures of README and docs are those of the CSVs in `benchmarks/results`."""

import re
import sys
from pathlib import Path

import pytest

pd = pytest.importorskip("pandas")
ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "benchmarks"))

import tables  # noqa: E402
from _results import load, number, p_value, paired_p  # noqa: E402


def prose(page):
    """A page in one line, without its tables and the spaces within it."""
    text = (ROOT / page).read_text(encoding="utf-8")
    return " ".join(re.sub(r"^\|.*\n", "", text, flags=re.M).split())


def assert_said(page, *sentences):
    text = prose(page)
    assert [sentence for sentence in sentences if sentence not in text] == []


@pytest.mark.parametrize("path", tables.PAGES, ids=lambda path: path.name)
def test_tables_are_those_of_the_results(path):
    page = path.read_text(encoding="utf-8")
    assert page == tables.with_tables(page), "run `python benchmarks/tables.py`"


def test_every_table_has_a_place():
    pages = "".join(path.read_text(encoding="utf-8") for path in tables.PAGES)
    assert sorted(re.findall(r"<!-- table: (\S+) -->", pages)) == sorted(tables.TABLES)


NUMERALS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")


def test_reducers():
    r2 = tables.reduction_cells()["r2"]
    gain = (r2["skae"] - r2.drop(columns="skae").max(axis=1)).rename("gain").reset_index()
    n_cells, n_best, n_close = len(gain), (gain["gain"] >= 0).sum(), (gain["gain"] >= -0.002).sum()
    is_wide = gain["dataset"] == "InternetAds"
    wide, lost = gain[is_wide], gain[~is_wide & (gain["gain"] < -0.002)]
    assert_said(
        "README.md",
        f"{n_cells} cells, each a data set",
        f"{gain['dataset'].nunique() - 3} sets of ADBench",
        f"the best R² of all in {n_best} cells, and is within .002 of the best in {NUMERALS[n_close - n_best]} more",
        f"it loses by {number(-wide['gain'].max(), 2)} to {number(-wide['gain'].min(), 2)}",
        f"on {NUMERALS[len(lost)]} other cells it loses by {number(-lost['gain'].mean())} on average, "
        f"{NUMERALS[(lost['k'] == 2).sum()]} of them at 2 components",
    )


def runs_below_pca(name):
    """How many runs there are, and by how much those are below PCA that are so by more than .01."""
    r2 = load(name).pivot_table("r2", ["dataset", "k", "seed"], "method")
    gain = r2["skae"] - r2["PCA"]
    assert (gain.groupby(["dataset", "k"]).mean() < -0.002).sum() == 0  # the pages say so
    return len(gain), -gain[gain < -0.01].sort_values(ascending=False)


def test_reducers_over_splits():
    results = load("reduction_5_splits")
    n_runs, worse = runs_below_pca("reduction_5_splits")
    ((name, _, _),) = worse.index
    n_rows = results.loc[results["dataset"] == name, "n"].iloc[0]
    assert_said(
        "README.md",
        f"Over five splits, {n_runs} fits, no cell is below PCA in the mean; one fit is, by {number(worse.item())}, on "
        f"{n_rows} training rows",
    )


def test_heavy_tails():
    n_runs, worse = runs_below_pca("heavy_tails_5_splits")
    assert worse.index[1][0].startswith("cauchy")
    assert_said(
        "docs/benchmarks.md",
        f"{load('heavy_tails_5_splits')['dataset'].nunique()} made sets",
        f"Of the {n_runs} fits {NUMERALS[len(worse)]} are below by more than .01: by {number(worse.iloc[0])}, and by "
        f"{number(worse.iloc[1], 2)} for Cauchy",
    )
