"""
Find the broken sensor
======================

Pumps report six readings that depend on each other. In a broken row one reading is off by a third of its range, but
still has a value that healthy pumps report, too. No limit on a single reading finds it. The dependence does:
:class:`~skae.AutoencoderOutlierDetector` lists the broken rows and names the sensor.
"""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.ensemble import IsolationForest
from sklearn.metrics import roc_auc_score

from skae import AutoencoderOutlierDetector, FeatureContributionDisplay, OutlierScoreDisplay

rng = np.random.default_rng(0)


def healthy_pumps(n):
    speed, valve = rng.uniform(0.3, 1, size=(2, n))
    readings = {
        "speed": speed,
        "valve": valve,
        "flow": speed * valve,
        "pressure": speed**2 * (1.2 - valve),
        "power": speed**3 * (1 + valve) / 2,
        "noise": speed + speed * valve / 2,
    }
    return pd.DataFrame(readings) * (1 + 0.02 * rng.normal(size=(n, 6)))


def break_one_sensor(rows):
    sensor = rng.integers(6, size=len(rows))
    low, high = rows.min(), rows.max()
    direction = np.where(rows < (low + high) / 2, 1, -1)
    change = 0.3 * direction * (high - low).to_numpy()
    return rows + change * (sensor[:, None] == np.arange(6)), sensor


# %%
# Fit to healthy rows
# -------------------
#
# ``novelty=True`` says that all training rows are normal. In the new rows 50 of 1,000 are broken.

train, healthy = healthy_pumps(1000), healthy_pumps(950)
broken, sensor = break_one_sensor(healthy_pumps(50))
rows = pd.concat([healthy, broken], ignore_index=True)
is_broken = rows.index >= len(healthy)

forest = IsolationForest(random_state=0).fit(train)
detector = AutoencoderOutlierDetector(novelty=True, random_state=0).fit(train)
for model in (forest, detector):
    auc = roc_auc_score(is_broken, -model.score_samples(rows))
    print(f"{type(model).__name__}: ROC-AUC {auc:.3f}")

# %%
# List the alarms, and why
# ------------------------
#
# ``select`` returns a list in which on average at most a tenth of the rows are false alarms. For each row the reading
# that contributes most to the score is the suspect.

chosen = rows[detector.select(rows, fdr=0.1)]
contributions = detector.feature_contributions(chosen)
alarms = pd.DataFrame(
    {
        "p-value": detector.p_values(chosen),
        "suspect": contributions.idxmax(axis=1),
        "share of the score": contributions.max(axis=1) / contributions.sum(axis=1),
    }
)
print(alarms.nsmallest(5, "p-value").round(3))

truth = pd.Series(rows.columns[sensor], index=rows.index[is_broken])
found = alarms.index.intersection(truth.index)
print(f"{len(alarms)} alarms; {len(found)} of the {len(truth)} broken rows are among them")
print(
    f"the suspect is the broken sensor in {(alarms.suspect[found] == truth[found]).mean():.0%} of these"
)

# %%
# Look at one row
# ---------------

# sphinx_gallery_start_ignore
figure, axes = plt.subplots(1, 3, figsize=(12.5, 3.7), layout="constrained", width_ratios=[1, 1, 1])
# sphinx_gallery_end_ignore
example = truth.index[(truth == "flow") & truth.index.isin(found)][0]
OutlierScoreDisplay.from_estimator(forest, rows, is_broken, ax=axes[0])
OutlierScoreDisplay.from_estimator(detector, rows, is_broken, ax=axes[1])
FeatureContributionDisplay.from_estimator(detector, rows, row=example, ax=axes[2])
# sphinx_gallery_start_ignore
for ax, model in zip(axes, [forest, detector], strict=False):
    auc = roc_auc_score(is_broken, -model.score_samples(rows))
    ax.set_title(f"{type(model).__name__}\nROC-AUC {auc:.3f}")
# sphinx_gallery_end_ignore

plt.show()
