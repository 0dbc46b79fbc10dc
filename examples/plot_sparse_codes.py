"""
Sparse codes
============

In a sparse code most of the components of each row are zero. With ``code="sparse"`` and ``n_nonzero=4`` an
:class:`~skae.AutoencoderTransformer` keeps the four largest components and sets the others to zero. Which components
are not zero then says something about the row.

This example uses scikit-learn's handwritten digits (8 by 8 pixels). What do so few numbers retain, and what does each
of them represent?
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import r2_score
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skae import AutoencoderTransformer

# %%
# Fit at several numbers of active components
# -------------------------------------------
#
# Every component of a PCA code is active, so PCA's codes have different lengths. The sparse codes have 64 components
# throughout.

X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(
    X, y, test_size=0.25, stratify=y, random_state=0
)
numbers_active = [1, 2, 4, 8, 16]

families = {
    "PCA": [PCA(k, random_state=0) for k in [*numbers_active, 32]],
    "sparse": [
        AutoencoderTransformer(64, code="sparse", n_nonzero=k, random_state=0)
        for k in numbers_active
    ],
}

# %%
# What they retain
# ----------------
#
# R² is the share of the test pictures' variance that remains after encoding and decoding. The accuracy is that of a
# logistic regression on the codes.


def measure(model):
    codes, codes_test = model.fit_transform(X_train), model.transform(X_test)
    classifier = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=1000)).fit(
        codes, y_train
    )
    return {
        "active": float((codes_test != 0).sum(axis=1).mean()),
        "R²": r2_score(
            X_test, model.inverse_transform(codes_test), multioutput="variance_weighted"
        ),
        "accuracy": classifier.score(codes_test, y_test),
    }


results = {name: [measure(model) for model in models] for name, models in families.items()}
print("               active     R²   accuracy")
for name, rows in results.items():
    for row in rows:
        print(f"{name:14s}{row['active']:7.1f}{row['R²']:7.3f}{row['accuracy']:11.3f}")

# %%
# With the same number of active components, sparse codes retain more than PCA's, because the choice of the active ones
# is information too. Two active components of 64 say as much about which digit it is as 32 components of PCA, and four
# say more. The price is a longer code: there must be 64 components to choose from.
#
# The last figures show what a component represents if only one is active. The most frequent ones are decoded at three
# of their usual values: a component is one kind of digit, or one kind for each sign. Below are test pictures, and their
# reconstructions from four active components.

# sphinx_gallery_start_ignore
single, few = (families["sparse"][numbers_active.index(k)] for k in (1, 4))
codes = single.transform(X_train)
frequency = (codes != 0).mean(axis=0)
print(
    f"with one active, {np.count_nonzero(frequency)} of {codes.shape[1]} components are used at all"
)
often = np.argsort(-frequency)[:8]
quantiles = [0.1, 0.5, 0.9]
alone = np.zeros((len(quantiles), len(often), codes.shape[1]))
for j, i in enumerate(often):
    alone[:, j, i] = np.quantile(codes[codes[:, i] != 0, i], quantiles)
decoded = single.inverse_transform(alone.reshape(-1, codes.shape[1])).reshape(
    len(quantiles), len(often), -1
)

colors = {"PCA": "#D55E00", "sparse": "#0072B2"}
labels = {"PCA": "PCA", "sparse": "sparse, of 64"}
markers = {"PCA": "s", "sparse": "o"}
for measure_name in ("accuracy", "R²"):
    ax = plt.figure(figsize=(6, 4.4), layout="constrained").subplots()
    for name, rows in results.items():
        points = sorted((row["active"], row[measure_name]) for row in rows)
        ax.plot(*np.transpose(points), marker=markers[name], color=colors[name], label=labels[name])
    ax.set(xscale="log", xlabel="active components of a code", ylabel=measure_name, ylim=(0, 1.03))
    ax.set_xticks([*numbers_active, 32], labels=[*numbers_active, 32])
    ax.minorticks_off()
    ax.grid(alpha=0.3)
    ax.legend(frameon=False, loc="lower right")

top, bottom = (plt.figure(figsize=(7, height), layout="constrained") for height in (3.2, 2.2))
top.suptitle("One active: what a component stands for, and how often it is", fontsize="large")
axes = top.subplots(len(quantiles), len(often), gridspec_kw={"wspace": 0.03, "hspace": 0.03})
for axes_row, images, quantile in zip(axes, decoded, quantiles, strict=True):
    for ax, image in zip(axes_row, images, strict=True):
        ax.imshow(image.reshape(8, 8), cmap="gray_r", vmin=0, vmax=16)
        ax.set(xticks=[], yticks=[])
    axes_row[0].set_ylabel({0.1: "low", 0.5: "median", 0.9: "high"}[quantile], fontsize="medium")
for ax, i in zip(axes[0], often, strict=True):
    ax.set_title(f"{frequency[i]:.0%}", fontsize="small", pad=3)

bottom.suptitle("Four active: test pictures, and what remains of them", fontsize="large")
rows = {"picture": X_test[:8], "retained": few.reconstruct(X_test[:8])}
axes = bottom.subplots(2, 8, gridspec_kw={"wspace": 0.03, "hspace": 0.03})
for axes_row, (name, images) in zip(axes, rows.items(), strict=True):
    for ax, image in zip(axes_row, images, strict=True):
        ax.imshow(image.reshape(8, 8), cmap="gray_r", vmin=0, vmax=16)
        ax.set(xticks=[], yticks=[])
    axes_row[0].set_ylabel(name, fontsize="medium")
# sphinx_gallery_end_ignore

plt.show()
