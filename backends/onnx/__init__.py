"""ONNX: a graph as one file, and onnxruntime to run it.  Nothing of either is imported before it is used."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from backends.base import Backend, BackendError, Runnable, not_installed
from compiler.graph import Graph, Node
from compiler.ops.base import Op
from spec_lang.diagnostics import Diagnostic, SpecError

if TYPE_CHECKING:
    from numpy.typing import NDArray


class OnnxBackend(Backend):
    """Files for onnxruntime and whatever else reads ONNX; float32, inference alone."""

    name: ClassVar[str] = "onnx"
    dtypes: ClassVar[tuple[str, ...]] = ("float32",)
    needs: ClassVar[tuple[str, ...]] = ("onnx", "onnxruntime")

    def covers(self) -> frozenset[type[Op]]:
        from backends.onnx.emit import EMITTERS

        return frozenset(EMITTERS)

    def refusals(self, node: Node) -> str | None:
        from backends.onnx.emit import refusal

        return refusal(node)

    def check(self, graph: Graph, dtype: str = "float32") -> None:
        """As every backend; besides, float64 says why not, and all tensors share one space of names."""
        if dtype == "float64":
            raise BackendError(Diagnostic(
                "E601", "the backend `onnx` has no float64: onnxruntime has no double-precision convolution",
                help=("use float32 here, or float64 with `numpy` or `torch`",)))
        super().check(graph, dtype)
        counts = Counter([*graph.inputs, *graph.outputs, *graph.weights])
        twice = sorted(name for name, count in counts.items() if count > 1)
        if twice:
            raise SpecError([Diagnostic(
                "E600", f"the backend `onnx` cannot do this: `{name}` names two of inputs, outputs, weights",
                _place(graph, name), help=("rename one: in ONNX all tensors share one space of names",))
                for name in twice])

    def generate(self, graph: Graph,
                 weights: Mapping[str, NDArray[Any]] | None = None) -> dict[str, str | bytes]:
        """`<model>.onnx`; without weights, with the initial ones of seed 0."""
        self.check(graph)
        try:
            from backends.onnx.model import build
        except ImportError as missing:
            raise not_installed("onnx", missing) from missing
        if weights is None:
            from compiler.initial import initial_weights

            weights = initial_weights(graph, seed=0)
        else:
            from backends.inputs import check_weights

            check_weights(graph, weights)
        return {f"{graph.name}.onnx": build(graph, weights).content()}

    def load(self, graph: Graph, weights: Mapping[str, NDArray[Any]], dtype: str = "float32", *,
             threads: int = 0) -> Runnable:
        """Runs the file that `generate` gives on onnxruntime; `threads` = 0 leaves their number to it."""
        self.check(graph, dtype)
        try:
            from backends.onnx.runnable import OnnxRunnable
        except ImportError as missing:
            raise not_installed("onnx", missing) from missing
        return OnnxRunnable(graph, weights, threads=threads)


def _place(graph: Graph, name: str) -> Any:
    value = graph.outputs.get(name) or graph.inputs.get(name)
    return value.span if value is not None else None


__all__ = ["OnnxBackend"]
