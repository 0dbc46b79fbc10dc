"""
Cluster the codes
=================

Clustering works badly on many noisy features, so they are usually reduced first. Here :class:`~sklearn.cluster.KMeans`
and :class:`~sklearn.cluster.HDBSCAN` cluster handwritten digits (8 by 8 pixels) by their codes: those of PCA, and those
of an autoencoder with the same number of components. The adjusted Rand index (ARI) compares clusters with digits: it is
1 if they agree, and 0 on average for random clusters.
"""

import matplotlib.pyplot as plt
import numpy as np
from scipy.optimize import linear_sum_assignment
from sklearn.cluster import HDBSCAN, KMeans
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.metrics import adjusted_rand_score, confusion_matrix

from skae import AutoencoderTransformer

# %%
# Codes of equal length
# ---------------------
#
# The labels are used for the comparison only. The autoencoder runs at its defaults. Distances between its codes
# approximate distances between reconstructions, so the codes do not need to be standardised before clustering.

X, y = load_digits(return_X_y=True)
code_sizes = [2, 4, 8, 16]
reducers = {
    "PCA": {size: PCA(size, random_state=0).fit(X) for size in code_sizes},
    "Autoencoder": {
        size: AutoencoderTransformer(size, random_state=0).fit(X) for size in code_sizes
    },
}
clusterings = {
    "KMeans": KMeans(10, n_init=10, random_state=0),
    "HDBSCAN": HDBSCAN(min_cluster_size=50, min_samples=5, copy=True),
}

# %%
# Agreement with the digits
# -------------------------
#
# HDBSCAN chooses the number of clusters itself. Rows in sparse regions belong to no cluster; here they count as one
# more cluster.

agreement = {
    (clustering, name): [
        adjusted_rand_score(y, clusterings[clustering].fit_predict(fitted[size].transform(X)))
        for size in code_sizes
    ]
    for clustering in clusterings
    for name, fitted in reducers.items()
}
of_pixels = adjusted_rand_score(y, clusterings["KMeans"].fit_predict(X))

print(f"ARI of KMeans on the 64 pixels: {of_pixels:.3f}")
print(f"{'numbers per picture':23s}" + "".join(f"{size:8d}" for size in code_sizes))
for (clustering, name), values in agreement.items():
    print(f"{clustering:8s} {name:14s}" + "".join(f"{value:8.3f}" for value in values))

# %%
# The shorter the code, the more the autoencoder improves the clusters. With KMeans, four of its components are better
# than all the pixels; PCA needs sixteen to come close to them. HDBSCAN separates clusters by gaps. There are more gaps
# in the autoencoder's codes of two or four components, but with eight components there are more in PCA's.
#
# The picture below each cluster is its decoded centre: an autoencoder can decode any code.

# sphinx_gallery_start_ignore
colors = {"PCA": "#D55E00", "Autoencoder": "#0072B2"}
styles = {"KMeans": ("-", "o"), "HDBSCAN": ("--", "s")}
shown_size = 4

ax = plt.figure(figsize=(6, 4.6), layout="constrained").subplots()
for (clustering, name), values in agreement.items():
    style, marker = styles[clustering]
    ax.plot(
        code_sizes, values, style, marker=marker, color=colors[name], label=f"{clustering}, {name}"
    )
ax.axhline(of_pixels, color="0.5", linestyle=":", label="KMeans, 64 pixels")
ax.set(xscale="log", xlabel="numbers per picture", ylabel="ARI with the digits", ylim=(0, 1.0))
ax.set_xticks(code_sizes, labels=code_sizes)
ax.minorticks_off()
ax.grid(alpha=0.3)
ax.legend(frameon=False, loc="upper left", ncols=1, fontsize="small")

for name, fitted in reducers.items():
    panel = plt.figure(figsize=(5.4, 5.6), layout="constrained")
    clusters = KMeans(10, n_init=10, random_state=0).fit(fitted[shown_size].transform(X))
    shares = confusion_matrix(y, clusters.labels_, normalize="true")
    order = linear_sum_assignment(-shares)[1]
    centres = fitted[shown_size].inverse_transform(clusters.cluster_centers_[order])
    ari = agreement["KMeans", name][code_sizes.index(shown_size)]
    panel.suptitle(
        f"{name}, {shown_size} numbers, KMeans: ARI {ari:.2f}", color=colors[name], fontsize="large"
    )
    matrix, pictures = panel.subplots(2, 1, height_ratios=[10, 1.1])
    matrix.imshow(100 * shares[:, order], cmap="Greys", vmin=0, vmax=100, aspect="auto")
    for (digit, cluster), share in np.ndenumerate(100 * shares[:, order]):
        if share >= 5:
            ink = "white" if share > 50 else "black"
            matrix.annotate(
                f"{share:.0f}", (cluster, digit), color=ink, ha="center", va="center", fontsize=8
            )
    matrix.set(
        ylabel="digit (per cent of it in each cluster)",
        xticks=[],
        yticks=range(10),
        xlim=(-0.5, 9.5),
    )
    pictures.imshow(
        np.hstack(centres.reshape(-1, 8, 8)), cmap="gray_r", vmin=0, vmax=16, aspect="auto"
    )
    pictures.set(xlabel="clusters and their decoded centres", xticks=[], yticks=[])
# sphinx_gallery_end_ignore

plt.show()
