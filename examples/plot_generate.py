"""
Draw new pictures
=================

``sample`` draws random codes and decodes them. Codes come from a mixture of Gaussians fitted to the codes of the
training rows; for a variational autoencoder they come from its prior. Both are compared with the usual method without
an autoencoder: a mixture of Gaussians on PCA's scores.

A good sample looks like a digit but is not a copy of one. Two measures show this: the confidence of a classifier
trained on real digits, and the distance to the nearest training picture.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.calibration import CalibratedClassifierCV
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.mixture import GaussianMixture
from sklearn.model_selection import train_test_split
from sklearn.neighbors import NearestNeighbors
from sklearn.svm import SVC

from skae import AutoencoderTransformer

X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, _ = train_test_split(X / 16, y, test_size=500, stratify=y, random_state=0)

# %%
# Three sources of new pictures
# -----------------------------
#
# The number of Gaussians on PCA's scores is the one with the lowest BIC. ``sample`` chooses it for the autoencoder's
# codes in the same way.

size, n_samples = 8, 500
pca = PCA(size, random_state=0).fit(X_train)
scores = pca.transform(X_train)
mixtures = [
    GaussianMixture(n, reg_covar=1e-4, random_state=0).fit(scores) for n in (1, 2, 4, 8, 16, 32)
]
mixture = min(mixtures, key=lambda mixture: mixture.bic(scores))
autoencoder = AutoencoderTransformer(size, random_state=0).fit(X_train)
variational = AutoencoderTransformer(size, code="variational", random_state=0).fit(X_train)

drawn = {
    "test pictures": X_test,
    "autoencoder": autoencoder.sample(n_samples, random_state=0),
    "variational autoencoder": variational.sample(n_samples, random_state=0),
    "PCA and Gaussians": np.random.default_rng(0).permutation(
        pca.inverse_transform(mixture.sample(n_samples)[0])
    ),
}
drawn = {name: np.clip(rows, 0, 1) for name, rows in drawn.items()}

# %%
# Are they digits, and new ones?
# ------------------------------

classifier = CalibratedClassifierCV(SVC(C=10), ensemble=False, cv=3).fit(X_train, y_train)
neighbours = NearestNeighbors(n_neighbors=1).fit(X_train)
confidence = {name: classifier.predict_proba(rows).max(axis=1) for name, rows in drawn.items()}
nearest = {name: neighbours.kneighbors(rows) for name, rows in drawn.items()}

print(f"{'':28s}{'recognised':>12s}{'distance to a training picture':>34s}")
for name in drawn:
    print(f"{name:28s}{(confidence[name] > 0.9).mean():12.3f}{np.median(nearest[name][0]):34.3f}")

# %%
# What the figures show
# ---------------------
#
# Each sample is shown above the training picture nearest to it. In the figure of distances, copies would make a curve
# rise early, and pictures that are no digits would make it rise late. The autoencoder's curve is close to that of the
# test pictures: its samples are as far from the training pictures as new digits are. Those of PCA are farther away,
# mostly because they are blurred; the classifier is as sure of them. The prior of the variational autoencoder has to
# cover all digits with one Gaussian, and some of its samples lie between digits.

# sphinx_gallery_start_ignore
colors = {
    "test pictures": "black",
    "autoencoder": "#0072B2",
    "variational autoencoder": "#009E73",
    "PCA and Gaussians": "#D55E00",
}
n_shown = 12
bottom, top = (plt.figure(figsize=(6, 4.2), layout="constrained").subplots() for _ in range(2))
left = plt.figure(figsize=(8, 6.2), layout="constrained")
grid = left.subplots(
    3 * len(drawn) - 1, n_shown, height_ratios=[1, 1, 0.12] * (len(drawn) - 1) + [1, 1]
)
for ax in grid[2::3].ravel():
    ax.set_axis_off()
for axes, (name, rows) in zip(zip(grid[::3], grid[1::3], strict=True), drawn.items(), strict=True):
    for column, row in enumerate(rows[:n_shown]):
        pair = row, X_train[nearest[name][1][column, 0]]
        for axes_row, picture, cmap in zip(axes, pair, ("gray_r", "Blues"), strict=True):
            axes_row[column].imshow(picture.reshape(8, 8), cmap=cmap, vmin=0, vmax=1)
            axes_row[column].set(xticks=[], yticks=[])
    note = f"{(confidence[name] > 0.9).mean():.0%} recognised"
    style = {"rotation": 0, "ha": "right", "va": "center"}
    axes[0][0].set_ylabel(f"{name}\n{note}", color=colors[name], **style)
    axes[1][0].set_ylabel("nearest\ntraining picture", color="#08519c", fontsize="small", **style)

for name in drawn:
    style = {"color": colors[name], "label": name, "linewidth": 2}
    top.ecdf(confidence[name], complementary=True, **style)
    bottom.ecdf(nearest[name][0].ravel(), **style)
top.set(
    xlabel="the classifier's confidence",
    ylabel="share of pictures above",
    title="How sure a classifier is",
)
bottom.set(
    xlabel="distance to the nearest training picture",
    ylabel="share of pictures below",
    title="How new they are",
)
for ax in (top, bottom):
    ax.grid(alpha=0.3)
top.legend(loc="lower left", edgecolor="none", framealpha=1)
bottom.legend(loc="upper left", edgecolor="none", framealpha=1)
# sphinx_gallery_end_ignore

plt.show()
