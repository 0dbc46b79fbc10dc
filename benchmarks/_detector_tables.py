"""Tables of the outlier detector: one function each, registered in `tables.py`."""

from __future__ import annotations

import pandas as pd
from _results import SLASH, load, number, p_value, paired_p, pairs, share, with_best_bold

GROUPS = {"adbench": "ADBench", "more": "others", "oddbench": "OddBench"}


def detection_cells(name: str) -> pd.DataFrame:
    """The mean of every measure over the splits of each set, one column for each measure and detector."""
    results = load(name)
    measures = ["roc_auc", "average_precision", "fit_cpu_s", "score_cpu_s"]
    return results.groupby(["group", "dataset", "method"])[measures].mean().unstack()


def detectors() -> pd.DataFrame:
    labels = {
        "skae": "**skae**",
        "skae-reconstruction": 'skae, `method="reconstruction"`',
        "kNN": "kNN",
        "kNN on ranks": "kNN on ranks",
        "LocalOutlierFactor": "LocalOutlierFactor",
        "IsolationForest": "IsolationForest",
        "Mahalanobis": "Mahalanobis (Ledoit-Wolf)",
        "PyOD-AutoEncoder": "PyOD AutoEncoder",
        "PyOD-LUNAR": "PyOD LUNAR",
        "PyOD-ECOD": "PyOD ECOD",
    }
    columns, headings, spent = [], [], []
    for protocol, word in (("N", "novelty: "), ("U", "unlabelled: ")):
        cells = detection_cells(f"outliers_{protocol}")
        means = cells.groupby("group").mean()
        for group, title in GROUPS.items():
            auc, precision = (
                means.loc[group, measure].reindex(list(labels)) for measure in ("roc_auc", "average_precision")
            )
            headings.append(word + title if group == "adbench" else title)
            columns.append(auc.map(number) + SLASH + precision.map(number))
        total = (cells["fit_cpu_s"] + cells["score_cpu_s"]).sum()
        spent.append([str(max(1, round(total[name]))) for name in labels])
    table = pd.concat(columns, axis=1).rename(index=labels).rename_axis(None)
    table.columns = headings
    return table.assign(seconds=[", ".join(pair) for pair in zip(*spent, strict=True)])


def components(protocol: str) -> pd.DataFrame:
    results = load(f"outlier_components_{protocol}")
    cells = results.pivot_table(["roc_auc", "average_precision"], ["group", "dataset"], "components", sort=False)
    auc, precision = cells["roc_auc"], cells["average_precision"]
    order = [name for name in results["components"].unique() if name != "unweighted" or protocol == "N"]
    order.sort(key=lambda name: (name.startswith("without"), name.endswith("alone")))
    means = {measure: cells[measure].groupby("group").mean().T for measure in ("roc_auc", "average_precision")}
    table = pairs(means["roc_auc"], means["average_precision"])[list(GROUPS)]
    table.columns = [f"{title} ({len(auc.loc[group])})" for group, title in GROUPS.items()]
    table["p"] = [
        ", ".join(filter(None, (p_value(paired_p(each["all"], each[name])) for each in (auc, precision))))
        for name in table.index
    ]
    table.index.name = None
    return table.loc[order]


def categories() -> pd.DataFrame:
    columns = {"skae": "categories", "skae, one-hot": "one-hot", "skae, ordinal": "ordinal"}
    columns["kNN, one-hot, standardised"] = "kNN"
    tables = {}
    for protocol in "NU":
        results = load(f"categories_{protocol}")
        means = results.pivot_table("auc", "table", "method", sort=False)[list(columns)].rename(columns=columns)
        means.loc["mean"] = means.mean()
        tables[protocol] = with_best_bold(means)
    table = pd.concat(tables.values(), axis=1)
    table.columns = [
        f"{protocol}: {name}" if name == "categories" else name for protocol in "NU" for name in columns.values()
    ]
    return table.rename_axis(None)


def missing_value_cells(protocol: str) -> pd.DataFrame:
    """Both measures of every set with a fifth of the entries missing, and of the same sets as they are."""
    measures, missing = ["roc_auc", "average_precision"], detection_cells(f"outliers_{protocol}_missing_0.2")
    complete = detection_cells(f"outliers_{protocol}").loc[missing.index]
    return pd.concat({"complete": complete[measures], "missing": missing[measures]}, axis=1)


def missing_values() -> pd.DataFrame:
    labels = {
        "skae": "**skae**",
        "skae, imputed": "skae, imputed",
        "IsolationForest": "IsolationForest",
        "kNN": "kNN, imputed",
        "kNN on ranks": "kNN on ranks, imputed",
    }
    columns = {}
    for protocol, word in (("N", "novelty: "), ("U", "unlabelled: ")):
        means = missing_value_cells(protocol).mean().unstack(1)
        for rows, title in (("complete", word + "complete"), ("missing", "a fifth missing")):
            auc, precision = (
                means[measure][rows].reindex(list(labels)) for measure in ("roc_auc", "average_precision")
            )
            columns[protocol, title] = (auc.map(number) + SLASH + precision.map(number)).where(auc.notna(), "–")
    table = pd.DataFrame(columns).rename(index=labels).rename_axis(None)
    return table.set_axis([title for _, title in columns], axis=1)


def contributions() -> pd.DataFrame:
    names = {"novelty=True": "`novelty=True`", "novelty=False": "`novelty=False`"}
    names |= {"regressions": "linear regressions on the other features"}
    columns = {"3": "moved by 3 deviations", "6": "by 6", "another row's": "value of another row"}
    means = load("contributions").pivot_table("share", "method", "moved by").map(share)
    return means.loc[list(names), list(columns)].rename(index=names, columns=columns).rename_axis(None)


def groups_of_the_detector() -> pd.DataFrame:
    names = {"novelty=True": "`novelty=True`", "novelty=False": "`novelty=False`"}
    names |= {"reconstruction": '`method="reconstruction"`'}
    means = load("groups_detector").pivot_table("p <= 0.05", "detector", ["fitted", "kind", "groups"]).map(share)
    table = (means["without groups"] + ", " + means["with groups"]).loc[list(names)].rename(index=names)
    table.columns = ["20 subjects", "100", "300", "20 signals", "100", "300"]
    return table.rename_axis(None)


def drift() -> pd.DataFrame:
    drifts = {
        "none": "none",
        "noise in all": "noise of .3 deviations in all features",
        "noise in one": "noise of .5 deviations in one",
        "gain of one": "one is multiplied by 1.3",
        "offset of one": "one is shifted by .5 deviations",
        "all wider": "all are multiplied by 1.3",
        "sign of one": "one changes its sign",
    }
    variants = {
        "as fitted": "as fitted: normal, others",
        "recalibrated": "recalibrated",
        "fitted again": "fitted again",
    }
    means = load("alarm_lists_drift").pivot_table(["false", "found"], "drift", "variant")
    table = pairs(means["false"], means["found"], ", ").loc[list(drifts), list(variants)]
    return table.rename(index=drifts, columns=variants)


# --- False alarms


def both(name: str) -> dict[str, pd.DataFrame]:
    """Results with `novelty=False` and with `novelty=True`."""
    return {protocol: load(f"{name}_{protocol}").drop(columns="seed") for protocol in "UN"}


def false_alarms(protocol: str) -> pd.DataFrame:
    columns = {"p <= 0.01": "`p <= .01`", "p <= 0.05": "`p <= .05`", "p <= 0.1": "`p <= .1`"}
    columns |= {"predict 0.01": "`contamination=.01`", "predict 0.05": "`.05`", "predict 0.1": "`.1`"}
    means = load(f"false_alarms_table_{protocol}").groupby(["rows", "kind"])[list(columns)].mean().groupby("rows")
    low, high = means.min().map(share), means.max().map(share)
    table = low.where(low == high, low + "–" + high).rename(columns=columns)
    return table.set_axis([f"{n_rows:,}" for n_rows in table.index]).rename_axis("training rows")


def few_rows(measure: str) -> pd.DataFrame:
    means = [each.pivot_table(measure, "rows", "features") for each in both("false_alarms_sweep").values()]
    table = means[0].map(share) + ", " + means[1].map(share)
    table.columns = ["1 feature", *(f"{n:,}" for n in table.columns[1:])]
    return table


def kinds_of_rows() -> pd.DataFrame:
    kinds = {
        "curved": "curved",
        "clustered": "clustered",
        "gaussian": "Gaussian",
        "student_3": "Student, 3 degrees",
        "wide": "40 features, curved",
        "bits": "12 bits",
        "counts": "Poisson counts",
        "rounded": "rounded to .1",
        "student_2": "Student, 2 degrees",
        "cauchy": "Cauchy",
        "one_hot": "one-hot, 3 features",
    }
    columns = {"p <= 0.05": "`p <= .05`", "predict 0.05": "`contamination=.05`", "auto": '"auto"'}
    columns |= {"forest's": 'forest\'s "auto"', "finds": '"auto" finds', "forest finds": "forest's finds"}
    means = [
        each.groupby("kind").mean().loc[list(kinds), list(columns)] for each in both("false_alarms_kinds").values()
    ]
    table = means[0].map(share) + ", " + means[1].map(share)
    return table.rename(index=kinds, columns=columns).rename_axis(None)
