"""
Log and load models with MLflow
===============================

MLflow saves scikit-learn models with skops, which opens only types that it trusts. ``skops_trusted_types`` names those
of skae. A loaded model gives the same scores as the logged one.
"""

import tempfile
from pathlib import Path

import mlflow
import numpy as np
from sklearn.datasets import load_breast_cancer
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PowerTransformer

import skae

data = load_breast_cancer(as_frame=True)
benign, malignant = data.data[data.target == 1], data.data[data.target == 0]
train, new = train_test_split(benign, test_size=100, random_state=0)
parameters = {"novelty": True, "contamination": 0.02, "random_state": 0}
detector = skae.AutoencoderOutlierDetector(**parameters)
pipeline = make_pipeline(PowerTransformer(), detector).fit(train)

# %%
# Log the pipeline
# ----------------
#
# Here runs go to a database in a temporary folder; leave out the first three lines to use yours. With
# ``pip_requirements``, MLflow does not need to import the model in a new process to find its requirements.

folder = Path(tempfile.mkdtemp(prefix="skae-mlflow-"))
mlflow.set_tracking_uri(f"sqlite:///{(folder / 'runs.db').as_posix()}")
mlflow.set_experiment(experiment_id=mlflow.create_experiment("cells", (folder / "models").as_uri()))

with mlflow.start_run():
    mlflow.log_params(parameters)
    scores = [-pipeline.score_samples(rows) for rows in (new, malignant)]
    is_malignant = np.repeat([0, 1], [len(new), len(malignant)])
    mlflow.log_metric("roc_auc", roc_auc_score(is_malignant, np.concatenate(scores)))
    logged = mlflow.sklearn.log_model(
        pipeline,
        name="detector",
        skops_trusted_types=skae.SKOPS_TRUSTED,
        pip_requirements=[f"skae[skops]=={skae.__version__}"],
        signature=mlflow.models.infer_signature(train),
    )

print(mlflow.search_runs()[["params.novelty", "params.contamination", "metrics.roc_auc"]])

# %%
# Load it
# -------
#
# Load it as the original pipeline, or as MLflow's generic model, which ``mlflow models serve`` runs. The generic model
# has only ``predict``: +1 and -1 for a detector, reconstructed rows for a transformer. To serve codes, log the graph of
# :func:`skae.to_onnx` with ``mlflow.onnx``.

loaded = mlflow.sklearn.load_model(logged.model_uri)
generic = mlflow.pyfunc.load_model(logged.model_uri)
print("same scores:", np.array_equal(loaded.score_samples(new), pipeline.score_samples(new)))
print("same labels:", np.array_equal(generic.predict(new), pipeline.predict(new)))
