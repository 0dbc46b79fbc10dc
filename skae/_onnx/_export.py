"""Torch modules as parts of the graphs that skl2onnx makes."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from skae._support._torch import no_autocast

# The lowest version of the ONNX operators that torch's exporter can write.
OPSET = 18


def add_module(module: nn.Module, scope: Any, operator: Any, container: Any) -> None:
    """Add the nodes and initialisers that compute the outputs of the operator by the module.

    Parameters
    ----------
    module : torch.nn.Module
        Takes rows of one floating-point dtype and returns the outputs as a tuple.
    scope, operator, container
        The arguments that skl2onnx passes to a converter. The inputs are rows, or columns that are joined to rows.
    """
    inputs, outputs = operator.inputs, operator.outputs
    # Integers become float64, as in scikit-learn.
    dtype = np.result_type(np.float32, *map(_dtype, inputs))
    examples = [torch.from_numpy(np.zeros((2, variable.type.shape[1]), _dtype(variable))) for variable in inputs]
    whole = _WithDtypes(module, _torch_dtype(dtype), [_torch_dtype(_dtype(variable)) for variable in outputs]).eval()
    with torch.no_grad(), no_autocast(), _quiet():
        # A first call fills cached properties with values. During the export they would become symbolic.
        whole(examples)
        try:
            program = torch.onnx.export(
                whole,
                (examples,),
                input_names=[variable.full_name for variable in inputs],
                output_names=[variable.full_name for variable in outputs],
                opset_version=OPSET,
                dynamo=True,
                dynamic_shapes=([{0: torch.export.Dim.DYNAMIC}] * len(inputs),),
                custom_translation_table={torch.ops.aten.scalar_tensor.default: _scalar_tensor},
                verbose=False,
            )
        except torch.onnx.OnnxExporterError as error:
            raise NotImplementedError(
                "to_onnx cannot convert a network that torch.onnx.export cannot convert. The error above says why. "
                "Branches and shapes must not depend on the input: see the notes in the documentation of to_onnx."
            ) from error
    assert program is not None
    add_prefix, prefix = import_module("onnx.compose").add_prefix, f"{scope.get_unique_operator_name('skae')}."
    graph = add_prefix(program.model_proto, prefix, rename_inputs=False, rename_outputs=False).graph
    for node in graph.node:
        container.nodes.extend(_erf_in_float32(node) if node.op_type == "Erf" else [node])
    container.initializers.extend(graph.initializer)
    container.node_domain_version_pair_sets.add(("", OPSET))


class _WithDtypes(nn.Module):
    """A module that takes columns of any dtype, joins them to rows, and returns outputs of the given dtypes."""

    def __init__(self, module: nn.Module, dtype: torch.dtype, output_dtypes: Sequence[torch.dtype]) -> None:
        super().__init__()
        self._module, self._dtype, self._output_dtypes = module, dtype, output_dtypes

    def forward(self, columns: list[Tensor]) -> tuple[Tensor, ...]:
        outputs = self._module(torch.cat([column.to(self._dtype) for column in columns], 1))
        return tuple(output.to(dtype) for output, dtype in zip(outputs, self._output_dtypes, strict=True))


def _scalar_tensor(s: float, dtype: int, layout: str = "", device: str = "", pin_memory: bool = False) -> Any:
    """A Python number in the dtype of the other operand; the exporter's own function would round it to float32."""
    value = import_module("onnx.helper").make_tensor("", dtype, [], [s])
    return import_module("onnxscript").opset18.Constant(value=value)


def _erf_in_float32(node: Any) -> list[Any]:
    """Compute the error function in float32, because onnxruntime has no other version."""
    helper, FLOAT = import_module("onnx.helper"), import_module("onnx").TensorProto.FLOAT
    [x], [y] = node.input, node.output
    return [
        helper.make_node("Cast", [x], [f"{y}_argument"], to=FLOAT),
        helper.make_node("Erf", [f"{y}_argument"], [f"{y}_value"]),
        helper.make_node("CastLike", [f"{y}_value", x], [y]),
    ]


def _dtype(variable: Any) -> Any:
    return import_module("skl2onnx.common.data_types").guess_numpy_type(variable.type)


def _torch_dtype(dtype: Any) -> torch.dtype:
    return torch.from_numpy(np.empty(0, dtype)).dtype


@contextmanager
def _quiet() -> Iterator[None]:
    """Suppress what torch's exporter logs about torchvision, and warnings about its own code."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
