"""ONNX graphs written as arithmetic on symbols.

onnx is imported inside functions only: skae works without it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import numpy as np

# The operators used are those of this version. It is the first whose reductions all take axes as an input.
OPSET = 18


class Graph:
    """Nodes and constants are added to the container that skl2onnx hands to converters."""

    def __init__(self, scope: Any, container: Any) -> None:
        self._scope, self._container = scope, container

    def constant(self, values: Any, dtype: Any) -> Symbol:
        array = np.ascontiguousarray(np.asarray(values, dtype)).reshape(np.shape(values))
        name = self._scope.get_unique_variable_name("constant")
        tensor = import_module("onnx.numpy_helper").from_array(array, name)
        self._container.add_initializer(name, tensor.data_type, array.shape, tensor)
        return Symbol(self, name, array.dtype)

    def nodes(self, op: str, inputs: Sequence[Symbol], n_outputs: int, attributes: dict[str, Any]) -> list[str]:
        """Add a node; the names of its outputs."""
        outputs = [self._scope.get_unique_variable_name(op.lower()) for _ in range(n_outputs)]
        self._add(op, inputs, outputs, attributes)
        return outputs

    def name_output(self, symbol: Symbol, name: str) -> None:
        """Make a symbol an output of the converted estimator."""
        self._add("Identity", [symbol], [name], {})

    def _add(self, op: str, inputs: Sequence[Symbol], outputs: list[str], attributes: dict[str, Any]) -> None:
        names = [symbol.name for symbol in inputs]
        self._container.add_node(
            op, names, outputs, name=self._scope.get_unique_operator_name(op), op_version=OPSET, **attributes
        )


@dataclass(frozen=True)
class Symbol:
    """What a node returns. Operands that are arrays or numbers become constants of the symbol's dtype."""

    graph: Graph
    name: str
    dtype: np.dtype

    # So that `array - symbol` is asked of the symbol.
    __array_ufunc__ = None

    def apply(self, op: str, *others: Any, dtype: Any = None, attributes: dict[str, Any] | None = None) -> Symbol:
        """A node with this symbol as first input and one output, of the same dtype unless another one is given."""
        inputs = [self, *(self._symbol(other) for other in others)]
        return Symbol(self.graph, self.graph.nodes(op, inputs, 1, attributes or {})[0], np.dtype(dtype or self.dtype))

    def _symbol(self, operand: Any) -> Symbol:
        return operand if isinstance(operand, Symbol) else self.graph.constant(operand, self.dtype)

    def indices(self, values: int | Sequence[int] | np.ndarray) -> Symbol:
        """Axes, columns or widths as a constant."""
        return self.graph.constant(values, np.int64)

    def __add__(self, other: Any) -> Symbol:
        return self.apply("Add", other)

    def __sub__(self, other: Any) -> Symbol:
        return self.apply("Sub", other)

    def __mul__(self, other: Any) -> Symbol:
        return self.apply("Mul", other)

    def __truediv__(self, other: Any) -> Symbol:
        return self.apply("Div", other)

    def __matmul__(self, other: Any) -> Symbol:
        return self.apply("MatMul", other)

    def __neg__(self) -> Symbol:
        return self.apply("Neg")

    def __lt__(self, other: Any) -> Symbol:
        return self.apply("Less", other, dtype=bool)

    def __le__(self, other: Any) -> Symbol:
        return self.apply("LessOrEqual", other, dtype=bool)

    def square(self) -> Symbol:
        return self * self

    def cast(self, dtype: Any) -> Symbol:
        dtype = np.dtype(dtype)
        if dtype == self.dtype:
            return self
        code = import_module("onnx.helper").np_dtype_to_tensor_dtype(dtype)
        return self.apply("Cast", dtype=dtype, attributes={"to": code})

    def clip(self, low: float | np.ndarray, high: float | np.ndarray) -> Symbol:
        """Between bounds, which may be arrays."""
        return self.apply("Max", low).apply("Min", high)

    def where(self, true: Any, false: Symbol) -> Symbol:
        """Where this symbol, which is boolean, holds."""
        chosen = true if isinstance(true, Symbol) else self.graph.constant(true, false.dtype)
        return self.apply("Where", chosen, false, dtype=false.dtype)

    def reduce(self, op: str, axis: int, keepdims: bool = False) -> Symbol:
        """One of the reductions along an axis: "ReduceSum", "ReduceMean", "ReduceMin" or "ReduceMax"."""
        return self.apply(op, self.indices([axis]), attributes={"keepdims": int(keepdims)})

    def total(self, axis: int, keepdims: bool = False) -> Symbol:
        return self.reduce("ReduceSum", axis, keepdims)

    def mean(self, axis: int, keepdims: bool = False) -> Symbol:
        return self.reduce("ReduceMean", axis, keepdims)

    def columns(self, start: int, stop: int) -> Symbol:
        """Some columns of a matrix."""
        return self.apply("Slice", *(self.indices([value]) for value in (start, stop, 1)))

    def take(self, indices: np.ndarray) -> Symbol:
        """Columns of a matrix by their indices."""
        return self.apply("Gather", self.indices(indices), attributes={"axis": 1})

    def expanded(self, axis: int) -> Symbol:
        """With a new axis."""
        return self.apply("Unsqueeze", self.indices([axis]))

    def beside(self, *others: Symbol) -> Symbol:
        """Joined along the last axis."""
        return self.apply("Concat", *others, attributes={"axis": -1})

    def extreme(self, count: int, *, largest: bool) -> tuple[Symbol, Symbol]:
        """The largest or smallest numbers of each row, sorted, and their columns."""
        attributes = {"axis": 1, "largest": int(largest)}
        values, indices = self.graph.nodes("TopK", [self, self.indices([count])], 2, attributes)
        return Symbol(self.graph, values, self.dtype), Symbol(self.graph, indices, np.dtype(np.int64))

    def at(self, columns: Symbol) -> Symbol:
        """Of each row the numbers in the columns that are its own."""
        return self.apply("GatherElements", columns, attributes={"axis": 1})
