"""The one interface of all backends, and how they are found.

Whatever compares or uses backends is written against these classes.  Arrays are NumPy's,
with the batch axis in front: `(N, C, H, W)`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from compiler.graph import Graph, Node
from compiler.ops.base import Op
from spec_lang.diagnostics import Diagnostic, Error, SpecError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Array = NDArray[np.floating[Any]]

GROUP = "cnnc.backends"


class BackendError(Error):
    """A backend that is missing, or cannot do what was asked (a dtype, say)."""


@dataclass(frozen=True)
class Gradients:
    """Derivatives of the scalar sum(output * output_gradient) over all outputs."""

    inputs: Mapping[str, Array]
    weights: Mapping[str, Array]


class Runnable(ABC):
    """A model that runs: named arrays in, named arrays out."""

    graph: Graph

    @abstractmethod
    def run(self, inputs: Mapping[str, Array], *, training: bool = False) -> dict[str, Array]:
        """The outputs for these inputs.

        `training` makes batchnorm use the batch's statistics (and update the running ones)
        and dropout drop; a backend that only infers refuses it with `BackendError`.
        """

    def gradients(
        self, inputs: Mapping[str, Array], output_gradients: Mapping[str, Array], *, training: bool = False
    ) -> Gradients:
        """Gradients of the trainable weights and of the inputs; `BackendError` where there are none."""
        raise BackendError(Diagnostic("E602", f"the backend {type(self).__module__} gives no gradients"))

    def weights(self) -> dict[str, Array]:
        """The weights as they are now (running statistics change while training)."""
        raise BackendError(
            Diagnostic("E602", f"the backend {type(self).__module__} does not give weights back")
        )


class Trainer(ABC):
    """A model under training: one step at a time.  The loop, the data and the schedule live elsewhere."""

    @abstractmethod
    def step(
        self, images: Array, labels: NDArray[np.integer[Any]], learning_rate: float
    ) -> tuple[float, Array]:
        """One optimisation step on a batch; the mean loss and the logits before the step."""

    @abstractmethod
    def predict(self, images: Array) -> Array:
        """The logits in inference mode."""

    @abstractmethod
    def weights(self) -> dict[str, Array]:
        """Dotted name -> array, all of them, running statistics included."""

    @abstractmethod
    def state(self) -> dict[str, Array]:
        """What the optimiser and the random generators need to go on exactly as before."""

    @abstractmethod
    def restore(self, weights: Mapping[str, Array], state: Mapping[str, Array]) -> None:
        """Go on from there."""


class Backend(ABC):
    """A target.  Found by an entry point of group `cnnc.backends`."""

    name: ClassVar[str]
    #: Float types that `load` takes.
    dtypes: ClassVar[tuple[str, ...]] = ("float32",)
    #: Packages that `load` imports, by the names under which they are imported.
    needs: ClassVar[tuple[str, ...]] = ()
    #: Whether `plan` gives a model that infers faster than that of `load`.
    plans: ClassVar[bool] = False

    @abstractmethod
    def covers(self) -> frozenset[type[Op]]:
        """The layers that it has an emitter for."""

    @abstractmethod
    def generate(self, graph: Graph, weights: Mapping[str, Array] | None = None) -> dict[str, str | bytes]:
        """File name -> content.  The graph has been checked with `check`."""

    @abstractmethod
    def load(self, graph: Graph, weights: Mapping[str, Array], dtype: str = "float32") -> Runnable:
        """A model that runs with these weights.  E601 for a dtype that it lacks."""

    def plan(self, graph: Graph, weights: Mapping[str, Array], dtype: str = "float32") -> Runnable:
        """A model for inference alone, made for speed; E616 where there is none beside that of `load`."""
        raise BackendError(
            Diagnostic(
                "E616",
                f"the backend `{self.name}` has no planned mode",
                help=(f"`{self.name}` runs without it",),
            )
        )

    def trainer(self, graph: Graph, weights: Mapping[str, Array], settings: Any, seed: int) -> Trainer:
        """A trainer for the settings of `compiler.training`; E603 where the backend does not train."""
        raise BackendError(Diagnostic("E603", f"the backend `{self.name}` does not train"))

    def refusals(self, node: Node) -> str | None:
        """Why this node cannot be honoured although its layer is covered; None if it can."""
        return None

    def check(self, graph: Graph, dtype: str = "float32") -> None:
        """Refuse, before anything is written, what this backend cannot honour: E600 at the layer, E601."""
        if dtype not in self.dtypes:
            raise BackendError(
                Diagnostic(
                    "E601",
                    f"the backend `{self.name}` has no {dtype}",
                    help=(f"it has {', '.join(self.dtypes)}",),
                )
            )
        covered = self.covers()
        problems = []
        for node in graph.nodes:
            reason = f"it has no `{node.op.name}`" if type(node.op) not in covered else self.refusals(node)
            if reason:
                problems.append(
                    Diagnostic("E600", f"the backend `{self.name}` cannot do this: {reason}", node.span)
                )
        if problems:
            raise SpecError(problems)


def not_installed(name: str, missing: ImportError) -> Exception:
    """E605 for a package that a backend needs; an import that fails within our own packages is a defect."""
    package = (missing.name or "").partition(".")[0]
    if package in ("spec_lang", "compiler", "backends", "cnnc"):
        return RuntimeError(f"the backend `{name}` is broken: {missing}")
    return BackendError(
        Diagnostic(
            "E605",
            f"the backend `{name}` needs a package that is not installed: {missing.name or missing}",
            help=(f'pip install "cnnc[{name}]"',),
        )
    )


def backends() -> dict[str, Any]:
    """Name -> entry point of every backend that is installed (not yet imported)."""
    from importlib.metadata import entry_points

    return {point.name: point for point in sorted(entry_points(group=GROUP), key=lambda p: p.name)}


def backend(name: str) -> Backend:
    """The backend of that name, imported now.  E604 for an unknown one, E605 if its framework is missing."""
    from spec_lang.diagnostics import nearest

    found = backends()
    if name not in found:
        near = nearest(name, found)
        raise BackendError(
            Diagnostic(
                "E604",
                f"there is no backend `{name}`",
                notes=(f"installed: {', '.join(found)}",),
                help=(f"did you mean `{near[0]}`?",) if near else (),
            )
        )
    try:
        made = found[name].load()()
    except ImportError as missing:
        raise not_installed(name, missing) from missing
    assert isinstance(made, Backend), f"{name} is not a Backend"
    return made
