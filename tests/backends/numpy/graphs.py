"""Graphs that the tests of this folder share, made without a spec."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from compiler.declare import Word
from compiler.graph import Graph, GraphBuilder, Value, Weight, restrict
from compiler.initial import Initialiser
from compiler.ops import OPS
from compiler.ops.base import TensorType

Array = np.ndarray


class Maker:
    """Layers one after the other: `maker("conv", x, path="conv1", filters=4, kernel=3)`."""

    def __init__(self, name: str = "net") -> None:
        self.builder = GraphBuilder(name)

    def input(self, name: str, *shape: int, free: tuple[str, ...] = ()) -> Value:
        spatial = len(shape) - 1
        kind = TensorType(shape, (False, *[bool(free)] * spatial))
        return self.builder.input(name, kind, free={extent: 1 + i for i, extent in enumerate(free)})

    def raw(self, name: str, *shape: int, trainable: bool = True) -> Value:
        return self.builder.parameter(Weight(name, shape, "weight", "weight", trainable, Initialiser("ones")))

    def __call__(
        self,
        layer: str,
        *xs: Value,
        path: str = "",
        training: bool = False,
        called: str = "",
        **arguments: object,
    ) -> Value:
        path = path or f"{layer}{1 + sum(node.op.name == layer for node in self.builder.nodes)}"
        arguments = {name: Word(v) if isinstance(v, str) else v for name, v in arguments.items()}
        (y,) = self.builder.apply(
            OPS[layer], xs, path=path, training=training, names=(called,) if called else (), **arguments
        )
        return y

    def graph(self, **more: object) -> Graph:
        outputs: dict[str, Value] = {name: v for name, v in more.items() if isinstance(v, Value)}
        return self.builder.build(outputs)


def weights_of(graph: Graph, seed: int = 3) -> dict[str, Array]:
    """Numbers of a size that keeps a deep net from growing; variances positive."""
    rng = np.random.default_rng(seed)
    made = {}
    for name, weight in graph.weights.items():
        array = rng.uniform(-1, 1, weight.shape) / max(1.0, np.sqrt(np.prod(weight.shape[1:])) / 2)
        made[name] = np.abs(array) + 0.5 if weight.role == "running_var" else array
    return made


def inputs_of(graph: Graph, batch: int = 3, seed: int = 4) -> dict[str, Array]:
    rng = np.random.default_rng(seed)
    return {name: rng.uniform(-1, 1, (batch, *value.shape)) for name, value in graph.inputs.items()}


def small_classifier(dropout: bool = False) -> Graph:
    """conv, batchnorm, relu, maxpool, a frozen conv, fc, softmax; with labels that carry dots."""
    m = Maker("small_net")
    x = m("conv", m.input("image", 2, 9, 8), path="stem.conv", filters=4, kernel=3, pad=1, bias=False)
    x = m("maxpool", m("relu", m("batchnorm", x, path="stem.bn")), kernel=2, round="floor")
    x = m("conv", x, path="fixed", filters=3, kernel=(2, 3), frozen=True)
    x = m("flatten", m("tanh", x))
    if dropout:
        x = m("dropout", x, p=0.4)
    return m.graph(probabilities=m("softmax", m("fc", x, path="head", features=5)))


def residual() -> Graph:
    """A value that the user named and that is used three times, a shared layer, a raw weight, two outputs."""
    m = Maker("residual")
    start = m.input("image", 4, 7, 6)
    skip = m("conv", start, path="conv1", filters=4, kernel=3, pad=1, called="skip")
    x = m("relu", skip)
    x = m("conv", x, path="shared", filters=4, kernel=1)
    x = m("add", x, skip)
    x = m("tanh", x)
    x = m("conv", x, path="shared", filters=4, kernel=1)
    x = m("multiply", x, m.raw("gain", 4, 1, 1), skip, m.raw("fixed_gain", 1, 7, 6, trainable=False))
    x = m("concat", m("identity", x), skip, start)
    return m.graph(features=x, mean=m("flatten", m("globalavgpool", x)))


def with_head() -> Graph:
    """An auxiliary head that exists in training alone, on a value that inference uses too."""
    m = Maker("with_head")
    x = m("tanh", m("conv", m.input("image", 2, 6, 5), path="conv1", filters=3, kernel=3), called="trunk")
    head = m("fc", m("flatten", x, training=True), path="aux.fc", features=4, training=True)
    main = m(
        "fc", m("flatten", m("relu", m("conv", x, path="conv2", filters=3, kernel=2))), path="fc", features=4
    )
    full = replace(m.graph(logits=main, aux=head), training=True)
    inference = restrict(
        full, [n for n in full.nodes if not n.training], outputs={"logits": main}, training=False
    )
    weights = {name: replace(w, training=name.startswith("aux")) for name, w in full.weights.items()}
    return replace(inference, weights=weights, training_graph=replace(full, weights=weights))


def named_in_training() -> Graph:
    """An output that training alone has, of a value that inference makes anyway."""
    m = Maker("named_in_training")
    x = m("tanh", m.input("image", 2, 3))
    full = replace(m.graph(y=m("sigmoid", x), inner=x), training=True)
    return replace(full, outputs={"y": full.outputs["y"]}, training=False, training_graph=full)
