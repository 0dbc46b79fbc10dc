"""
A map of your data
==================

PCA's two components are a poor map: rows of different kinds lie on top of each other. t-SNE separates them, but
scikit-learn's places only the rows that it was fitted to, and there is no way back from the map to a row.

``AutoencoderTransformer(2, code="neighbors")`` keeps neighbours together as t-SNE does. It also encodes new rows and
decodes any point of the map.
"""

import time

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE
from sklearn.metrics import r2_score
from sklearn.model_selection import train_test_split
from sklearn.neighbors import KNeighborsClassifier

from skae import AutoencoderTransformer

# %%
# Fit the maps
# ------------
#
# No method sees the labels. They serve to measure the maps afterwards.

X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(X, y, stratify=y, random_state=0)

methods = {
    "PCA": PCA(2, random_state=0),
    "t-SNE": TSNE(2, random_state=0),
    "Autoencoder": AutoencoderTransformer(2, random_state=0),
    'Autoencoder, code="neighbors"': AutoencoderTransformer(2, code="neighbors", random_state=0),
}
maps = {}
for name, method in methods.items():
    start = time.perf_counter()
    maps[name] = method.fit_transform(X_train)
    print(f"{name:30s} {time.perf_counter() - start:5.1f} s")

# %%
# Place new rows, and come back
# -----------------------------
#
# How many new pictures have the label of most of their ten nearest training pictures on the map? How much of a new
# picture is left when it is drawn from its two numbers?

for name, method in methods.items():
    if not hasattr(method, "transform"):
        continue
    codes = method.transform(X_test)
    accuracy = KNeighborsClassifier(10).fit(maps[name], y_train).score(codes, y_test)
    restored = method.inverse_transform(codes)
    explained = r2_score(X_test, restored, multioutput="variance_weighted")
    print(f"{name:30s} neighbours {accuracy:.3f}, R² {explained:.3f}")

# %%
# The maps, and what lies between the groups
# ------------------------------------------
#
# Colours are the labels. The second figure decodes a grid of points of the last map: every point is a picture, and from
# one group to the next the pictures change gradually.

# sphinx_gallery_start_ignore
figure, axes = plt.subplots(2, 2, figsize=(9, 8), layout="constrained")
for ax, (name, codes) in zip(axes.flat, maps.items(), strict=True):
    ax.scatter(*codes.T, c=y_train, cmap="tab10", s=6)
    for digit in range(10):
        ax.annotate(
            str(digit),
            np.median(codes[y_train == digit], axis=0),
            fontsize=15,
            weight="bold",
            bbox={"facecolor": "white", "alpha": 0.6, "edgecolor": "none", "pad": 1},
        )
    ax.set(title=name, xticks=[], yticks=[])
# sphinx_gallery_end_ignore

autoencoder = methods['Autoencoder, code="neighbors"']
low, high = np.percentile(autoencoder.transform(X_train), [1, 99], axis=0)
x, y_axis = np.linspace(low[0], high[0], 12), np.linspace(high[1], low[1], 12)
points = np.array([[u, v] for v in y_axis for u in x], dtype=np.float64)
pictures = autoencoder.inverse_transform(points).reshape(12, 12, 8, 8)
pictures = np.pad(pictures, [(0, 0), (0, 0), (1, 1), (1, 1)])  # white margins
mosaic = pictures.transpose(0, 2, 1, 3).reshape(120, 120)
plt.figure(figsize=(6, 6), layout="constrained")
plt.imshow(mosaic, cmap="gray_r", vmin=0, vmax=16)
plt.axis("off")

plt.show()
