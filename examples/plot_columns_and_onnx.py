"""
Columns by name, codes with names, an ONNX graph
================================================

A :class:`~sklearn.compose.ColumnTransformer` selects columns of scikit-learn's diabetes data by name, and an
autoencoder reduces each row to three components. The codes are a DataFrame with names, and :func:`skae.to_onnx`
converts the pipeline to a graph that computes them without Python.
"""

import numpy as np
import onnxruntime
from sklearn.compose import make_column_transformer
from sklearn.datasets import load_diabetes
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, PowerTransformer, StandardScaler

import skae

table = load_diabetes(as_frame=True, scaled=False).data.astype({"sex": int})
train, new = train_test_split(table, test_size=100, random_state=0)
prepare = make_column_transformer(
    (OneHotEncoder(drop="if_binary", sparse_output=False), ["sex"]),
    (StandardScaler(), ["age", "bmi", "bp"]),
    (PowerTransformer(), ["s1", "s2", "s3", "s4", "s5", "s6"]),
)
pipeline = make_pipeline(prepare, skae.AutoencoderTransformer(3, random_state=0))
codes = pipeline.set_output(transform="pandas").fit(train).transform(new)
print(codes.head(3).round(2))
print("the autoencoder's input:", *pipeline[0].get_feature_names_out())
print("its codes:", *pipeline.get_feature_names_out())

# %%
# The graph
# ---------
#
# If columns are selected by name, pass ``X`` as a DataFrame: each of its columns becomes an input of the graph, with
# its name and dtype. A batch is then a dictionary of columns, each of shape (n_rows, 1).

graph = skae.to_onnx(pipeline, train.astype(np.float32).astype({"sex": np.int64}))
session = onnxruntime.InferenceSession(graph.SerializeToString())
print("inputs:", *(f"{value.name} {value.type}" for value in session.get_inputs()))


def batch(rows):
    return {
        value.name: rows[[value.name]].to_numpy(np.int64 if "int64" in value.type else np.float32)
        for value in session.get_inputs()
    }


(from_graph,) = session.run(None, batch(new))
difference = np.abs(from_graph - codes).max(axis=None) / codes.to_numpy().std()
print(f"the graph's codes differ by at most {difference:.0e} standard deviations")
