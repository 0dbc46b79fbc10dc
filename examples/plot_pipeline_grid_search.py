"""
Choose the code size and the classifier together
================================================

An autoencoder is a step of a :class:`~sklearn.pipeline.Pipeline` like any other, so
:class:`~sklearn.model_selection.GridSearchCV` can choose its code size and the classifier's penalty in one search. Here
the same search runs with an autoencoder and with PCA, on the handwritten digits, each followed by a support vector
classifier.

It takes about half a minute on one core.
"""

import tempfile

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.model_selection import GridSearchCV, StratifiedKFold, train_test_split
from sklearn.pipeline import Pipeline
from sklearn.svm import SVC

from skae import AutoencoderTransformer

# %%
# The same search over two reducers
# ---------------------------------
#
# All pixels have the same unit, so there is no scaler. If features have different units, start with a
# ``StandardScaler``, or set ``scale=True`` in the autoencoder. ``memory`` caches fitted transformers: each is fitted
# once per code size and fold, and used for every ``C``. The test rows are used only after both searches.

X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.3, stratify=y, random_state=0)

code_sizes = [2, 4, 8, 16, 32]
penalties = [0.1, 1.0, 10.0, 100.0]
grid = {"reduce__n_components": code_sizes, "classify__C": penalties}
folds = StratifiedKFold(n_splits=4, shuffle=True, random_state=0)


def search(reducer):
    with tempfile.TemporaryDirectory() as cache:
        pipeline = Pipeline([("reduce", reducer), ("classify", SVC())], memory=cache)
        return GridSearchCV(pipeline, grid, cv=folds).fit(X_train, y_train)


searches = {
    "PCA": search(PCA(random_state=0)),
    "Autoencoder": search(AutoencoderTransformer(random_state=0)),
}
all_pixels = GridSearchCV(SVC(), {"C": penalties}, cv=folds).fit(X_train, y_train)

# %%
# Results
# -------
#
# ``surfaces`` contains the mean accuracy over the folds for every penalty (row) and code size (column), ``errors`` the
# standard error of this mean.


def surface(search, column):
    results = search.cv_results_
    cells = {
        (parameters["classify__C"], parameters["reduce__n_components"]): value
        for parameters, value in zip(results["params"], results[column], strict=True)
    }
    return np.array([[cells[penalty, size] for size in code_sizes] for penalty in penalties])


surfaces = {name: surface(fitted, "mean_test_score") for name, fitted in searches.items()}
errors = {
    name: surface(fitted, "std_test_score") / np.sqrt(folds.n_splits)
    for name, fitted in searches.items()
}

print("Cross-validated accuracy (standard error) at the best C for each code size")
for name, scores in surfaces.items():
    best = scores.argmax(axis=0)
    cells = [
        f"{size}: {scores[row, j]:.3f} ({errors[name][row, j]:.3f})"
        for j, (size, row) in enumerate(zip(code_sizes, best, strict=True))
    ]
    print(f"{name:12s}", "  ".join(cells))
print(f"{'All pixels':12s} {all_pixels.best_score_:.3f}\n")

accuracies = {name: fitted.score(X_test, y_test) for name, fitted in searches.items()}
for name, fitted in searches.items():
    chosen = fitted.best_params_
    print(
        f"{name:12s} chose code size {chosen['reduce__n_components']}, C = {chosen['classify__C']:g}:"
        f" test accuracy {accuracies[name]:.3f}"
    )
print(f"{'All pixels':12s} chose C = {all_pixels.best_params_['C']:g}: test accuracy", end=" ")
print(f"{all_pixels.score(X_test, y_test):.3f}")
print(f"Standard error of a test accuracy of 0.985: {np.sqrt(0.985 * 0.015 / len(y_test)):.3f}")

# %%
# What the search found
# ---------------------
#
# Both searches choose a large code and reach the cross-validated accuracy of all pixels. Their test accuracies differ
# by less than the standard error: with enough components the classifier needs nothing better than PCA. The difference
# is the number of components that this takes. With two, four or eight, the classifier is better on the autoencoder's
# code at every penalty. This is a reason to choose the autoencoder if codes are to be stored, sent, indexed or plotted.

# sphinx_gallery_start_ignore
colors = {"PCA": "#D55E00", "Autoencoder": "#0072B2"}
markers = {"PCA": "s", "Autoencoder": "o"}

ax = plt.figure(figsize=(6.5, 5), layout="constrained").subplots()
for name, scores in surfaces.items():
    best = scores.argmax(axis=0), np.arange(len(code_sizes))
    label = f"{name} (test accuracy of its choice: {accuracies[name]:.3f})"
    ax.errorbar(
        code_sizes,
        scores[best],
        errors[name][best],
        color=colors[name],
        marker=markers[name],
        capsize=4,
        label=label,
    )
ax.axhline(
    all_pixels.best_score_,
    color="black",
    linestyle=":",
    linewidth=1.2,
    label="no reduction: all 64 pixels",
)
ax.set(xscale="log", xlabel="code size (numbers per row)", ylabel="cross-validated accuracy")
ax.set_title("Best C at each code size, with standard errors")
ax.set_xticks(code_sizes, labels=code_sizes)
ax.minorticks_off()
ax.grid(alpha=0.3)
ax.legend(loc="lower right", frameon=False)

figure, (upper, lower) = plt.subplots(2, 1, figsize=(6.5, 5.6), layout="constrained")
axes = {"PCA": upper, "Autoencoder": lower}
lowest = min(scores.min() for scores in surfaces.values())
for name, scores in surfaces.items():
    ax = axes[name]
    image = ax.imshow(scores, cmap="cividis", vmin=lowest, vmax=1, aspect="auto")
    for (row, column), value in np.ndenumerate(scores):
        dark = value < (1 + lowest) / 2
        weight = "bold" if value == scores.max() else "normal"
        ax.text(
            column,
            row,
            f"{value:.3f}",
            ha="center",
            va="center",
            color="white" if dark else "black",
            weight=weight,
        )
    ax.set_xticks(range(len(code_sizes)), labels=code_sizes)
    ax.set_yticks(range(len(penalties)), labels=[f"{penalty:g}" for penalty in penalties])
    ax.set(ylabel="C of the classifier")
    ax.set_title(f"{name} (best cell in bold)", color=colors[name])
axes["Autoencoder"].set_xlabel("code size (numbers per row)")
figure.colorbar(image, ax=[axes["PCA"], axes["Autoencoder"]], label="cross-validated accuracy")
# sphinx_gallery_end_ignore

plt.show()
