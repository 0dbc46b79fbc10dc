"""The tables and figures of README and docs are those of the CSVs in `benchmarks/results`."""

import re
import sys
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import norm

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
    r2 = tables.transformer.reduction_cells()["r2"]
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


def test_the_experiment_of_2006():
    error = load("hinton2006").set_index("method")["squared_error"].map("{:.2f}".format)
    assert_said(
        "README.md",
        f"the squared error per test picture is {error['skae']} after",
        f"({error['skae, clipped to [0, 1]']} with pixels clipped to [0, 1]); the paper's autoencoder has 3.00, PCA "
        f"{error['PCA']}",
    )


def test_bfloat16():
    r2 = load("bfloat16_3_splits").pivot_table("r2", ["dataset", "seed"], "method")
    difference = (r2["skae, bfloat16"] - r2["skae"]).abs()
    *others, (name, seed) = difference.sort_values().index
    assert name == "breast_cancer"
    one = r2.loc[name, seed]
    assert one["skae"] == one["PCA"]
    assert_said(
        "docs/speed.md",
        f"In {NUMERALS[len(others)]} of the {NUMERALS[len(r2)]} fits the two precisions differ by up to "
        f"{number(difference[others].max(), 4)}.",
        f"with {number(one['skae, bfloat16'])} instead of PCA's {number(one['PCA'])}.",
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


def p_values_against_others(protocol):
    """p-values of paired tests over all sets that skae is better than each other detector, for both measures."""
    cells = tables.detector.detection_cells(f"outliers_{protocol}")
    for measure in ("roc_auc", "average_precision"):
        others = cells[measure].drop(columns=["skae", "skae-reconstruction"])
        assert (cells[measure]["skae"].mean() > others.mean()).all()
        yield others.apply(lambda other, measure=measure: paired_p(cells[measure]["skae"], other))


def test_figures_of_the_introduction():
    r2 = tables.transformer.reduction_cells()["r2"].mean()
    auc = load("outliers_N").groupby(["group", "method"])["roc_auc"].mean()["adbench"]
    assert_said(
        "docs/getting_started.md",
        f"PCA's R² is {number(r2['PCA'])} and skae's {number(r2['skae'])}",
        f"its mean ROC-AUC is {number(auc['skae'])}, that of",
    )


def test_maps_of_all_of_mnist():
    means = load("maps_60000").groupby("method")[["neighbours", "r2", "fit_s"]].mean().loc["skae, neighbors"]
    assert_said(
        "docs/guide_maps.md",
        f"skae has {number(means['neighbours'])} and an R² of {number(means['r2'], 2)} after "
        f"{means['fit_s'] / 60:.0f} minutes on one busy core",
    )


def test_detectors():
    of_normal = pd.concat(p_values_against_others("N"))
    of_auc, of_precision = p_values_against_others("U")
    results = load("outliers_N")
    precision = results.groupby(["group", "method"])["average_precision"].mean()
    assert precision["more", "PyOD-LUNAR"] > precision["more", "skae"]
    assert_said(
        "README.md",
        f"skae is above every other detector in both measures (p ≤ {p_value(of_normal.max())})",
        f"every other one in ROC-AUC (p ≤ {p_value(of_auc.max())}) and, except kNN on ranks "
        f"(p = {p_value(of_precision['kNN on ranks'])}), in average precision "
        f"(p ≤ {p_value(of_precision.drop('kNN on ranks').max())})",
    )


def test_detectors_with_missing_values():
    cells = {protocol: tables.detector.missing_value_cells(protocol) for protocol in "NU"}
    p = pd.DataFrame(
        {
            (protocol, measure): own["missing", measure].apply(
                lambda other, ours=own["missing", measure, "skae"]: paired_p(ours, other)
            )
            for protocol, own in cells.items()
            for measure in ("roc_auc", "average_precision")
        }
    ).drop(index="skae")
    imputed, others = p.loc["skae, imputed"], p.drop(index="skae, imputed")
    for own in cells.values():
        assert own["missing", "roc_auc"].mean().idxmax() == "skae"
    complete, missing = (cells["N"][rows, "roc_auc", "skae"] for rows in ("complete", "missing"))
    loss, n_features = complete - missing, load("outliers_N_missing_0.2").groupby(["group", "dataset"])["d"].first()
    few, many = loss[n_features <= 5].mean(), loss[n_features > 20].mean()
    assert_said(
        "docs/guide_outliers.md",
        f"means over the {len(loss)} sets",
        f"better by itself (p = {p_value(imputed['N', 'roc_auc'])} for ROC-AUC, "
        f"{p_value(imputed['N', 'average_precision'])} for average precision,",
        f"the difference is within chance (p ≥ {p_value(imputed['U'].min())}).",
        f"its ROC-AUC is higher in both settings (p ≤ {p_value(others.xs('roc_auc', axis=1, level=1).max().max())}).",
        f"{number(few)} of ROC-AUC with up to 5 features, {number(many)} with more than 20 (`novelty=True`).",
    )


def assert_in_overview(result):
    """The table of other kinds of autoencoders, which is written by hand."""
    assert result in (ROOT / "docs/benchmarks.md").read_text(encoding="utf-8")


def missing_value_cells():
    results = load("missing_values")
    return results, results.pivot_table("rmse", ["dataset", "missing"], "method", sort=False)


def test_missing_values_best_counts():
    results, cells = missing_value_cells()
    best = cells.idxmin(axis=1).value_counts().reindex(cells.columns, fill_value=0)
    means = cells.mean().map(number)
    assert_said(
        "docs/guide_missing_values.md",
        f"skae has the lowest error in {best['skae'] + best['skae, untrained']} of {len(cells)} cells, trees in "
        f"{best['IterativeImputer, trees']}, ridge regressions in {best['IterativeImputer']} and neighbours in "
        f"{best['KNNImputer']}. It has the lowest mean ({means['skae']}; trees {means['IterativeImputer, trees']}, "
        f"KNNImputer {means['KNNImputer']}, ridge {means['IterativeImputer']})",
    )
    times = results.groupby("method")["seconds"].sum()
    assert_said(
        "docs/guide_missing_values.md",
        f"trees took {times['IterativeImputer, trees'] / times['skae']:.1f} times as long.",
    )


def test_missing_values_against_each():
    _, cells = missing_value_cells()
    better = {name: (cells["skae"] < cells[name]).sum() for name in cells}
    assert_said(
        "docs/guide_missing_values.md",
        f"Compared with the trees alone it is better in {better['IterativeImputer, trees']} cells of {len(cells)}.",
    )
    assert_in_overview(
        f"better than `KNNImputer` in {better['KNNImputer']} of {len(cells)} cells, `IterativeImputer` with ridge in "
        f"{better['IterativeImputer']}, with trees in {better['IterativeImputer, trees']}",
    )


def test_missing_values_where_trees_are_better():
    _, cells = missing_value_cells()
    above = (cells["skae"] - cells["IterativeImputer, trees"]).unstack()
    assert set(above.index[above.mean(axis=1) > 0.02]) == {"digits", "cardio"}
    assert_said(
        "docs/guide_missing_values.md",
        f"digits and cardio, by up to {number(above.loc[['digits', 'cardio']].max().max(), 2)}.",
    )
    few = above.loc[["wine", "magic.gamma, 200 rows"]]
    assert_said(
        "docs/guide_missing_values.md",
        f"it is better in {(few > 0).sum().sum()} of 6 cells by up to {number(few.max().max(), 2)}, and worse in the "
        f"others by up to {number(-few.min().min(), 2)}.",
    )
    more = above.loc[["cardio, 200 rows", "landsat, 200 rows"]]
    assert_said(
        "docs/guide_missing_values.md",
        f"skae is better in {(more < 0).sum().sum()} of 6 cells, by up to {number(-more.min().min(), 2)}.",
    )


def test_ordered_codes_against_pca_and_own_models():
    results = load("ordered_codes")
    cells = results.pivot_table("r2", ["dataset", "components"], "method")[["prefix", "own model", "PCA"]].dropna()
    gap = cells["own model"] - cells["prefix"]
    by_length = gap.groupby("components").mean()
    more = [number(value, 2) for value in (by_length.iloc[2:].min(), by_length.iloc[2:].max())]
    above = (cells["prefix"] > cells["PCA"]).sum()
    assert above == len(cells)
    assert_said(
        "docs/guide_ordered.md",
        f"Every prefix is above PCA ({above} of {len(cells)} cells, 8 lengths on {cells.index.levels[0].size} sets). "
        f"Compared with models made for each length, prefixes lose {number(by_length[1], 2)} of R² with one component, "
        f"{number(by_length[2], 2)} with two, {more[0]} to {more[1]} with more, and are within .02 in "
        f"{(gap <= 0.02).sum()} cells.",
    )


def test_text_scaled_codes_and_tf_idf():
    results = load("text")
    whole = results.query("k == 0")["as they are"].mean()
    assert_said("docs/guide_text.md", f"the tf-idf rows themselves reach about {whole:.0f}.")
    shares = results.query("k > 0").pivot_table("scaled", ["k", "split"], "method")
    gain = shares["skae"] - shares["LSA"]
    eight, sixteen, thirty_two, sixty_four = gain.groupby("k").mean()
    assert (gain[64] < 0).sum() == 1
    assert (gain.drop(index=64) > 0).all()
    assert_said(
        "docs/guide_text.md",
        f"the gains over LSA are {eight:.1f}, {sixteen:.1f}, {thirty_two:.1f} and {sixty_four:.1f}, and with 64 "
        f"numbers LSA is better in one of the three splits, by {-gain[64].min():.1f}.",
    )


def test_convolutional_in_the_overview():
    r2 = load("convolutional").set_index(["k", "method"])["r2"].map(number)
    assert_in_overview(f"R² {r2[16, 'convolutional']} on MNIST, dense network {r2[16, 'dense']}")


def test_denoising_in_the_overview():
    cells = load("denoising").pivot_table("psnr", ["dataset", "noise", "level"], "method")
    better = cells["skae"] > cells[["PCA", "median filter", "non-local means"]].max(axis=1)
    assert_in_overview(f"better than PCA, median filter and non-local means in {better.sum()} of {len(cells)} cells")


def test_denoising_from_few_rows():
    cells = load("denoising").query("dataset == 'mnist'").pivot_table("psnr", ["noise", "level"], "method")
    few, *more = cells.loc["gaussian", "skae, 10,000 rows"].map("{:.2f}".format)
    weak = cells.loc["gaussian", 0.1]
    assert weak["skae, 10,000 rows"] < weak["non-local means"]
    assert_said(
        "docs/guide_denoising.md",
        f"skae reaches {few}, {' and '.join(more)} with Gaussian noise.",
        f"A `ConvolutionalNetwork` reaches {weak['skae, convolutional, 10,000 rows']:.2f} with the same 10,000.",
    )


def test_variational_bound():
    found = load("variational").set_index(["model", "measure"])["value"]["trained"]
    assert_in_overview(f"−{-found['score_samples, all rows']:.1f} nats on binarised MNIST with 20 components")
    assert_said("docs/guide_variational.md", f"20 components, 60,000 training rows, {found['epochs']:.0f} epochs;")
    assert_said(
        "docs/guide_variational.md",
        f"the two methods differ by {number(found['median difference of draws'], 2)} nats in the median and by "
        f"{found['maximum difference of draws']:.1f} at most.",
    )


def test_generation_differences_of_recognition():
    cells = load("generation").pivot(index="dataset", columns="method", values=["recognised", "coverage"])
    ours, pca = cells["recognised", "skae"], cells["recognised", "PCA + mixture"]
    n = pd.Series({"digits": 500, "mnist": 1000})
    z = (ours - pca) / np.sqrt((ours * (1 - ours) + pca * (1 - pca)) / n)
    p = pd.Series(2 * norm.sf(z.abs()), z.index)
    assert p["mnist"] > 0.1
    assert_said(
        "docs/guide_generation.md",
        f"on digits less often ({number(ours['digits'] - pca['digits'])} of 500 samples, p = {p_value(p['digits'])}), "
        f"on MNIST the difference ({number(ours['mnist'] - pca['mnist'])} of 1,000) is within chance.",
    )
    models = cells["coverage"].drop(columns="test rows")
    assert (models.idxmax(axis=1) == "skae").all()
    assert_said("docs/guide_generation.md", "skae covers the test pictures best")
    assert_in_overview("better coverage than PCA and a mixture, no better recognition")


def category_cells():
    return pd.concat({p: load(f"categories_{p}").pivot_table("auc", ["table", "seed"], "method") for p in "NU"})


def test_categories_against_encoders():
    cells = category_cells()
    means = cells.groupby(level=[0, 1]).mean()
    encodings = means[["skae, one-hot", "skae, ordinal"]]
    # Of each table the better encoding in the mean of the seeds.
    best = encodings.idxmax(axis=1).reindex(cells.index.droplevel("seed"))
    encoded = pd.Series([cells.loc[cell, name] for cell, name in zip(cells.index, best, strict=True)], cells.index)
    gain = (cells["skae"] - encoded).round(9)
    p = {each: p_value(paired_p(cells.loc[each, "skae"], encoded[each])) for each in "NU"}
    mean = gain.groupby(level=0).mean().map(number)
    assert_said(
        "docs/benchmarks.md",
        f"by {number(gain.mean())} ({(gain > 0).sum()} cells of {len(gain)} above, {(gain < 0).sum()} below, Wilcoxon "
        f"p = {p_value(paired_p(cells['skae'], encoded))}): in N by {mean['N']} (p = {p['N']}), in U by {mean['U']} "
        f"(p = {p['U']}).",
    )


def test_categories_against_others():
    cells = category_cells()
    knn = "kNN, one-hot, standardised"
    encoded = cells.filter(like="kNN").groupby(level=0).mean()
    assert (encoded.idxmax(axis=1) == knn).all()  # the best of three encodings
    gain = (cells["skae"] - cells[knn]).groupby(level=[0, 1]).mean()
    p = {each: paired_p(cells.loc[each, "skae"], cells.loc[each, knn]) for each in "NU"}
    assert p["N"] < 0.001
    forest = cells.filter(like="IsolationForest").groupby(level=0).mean().map(number, digits=2)
    assert_said(
        "docs/benchmarks.md",
        f"Against kNN they gain {number(gain['N'].mean())} in N (p < .001); in U the gain of "
        f"{number(gain['U'].mean())} is within chance (p = {number(p['U'], 1)}), and on "
        f"{NUMERALS[(gain['U'] < 0).sum()]} tables kNN is better.",
        f"a mean of {forest.min().min()} to {forest.max().max()} with either encoding",
    )


def component_gains(protocol):
    """By how much all components are above a choice of them: the mean of each group, and the p over all sets."""
    results = load(f"outlier_components_{protocol}")
    cells = results.pivot_table(["roc_auc", "average_precision"], ["group", "dataset"], "components")
    gains = {
        measure: (-cells[measure]).add(cells[measure]["all"], axis=0) for measure in ("roc_auc", "average_precision")
    }
    return cells, {measure: gain.groupby("group").mean() for measure, gain in gains.items()}


def test_components_with_clean_rows():
    page, (cells, gains) = "docs/how_the_outlier_score_works.md", component_gains("N")
    auc, precision = gains["roc_auc"], gains["average_precision"]
    assert cells["roc_auc"].filter(like="alone").mean().idxmax() == "ranks alone"
    p = {
        name: [paired_p(cells[measure]["all"], cells[measure][name]) for measure in gains]
        for name in auc.filter(like="without")
    }
    ranks = ", ".join(map(p_value, p.pop("without ranks")))
    assert min(map(min, p.values())) > 0.1
    assert_said(page, f"the one whose removal is closest to a significant loss (p = {ranks}, all others above .1).")
    network = auc["without network"]
    assert network["adbench"] < 0
    assert_said(
        page,
        f"raises the mean on OddBench, whose features are few and mostly whole numbers, by "
        f"{number(network['oddbench'], 2)}, and lowers it a little on ADBench",
    )
    _, *two = sorted(precision["without spaces"].map(number))
    assert two[0] == two[1]
    assert_said(page, f"Subspaces add {two[0]} of average precision on two groups.")


def test_sparse_codes():
    results = load("sparse_codes").set_index("method")
    ours = results[results.index.str.startswith("skae")]
    assert (ours["components used"] == ours.index.str.split().str[-1].astype(int)).all()
    assert (
        ours["accuracy"].to_numpy() > results[results.index.str.startswith("dictionary")]["accuracy"].to_numpy()
    ).all()
    pca = results[results.index.str.startswith("PCA")].set_index(["dataset", "active"])["accuracy"]
    long = pca.groupby(level=[0, 1]).last()  # of ten times as many components
    gain = ours["accuracy"] - long.loc[list(zip(ours["dataset"], ours["active"], strict=True))].to_numpy()
    assert gain.idxmin() == "skae, 2 of 64"
    assert_said(
        "docs/guide_sparse.md",
        f"in {(gain > 0).sum()} of {len(gain)} cells (on digits with 2 of 64 it is {number(-gain.min())} worse), and "
        "better than with dictionaries in all.",
        "All components are active in some training row.",
    )
    assert_in_overview(
        f"better than probes on PCA with ten times as many components in {(gain > 0).sum()} of {len(gain)} cells"
    )


def test_partial_fit_is_below_fit():
    r2 = load("partial_fit").set_index("method")["r2"]
    assert r2["skae, fit"] > r2.drop("skae, fit").max()
    assert_said("docs/guide_large_data.md", "if the rows can be read again, `fit` on a memory-mapped file is better")


def test_few_groups():
    gains = load("groups_few")
    few = gains["groups"] < 6
    assert (gains.loc[few, "gain"] == 0).all()  # PCA is kept
    assert gains["gain"].min() >= 0
    assert gains.loc[gains["groups"] >= 8, "gain"].max() > 0
    assert_said("docs/getting_started.md", "with fewer than six, at most two are held out", "and PCA is kept")


def test_drift():
    means = load("alarm_lists_drift").pivot_table(["false", "found"], "drift", "variant")
    overall = means.drop(index="none").mean().map(number)
    assert_said(
        "docs/how_the_outlier_score_works.md",
        f"This way `p <= .05` flags {overall['false', 'recalibrated']} of the normal rows and finds "
        f"{overall['found', 'recalibrated']} of the others",
        f"With the surprisals of training it would be {overall['false', 'by scores alone']} and "
        f"{overall['found', 'by scores alone']}: drift raises",
    )
    gain = means["found", "fitted again"] - means["found", "recalibrated"]
    assert gain.idxmax() == "sign of one"
    assert gain.drop("sign of one").max() < 0.02
    assert_said("docs/guide_recalibration.md", "A new fit is clearly better only for the last drift")


def test_kinds_of_rows():
    results = {protocol: load(f"false_alarms_kinds_{protocol}") for protocol in "UN"}
    means = pd.concat(results).rename_axis(["protocol", None]).groupby(["protocol", "kind"]).mean(numeric_only=True)
    is_exception = (means["forest finds"] > means["finds"]) & (means["forest's"] < 0.09)
    exceptions = means[is_exception].drop(("N", "gaussian"))
    tails = ("student_2", "student_3")
    assert set(exceptions.index) == {("N", "cauchy"), *((protocol, kind) for protocol in "UN" for kind in tails)}
    labelled, gaussian = exceptions["forest's"], means.loc[("N", "gaussian")]
    of_gaussian = gaussian["forest's"]
    found_more = number(gaussian["forest finds"] - gaussian["finds"])
    assert (means.xs("bits", level="kind")["forest's"] == 1).all()
    assert_said(
        "docs/how_the_outlier_score_works.md",
        f"of which it labels {number(labelled.min())} to {number(labelled.max())}, and Gaussian rows with "
        f"`novelty=True`, of which it labels {number(of_gaussian)} and finds {found_more} more.",
        "with 12 bits it labels every row.",
    )


def test_standard_errors_of_false_alarms():
    for protocol in "UN":
        errors = load(f"false_alarms_table_{protocol}").drop(columns="seed").groupby(["rows", "kind"]).sem().max(axis=1)
        few, more = number(errors[50].max()), number(errors.drop(50).max())
        assert_said(
            "docs/how_the_outlier_score_works.md", f"standard errors are up to {more}, and up to {few} with 50 rows"
        )


# Pages with tables that are not made from CSVs, and why.
BY_HAND = {
    "speed.md": "seconds of one machine, which no other run repeats",
    "guide_serving.md": "seconds of one machine",
    "guide_distributed.md": "computed from a formula",
    "guide_recalibration.md": "printed by the code of the page",
    "guide_networks.md": "printed by an example",
    "guide_outliers.md": "a comparison with a package that needs another version of Python",
}


@pytest.mark.parametrize(
    "path", [path for path in tables.PAGES if path.name not in BY_HAND], ids=lambda path: path.name
)
def test_tables_of_figures_are_made_from_results(path):
    text = re.sub(r"^```.*?^```$", "", path.read_text(encoding="utf-8"), flags=re.M | re.S)
    made = re.findall(r"<!-- table: \S+ -->\n\n((?:\|.*\n)+)", text)
    by_hand = [table for table in re.findall(r"(?:^\|.*\n)+", text, flags=re.M) if table not in made]
    # A version, a threshold or a single figure is no table of results.
    assert [table for table in by_hand if len(re.findall(r"(?<![\w.])\d*\.\d{2,}", table)) > 3] == []
