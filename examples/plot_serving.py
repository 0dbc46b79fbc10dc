"""
Serve the detector, one row per request
=======================================

A service loads a saved detector once. It answers each request with the score of one row, its p-value and the features
that contribute most. The service is an app of FastAPI, whose ``TestClient`` sends the requests here.
"""

import tempfile
from pathlib import Path
from time import perf_counter

import joblib
import numpy as np
import pandas as pd
from fastapi import FastAPI
from fastapi.testclient import TestClient
from sklearn.datasets import load_breast_cancer

from skae import AutoencoderOutlierDetector

data = load_breast_cancer(as_frame=True)
benign, malignant = data.data[data.target == 1], data.data[data.target == 0]
path = Path(tempfile.mkdtemp(prefix="skae-serving-")) / "detector.joblib"
_ = joblib.dump(AutoencoderOutlierDetector(novelty=True, random_state=0).fit(benign[:-50]), path)

# %%
# The app
# -------
#
# In practice this part is a separate file, ``app.py``, started by ``uvicorn app:app``. If a request lacks a feature,
# the feature is a missing value, and the row is scored by the others.

app = FastAPI()
detector = joblib.load(path)


@app.post("/score")
def score(row: dict[str, float]):
    X = pd.DataFrame([row], columns=detector.feature_names_in_)
    contributions = detector.feature_contributions(X).iloc[0]
    return {
        "score": -contributions.sum(),  # the same as score_samples(X)
        "p_value": detector.p_values(X)[0],
        "contributions": contributions.nlargest(3).to_dict(),
    }


# %%
# Requests
# --------
#
# The answers to one row, and to the same row with a feature missing.

client = TestClient(app)
requests = pd.concat([malignant[:50], benign[-50:]])
rows = requests.to_dict("records")
for name, value in client.post("/score", json=rows[0]).json().items():
    print(f"{name}: {value}")
incomplete = {name: value for name, value in rows[0].items() if name != "mean area"}
print("without mean area:", client.post("/score", json=incomplete).json()["p_value"])

# %%
# Latency
# -------
#
# The time of a whole request, and of the score alone.


def milliseconds(call, items):
    seconds = []
    for item in items:
        start = perf_counter()
        call(item)
        seconds.append(perf_counter() - start)
    return "median {:.1f} ms, 95 % below {:.1f} ms".format(
        *1000 * np.quantile(seconds, [0.5, 0.95])
    )


print("request:      ", milliseconds(lambda row: client.post("/score", json=row), rows))
frames = [requests[i : i + 1] for i in range(len(requests))]
print("score_samples:", milliseconds(detector.score_samples, frames))
