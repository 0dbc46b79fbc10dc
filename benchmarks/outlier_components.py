"""What each component adds to the outlier detector's score: each alone, all, and all but one.

    OMP_NUM_THREADS=1 python benchmarks/outlier_components.py --data DIR --protocol N

Sets and splits are those of `outliers.py`, with seed 0. A score is the mean of the two highest weighted surprisals of
the components that are left; "unweighted" is that of all where each counts as much. For every group of sets: mean
ROC-AUC and average precision; over all sets: two-sided Wilcoxon tests against all components. Writes
`outlier_components_N.csv` or `outlier_components_U.csv`.
"""

from __future__ import annotations

import argparse

import _data
import numpy as np
import pandas as pd
import torch
from _results import paired_p, save
from outliers import split
from sklearn.metrics import average_precision_score, roc_auc_score

from skae import AutoencoderOutlierDetector

COMPONENTS = ("standardised", "whitened", "ranks", "spaces", "network")


def two_highest(surprisals: np.ndarray) -> np.ndarray:
    return np.sort(surprisals, axis=1)[:, -2:].mean(axis=1)


def scores(surprisals: np.ndarray, weight: np.ndarray) -> dict[str, np.ndarray]:
    """The score of each row by each choice of components."""
    found = {"all": two_highest(surprisals * weight), "unweighted": two_highest(surprisals)}
    for number, name in enumerate(COMPONENTS):
        found[f"{name} alone"] = surprisals[:, number]
        found[f"without {name}"] = two_highest(np.delete(surprisals * weight, number, axis=1))
    return found


def run(protocol: str, sets: dict, out) -> pd.DataFrame:
    rows = []
    for name, (group, path) in sets.items():
        X_train, X_test, y_test = split(name, path, protocol, 0)
        detector = AutoencoderOutlierDetector(novelty=protocol == "N", random_state=0).fit(X_train)
        calibration = detector._calibration
        components = detector._scorer.component_scores(X_test, torch.device("cpu"))
        pairs = zip(calibration.surprisals, components.T, strict=True)
        surprisals = np.stack([tail(values) for tail, values in pairs], axis=1)
        for choice, values in scores(surprisals, calibration.component_weight).items():
            quality = {
                "roc_auc": roc_auc_score(y_test, values),
                "average_precision": average_precision_score(y_test, values),
            }
            rows.append({"group": group, "dataset": name, "components": choice} | quality)
        print(name, flush=True)
        save(pd.DataFrame(rows), out, f"outlier_components_{protocol}")
    return pd.DataFrame(rows)


def report(results: pd.DataFrame) -> None:
    table = {}
    for measure, label in (("roc_auc", "AUC"), ("average_precision", "AP")):
        cells = results.pivot_table(measure, ["group", "dataset"], "components", sort=False)
        for group, own in cells.groupby("group", sort=False):
            table[f"{group} {label}"] = own.mean()
        table[f"p {label}"] = pd.Series({choice: paired_p(cells["all"], cells[choice]) for choice in cells})
    with pd.option_context("display.width", 250, "display.float_format", "{:.3g}".format):
        print(pd.DataFrame(table).loc[results["components"].unique()].to_string())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    _data.add_arguments(parser)
    parser.add_argument("--protocol", choices=("N", "U"), required=True)
    arguments = parser.parse_args()
    sets = _data.detection_sets(arguments.data)
    if not sets:
        parser.error("there are no data sets")
    report(run(arguments.protocol, sets, arguments.out))


if __name__ == "__main__":
    main()
