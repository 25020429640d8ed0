"""One network on every backend, and against PyTorch's own functions: values, gradients, statistics."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.overrides import TorchFunctionMode

from backends.base import backend
from backends.numpy.plan import PlannedRunnable
from backends.numpy.runnable import NumpyRunnable
from backends.onnx.runnable import OnnxRunnable
from backends.torch.runnable import TorchRunnable, generated
from cnnc.comparison import compare
from cnnc.verification import EXACT, SINGLE, another_size, varied_weights
from compiler.graph import Graph, Node
from compiler.load import load
from compiler.ops.norm import BatchNorm
from compiler.passes.fold_batchnorm import fold_batchnorm
from compiler.passes.remove_dead_code import remove_dead_code
from spec_lang.diagnostics import SpecError
from spec_lang.source import Source
from tests.backends.numpy import torch_layers
from tests.generator import metamorphic
from tests.generator.findings import Examined
from tests.generator.kinks import near_kinks
from tests.generator.meaning import accepted

Array = NDArray[np.floating[Any]]
Arrays = dict[str, Array]

SINGLE_MAX = float(np.finfo(np.float32).max)


def _moved(made: torch.Tensor, rounding: torch.Generator) -> torch.Tensor:
    """The numbers, each a few units in the last place off."""
    return made * (1 + 1e-15 * torch.randn(made.shape, generator=rounding, dtype=made.dtype))


class _Rounding(TorchFunctionMode):
    """Where functions are at work that no two libraries round alike, their results are rounded otherwise."""

    _FUNCTIONS = ("tanh", "sigmoid", "softplus", "gelu", "silu", "elu", "selu", "mish", "softmax", "log_softmax")

    def __init__(self, rounding: torch.Generator) -> None:
        super().__init__()
        self.rounding = rounding

    def __torch_function__(
        self, function: Any, types: Any, args: Any = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        made = function(*args, **(kwargs or {}))
        name = getattr(function, "__name__", "")
        if name == "gelu":
            # PyTorch's x / 2 (1 + erf(x / sqrt 2)) cancels below zero: off by units in the last place of x.
            x = args[0]
            made = made + 1e-16 * x * torch.randn(x.shape, generator=self.rounding, dtype=x.dtype)
        return _moved(made, self.rounding) if name in self._FUNCTIONS else made


class Numbers:
    """One graph on every backend, with the same weights and inputs: drawn, or those given."""

    def __init__(self, made: Examined, graph: Graph, inputs: Arrays | None = None) -> None:
        self.made, self.graph = made, graph
        self.weights: Arrays = varied_weights(graph, made.seed)
        self.inputs = inputs_of(graph, made.seed) if inputs is None else inputs
        self.numpy = NumpyRunnable(graph, self.weights, "float64")
        self.torch = TorchRunnable(graph, self.weights, "float64")
        self.answer = self.numpy.run(self.inputs)

    def agree(
        self, kind: str, got: Mapping[str, Array], answer: Mapping[str, Array], tolerance: float = EXACT
    ) -> None:
        if list(got) != list(answer):
            self.made.found(kind, f"{list(got)} instead of {list(answer)}")
            return
        for name, wanted in answer.items():
            one = compare(kind, name, np.asarray(got[name]), np.asarray(wanted, np.float64), tolerance)
            if not one.passed and (one.problem or one.error > 1e-12):
                if self.unstable:
                    self.made.skipped.append(f"{kind}: rounding decides the result")
                    return
                self.made.found(
                    kind,
                    f"`{name}` {one.shape}: {one.problem or f'off by {one.relative:.3g} at {one.where}'}",
                )
                return

    @cached_property
    def unstable(self) -> bool:
        """Whether the last bits of weights and inputs decide the result: then there is nothing to compare."""
        return self._shakes(lambda model, inputs: model.run(inputs), self.graph)

    def _shakes(self, asked: Callable[[TorchRunnable, Arrays], Mapping[str, Array]], graph: Graph) -> bool:
        """Whether what PyTorch gives moves where weights, inputs and what its modules and functions make do,
        by a few units in the last place.

        A network may divide what is zero but for rounding by its own size, and so on: the images of a batch
        that a saturated sigmoid has made alike differ by how a product of matrices rounds each of them.
        """
        double = {k: v.astype(np.float64) for k, v in self.weights.items()}
        still = asked(TorchRunnable(graph, double, "float64"), self.inputs)
        overall = max((float(np.abs(array).max(initial=0)) for array in still.values()), default=0.0)
        for seed in range(4):
            rng = np.random.default_rng([seed, 13])

            def shaken(arrays: Mapping[str, Array], rng: np.random.Generator = rng) -> Arrays:
                return {k: v * (1 + 1e-15 * rng.standard_normal(v.shape)) for k, v in arrays.items()}

            rounding = torch.Generator().manual_seed(seed)

            def rounded(_: Any, __: Any, made: Any, rounding: torch.Generator = rounding) -> Any:
                return _moved(made, rounding) if isinstance(made, torch.Tensor) else made

            model = TorchRunnable(graph, shaken(double), "float64")
            for module in model.model.modules():
                module.register_forward_hook(rounded)
            with _Rounding(rounding):
                moved = asked(model, shaken(self.inputs))
            for name, array in still.items():
                size = max(float(np.abs(array).max(initial=0)), 1e-3 * overall)
                if not np.abs(moved[name] - array).max(initial=0) <= EXACT / 10 * size:
                    return True
        return False

    def forward(self) -> None:
        shapes = {name: array.shape[1:] for name, array in self.answer.items()}
        declared = {name: value.shape for name, value in self.graph.outputs.items()}
        if shapes != declared:
            self.made.found("shapes", f"{shapes} instead of {declared}")
        fresh = {name: tuple(t.shape) for name, t in generated(self.graph).build_model().state_dict().items()}
        for name, weight in self.graph.weights.items():
            if fresh.get(name) != weight.shape:
                self.made.found("shapes of weights", f"`{name}`: {fresh.get(name)} instead of {weight.shape}")
        self.agree("forward of torch", self.torch.run(self.inputs), self.answer)
        try:
            reference = functional(self.graph, self.weights, self.inputs)
        except RuntimeError as error:
            self.made.found("PyTorch's layers", str(error).splitlines()[0])
        else:
            self.agree("forward of PyTorch's layers", reference, self.answer)
        alone = {name: array[:1] for name, array in self.inputs.items()}
        if all(v.type.rows == "batch" for v in self.graph.inputs.values()):
            first = {name: array[:1] for name, array in self.answer.items()}
            self.agree("a batch of one", self.numpy.run(alone), first)
            self.agree("a batch of one, torch", self.torch.run(alone), first)

    def planned(self) -> None:
        """NumPy's planned mode: the numbers of the reference, whatever its buffers held before."""
        model = PlannedRunnable(self.graph, self.weights, "float64")
        self.agree("planned mode", model.run(self.inputs), self.answer)
        alone = {name: array[:1] for name, array in self.inputs.items()}
        if all(v.type.rows == "batch" for v in self.graph.inputs.values()):
            first = {name: array[:1] for name, array in self.answer.items()}
            self.agree("planned mode, a batch of one", model.run(alone), first)
        poison(model)
        self.agree("planned mode, used before", model.run(self.inputs), self.answer)
        shapes = another_size(self.graph)
        if shapes is not None:
            inputs = inputs_of(self.graph, self.made.seed, shapes)
            self.agree("planned mode, another size", model.run(inputs), self.numpy.run(inputs))
        single = {name: array.astype(np.float32) for name, array in self.inputs.items()}
        self.within_single("planned mode, float32", PlannedRunnable(self.graph, self.weights).run(single))

    def gradients(self) -> None:
        self.backward(training=False)

    def training(self) -> None:
        self.backward(training=True)

    def backward(self, training: bool) -> None:
        """Gradients against autograd; in training also what comes out, and the running statistics."""
        mode = "training" if training else "inference"
        graph, weights, inputs = self.graph, self.weights, self.inputs
        one, other = self.numpy, self.torch
        if training:
            graph = load(Source("random.cnn", metamorphic.without_dropout(self.made.text)))
            if any(
                isinstance(n.op, BatchNorm) and _statistics(n, inputs) < 2 for n in graph.with_training.nodes
            ):
                return
            one, other = NumpyRunnable(graph, weights, "float64"), TorchRunnable(graph, weights, "float64")
        results = one.run(inputs, training=training)
        theirs = other.run(inputs, training=training)
        apart = any(not compare("", n, theirs[n], results[n], EXACT).passed for n in results if n in theirs)
        if training and apart and self._shakes(lambda model, given: model.run(given, training=True), graph):
            self.made.skipped.append("training: rounding decides the result")
            return
        self.agree(f"forward in {mode}", theirs, results)
        if training:
            # Both have moved their running statistics once, from the same ones.
            running = [n for n, w in graph.weights.items() if w.role.startswith("running")]
            moved, wanted = one.weights(), other.weights()
            for name in running:
                # A variance of nearly nothing is a difference of squares: measured by the mean's size.
                size = max(1.0, float(np.abs(wanted[name]).max()), float(np.abs(moved[name]).max()))
                if np.abs(moved[name] - wanted[name]).max() <= EXACT * size:
                    continue

                def statistics(model: TorchRunnable, given: Arrays, name: str = name) -> Arrays:
                    model.run(given, training=True)
                    return {name: model.weights()[name]}

                if self._shakes(statistics, graph):
                    self.made.skipped.append("running statistics: rounding decides them")
                else:
                    self.made.found(
                        "running statistics", f"`{name}`: {moved[name]} instead of {wanted[name]}"
                    )
        rng = np.random.default_rng([self.made.seed, 77])
        seeds = {name: rng.standard_normal(array.shape) for name, array in results.items()}
        mine = one.gradients(inputs, seeds, training=training)
        known = other.gradients(inputs, seeds, training=training)
        # As the trainer asks for them.
        whole = seeds if len(graph.with_training.outputs) > 1 else next(iter(seeds.values()))
        alone, none = one.model.backward(whole, inputs=False)
        for name, gradient in mine.weights.items():
            if not np.array_equal(alone.get(name, np.zeros_like(gradient)), gradient, equal_nan=True) or none:
                self.made.found(f"weights alone in {mode}", f"`{name}`: not what they are beside the inputs'")
        every = [*known.inputs.values(), *known.weights.values()]
        # What cancels, as the gradient through a norm of one number does, is zero but for the rounding of
        # what it is made of: of that the largest gradient anywhere tells the size.
        room = 1e-14 * max((float(np.abs(g).max(initial=0)) for g in every), default=0.0)
        for what, got, wanted in (
            ("inputs", mine.inputs, known.inputs),
            ("weights", mine.weights, known.weights),
        ):
            if not self._same_gradients(
                f"gradients of {what} in {mode}", got, wanted, graph, seeds, training, room
            ):
                return

    def _same_gradients(
        self,
        kind: str,
        got: Mapping[str, Array],
        wanted: Mapping[str, Array],
        graph: Graph,
        seeds: Arrays,
        training: bool,
        room: float,
    ) -> bool:
        """Against the largest of each, with room for what is zero but for rounding."""
        # What only training uses has a gradient of zero in inference, or none.
        got = {name: got.get(name, np.zeros_like(array)) for name, array in wanted.items()} | dict(got)
        wanted = {name: wanted.get(name, np.zeros_like(array)) for name, array in got.items()}
        overall = max((float(np.abs(g).max(initial=0)) for g in wanted.values()), default=0.0) + 1.0
        for name, answer in wanted.items():
            mine = np.asarray(got[name])
            if mine.shape != answer.shape:
                self.made.found(kind, f"`{name}`: shape {mine.shape} instead of {answer.shape}")
                return False
            off = float(np.abs(mine - answer).max(initial=0))
            if not off <= max(EXACT * max(float(np.abs(answer).max(initial=0)), 1e-3 * overall), room):
                whole = graph.with_training if training else graph
                near = near_kinks(whole, self.weights, self.inputs, training)

                def gradients(model: TorchRunnable, inputs: Arrays) -> dict[str, Array]:
                    given = model.gradients(inputs, seeds, training=training)
                    return {**{f"input {k}": v for k, v in given.inputs.items()}, **given.weights}

                if near or self._shakes(gradients, graph):
                    self.made.skipped.append(f"{kind}: {near or 'rounding decides the result'}")
                    return False
                self.made.found(kind, f"`{name}`: off by {off:.3g} of {np.abs(answer).max(initial=0):.3g}")
                return False
        return True

    def onnx(self, kind: str = "onnxruntime") -> None:
        """onnxruntime in float32, by the rule of the project."""
        if not self.exportable:
            return
        got = OnnxRunnable(self.graph, self.weights, threads=1).run(
            {k: v.astype(np.float32) for k, v in self.inputs.items()}
        )
        self.within_single(kind, got)

    def within_single(self, kind: str, got: Arrays) -> None:
        for name, wanted in self.answer.items():
            one = compare(kind, name, got[name], wanted, SINGLE)
            if one.passed:
                continue
            if self.unstable:
                self.made.skipped.append(f"{kind}: rounding decides the result")
                return
            same = TorchRunnable(self.graph, self.weights, "float32").run(self.inputs)
            other = compare("torch float32", name, same[name], wanted, SINGLE)
            if other.problem or (one.problem and self.largest**2 > SINGLE_MAX):
                self.made.skipped.append(f"{kind}: float32 cannot hold it")
                return
            if one.problem or one.relative > max(SINGLE, 20 * other.relative):
                if not one.problem and one.relative <= 2 * self.moved_by_rounding(name):
                    self.made.skipped.append(f"{kind}: the rounding of single precision decides the result")
                    return
                detail = (
                    one.problem or f"off by {one.relative:.3g} at {one.where}, torch by {other.relative:.3g}"
                )
                self.made.found(kind, f"`{name}` {one.shape}: {detail}")

    @cached_property
    def largest(self) -> float:
        """The largest number that any layer gives, whose square lrn and the norms may ask for."""
        sizes = [0.0]

        def seen(_: Node, y: torch.Tensor) -> torch.Tensor:
            sizes.append(float(y.abs().max()) if y.numel() else 0.0)
            return y

        functional(self.graph, self.weights, self.inputs, seen)
        return max(sizes)

    def moved_by_rounding(self, name: str) -> float:
        """How far an output moves, relative to its largest number, where each layer rounds as kernels do.

        onnxruntime's Sigmoid is off by 6e-7, for one, and its Selu takes 1 from e^x, however small the result;
        a norm of what hardly varies makes that large.
        """
        moved = 0.0
        for seed in range(4):
            noise = torch.Generator().manual_seed(seed)

            def rounded(node: Node, y: torch.Tensor, noise: torch.Generator = noise) -> torch.Tensor:
                largest = float(y.abs().max()) if y.numel() else 0.0
                size = max(1.0, largest) if node.op.elementwise else largest
                return y + 1e-6 * size * (2 * torch.rand(y.shape, generator=noise, dtype=y.dtype) - 1)

            got = functional(self.graph, self.weights, self.inputs, rounded)
            moved = max(moved, compare("rounded", name, got[name], self.answer[name], 0.0).relative)
        return moved

    def passes(self) -> None:
        double = {name: array.astype(np.float64) for name, array in self.weights.items()}
        folded, numbers, changed = fold_batchnorm(self.graph, double)
        if changed:
            self.agree(
                "folded, numpy", NumpyRunnable(folded, numbers, "float64").run(self.inputs), self.answer
            )
            self.agree(
                "folded, torch", TorchRunnable(folded, numbers, "float64").run(self.inputs), self.answer
            )
            single = {name: array.astype(np.float32) for name, array in numbers.items()}
            if self.exportable:
                self.within_single(
                    "folded, onnxruntime", OnnxRunnable(folded, single, threads=1).run(self.inputs)
                )
        live, changed = remove_dead_code(self.graph)
        if changed:
            self.agree(
                "without dead code, numpy",
                NumpyRunnable(live, self.weights, "float64").run(self.inputs),
                self.answer,
            )
            self.agree(
                "without dead code, torch",
                TorchRunnable(live, self.weights, "float64").run(self.inputs),
                self.answer,
            )
            if self.exportable:
                self.within_single(
                    "without dead code, onnxruntime",
                    OnnxRunnable(live, self.weights, threads=1).run(self.inputs),
                )

    @property
    def exportable(self) -> bool:
        """Whether ONNX takes it: a few layers need to know an extent that is free, and are refused by name."""
        try:
            backend("onnx").check(self.graph)
        except SpecError as error:
            if not self.graph.free or {d.code for d in error.diagnostics} != {"E600"}:
                raise
            self.made.skipped.append(f"onnx: {error.diagnostics[0].message}")
            return False
        return True

    def sizes(self) -> None:
        """Where extents are free: another size on all three."""
        shapes = another_size(self.graph)
        if shapes is None:
            return
        other = Numbers(self.made, self.graph, inputs_of(self.graph, self.made.seed, shapes))
        other.agree("another size, torch", other.torch.run(other.inputs), other.answer)
        other.onnx("another size, onnxruntime")

    def heads(self) -> None:
        """Loaded with `training = true`: the outputs of training on every backend, in inference mode.

        Without it neither those outputs nor their weights are there, and the others are the same numbers.
        """
        if self.graph.training_graph is None:
            return
        graph = load(Source("random.cnn", self.made.text), training=True)
        other = Numbers(self.made, graph, self.inputs)
        used = {name for node in self.graph.nodes for name in node.weights.values()}
        heads = {name for name, weight in graph.weights.items() if weight.training}
        if used & heads:
            self.made.found("heads: weights in inference", ", ".join(sorted(used & heads)))
        shared = {name: array for name, array in other.answer.items() if name in self.graph.outputs}
        self.agree("heads: the other outputs", shared, self.answer)
        if not graph.outputs.keys() > self.graph.outputs.keys():
            self.made.found("heads: outputs", f"{list(graph.outputs)} beside {list(self.graph.outputs)}")
        for stage in ("forward", "planned", "gradients", "onnx", "passes"):
            getattr(other, stage)()

    def transforms(self) -> None:
        """The same network written otherwise: the same numbers at the same costs."""
        for name, text in metamorphic.variants(self.made.text, self.made.seed):
            changed = self.made.attempt(f"{name}: check", lambda text=text: accepted(text))
            if changed is None:
                continue
            costs = (self.graph.params, self.graph.macs, len(self.graph.weights))
            if (changed.params, changed.macs, len(changed.weights)) != costs:
                self.made.found(
                    f"{name}: costs", f"{changed.params} params, {changed.macs} MACs instead of {costs}"
                )
                continue
            renamed = dict(zip(changed.weights, self.weights.values(), strict=True))
            if any(w.shape != renamed[n].shape for n, w in changed.weights.items()):
                self.made.found(f"{name}: weights", "other shapes")
                continue
            self.agree(name, NumpyRunnable(changed, renamed, "float64").run(self.inputs), self.answer, 1e-11)


def poison(model: PlannedRunnable) -> None:
    """Not-a-number into all memory of its plans."""
    for plan in model.plans():
        for memory in plan.memory:
            memory.fill(0xFF)


def _statistics(node: Any, inputs: Mapping[str, Array]) -> int:
    """How many numbers a channel of a batchnorm has."""
    x = node.inputs[0].type
    rows = len(inputs[x.rows]) if x.rows in inputs else len(next(iter(inputs.values())))
    return rows * x.elements // x.shape[0]


def inputs_of(graph: Graph, seed: int, shapes: Mapping[str, tuple[int, ...]] | None = None) -> Arrays:
    """Standard normal inputs: three rows, five where an input has rows of its own."""
    made = {}
    for position, (name, value) in enumerate(graph.inputs.items()):
        rng = np.random.default_rng([seed, position, 5])
        rows = 3 if value.type.rows != name else 5
        shape = value.shape if shapes is None else shapes[name]
        made[name] = rng.standard_normal((rows, *shape)).astype(np.float32).astype(np.float64)
    return made


def functional(
    graph: Graph,
    weights: Arrays,
    inputs: Arrays,
    after: Callable[[Node, torch.Tensor], torch.Tensor] = lambda _, y: y,
) -> Arrays:
    """The outputs by PyTorch's own functions, written apart from the emitters; `after` each layer."""
    if any(n.op.name not in torch_layers.LAYERS for n in graph.nodes):
        missing = sorted({n.op.name for n in graph.nodes} - set(torch_layers.LAYERS))
        raise RuntimeError(f"no reference for {missing}")
    given = {k: torch.from_numpy(v.copy()) for k, v in inputs.items()}
    own = {k: torch.from_numpy(v.astype(np.float64)) for k, v in weights.items()}
    with torch.no_grad():
        return {k: v.numpy() for k, v in torch_layers.outputs(graph, given, own, after=after).items()}
