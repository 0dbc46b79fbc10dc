"""
SHAP values and feature_contributions
=====================================

SHAP explains any score from outside: it replaces features by those of other rows and observes how the score changes.
:meth:`~skae.AutoencoderOutlierDetector.feature_contributions` splits the score itself. Here one measurement of each row
is wrong. Which method names it more often?
"""

from time import perf_counter

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import shap
from sklearn.datasets import load_breast_cancer

from skae import AutoencoderOutlierDetector

# %%
# Wrong measurements
# ------------------
#
# Each row has ten measurements of a benign cell. In 30 rows that the detector has not seen, one of the ten is replaced
# by the 5th or 95th percentile, whichever is farther away. This value is ordinary by itself, but it no longer fits the
# others.

data = load_breast_cancer(as_frame=True)
benign = data.data[data.target == 1].filter(like="mean ").sample(frac=1, random_state=0)
train, X = benign[:-30], benign[-30:].reset_index(drop=True)
detector = AutoencoderOutlierDetector(novelty=True, random_state=0).fit(train)

wrong = [X.columns[i % X.shape[1]] for i in range(len(X))]
for i, name in enumerate(wrong):
    limits = train[name].quantile([0.05, 0.95])
    X.loc[i, name] = limits.iloc[(limits - X.loc[i, name]).abs().argmax()]

# %%
# Which one is it?
# ----------------
#
# SHAP evaluates 100 combinations of features for each row, and takes the replacements from 25 training rows. It draws
# the combinations from NumPy's global generator, so its result differs by a row or two from run to run.


def unusual(rows):
    return -detector.score_samples(pd.DataFrame(rows, columns=X.columns))


start = perf_counter()
contributions = detector.feature_contributions(X)
between = perf_counter()
explainer = shap.KernelExplainer(unusual, shap.sample(train, 25, random_state=0))
explained = explainer.shap_values(X, nsamples=100, silent=True)
end = perf_counter()
shap_values = pd.DataFrame(explained, columns=X.columns)

for name, parts, seconds in (
    ("feature_contributions", contributions, between - start),
    ("SHAP", shap_values, end - between),
):
    first = (parts.idxmax(axis=1) == wrong).sum()
    print(f"{name:22s}names the wrong one first in {first} of {len(X)} rows, {seconds:.2f} s")

# %%
# What they sum to
# ----------------
#
# Contributions are at least zero and sum to ``-score_samples``. SHAP values sum to the difference from the mean of the
# 25 training rows. They are negative if a feature makes the row less unusual than these rows.

scores = unusual(X)
print("contributions add up to -score_samples:", np.allclose(contributions.sum(axis=1), scores))
sums = shap_values.sum(axis=1)
print(
    "SHAP values, to the difference:",
    np.allclose(sums, scores - explainer.expected_value, atol=1e-3),
)

# %%
# One row
# -------

i = scores.argmax()
both = pd.DataFrame({"feature_contributions": contributions.loc[i], "SHAP": shap_values.loc[i]})
figure, ax = plt.subplots(figsize=(8, 4), layout="constrained")
both.iloc[::-1].plot.barh(ax=ax, color=["#D55E00", "#0072B2"])
ax.set(xlabel="part of −score_samples", title=f"The most unusual row: its {wrong[i]} is wrong")
plt.show()
