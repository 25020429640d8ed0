"""The generated file, run: what computes here is what `cnnc compile` writes."""

from __future__ import annotations

import hashlib
import linecache
import sys
import types
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import numpy as np
import torch
from torch import Tensor, nn

from backends.base import BackendError, Gradients, Runnable
from backends.inputs import as_arrays, check_inputs, check_training, check_weights, trained
from backends.torch.emit import file_name, source_of
from compiler.graph import Graph
from spec_lang.diagnostics import Diagnostic

if TYPE_CHECKING:
    from backends.base import Array

DTYPES = {"float32": torch.float32, "float64": torch.float64}

#: From so many numbers on, making them costs more than making modules without numbers.
LARGE = 2_000_000


#: The modules of graphs that are in use, so that a large file is written once.
_MODULES: WeakKeyDictionary[Graph, types.ModuleType] = WeakKeyDictionary()


def generated(graph: Graph) -> types.ModuleType:
    """The generated file as a module.

    It is known to `sys.modules` under a name made of its content, since `torch.compile` and
    `pickle` look classes up there.
    """
    known = _MODULES.get(graph)
    if known is not None:
        return known
    source = source_of(graph)
    name = f"cnnc_generated_{hashlib.sha256(source.encode()).hexdigest()[:16]}"
    known = sys.modules.get(name)
    if known is not None:
        _MODULES[graph] = known
        return known
    made = types.ModuleType(name)
    file = f"<generated {file_name(graph)} {name[-16:]}>"
    sys.modules[name] = made
    try:
        exec(compile(source, file, "exec", dont_inherit=True), made.__dict__)
    except BaseException:
        del sys.modules[name]
        raise
    linecache.cache[file] = (len(source), None, source.splitlines(keepends=True), file)  # for tracebacks
    _MODULES[graph] = made
    return made


def module(graph: Graph, weights: Mapping[str, Array], dtype: str = "float32") -> nn.Module:
    """The model as a `torch.nn.Module` of its own, in inference mode, on the CPU.

    Raises `BackendError` E608 for weights that are missing or mis-shaped; those that only
    training uses may be missing, and then start as PyTorch makes them.
    """
    check_weights(graph, weights)
    kind = DTYPES[dtype]
    code = generated(graph)
    state = {name: tensor_of(weights[name], kind) for name in graph.weights if name in weights}
    complete = all(name in weights for name in graph.weights)
    # Nothing is computed for numbers that are replaced at once, if there are enough of them to matter.
    large = sum(weight.elements for weight in graph.weights.values()) > LARGE
    # Modules start with random numbers: the same ones every time, and nobody else's draws change.
    with torch.random.fork_rng(devices=[]), torch.device("meta" if complete and large else "cpu"):
        torch.default_generator.manual_seed(0)
        model: nn.Module = code.build_model()
    if complete:
        _assign(model, state)
    else:
        model.to(kind).load_state_dict({**model.state_dict(), **state})
    return model.eval()


def _assign(model: nn.Module, state: Mapping[str, Tensor]) -> None:
    """Put these tensors in the place of the model's own.

    `load_state_dict` does it in time that grows with the square of the number of layers.
    """
    for path, part in model.named_modules():
        prefix = f"{path}." if path else ""
        for name, parameter in part._parameters.items():
            if parameter is not None:
                made = nn.Parameter(state[prefix + name], requires_grad=parameter.requires_grad)
                part._parameters[name] = made
        for name, buffer in part._buffers.items():
            if buffer is not None:
                counter = name == "num_batches_tracked" and prefix + name not in state
                part._buffers[name] = torch.zeros((), dtype=torch.long) if counter else state[prefix + name]


def tensor_of(array: Any, dtype: torch.dtype) -> Tensor:
    """A tensor of its own with these numbers."""
    own = np.array(array, order="C")
    return torch.from_numpy(own.astype(own.dtype.newbyteorder("="), copy=False)).to(dtype)


class TorchRunnable(Runnable):
    """The generated model under the one interface, on the CPU (so that TF32 plays no part)."""

    def __init__(self, graph: Graph, weights: Mapping[str, Array], dtype: str = "float32") -> None:
        self.graph = graph
        self.dtype = DTYPES[dtype]
        self.model = module(graph, weights, dtype)
        self._given = frozenset(weights)

    def run(self, inputs: Mapping[str, Array], *, training: bool = False) -> dict[str, Array]:
        given = self._tensors(inputs, training)
        self.model.train(training)
        try:
            with torch.no_grad():
                outputs = self._outputs(given)
        finally:
            self.model.eval()
        return {name: value.numpy() for name, value in outputs.items()}

    def gradients(
        self, inputs: Mapping[str, Array], output_gradients: Mapping[str, Array], *, training: bool = False
    ) -> Gradients:
        given = {name: value.requires_grad_() for name, value in self._tensors(inputs, training).items()}
        self.model.train(training)
        try:
            outputs = self._outputs(given)
        finally:
            self.model.eval()
        seeds = self._seeds(outputs, output_gradients)
        named = dict(self.model.named_parameters())
        weights = {name: named[name] for name in trained(self.graph, training)}
        leaves = {
            **{("input", name): value for name, value in given.items()},
            **{("weight", name): value for name, value in weights.items()},
        }
        reached = [name for name in seeds if outputs[name].requires_grad]
        found = (
            torch.autograd.grad(
                [outputs[name] for name in reached],
                list(leaves.values()),
                [seeds[name] for name in reached],
                allow_unused=True,
            )
            if reached
            else ()
        )
        grads = dict(zip(leaves, found or [None] * len(leaves), strict=True))

        def array(kind: str, name: str, value: Tensor) -> Array:
            gradient = grads[kind, name]
            return (torch.zeros_like(value) if gradient is None else gradient).detach().numpy()

        return Gradients(
            inputs={name: array("input", name, value) for name, value in given.items()},
            weights={name: array("weight", name, value) for name, value in weights.items()},
        )

    def weights(self) -> dict[str, Array]:
        return weights_of(self.model, self.graph)

    def _tensors(self, inputs: Mapping[str, Array], training: bool) -> dict[str, Tensor]:
        graph = self.graph.with_training if training else self.graph
        arrays = as_arrays(inputs)
        check_inputs(graph, arrays)
        if training:
            check_training(graph, arrays, self._given)
        return {name: tensor_of(arrays[name], self.dtype) for name in graph.inputs}

    def _outputs(self, given: Mapping[str, Tensor]) -> dict[str, Tensor]:
        made = self.model(*given.values())
        if isinstance(made, Tensor):
            return {next(iter(self.graph.outputs)): made}
        return dict(made)

    @staticmethod
    def _seeds(outputs: Mapping[str, Tensor], given: Mapping[str, Array]) -> dict[str, Tensor]:
        """The gradients of the outputs as tensors.  E606 for an unknown output or another shape."""
        for name, array in given.items():
            if name not in outputs:
                raise BackendError(
                    Diagnostic(
                        "E606", f"the model has no output `{name}`", help=(f"outputs: {', '.join(outputs)}",)
                    )
                )
            if tuple(np.shape(array)) != tuple(outputs[name].shape):
                raise BackendError(
                    Diagnostic(
                        "E606",
                        f"the gradient of `{name}` is {tuple(np.shape(array))}, "
                        f"and the output is {tuple(outputs[name].shape)}",
                    )
                )
        return {name: tensor_of(array, outputs[name].dtype) for name, array in given.items()}


def weights_of(model: nn.Module, graph: Graph) -> dict[str, Array]:
    """Dotted name -> array, a copy, in the order of the graph; PyTorch's own counters are left out."""
    state: dict[str, Any] = model.state_dict()
    return {name: state[name].detach().cpu().numpy().copy() for name in graph.weights}
