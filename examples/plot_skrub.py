"""
Mixed tables with skrub
=======================

:class:`~skrub.TableVectorizer` turns a table of numbers, categories and dates into numbers, which both estimators of
skae accept. The table is scikit-learn's wine data: 13 measurements, and the cultivar as a column of strings. Some rows
are then given the wrong cultivar. Each of their cells is ordinary by itself, but they do not fit together.
"""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.datasets import load_wine
from sklearn.pipeline import make_pipeline
from skrub import TableVectorizer

from skae import AutoencoderOutlierDetector, AutoencoderTransformer

wine = load_wine(as_frame=True)
names = wine.target_names
table = wine.data.assign(cultivar=names[wine.target]).sample(frac=1, random_state=0)
past, new = table[:120], table[120:]
mistaken = new.assign(
    cultivar=new["cultivar"].map(dict(zip(names, np.roll(names, -1), strict=True)))
)

# %%
# The outlier detector
# --------------------
#
# It is fitted to correct rows only, so ``novelty=True``. After a vectorizer, ``feature_contributions`` has one column
# per output of the vectorizer. ``input_to_outputs_`` tells which column of the table each output comes from.

pipeline = make_pipeline(
    TableVectorizer(), AutoencoderOutlierDetector(novelty=True, random_state=0)
).fit(past)
vectorizer, detector = pipeline
for title, rows in {"new rows": new, "with the wrong cultivar": mistaken}.items():
    numbers = vectorizer.transform(rows)
    parts = detector.feature_contributions(numbers)
    by_column = pd.DataFrame(
        {name: parts[outputs].sum(axis=1) for name, outputs in vectorizer.input_to_outputs_.items()}
    )
    alarms = detector.p_values(numbers) <= 0.05
    print(f"{len(rows)} {title}: {alarms.sum()} have a p-value of at most 0.05,", end=" ")
    print(f"the cultivar contributes most to {(by_column.idxmax(axis=1) == 'cultivar').sum()}")

# %%
# The transformer
# ---------------
#
# Columns with different units need ``scale=True``. ``set_output`` names the columns of the codes.

reducer = make_pipeline(TableVectorizer(), AutoencoderTransformer(2, scale=True, random_state=0))
codes = reducer.set_output(transform="pandas").fit(past).transform(new)
print(codes.head(3).round(2))

# %%
# The codes and the scores
# ------------------------

figure, (plane, scores) = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
for title, rows, marker in (("new rows", new, "o"), ("wrong cultivar", mistaken, "x")):
    plane.scatter(*reducer.transform(rows).to_numpy().T, marker=marker, label=title)
    scores.hist(pipeline.score_samples(rows), np.arange(-34, 1), alpha=0.7, label=title)
plane.set(xlabel=codes.columns[0], ylabel=codes.columns[1], title="Codes")
scores.axvline(detector.offset_, color="black", linestyle="--", label="threshold of predict")
scores.set(xlabel="score_samples", ylabel="rows", title="Scores of the detector")
scores.legend()
plt.show()
