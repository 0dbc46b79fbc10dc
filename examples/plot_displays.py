"""
Plot what an estimator has learned
==================================

Five displays answer the questions that come after ``fit``. Has training gone well? What do the codes retain, and how
are they laid out? Which rows are unusual, and which of their features contribute most? They work like scikit-learn's
displays: ``from_estimator`` takes a fitted estimator and draws, the results are stored as attributes, and ``ax`` is the
axes to draw into.

The transformer is fitted to scikit-learn's handwritten digits, 8 by 8 pixels; the outlier detector to its breast cancer
data, 30 measurements per row.
"""

import matplotlib.pyplot as plt
import pandas as pd
from sklearn.datasets import load_breast_cancer, load_digits
from sklearn.decomposition import PCA
from sklearn.metrics import RocCurveDisplay
from sklearn.model_selection import train_test_split

from skae import (
    AutoencoderOutlierDetector,
    AutoencoderTransformer,
    FeatureContributionDisplay,
    LatentSpaceDisplay,
    LossCurveDisplay,
    OutlierScoreDisplay,
    ReconstructionDisplay,
)

# %%
# Has training gone well?
# -----------------------
#
# :class:`~skae.LossCurveDisplay` draws the losses of every epoch. Both curves should fall below the dashed line, the
# loss of PCA, and the held-out one should level off. If it rises again, the weights from its minimum are kept. Here
# both have levelled off. The gap between them is what the network has learned about the training pictures only.

X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(
    X, y, test_size=0.25, stratify=y, random_state=0
)
autoencoder = AutoencoderTransformer(n_components=8, random_state=0).fit(X_train)

losses = LossCurveDisplay.from_estimator(autoencoder)
print(
    f"PCA leaves {losses.initial_loss:.1%} of the variance of held-out pictures unexplained, ",
    end="",
)
print(f"the autoencoder {losses.best_loss:.1%}")

# %%
# What do the codes retain?
# -------------------------
#
# :class:`~skae.ReconstructionDisplay` draws pictures above their reconstructions from eight numbers, from the best test
# picture to the worst. It takes every transformer that has an ``inverse_transform``, so PCA can be compared with the
# autoencoder.

for model in [autoencoder, PCA(n_components=8).fit(X_train)]:
    pictures = ReconstructionDisplay.from_estimator(
        model, X_test, image_shape=(8, 8), cmap="gray_r"
    )
    print(
        f"{pictures.estimator_name:22s} mean RMSE of a test picture, in grey levels of 16: {pictures.errors.mean():.2f}"
    )

# %%
# How are the codes laid out?
# ---------------------------
#
# :class:`~skae.LatentSpaceDisplay` draws the first two columns of the codes. The first map is coloured by the labels,
# the second by the reconstruction error: the worst pictures are in the crowded middle, where two numbers no longer
# distinguish the digits.

plane = AutoencoderTransformer(n_components=2, random_state=0).fit(X_train)
labels = pd.Series(y_test, name="digit")
by_digit = LatentSpaceDisplay.from_estimator(plane, X_test, labels)
by_error = LatentSpaceDisplay.from_estimator(plane, X_test, color_by="error")

# %%
# Which rows are unusual, and why?
# --------------------------------
#
# The detector is fitted to benign rows and a few malignant ones, without labels, and scores other rows of both kinds.
# :class:`~skae.OutlierScoreDisplay` draws a histogram of the scores, or one histogram per class if it gets labels. The
# default threshold flags the rows that lie clearly apart. scikit-learn's :class:`~sklearn.metrics.RocCurveDisplay`
# draws the ROC curve.
#
# :class:`~skae.FeatureContributionDisplay` splits the score of one row among its features; by default it takes the most
# unusual row. The p-value of a new row is the share of normal rows that score this low or lower.

data = load_breast_cancer(as_frame=True)
benign, malignant = data.data[data.target == 1], data.data[data.target == 0]
mixed = pd.concat([benign, malignant.sample(40, random_state=0)])
train, rows = train_test_split(
    mixed, test_size=0.5, stratify=data.target[mixed.index], random_state=0
)
malign = data.target[rows.index] == 0
detector = AutoencoderOutlierDetector(random_state=0).fit(train)

scores = OutlierScoreDisplay.from_estimator(detector, rows, malign)
curve = RocCurveDisplay.from_predictions(
    malign, -scores.scores, name="skae", plot_chance_level=True
)
reasons = FeatureContributionDisplay.from_estimator(detector, rows, n_features=6)

first = reasons.shown_[0]
print(f"ROC-AUC of the detector, which saw no label: {curve.roc_auc:.3f}")
feature, value = reasons.feature_names[first], reasons.feature_values[first]
print(f"Most unusual: row {reasons.row_name}, for its {feature} of {value:.1f}")

plt.show()
