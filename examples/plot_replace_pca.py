"""
Replace PCA by an autoencoder
=============================

:class:`~skae.AutoencoderTransformer` replaces :class:`~sklearn.decomposition.PCA`: it has the same ``fit``,
``transform`` and ``inverse_transform``, and its codes have the same number of columns. It starts as PCA and trains a
correction, so a column can follow a curve instead of a straight axis.

This example compares both on scikit-learn's handwritten digits (8 by 8 pixels). How much of a picture do the codes
keep? Do similar codes belong to the same digit? What do codes of two numbers per picture look like?
"""

import matplotlib.pyplot as plt
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.metrics import r2_score
from sklearn.model_selection import train_test_split
from sklearn.neighbors import KNeighborsClassifier

from skae import AutoencoderTransformer

# %%
# Fit both at several code sizes
# ------------------------------
#
# A quarter of the pictures is the test set, used only for the results below. Neither method sees the labels, and the
# autoencoder runs at its defaults at every size.

X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(
    X, y, test_size=0.25, stratify=y, random_state=0
)

code_sizes = [2, 4, 8, 16, 32]
models = {
    "PCA": [PCA(size, random_state=0).fit(X_train) for size in code_sizes],
    "Autoencoder": [
        AutoencoderTransformer(size, random_state=0).fit(X_train) for size in code_sizes
    ],
}

# %%
# Measure them on the test pictures
# ---------------------------------
#
# R² is the share of the pixels' variance that remains after encoding and decoding. The accuracy is that of a
# 5-nearest-neighbour classifier on the codes.


def reconstruct(model, X):
    return model.inverse_transform(model.transform(X))


def explained(model):
    return r2_score(X_test, reconstruct(model, X_test), multioutput="variance_weighted")


def neighbour_accuracy(model):
    neighbours = KNeighborsClassifier(n_neighbors=5).fit(model.transform(X_train), y_train)
    return neighbours.score(model.transform(X_test), y_test)


r2 = {name: [explained(model) for model in fitted] for name, fitted in models.items()}
accuracy = {
    name: [neighbour_accuracy(model) for model in fitted] for name, fitted in models.items()
}

print(f"{X_test.shape[0]} test pictures")
print("code size   R² PCA   R² autoencoder   5-NN PCA   5-NN autoencoder")
for i, size in enumerate(code_sizes):
    print(
        f"{size:9d} {r2['PCA'][i]:8.3f} {r2['Autoencoder'][i]:16.3f}"
        f" {accuracy['PCA'][i]:10.3f} {accuracy['Autoencoder'][i]:18.3f}"
    )

# %%
# What the figures show
# ---------------------
#
# The smaller the code, the more the autoencoder gains. Its reconstructions keep strokes that PCA blurs. With two
# numbers per picture most digits form separate groups, while with PCA they overlap. With large codes PCA's neighbours
# are as good as the autoencoder's; only the reconstruction is still better.

# sphinx_gallery_start_ignore
colors = {"PCA": "#D55E00", "Autoencoder": "#0072B2"}
markers = {"PCA": "s", "Autoencoder": "o"}
shown_size = 8
shown = X_test[:7]


def draw_curve(figure, values, title, label):
    ax = figure.subplots()
    for name, line in values.items():
        ax.plot(code_sizes, line, marker=markers[name], color=colors[name], label=name)
    ax.set(xscale="log", xlabel="numbers per picture", ylabel=label, title=title, ylim=(0, 1.03))
    ax.set_xticks(code_sizes, labels=code_sizes)
    ax.minorticks_off()
    ax.grid(alpha=0.3)
    ax.legend(loc="lower right", frameon=False)


def draw_pictures(figure):
    figure.suptitle(f"Test pictures from {shown_size} numbers each", fontsize="large")
    at_size = code_sizes.index(shown_size)
    rows = {"original": shown} | {
        name: reconstruct(fitted[at_size], shown) for name, fitted in models.items()
    }
    axes = figure.subplots(len(rows), len(shown), gridspec_kw={"wspace": 0.03, "hspace": 0.03})
    for axes_row, (name, images) in zip(axes, rows.items(), strict=True):
        for ax, image in zip(axes_row, images, strict=True):
            ax.imshow(image.reshape(8, 8), cmap="gray_r", vmin=0, vmax=16)
            ax.set(xticks=[], yticks=[])
        axes_row[0].set_ylabel(name, color=colors.get(name, "black"), fontsize="medium")


def draw_map(figure, name):
    ax, size = figure.subplots(), code_sizes.index(2)
    codes = models[name][size].transform(X_test)
    for digit in range(10):
        ax.scatter(
            *codes[y_test == digit].T, marker=f"${digit}$", s=32, linewidths=0.3, color=f"C{digit}"
        )
    ax.set(xlabel="code 1 (grey levels)", ylabel="code 2 (grey levels)", xticks=[], yticks=[])
    ax.set_title(
        f"{name}: 2 numbers per picture, 5-NN accuracy {accuracy[name][size]:.2f}",
        color=colors[name],
    )


def draw_all(make_figures):
    curves, pictures, maps = make_figures()
    draw_curve(curves[0], r2, "Variance explained", "R² on test pictures")
    draw_curve(curves[1], accuracy, "Neighbours", "5-NN accuracy on test codes")
    draw_pictures(pictures)
    for figure, name in zip(maps, models, strict=True):
        draw_map(figure, name)


def separate_figures():
    sizes = [(6, 4.2), (6, 4.2), (6.5, 3.2), (6, 5), (6, 5)]
    *curves, pictures, first, second = [
        plt.figure(figsize=size, layout="constrained") for size in sizes
    ]
    return curves, pictures, (first, second)


def parts_of_one():
    top, bottom = overview.subfigures(2, 1, height_ratios=[0.68, 1], hspace=0.04)
    *curves, pictures = top.subfigures(1, 3, width_ratios=[1, 1, 2.1], wspace=0.03)
    return curves, pictures, bottom.subfigures(1, 2)


# All in one picture, for those who run the script where there is no screen.
overview = plt.figure(figsize=(12, 8.2), layout="constrained")
draw_all(parts_of_one)
overview.savefig("replace_pca.png", dpi=120)
plt.close(overview)
print("Saved the figures as replace_pca.png.")
draw_all(separate_figures)
# sphinx_gallery_end_ignore

plt.show()
