"""
Compress pictures to a few bytes
================================

A code is a compressed picture. Here codes of the handwritten digits are stored in bytes, decoded, and compared with the
original pictures at several sizes: the autoencoder's codes, PCA's, and those of a transform coder similar to JPEG.

There are two ways to store a code. *One byte per number*: every number is rounded to 256 levels between its smallest
and largest value among the training pictures. A code of eight numbers is then an array of eight ``uint8``. *Entropy
coded*: numbers are rounded to multiples of a step, and each result is written with as few bits as its frequency allows,
as in the last stage of JPEG.
"""

import matplotlib.pyplot as plt
import numpy as np
from scipy.fft import dctn, idctn
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import FunctionTransformer

from skae import AutoencoderTransformer

# %%
# Three parts of the data
# -----------------------
#
# Models, value ranges and frequencies come from the training pictures. The validation pictures choose the settings of
# every coder (code size, step). The test pictures are coded once with these settings.

X, y = load_digits(return_X_y=True)
X_rest, X_test, y_rest, _ = train_test_split(X, y, test_size=0.25, stratify=y, random_state=0)
X_train, X_valid = train_test_split(X_rest, test_size=0.2, stratify=y_rest, random_state=0)


# %%
# Two ways to store a code
# ------------------------
#
# The entropy-coded size of a value is :math:`-\log_2` of its frequency among the training pictures, in bits, with one
# table of frequencies per column of the code. This is the size that an ideal arithmetic coder would reach on new
# pictures. It is an estimate: no bit stream is written, and headers are not counted. Each rounded value is decoded to
# the mean of the training values that round to it. All coders use the same two functions.


def store_bytes(train_codes, codes):
    """Return the bytes per row, and the codes after rounding to uint8."""
    low, high = train_codes.min(axis=0), train_codes.max(axis=0)
    stored = np.clip(np.rint(255 * (codes - low) / (high - low)), 0, 255).astype(np.uint8)
    return stored.shape[1], low + stored * ((high - low) / 255)


def store_symbols(train_codes, codes, step):
    """Return the mean bytes per row under an ideal entropy coder, and the decoded codes."""
    train_symbols, symbols = (np.rint(values / step).astype(int) for values in (train_codes, codes))
    lowest = np.minimum(train_symbols.min(), symbols.min())
    n_levels = np.maximum(train_symbols.max(), symbols.max()) - lowest + 1
    levels = (np.arange(n_levels) + lowest) * step
    bits, decoded = 0.0, np.empty(codes.shape)
    for j in range(codes.shape[1]):
        seen, coded = train_symbols[:, j] - lowest, symbols[:, j] - lowest
        counts = np.bincount(seen, minlength=n_levels)
        sums = np.bincount(seen, weights=train_codes[:, j], minlength=n_levels)
        frequency = (counts + 0.1) / (
            counts + 0.1
        ).sum()  # 0.1: a symbol never seen must remain codable
        bits -= np.log2(frequency[coded]).mean()
        decoded[:, j] = np.where(counts > 0, sums / np.maximum(counts, 1), levels)[coded]
    return bits / 8, decoded


# %%
# Three coders
# ------------
#
# The JPEG-like coder computes the two-dimensional cosine transform of each picture after subtracting the mean training
# picture. All its coefficients have the same step, which is best for squared error (JPEG's own table is for the eye at
# normal viewing distance). PCA with all 64 components and one step is the best linear transform coder of this kind. The
# autoencoder's entropy-coded codes have several sizes, each with several steps.

mean = X_train.mean(axis=0)


def cosine_transform(X):
    return dctn((X - mean).reshape(-1, 8, 8), axes=(1, 2), norm="ortho").reshape(len(X), 64)


def inverse_cosine_transform(Z):
    return idctn(Z.reshape(-1, 8, 8), axes=(1, 2), norm="ortho").reshape(len(Z), 64) + mean


code_sizes = [2, 4, 6, 8, 12, 16, 24, 32]
steps = np.geomspace(2, 32, 33)
cosine = FunctionTransformer(cosine_transform, inverse_cosine_transform, check_inverse=False).fit(
    X_train
)
pcas = [PCA(size, random_state=0).fit(X_train) for size in [*code_sizes, 64]]
autoencoders = [AutoencoderTransformer(size, random_state=0).fit(X_train) for size in code_sizes]


def psnr(X, decoded):
    """Peak signal-to-noise ratio in decibels: pixels go from 0 to 16."""
    return 10 * np.log10(16**2 / np.mean((X - np.clip(decoded, 0, 16)) ** 2))


def code(setting, X):
    """Return bytes per picture and the decoded pictures; a setting is a model and a step, None for uint8."""
    model, step = setting
    codes = model.transform(X_train), model.transform(X)
    n_bytes, decoded = store_bytes(*codes) if step is None else store_symbols(*codes, step)
    return n_bytes, model.inverse_transform(decoded)


def best_settings(settings):
    """Keep the settings that no other setting beats in both bytes and error on the validation pictures."""
    results = []
    for setting in settings:
        n_bytes, decoded = code(setting, X_valid)
        results.append((n_bytes, -psnr(X_valid, decoded), setting))
    results.sort(key=lambda result: result[:2])
    best = np.minimum.accumulate([error for _, error, _ in results])
    return [
        (n_bytes, setting)
        for i, (n_bytes, _, setting) in enumerate(results)
        if i == 0 or best[i] < best[i - 1]
    ]


coders = {
    "JPEG-like, entropy coded": best_settings([(cosine, step) for step in steps]),
    "PCA, one byte a number": best_settings([(model, None) for model in pcas[:-1]]),
    "PCA, entropy coded": best_settings([(pcas[-1], step) for step in steps]),
    "Autoencoder, one byte a number": best_settings([(model, None) for model in autoencoders]),
    "Autoencoder, entropy coded": best_settings(
        [(model, step) for model in autoencoders for step in steps]
    ),
}

# %%
# The test pictures
# -----------------

curves = {}
for name, settings in coders.items():
    results = [code(setting, X_test) for _, setting in settings]
    curves[name] = np.array([(n_bytes, psnr(X_test, decoded)) for n_bytes, decoded in results])

sizes = [2, 4, 8, 12]
print("PSNR (dB) of test pictures, interpolated between settings where needed")
print(f"{'bytes per picture':32s}" + "".join(f"{size:8d}" for size in sizes))
for name, curve in curves.items():
    n_bytes, quality = curve[np.argsort(curve[:, 0])].T
    print(f"{name:32s}" + "".join(f"{value:8.2f}" for value in np.interp(sizes, n_bytes, quality)))

# %%
# What the figures show
# ---------------------
#
# At one byte per number the autoencoder is well above PCA at every size. Up to eight bytes per picture it is also above
# the JPEG-like coder, although only that one is entropy coded. With entropy coding too, the autoencoder is the best of
# all at few bytes. At many bytes PCA is better: with its 64 components only rounding causes errors, while the
# autoencoder's smaller codes add an error.
#
# One limitation applies to every learned coder. The decoder is shared by all pictures and is not counted here. The
# autoencoder's weights are larger than this small data set, so it saves space only for many pictures.

# sphinx_gallery_start_ignore
colors = {"JPEG": "#009E73", "PCA": "#D55E00", "Auto": "#0072B2"}
budget = 4


def shown_setting(name):
    """The best setting that fits the budget on the validation pictures."""
    return [setting for n_bytes, setting in coders[name] if n_bytes <= budget][-1]


shown = slice(0, 8)
rows = {"original (64 numbers)": (X_test[shown], None)}
for name in coders:
    n_bytes, decoded = code(shown_setting(name), X_test)
    rows[name] = decoded[shown], f"{n_bytes:.1f} bytes, {psnr(X_test, decoded):.1f} dB"

ax = plt.figure(figsize=(6.5, 5), layout="constrained").subplots()
for name, curve in curves.items():
    plain = "byte" in name
    style = {"marker": "o", "linestyle": "-"} if plain else {"linestyle": "--"}
    ax.plot(
        *curve.T,
        color=next(color for key, color in colors.items() if name.startswith(key)),
        label=name,
        **style,
    )
ax.set(
    xscale="log",
    xlim=(0.9, 36),
    ylim=(11, 32),
    xlabel="bytes per picture",
    ylabel="PSNR on test pictures (dB)",
)
ax.set_title("Quality against size")
ax.set_xticks([1, 2, 4, 8, 16, 32], labels=[1, 2, 4, 8, 16, 32])
ax.minorticks_off()
ax.grid(alpha=0.3)
ax.legend(loc="upper left", edgecolor="none", framealpha=1)

right = plt.figure(figsize=(7, 5), layout="constrained")
right.suptitle(f"The first test pictures at no more than {budget} bytes each", fontsize="large")
axes = right.subplots(len(rows), 8)
for axes_row, (name, (images, note)) in zip(axes, rows.items(), strict=True):
    for ax, image in zip(axes_row, images, strict=True):
        ax.imshow(image.reshape(8, 8), cmap="gray_r", vmin=0, vmax=16)
        ax.set(xticks=[], yticks=[])
    color = next((color for key, color in colors.items() if name.startswith(key)), "black")
    text = name.replace(", ", "\n") + (f"\n{note}" if note else "")
    axes_row[0].set_ylabel(text, rotation=0, ha="right", va="center", color=color, fontsize="small")
# sphinx_gallery_end_ignore

plt.show()
