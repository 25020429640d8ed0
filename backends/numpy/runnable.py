"""The NumPy backend: what is run is the file that is written, or a plan (see `plan/`) for inference alone."""

from __future__ import annotations

import linecache
import types
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar
from weakref import WeakKeyDictionary

import numpy as np

from backends.base import Backend, BackendError, Gradients, Runnable, Trainer
from backends.inputs import as_arrays, check_inputs, check_training, check_weights, trained
from backends.inspection import checked
from backends.numpy.emit import EMITTERS
from backends.numpy.emit.module import class_name, file_name, module_source
from compiler.graph import Graph
from compiler.ops.base import Op
from spec_lang.diagnostics import Diagnostic

if TYPE_CHECKING:
    from backends.base import Array


class NumpyBackend(Backend):
    """One self-contained file per model, which needs nothing but NumPy."""

    name: ClassVar[str] = "numpy"
    dtypes: ClassVar[tuple[str, ...]] = ("float32", "float64")
    plans: ClassVar[bool] = True

    def covers(self) -> frozenset[type[Op]]:
        return frozenset(EMITTERS)

    def generate(self, graph: Graph, weights: Mapping[str, Array] | None = None) -> dict[str, str | bytes]:
        """`{"<model>.py": source}`; weights come in when the model is made, so they do not matter here."""
        self.check(graph.with_training)
        return {file_name(graph): checked(module_source(graph), self.name)}

    def load(self, graph: Graph, weights: Mapping[str, Array], dtype: str = "float32") -> NumpyRunnable:
        self.check(graph.with_training, dtype)
        return NumpyRunnable(graph, weights, dtype)

    def plan(self, graph: Graph, weights: Mapping[str, Array], dtype: str = "float32") -> Runnable:
        from backends.numpy.plan import PlannedRunnable

        self.check(graph, dtype)
        return PlannedRunnable(graph, weights, dtype)

    def trainer(self, graph: Graph, weights: Mapping[str, Array], settings: Any, seed: int) -> Trainer:
        from backends.numpy.train import NumpyTrainer

        self.check(graph.with_training)
        return NumpyTrainer(graph, weights, settings, seed)


#: The classes of graphs that are in use: writing and compiling a large file takes longer than running it.
_CLASSES: WeakKeyDictionary[Graph, type[Any]] = WeakKeyDictionary()


def generated_class(graph: Graph) -> type[Any]:
    """The class of the generated file, in a module of its own that nothing else can import."""
    known = _CLASSES.get(graph)
    if known is not None:
        return known
    source, name = module_source(graph), f"<generated {file_name(graph)}>"
    module = types.ModuleType(file_name(graph).removesuffix(".py"))
    exec(compile(source, name, "exec", dont_inherit=True), module.__dict__)
    linecache.cache[name] = (len(source), None, source.splitlines(keepends=True), name)  # for tracebacks
    made: type[Any] = getattr(module, class_name(graph))
    _CLASSES[graph] = made
    return made


class NumpyRunnable(Runnable):
    """The generated model under the one interface.

    `model` is the instance of the generated class.  Raises `BackendError`: E606 and E607 for
    inputs, E608 for weights that are missing or mis-shaped.
    """

    def __init__(
        self, graph: Graph, weights: Mapping[str, Array], dtype: str = "float32", seed: int = 0
    ) -> None:
        self.graph = graph
        self.dtype = np.dtype(dtype)
        check_weights(graph, weights)
        made = generated_class(graph)
        used = {name: np.asarray(array) for name, array in weights.items() if name in graph.weights}
        self.model = made(used, self.dtype.type)
        self.seed(seed)

    def seed(self, seed: int) -> None:
        """Start the generator of dropout anew."""
        if hasattr(self.model, "generator"):
            self.model.generator = np.random.default_rng(seed)

    def run(self, inputs: Mapping[str, Array], *, training: bool = False) -> dict[str, Array]:
        return self._forward(inputs, training, keep=False)

    def gradients(
        self, inputs: Mapping[str, Array], output_gradients: Mapping[str, Array], *, training: bool = False
    ) -> Gradients:
        outputs = self._forward(inputs, training, keep=True)
        for name in output_gradients:
            if name not in outputs:
                raise BackendError(
                    Diagnostic(
                        "E606", f"the model has no output `{name}`", help=(f"outputs: {', '.join(outputs)}",)
                    )
                )
        full = {
            name: np.asarray(output_gradients.get(name, np.zeros_like(array)), array.dtype)
            for name, array in outputs.items()
        }
        for name, array in outputs.items():
            if full[name].shape != array.shape:
                raise BackendError(
                    Diagnostic(
                        "E606",
                        f"the gradient of `{name}` is {full[name].shape}, and the output is {array.shape}",
                    )
                )
        given = full if self._several else next(iter(full.values()))
        weights, grads = self.model.backward(given)
        # What is used for its size alone (`like`) has no way back: its gradient is zero.
        own = self.model.weights
        return Gradients(
            inputs={
                name: grads[name] if name in grads else np.zeros(np.shape(inputs[name]), self.dtype)
                for name in self.graph.inputs
            },
            weights={
                name: weights[name] if name in weights else np.zeros_like(own[name])
                for name in trained(self.graph, training)
            },
        )

    def weights(self) -> dict[str, Array]:
        return {name: array.copy() for name, array in self.model.weights.items()}

    @property
    def _several(self) -> bool:
        """Whether the generated class gives its outputs by name."""
        return len(self.graph.with_training.outputs) > 1

    def _forward(self, inputs: Mapping[str, Array], training: bool, keep: bool) -> dict[str, Array]:
        arrays = as_arrays(inputs)
        graph = self.graph.with_training if training else self.graph
        check_inputs(graph, arrays)
        if training:
            check_training(graph, arrays, self.model.weights)
        given = self.model.forward(*(arrays[name] for name in graph.inputs), training=training, keep=keep)
        if self._several:
            outputs: dict[str, Array] = given
            return outputs
        return {next(iter(graph.outputs)): given}
