"""Fitted estimators as ONNX graphs."""
