"""
Train on some digits, find the others
=====================================

In novelty detection the training rows are clean: all of them are normal, and new rows may not be. Here the training
rows are pictures of the digits 0 to 4 from scikit-learn's handwritten digits (8 by 8 pixels). Do pictures of 5 to 9,
which no detector has seen, stand out among new pictures of 0 to 4?
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.ensemble import IsolationForest
from sklearn.metrics import roc_auc_score, roc_curve
from sklearn.model_selection import train_test_split
from sklearn.neighbors import LocalOutlierFactor

from skae import AutoencoderOutlierDetector, AutoencoderTransformer

# %%
# Fit on 0 to 4, score 0 to 9
# ---------------------------
#
# A third of the pictures of 0 to 4 is set aside, and the detectors have to separate the pictures of 5 to 9 from these.
# The training pictures contain only 0 to 4, so ``novelty=True``. For comparison there is ``novelty=False``, the
# default, which expects outliers among them. ``method="reconstruction"`` is the classical autoencoder with a
# bottleneck, here of eight numbers.
#
# ``scale=False`` leaves the pixels as they are. They all have the same unit, and rescaling each pixel would amplify
# those at the margin, which hardly ever have ink.

X, y = load_digits(return_X_y=True)
known = y <= 4
X_train, X_known, y_train, y_known = train_test_split(
    X[known], y[known], test_size=1 / 3, random_state=0
)
X_test, y_test = np.concatenate([X_known, X[~known]]), np.concatenate([y_known, y[~known]])
novel = y_test > 4

code_size = 8
detectors = {
    "novelty=True": AutoencoderOutlierDetector(
        novelty=True, n_components=2, scale=False, random_state=0
    ),
    "novelty=False": AutoencoderOutlierDetector(scale=False, random_state=0),
    "reconstruction": AutoencoderOutlierDetector(
        method="reconstruction", n_components=code_size, scale=False, random_state=0
    ),
    "LocalOutlierFactor": LocalOutlierFactor(novelty=True),
    "IsolationForest": IsolationForest(n_estimators=300, random_state=0),
}
scores = {name: detector.fit(X_train).score_samples(X_test) for name, detector in detectors.items()}
auc = {name: roc_auc_score(novel, -s) for name, s in scores.items()}

print(
    f"{len(X_train)} training pictures of 0 to 4; {(~novel).sum()} test pictures of 0 to 4, {novel.sum()} of 5 to 9"
)
print(
    f"{'ROC-AUC against new 0 to 4':28s}{'all':>7s}"
    + "".join(f"{digit:7d}" for digit in range(5, 10))
)
for name, s in scores.items():
    parts = [~novel | (y_test == digit) for digit in range(5, 10)]
    print(
        f"{name:28s}{auc[name]:7.3f}"
        + "".join(f"{roc_auc_score(novel[part], -s[part]):7.3f}" for part in parts)
    )

detector = detectors["novelty=True"]
score, p_value = scores["novelty=True"], detector.p_values(X_test)
print("\nnovelty=True, alarm at  0 to 4 flagged     5 to 9 flagged")
for alpha in (0.01, 0.05, 0.1):
    alarm = p_value <= alpha
    print(
        f"p-value <= {alpha:4.2f}   {100 * alarm[~novel].mean():16.1f} % {100 * alarm[novel].mean():16.1f} %"
    )

# A list of alarms of which, on average, at most about one in ten is false.
selected = detector.select(X_test, fdr=0.1)
print(
    f"select(fdr=0.1): {selected.sum()} pictures, {100 * (~novel)[selected].mean():.1f} % of them of 0 to 4;"
    f" {100 * selected[novel].mean():.1f} % of 5 to 9 are in it"
)

# %%
# The pictures
# ------------
#
# A detector has no ``inverse_transform``. The reconstructions below come from an :class:`~skae.AutoencoderTransformer`
# fitted to the same training pictures. It has seen only 0 to 4, so it reconstructs every picture from their strokes.
# The order and the p-values are those of the detector with ``novelty=True``.

redraw = AutoencoderTransformer(code_size, random_state=0).fit(X_train)
reconstructed = redraw.inverse_transform(redraw.transform(X_test))
error = np.sqrt(np.mean((X_test - reconstructed) ** 2, axis=1))
print(
    f"\nmedian reconstruction error (grey levels of 16): {np.median(error[~novel]):.2f} for 0 to 4,",
    end=" ",
)
print(f"{np.median(error[novel]):.2f} for 5 to 9")

n_shown = 9
order = np.argsort(score)
strips = {
    "5 to 9, the most novel": order[novel[order]][:n_shown],
    "5 to 9, the least novel: missed": order[novel[order]][::-1][:n_shown],
    "0 to 4, the least novel": order[~novel[order]][::-1][:n_shown],
    "0 to 4, the most novel: false alarms": order[~novel[order]][:n_shown],
}
for title, shown in strips.items():
    print(f"{title:38s}", *(int(digit) for digit in y_test[shown]))

# %%
# What the figures show
# ---------------------
#
# With ``novelty=True`` the detector separates the digits as well as the autoencoder with a bottleneck and the local
# outlier factor. With ``novelty=False`` it is worse, because it tolerates outliers among the training pictures, and
# there are none; IsolationForest is worse still. The share of false alarms stays below each threshold. How many new
# digits are found depends on the most unusual training pictures: at 0.01, where a handful of them determine the
# threshold, a fifth of the new digits are found, at 0.05 most.
#
# The transformer reconstructs 5 to 9 with about twice the error of 0 to 4. The most novel pictures are fives, sevens
# and a nine. The detector misses mostly eights, some so narrow that they could be a thick 1, and nines. Its false
# alarms are digits of every kind. On the map the new digits lie between the known ones and partly among them: two
# linear coordinates do not separate them. The score uses all coordinates.

# sphinx_gallery_start_ignore
colors = dict(zip(detectors, ["#0072B2", "#56B4E9", "#CC79A7", "#009E73", "#D55E00"], strict=True))
styles = dict(zip(detectors, ["-", ":", "-", "-.", "--"], strict=True))
known_color, novel_color = "#0072B2", "#D55E00"

curves, codes_map = (
    plt.figure(figsize=(6.5, 5), layout="constrained").subplots() for _ in range(2)
)
for title, shown in strips.items():
    part = plt.figure(figsize=(7, 2.4), layout="constrained")
    part.suptitle(title, fontsize="large", color=novel_color if novel[shown[0]] else known_color)
    axes = part.subplots(2, n_shown, gridspec_kw={"wspace": 0.03, "hspace": 0.03})
    for i, column in zip(shown, axes.T, strict=True):
        for ax, image in zip(column, (X_test[i], reconstructed[i]), strict=True):
            ax.imshow(image.reshape(8, 8), cmap="gray_r", vmin=0, vmax=16)
            ax.set(xticks=[], yticks=[])
        column[1].set_xlabel(f"p = {p_value[i]:.3f}", fontsize="small")
    axes[0, 0].set_ylabel("picture")
    axes[1, 0].set_ylabel("redrawn")

for name, s in scores.items():
    false, true, _ = roc_curve(novel, -s)
    curves.plot(
        100 * false,
        100 * true,
        styles[name],
        color=colors[name],
        linewidth=2,
        label=f"{name}: {auc[name]:.3f}",
    )
curves.set(
    xlabel="new 0 to 4 flagged (%)",
    ylabel="5 to 9 found (%)",
    title="ROC, with its area",
    ylim=(-3, 103),
)
curves.legend(loc="lower right", frameon=False)
curves.grid(alpha=0.3)

codes = detector.transform(X_test)
for digit in range(10):
    marks = {
        "marker": f"${digit}$",
        "s": 34,
        "linewidths": 0.3,
        "color": novel_color if digit > 4 else known_color,
    }
    codes_map.scatter(*codes[y_test == digit].T, alpha=0.75, **marks)
codes_map.set(
    xlabel="code 1 (s.d. of a pixel)",
    ylabel="code 2 (s.d. of a pixel)",
    title="Two-number codes of the test pictures",
)
# sphinx_gallery_end_ignore

plt.show()
