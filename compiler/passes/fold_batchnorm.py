"""Fold a batch normalisation into the convolution before it, for inference.

At inference it is y = (x - mean) * f + bias with f = weight / sqrt(var + eps) per channel; behind a
convolution that is the same convolution with its filters times f and the bias
(b - mean) * f + bias.  The numbers are computed in float64 and rounded once.

Rules:
1. A `batchnorm` goes if its input is made by a `conv`, and nothing else uses that input.
2. It stays if that input is an output of the model: it would change.
3. It stays if the conv's weights serve another application too (`shared`), or the normalisation
   is of a graph for training, where its statistics are those of the batch.
4. A conv without a bias gets one, `<path>.bias`; if something else has that name, the
   normalisation stays.
5. The result keeps the normalisation's value, and so the name of an output; the weights of a
   normalisation that nobody else uses are dropped.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from compiler.graph import Graph, Node, Weight, with_nodes
from compiler.initial import default_initialiser
from compiler.ops.conv import Conv
from compiler.ops.norm import BatchNorm
from spec_lang.frozen import replace

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Weights = Mapping[str, NDArray[Any]]


def fold_batchnorm(graph: Graph, weights: Weights) -> tuple[Graph, dict[str, NDArray[Any]], bool]:
    """The graph and weights with what can be folded folded, and whether there was any.

    The weights that are not touched are the same arrays, not copies.
    """
    made = dict(weights)
    pairs = _pairs(graph)
    if not pairs:
        return graph, made, False
    swaps: dict[Node, Node | None] = {}
    declared = dict(graph.weights)
    for conv, norm in pairs:
        folded = _folded(conv, norm)
        declared[folded.weights["bias"]] = _bias(graph, conv, folded)
        made.update(_numbers(conv, norm, folded, weights))
        swaps[conv], swaps[norm] = None, folded
    swapped = with_nodes(graph, swaps)
    used = {name for node in swapped.nodes for name in node.weights.values()} | {
        value.weight for node in swapped.nodes for value in node.inputs if value.weight is not None}
    dropped = {name for _, norm in pairs for name in norm.weights.values()} - used
    for name in dropped:
        declared.pop(name, None)
        made.pop(name, None)
    order = [*(n for n in graph.weights if n in declared), *(n for n in declared if n not in graph.weights)]
    result = replace(swapped, weights={name: declared[name] for name in order}, training_graph=None)
    return result, {name: made[name] for name in order if name in made}, True


def _pairs(graph: Graph) -> list[tuple[Node, Node]]:
    """The convolutions and normalisations that rules 1 to 4 leave."""
    if graph.training:
        return []
    times = Counter(name for node in graph.nodes for name in node.weights.values())
    raw = {value.weight for node in graph.nodes for value in node.inputs}
    outputs = set(graph.outputs.values())
    taken = set(graph.weights)
    found = []
    for norm in graph.nodes:
        conv = graph.producer.get(norm.inputs[0])
        if not isinstance(norm.op, BatchNorm) or conv is None or not isinstance(conv.op, Conv):
            continue
        if len(graph.uses[conv.output]) > 1 or conv.output in outputs:  # rules 1 and 2
            continue
        if any(times[name] > 1 or name in raw for name in conv.weights.values()):  # rule 3
            continue
        if not conv.op.bias and _bias_name(conv) in taken:  # rule 4
            continue
        taken.add(_bias_name(conv))
        found.append((conv, norm))
    return found


def _bias_name(conv: Node) -> str:
    return f"{conv.path}.bias" if conv.path else "bias"


def _folded(conv: Node, norm: Node) -> Node:
    """The convolution that makes the normalisation's value."""
    assert isinstance(conv.op, Conv)
    weights = {"weight": conv.weights["weight"], "bias": conv.weights.get("bias", _bias_name(conv))}
    return replace(conv, op=replace(conv.op, bias=True), outputs=norm.outputs, weights=weights)


def _bias(graph: Graph, conv: Node, folded: Node) -> Weight:
    name = folded.weights["bias"]
    if name in graph.weights:
        return graph.weights[name]
    like = graph.weights[conv.weights["weight"]]
    return replace(like, name=name, shape=like.shape[:1], role="bias", fan_in=0, fan_out=0,
                   initialiser=default_initialiser("bias"))


def _numbers(conv: Node, norm: Node, folded: Node, weights: Weights) -> dict[str, NDArray[Any]]:
    """The folded filters and bias, in the type of the filters."""
    import numpy as np

    assert isinstance(norm.op, BatchNorm)

    def own(node: Node, name: str, default: float) -> NDArray[Any]:
        dotted = node.weights.get(name)
        count = norm.inputs[0].shape[0]
        return np.full(count, default) if dotted is None else np.asarray(weights[dotted], np.float64)

    filters = weights[conv.weights["weight"]]
    factor = own(norm, "weight", 1.0) / np.sqrt(own(norm, "running_var", 1.0) + norm.op.eps)
    scaled = np.asarray(filters, np.float64) * factor.reshape(-1, *(1,) * (filters.ndim - 1))
    bias = (own(conv, "bias", 0.0) - own(norm, "running_mean", 0.0)) * factor + own(norm, "bias", 0.0)
    return {folded.weights["weight"]: scaled.astype(filters.dtype),
            folded.weights["bias"]: bias.astype(filters.dtype)}
