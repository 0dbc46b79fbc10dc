"""
Find anomalies and explain them
===============================

:class:`~skae.AutoencoderOutlierDetector` replaces :class:`~sklearn.ensemble.IsolationForest`: it is fitted to rows
without labels, and ``score_samples`` and ``predict`` mean the same. It also tells which features contribute most to the
score of a row.

The rows are scikit-learn's breast cancer data: 30 measurements of cell nuclei, benign or malignant. Benign rows are the
normal ones. Only so many malignant rows are used that they make 8 % of all rows, a realistic share of anomalies. Labels
are used only to evaluate the rankings afterwards.
"""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.datasets import load_breast_cancer
from sklearn.ensemble import IsolationForest
from sklearn.metrics import roc_auc_score, roc_curve
from sklearn.neighbors import LocalOutlierFactor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import OneClassSVM

from skae import AutoencoderOutlierDetector

# %%
# Rank the rows
# -------------
#
# There are only 31 anomalies, and results depend on which ones are drawn, so everything is repeated on ten draws.
# Methods that measure distances get standardised features. The support vector machine gets the true share of anomalies,
# and IsolationForest three times the default number of trees. The autoencoder runs at its defaults.

data = load_breast_cancer(as_frame=True)
benign, malignant = data.data[data.target == 1], data.data[data.target == 0]
n_draws, share = 10, 0.08
n_anomalies = round(share / (1 - share) * len(benign))


def forest(X):
    return IsolationForest(n_estimators=300, random_state=0).fit(X).score_samples(X)


def local_outlier_factor(X):
    return (
        LocalOutlierFactor(n_neighbors=35)
        .fit(StandardScaler().fit_transform(X))
        .negative_outlier_factor_
    )


def support_vectors(X):
    return make_pipeline(StandardScaler(), OneClassSVM(nu=share)).fit(X).score_samples(X)


def autoencoder(X):
    return AutoencoderOutlierDetector(random_state=0).fit(X).score_samples(X)


methods = {
    "Autoencoder": autoencoder,
    "IsolationForest": forest,
    "LocalOutlierFactor": local_outlier_factor,
    "OneClassSVM": support_vectors,
}
draws = [
    pd.concat([benign, malignant.sample(n_anomalies, random_state=seed)]) for seed in range(n_draws)
]
anomalous = np.arange(len(benign) + n_anomalies) >= len(benign)
scores = {name: [score(X) for X in draws] for name, score in methods.items()}
auc = {name: np.array([roc_auc_score(anomalous, -s) for s in of]) for name, of in scores.items()}
found = {
    name: np.array([anomalous[np.argsort(s)[:n_anomalies]].sum() for s in of])
    for name, of in scores.items()
}

print(
    f"{len(benign)} benign and {n_anomalies} malignant rows, {data.data.shape[1]} features, {n_draws} draws"
)
print(f"{'':20s}{'ROC-AUC (s.d.)':>16s}{f'found in first {n_anomalies}':>20s}")
for name in methods:
    print(
        f"{name:20s}{auc[name].mean():8.3f} ({auc[name].std(ddof=1):.3f}){found[name].mean():20.1f}"
    )

# %%
# Which features contribute most?
# -------------------------------
#
# ``feature_contributions`` splits the score of each row among the features. For a DataFrame it returns a DataFrame.

X = draws[0]
detector = AutoencoderOutlierDetector(random_state=0).fit(X)
ranked = np.argsort(detector.score_samples(X))
ranked_scores = detector.score_samples(X)[ranked]
contributions = detector.feature_contributions(X)

flagged = detector.predict(X) == -1
print(
    f"\nFirst draw: predict labels {flagged.sum()} rows as outliers, {(flagged & anomalous).sum()} of them malignant"
)
print("rank   score   truth      largest contributions")
for rank, i in enumerate(ranked[:8]):
    truth = "malignant" if anomalous[i] else "benign"
    of_row = contributions.iloc[i]
    largest = ", ".join(
        f"{name} ({100 * part / of_row.sum():.0f} %)" for name, part in of_row.nlargest(2).items()
    )
    print(f"{rank + 1:4d} {ranked_scores[rank]:7.2f}   {truth:10s} {largest}")

# %%
# The broken sensor
# -----------------
#
# Nobody knows which features of the malignant rows are truly wrong. So here one feature is broken on purpose. The
# detector is fitted to benign rows only, with ``novelty=True``. In new benign rows one feature after another is set to
# its 5th or 95th percentile, whichever is farther from the true value. A limit on each feature would not detect this,
# because healthy rows have such values too. But the value does not fit the other 29 features. Does
# ``feature_contributions`` name the broken feature?
#
# There are two controls. One names the feature with the largest standardised deviation from its mean. The other
# predicts each feature from the other 29 by linear regression and names the largest standardised residual.

shuffled = benign.sample(frac=1, random_state=0)
past, fresh = shuffled.iloc[:-50], shuffled.iloc[-50:]
monitor = AutoencoderOutlierDetector(novelty=True, random_state=0).fit(past)
low, high = past.quantile(0.05), past.quantile(0.95)
precision = np.linalg.inv(past.cov())


def broken(rows, name):
    farther = np.where(rows[name] - low[name] > high[name] - rows[name], low[name], high[name])
    return rows.assign(**{name: farther})


def deviations(rows):
    return ((rows - past.mean()) / past.std()).abs()


def regression_residuals(rows):
    # Residuals of all 30 regressions at once: they are the rows times the inverse covariance, up to scale.
    residuals = (rows - past.mean()) @ precision / np.sqrt(np.diag(precision))
    return residuals.abs().set_axis(rows.columns, axis=1)


measures = {
    "feature_contributions": monitor.feature_contributions,
    "largest deviation": deviations,
    "linear regression": regression_residuals,
}
ranks = {
    method: pd.DataFrame(
        {name: measure(broken(fresh, name)).rank(axis=1, ascending=False)[name] for name in fresh}
    )
    for method, measure in measures.items()
}
hits = {method: 100 * (rank == 1).mean() for method, rank in ranks.items()}

sensor = "mean perimeter"
# An ordinary row: the one in the middle of the fresh ones by score.
row = fresh.iloc[np.argsort(monitor.score_samples(fresh))[[len(fresh) // 2]]]
row_broken = broken(row, sensor)
before, after = (monitor.feature_contributions(rows).iloc[0] for rows in (row, row_broken))
print(
    f"\n{sensor} of a benign row is set from {row[sensor].iloc[0]:.1f} to {row_broken[sensor].iloc[0]:.1f}"
)
print(f"before: score {-before.sum():.2f}, p-value {monitor.p_values(row)[0]:.3f}")
print(
    f"after:  score {-after.sum():.2f}, p-value {monitor.p_values(row_broken)[0]:.3f}, largest: {after.idxmax()}"
)
print(
    f"\nThe broken feature among those named, {len(fresh)} rows times {len(fresh.columns)} broken features"
)
for method, rank in ranks.items():
    worst = hits[method].idxmin()
    print(
        f"{method:21s} first {100 * (rank == 1).mean(axis=None):3.0f} %, in the first three"
        f" {100 * (rank <= 3).mean(axis=None):3.0f} %, worst feature {worst} ({hits[method][worst]:.0f} % first)"
    )

# %%
# What the figures show
# ---------------------
#
# On these rows IsolationForest ranks best, closely followed by the autoencoder and the local outlier factor; no method
# is best everywhere. Some benign rows with unusual measurements rank high, too. With the default threshold, ``predict``
# labels the rows that lie clearly apart, half as many as there are anomalies. If you expect 8 % of anomalies, pass
# ``contamination=0.08``.
#
# In addition, the detector explains its scores. A broken feature makes the row more unusual, although its value alone
# is ordinary, and ``feature_contributions`` names this feature first in most rows and among the first three in nearly
# all. The largest deviation names it in fewer than half of the rows. Linear regression names it about as often as the
# detector. But it does not rank rows, and it models linear relations only; where these are enough, it is hard to beat.

# sphinx_gallery_start_ignore
colors = dict(zip(methods, ["#0072B2", "#D55E00", "#009E73", "#CC79A7"], strict=True))
styles = dict(zip(methods, ["-", "--", "-.", ":"], strict=True))
control, ranking, table, *reasons, sensors = (
    plt.figure(figsize=(6.5, 4.4), layout="constrained").subplots() for _ in range(6)
)

grid = np.linspace(0, 1, 201)
for name, of in scores.items():
    curves = [np.interp(grid, *roc_curve(anomalous, -s)[:2]) for s in of]
    label = f"{name}, AUC {auc[name].mean():.3f}"
    ranking.plot(
        100 * grid,
        100 * np.mean(curves, axis=0),
        styles[name],
        color=colors[name],
        linewidth=2,
        label=label,
    )
ranking.set(
    xlabel="benign rows flagged (%)",
    ylabel="malignant rows found (%)",
    title=f"ROC, mean of {n_draws} draws",
)
ranking.legend(loc="lower right", frameon=False)
ranking.grid(alpha=0.3)

n_shown = 40
for truth, color, marker in [("malignant", "#D55E00", "o"), ("benign", "#56B4E9", "s")]:
    where = np.flatnonzero(anomalous[ranked[:n_shown]] == (truth == "malignant"))
    table.vlines(where + 1, 0, ranked_scores[where], color=color, linewidth=1.5)
    table.plot(where + 1, ranked_scores[where], marker, color=color, label=truth)
table.axhline(
    detector.offset_,
    color="black",
    linestyle="--",
    linewidth=1,
    label="offset_: predict gives -1 below",
)
table.set(
    xlabel=f"rank among {len(X)} rows",
    ylabel="score_samples",
    title=f"The {n_shown} most unusual rows, first draw",
)
table.legend(loc="lower right", frameon=True)

jitter = np.random.default_rng(0)
for position, (method, color) in enumerate(
    zip(hits, ["#0072B2", "#E69F00", "#009E73"], strict=True)
):
    control.scatter(
        position + jitter.uniform(-0.18, 0.18, len(hits[method])),
        hits[method],
        color=color,
        alpha=0.6,
    )
    control.hlines(
        hits[method].mean(), position - 0.32, position + 0.32, color="black", linewidth=2
    )
    control.text(position + 0.34, hits[method].mean(), f"{hits[method].mean():.0f} %", va="center")
control.set_xticks(
    range(len(hits)), labels=[method.replace(" ", "\n").replace("_", "_\n") for method in hits]
)
control.set(
    xlim=(-0.5, 2.75),
    ylabel="broken feature named first (% of rows)\none dot per feature, bar: mean",
    title="Is the broken feature named?",
)
control.grid(axis="y", alpha=0.3)

for ax, i, rank in zip(reasons, ranked[:2], [1, 2], strict=True):
    worst = (100 * contributions.iloc[i] / contributions.iloc[i].sum()).nlargest(6)
    ax.barh(worst.index, worst, color="#D55E00" if anomalous[i] else "#56B4E9")
    for y, name in enumerate(worst.index):
        value, median = (
            np.format_float_positional(v, 3, fractional=False)
            for v in (X[name].iloc[i], X[name].median())
        )
        ax.text(
            worst[name],
            y,
            f" {value.rstrip('.')} (median {median.rstrip('.')})",
            va="center",
            fontsize="small",
        )
    ax.set(xlabel="share of the score (%)", xlim=(0, 120), xticks=range(0, 101, 20))
    ax.set_title(f"Rank {rank}, {'malignant' if anomalous[i] else 'benign'}: largest contributions")
    ax.invert_yaxis()

suspects = after.nlargest(4).index.append(before.nlargest(3).index).unique()
sensors.barh(
    np.arange(len(suspects)) - 0.2, before[suspects], height=0.4, color="#999999", label="before"
)
sensors.barh(
    np.arange(len(suspects)) + 0.2, after[suspects], height=0.4, color="#0072B2", label="after"
)
sensors.set_yticks(range(len(suspects)), labels=suspects)
sensors.set(xlabel="contribution to −score_samples", title=f"The {sensor} of a row breaks")
sensors.invert_yaxis()
sensors.legend(loc="lower right", frameon=False)
# sphinx_gallery_end_ignore

plt.show()
