"""
Remove noise from pictures
==========================

A denoising autoencoder is trained to restore clean pictures from noisy ones. It starts as the best linear denoiser, the
Wiener filter on the principal axes. Training adds what a linear denoiser cannot represent, for example that all strokes
of a picture belong to one digit.

Here it removes Gaussian noise from handwritten digits. It is compared with PCA at the best number of components for the
noise, and with a median filter.
"""

import matplotlib.pyplot as plt
import numpy as np
from scipy.ndimage import median_filter
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.model_selection import train_test_split

from skae import AutoencoderTransformer

# %%
# Noise of six strengths
# ----------------------
#
# Pixels are between 0 and 1. The validation pictures choose PCA's number of components and the size of the median
# filter.

X, y = load_digits(return_X_y=True)
X_rest, X_test, y_rest, y_test = train_test_split(
    X / 16, y, test_size=500, stratify=y, random_state=0
)
X_train, X_valid = train_test_split(X_rest, test_size=200, stratify=y_rest, random_state=0)
rng = np.random.default_rng(0)
deviations = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6]


def psnr(X, denoised):
    """Peak signal-to-noise ratio in decibels."""
    return 10 * np.log10(1 / np.mean((X - np.clip(denoised, 0, 1)) ** 2))


# %%
# Three denoisers
# ---------------
#
# ``corruption_level`` is in units of the root mean variance of the features, so it means the same for data of any
# scale. With ``max_iter=0`` the autoencoder is not trained and remains the Wiener filter.

unit = np.sqrt(X_train.var(axis=0).mean())
pca = PCA(random_state=0).fit(X_train)


def project(X, size):
    """Keep that many principal components."""
    axes = pca.components_[:size]
    return (X - pca.mean_) @ axes.T @ axes + pca.mean_


def filtered(X, size):
    """Replace every pixel by the median of a square around it."""
    return median_filter(X.reshape(-1, 8, 8), size=(1, size, size)).reshape(X.shape)


def best(function, settings, noisy_valid, noisy_test):
    """The test pictures denoised with the setting that suits the validation pictures best."""
    setting = max(settings, key=lambda setting: psnr(X_valid, function(noisy_valid, setting)))
    return function(noisy_test, setting)


denoised = {}
for deviation in deviations:
    noisy_valid, noisy = (
        rows + deviation * rng.normal(size=rows.shape) for rows in (X_valid, X_test)
    )
    results = {
        "noisy": noisy,
        "median filter": best(filtered, [1, 2, 3], noisy_valid, noisy),
        "PCA": best(project, range(1, 65), noisy_valid, noisy),
    }
    settings = {
        "loss": "binary_cross_entropy",
        "corruption": "gaussian",
        "corruption_level": deviation / unit,
        "random_state": 0,
    }
    for name, epochs in [("Wiener filter", 0), ("autoencoder", "auto")]:
        model = AutoencoderTransformer(n_components=None, max_iter=epochs, **settings).fit(X_train)
        results[name] = model.reconstruct(noisy)
    denoised[deviation] = results

print(
    f"{'PSNR (dB), test pictures':28s}" + "".join(f"{deviation:8.1f}" for deviation in deviations)
)
quality = {name: [psnr(X_test, denoised[d][name]) for d in deviations] for name in results}
for name, values in quality.items():
    print(f"{name:28s}" + "".join(f"{value:8.2f}" for value in values))

# %%
# What the figures show
# ---------------------
#
# Even the Wiener filter, where the autoencoder starts, is better than PCA: it shrinks each component according to the
# noise in it, while PCA keeps it or drops it. The autoencoder is better than both at every strength, and its pictures
# have an empty background and closed strokes. It draws what digits usually look like: if the noise hides the difference
# between two digits, it may draw the wrong one, and draw it clearly.

# sphinx_gallery_start_ignore
colors = {
    "noisy": "#999999",
    "median filter": "#CC79A7",
    "PCA": "#D55E00",
    "Wiener filter": "#009E73",
    "autoencoder": "#0072B2",
}
markers = dict(zip(colors, "xv" + "sDo", strict=True))
shown, n_shown = 0.4, 9

ax = plt.figure(figsize=(6, 4.6), layout="constrained").subplots()
for name, values in quality.items():
    ax.plot(deviations, values, color=colors[name], marker=markers[name], label=name)
ax.axvline(shown, color="black", linewidth=1, linestyle=":", zorder=0)
ax.set(
    xlabel="standard deviation of the noise",
    ylabel="PSNR on test pictures (dB)",
    title="Quality against noise",
)
ax.grid(alpha=0.3)
handles, labels = ax.get_legend_handles_labels()
ax.legend(handles[::-1], labels[::-1], edgecolor="none", framealpha=1)

right = plt.figure(figsize=(7, 4.6), layout="constrained")
right.suptitle(f"Noise of deviation {shown}, test pictures", fontsize="large")
rows = {"original": X_test, **denoised[shown]}
chosen = [np.flatnonzero(y_test == digit)[0] for digit in range(1, 1 + n_shown)]
for axes_row, (name, pictures) in zip(
    right.subplots(len(rows), n_shown), rows.items(), strict=True
):
    for ax, picture in zip(axes_row, pictures[chosen], strict=True):
        ax.imshow(picture.reshape(8, 8), cmap="gray_r", vmin=0, vmax=1)
        ax.set(xticks=[], yticks=[])
    note = f"\n{quality[name][deviations.index(shown)]:.1f} dB" if name in quality else ""
    axes_row[0].set_ylabel(
        name + note, rotation=0, ha="right", va="center", color=colors.get(name, "black")
    )
# sphinx_gallery_end_ignore

plt.show()
