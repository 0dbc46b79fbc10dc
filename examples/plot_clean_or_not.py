"""
Clean training rows, or not
===========================

A detector is fitted either to rows that are all normal, or to rows that may contain outliers. It should follow clean
rows closely. But it must not follow outliers, because they would then look normal. No setting is good at both, so the
parameter ``novelty`` of :class:`~skae.AutoencoderOutlierDetector` states which kind of rows it gets.

This example tries both settings on both kinds of rows: first on rows with two features, which can be drawn, then on two
sets of measurements. All results are for new rows.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_breast_cancer, load_digits
from sklearn.ensemble import IsolationForest
from sklearn.metrics import roc_auc_score

from skae import AutoencoderOutlierDetector

# %%
# Two features
# ------------
#
# Normal rows lie on an arc. Outliers are of two kinds: inside the arc, or to its side. One training set has no
# outliers; in the other a tenth of the rows are outliers of the second kind.


def normal_rows(n, rng):
    angle = np.pi * rng.uniform(-0.1, 1.1, n)
    return 2 * np.column_stack([np.cos(angle), np.sin(angle)]) + 0.12 * rng.normal(size=(n, 2))


def inside(n, rng):
    return [0, 0.2] + 0.3 * rng.normal(size=(n, 2))


def off_to_the_side(n, rng):
    return [2.6, 2.6] + 0.5 * rng.normal(size=(n, 2))


n_rows, n_outliers = 1000, 100
rng = np.random.RandomState(0)
mixed = [normal_rows(n_rows - n_outliers, rng), off_to_the_side(n_outliers, rng)]
training = {
    "clean training rows": normal_rows(n_rows, rng),
    "a tenth are outliers": np.concatenate(mixed),
}
ax = plt.figure(figsize=(6, 4.6), layout="constrained").subplots()
ax.plot(*mixed[0].T, ".", color="#0072B2", label="normal rows")
ax.plot(*mixed[1].T, "x", color="#D55E00", label="outliers among the training rows")
ax.set(xlabel="feature 1", ylabel="feature 2")
ax.legend()

new_normal = normal_rows(1000, rng)
new_outliers = {"inside": inside(500, rng), "side": off_to_the_side(500, rng)}


def auc(detector, normal, anomalous):
    scores = detector.score_samples(np.concatenate([normal, anomalous]))
    return roc_auc_score(np.arange(len(scores)) >= len(normal), -scores)


settings = {"novelty=True": True, "novelty=False": False}
fitted, found = {}, {}
print("ROC-AUC of new outliers against new normal rows")
print(
    f"{'':26s}"
    + "".join(f"{name + ', ' + kind:>24s}" for name in settings for kind in new_outliers)
)
for title, X in training.items():
    for name, novelty in settings.items():
        detector = AutoencoderOutlierDetector(novelty=novelty, random_state=0).fit(X)
        fitted[title, name] = detector
        for kind, rows in new_outliers.items():
            found[title, name, kind] = auc(detector, new_normal, rows)
    values = [found[title, name, kind] for name in settings for kind in new_outliers]
    print(f"{'arc, ' + title:26s}" + "".join(f"{value:24.3f}" for value in values))

# %%
# Measurements
# ------------
#
# Two data sets of scikit-learn. Breast cancer: benign cells are normal and malignant ones are outliers, described by
# their ten "worst" measurements. Digits: pictures of 0 to 4 at half their resolution are normal, those of 5 to 9 are
# outliers.
#
# Detectors are fitted to half of the normal rows, either alone or with so many outliers that a tenth of the rows are
# outliers. The other half of the normal rows and other outliers are scored.

cells, digits = load_breast_cancer(), load_digits()
pictures = digits.data.reshape(-1, 4, 2, 4, 2).mean(axis=(2, 4)).reshape(-1, 16)
tables = {
    "cells": (cells.data[:, 20:], cells.target == 0),
    "digits": (pictures, digits.target > 4),
}
print(
    f"\n{'ROC-AUC on new rows':32s}"
    + "".join(f"{name:>16s}" for name in [*settings, "IsolationForest"])
)
for table, (X, is_outlier) in tables.items():
    rng = np.random.RandomState(0)
    normal, anomalous = (rng.permutation(X[is_outlier == label]) for label in (False, True))
    known, fresh = np.array_split(normal, 2)
    unseen = anomalous[len(anomalous) // 2 :]
    for title, n_mixed in (("clean", 0), ("a tenth outliers", len(known) // 9)):
        train = np.concatenate([known, anomalous[:n_mixed]])
        models = [
            *(
                AutoencoderOutlierDetector(novelty=novelty, random_state=0)
                for novelty in settings.values()
            ),
            IsolationForest(random_state=0),
        ]
        line = "".join(f"{auc(model.fit(train), fresh, unseen):16.3f}" for model in models)
        print(f"{table + ', ' + title:32s}{line}")

# %%
# What the figures show
# ---------------------
#
# On clean rows ``novelty=True`` follows the arc and finds the outliers inside it, which look almost normal with
# ``novelty=False``. If there are outliers among the training rows, ``novelty=True`` learns that their region is normal,
# and misses new outliers there. With ``novelty=False`` they remain as unusual as before.
#
# The measurements show the same. On clean digits ``novelty=True`` is far better, on clean cells both settings are about
# equally good. Outliers among the training rows make ``novelty=True`` much worse on both: on digits it keeps little of
# its lead, and on cells it falls behind. They hardly affect ``novelty=False``. On clean cells IsolationForest is better
# than both. So set ``novelty=True`` for rows that you have checked, and keep the default for others.

# sphinx_gallery_start_ignore
figure, axes = plt.subplots(2, 2, figsize=(9, 8.1), layout="constrained", sharex=True, sharey=True)
x, y = np.linspace(-3.4, 4.2, 115), np.linspace(-2.0, 4.2, 94)
grid = np.column_stack([part.ravel() for part in np.meshgrid(x, y)])
for row, (title, X) in zip(axes, training.items(), strict=True):
    n_normal = n_rows if title.startswith("clean") else n_rows - n_outliers
    for ax, name in zip(row, settings, strict=True):
        unusual = -fitted[title, name].score_samples(grid).reshape(len(y), len(x))
        shades = ax.contourf(
            x, y, unusual, levels=np.arange(0, 8.5, 0.5), cmap="Greys", extend="max"
        )
        ax.plot(*X[:n_normal].T, ".", color="#0072B2", markersize=3, label="normal rows")
        if n_normal < n_rows:
            ax.plot(*X[n_normal:].T, "x", color="#D55E00", markersize=5, label="outliers")
        ax.plot(
            *new_outliers["inside"].mean(axis=0),
            "+",
            color="#009E73",
            markersize=14,
            markeredgewidth=3,
            label="inside",
        )
        measured = ", ".join(f"{kind} {found[title, name, kind]:.3f}" for kind in new_outliers)
        ax.set(title=f"{title}, {name}\nROC-AUC: {measured}", aspect="equal", xticks=[], yticks=[])
    row[0].legend(loc="lower left", fontsize="small")
figure.colorbar(shades, ax=axes, shrink=0.6, label="how unusual: −score_samples")
# sphinx_gallery_end_ignore

plt.show()
