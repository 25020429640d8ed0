"""A graph as one PyTorch file that imports torch alone.

`emit/` writes the file, `modules/` holds what PyTorch lacks, `runnable.py` runs the file,
`train.py` trains it.  PyTorch is imported where it is used: writing source needs none.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from backends.base import Backend, Runnable, Trainer, not_installed
from backends.inspection import checked
from backends.torch.emit import EMITTERS, file_name, source_of
from compiler.graph import Graph
from compiler.ops.base import Op

if TYPE_CHECKING:
    from backends.base import Array


class TorchBackend(Backend):
    """Idiomatic `nn.Module` classes; runs and trains."""

    name: ClassVar[str] = "torch"
    dtypes: ClassVar[tuple[str, ...]] = ("float32", "float64")
    needs: ClassVar[tuple[str, ...]] = ("torch",)

    def covers(self) -> frozenset[type[Op]]:
        return frozenset(EMITTERS)

    def generate(self, graph: Graph, weights: Mapping[str, Array] | None = None) -> dict[str, str | bytes]:
        """`{"<model>.py": source}`; weights come in when the model is made, so they do not matter here."""
        self.check(graph.with_training)
        return {file_name(graph): checked(source_of(graph), self.name)}

    def load(self, graph: Graph, weights: Mapping[str, Array], dtype: str = "float32") -> Runnable:
        self.check(graph.with_training, dtype)
        _need_torch()
        from backends.torch.runnable import TorchRunnable

        return TorchRunnable(graph, weights, dtype)

    def trainer(self, graph: Graph, weights: Mapping[str, Array], settings: Any, seed: int) -> Trainer:
        self.check(graph.with_training)
        _need_torch()
        from backends.torch.train import TorchTrainer

        return TorchTrainer(graph, weights, settings, seed)


def _need_torch() -> None:
    """E605 if PyTorch is not installed."""
    try:
        import torch  # noqa: F401
    except ImportError as missing:
        raise not_installed("torch", missing) from missing


__all__ = ["TorchBackend"]
