"""
Fill missing pixels
===================

A third of the training pixels is missing, and half of the pixels of each test picture. Missing pixels are ``NaN``. The
autoencoder learns from the observed ones and fills in the others. It is compared with the mean, scikit-learn's
``KNNImputer``, and the Gaussian fill from which training starts.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.impute import KNNImputer
from sklearn.model_selection import train_test_split

from skae import AutoencoderTransformer

# %%
# Incomplete digits
# -----------------
#
# A third of the training pixels is missing at random. Every second test digit lacks its left half, the others half of
# their pixels at random.

rng = np.random.RandomState(0)
X, y = load_digits(return_X_y=True)
X_train, X_test, _, y_test = train_test_split(X / 16, y, test_size=300, random_state=0, stratify=y)
train = np.where(rng.uniform(size=X_train.shape) < 1 / 3, np.nan, X_train)

left = np.arange(64) % 8 < 4
hidden = np.where(
    np.arange(len(X_test))[:, np.newaxis] % 2 == 0, left, rng.uniform(size=X_test.shape) < 0.5
)
test = np.where(hidden, np.nan, X_test)

# %%
# Fill them
# ---------
#
# With ``n_components=None`` the code is as long as a row. Observed pixels then pass unchanged through the linear path,
# and training improves the missing ones only.

autoencoder = AutoencoderTransformer(n_components=None, random_state=0).fit(train)
linear = AutoencoderTransformer(n_components=None, max_iter=0, random_state=0).fit(train)
mean = np.nanmean(train, axis=0)
filled = {
    "mean": np.where(hidden, mean, X_test),
    "KNNImputer": KNNImputer(n_neighbors=5).fit(train).transform(test),
    "Gaussian fill": np.where(hidden, linear.reconstruct(test), X_test),
    "autoencoder": np.where(hidden, autoencoder.reconstruct(test), X_test),
}
errors = {name: np.sqrt(np.mean((rows - X_test)[hidden] ** 2)) for name, rows in filled.items()}
print("root mean square error on hidden pixels, of a range of 0 to 1:")
for name, error in errors.items():
    print(f"  {name:14s} {error:.3f}")

# %%
# The pictures
# ------------

# sphinx_gallery_start_ignore
shown = [
    np.flatnonzero((y_test == digit) & (np.arange(len(y_test)) % 2 == digit % 2))[0]
    for digit in range(10)
]
rows = {"what is seen": np.where(hidden, np.nan, X_test), **filled, "the digit": X_test}
ax = plt.figure(figsize=(6, 2.8), layout="constrained").subplots()
bars = ax.barh(list(errors), list(errors.values()), color=["0.6"] * 3 + ["#0072B2"])
ax.bar_label(bars, fmt="%.3f", padding=3)
ax.set(xlabel="root mean square error on hidden pixels", xlim=(0, 0.4))
ax.invert_yaxis()

fig, axes = plt.subplots(len(rows), len(shown), figsize=(8.5, 5.6), layout="constrained")
for row, (name, pictures) in zip(axes, rows.items(), strict=True):
    for ax, index in zip(row, shown, strict=True):
        ax.set_facecolor("#f2c9a1")  # missing pixels are transparent
        ax.imshow(pictures[index].reshape(8, 8), cmap="gray_r", vmin=0, vmax=1)
        ax.set(xticks=[], yticks=[])
        ax.spines[:].set_visible(False)
    label = f"{name}\n(error {errors[name]:.3f})" if name in errors else name
    row[0].set_ylabel(label, rotation=0, ha="right", va="center", labelpad=6)
fig.suptitle("Digits with pixels missing (orange), and four ways to fill them")
# sphinx_gallery_end_ignore

plt.show()
