"""What a classifier is trained on: the scores before a final softmax."""

from __future__ import annotations

from backends.base import BackendError
from compiler.graph import Graph, Node, Value, restrict
from compiler.ops.activation import LogSoftmax, Softmax
from compiler.ops.reshape import Identity
from spec_lang.diagnostics import Diagnostic


def logits_graph(graph: Graph) -> Graph:
    """The same model with the logits as its output, and only what they need.

    A final `softmax` or `logsoftmax` over the classes is left out: cross-entropy on logits
    does its work, and does it without the logarithm of small numbers.  All weights stay declared.

    Raises `BackendError` E820 where there is no vector of class scores, or not one input and one output.
    """
    name, output = next(iter(graph.outputs.items()))
    value = _before_softmax(graph, output)
    if len(graph.outputs) != 1:
        names = ", ".join(f"`{other}`" for other in graph.outputs)
        raise _misfit(f"the model has the outputs {names}, and a classifier has one", output)
    if len(graph.inputs) != 1:
        raise _misfit(f"the model has {len(graph.inputs)} inputs, and a data set of images has one", output)
    if len(graph.with_training.outputs) > len(graph.outputs):
        extra = [o for o in graph.with_training.outputs if o not in graph.outputs]
        raise _misfit(f"the model has {_listed(extra)} in training, and the loss is of one output", output)
    if value.type.rank != 1 or any(value.type.free):
        raise _misfit(f"the output `{name}` is {value.type}, not a vector of class scores", output)
    return restrict(graph, _needed(graph, value), outputs={name: value}, training_graph=None)


def _before_softmax(graph: Graph, value: Value) -> Value:
    """Follows the value back over identities and one softmax over the classes."""
    met = False
    while (node := graph.producer.get(value)) is not None:
        softmax = isinstance(node.op, (Softmax, LogSoftmax)) and node.op.axis == 0 and not met
        if not (softmax or isinstance(node.op, Identity)):
            break
        met = met or softmax
        value = node.inputs[0]
    return value


def _needed(graph: Graph, value: Value) -> set[Node]:
    """The nodes on which the value depends."""
    found: set[Node] = set()
    queue = [value]
    while queue:
        node = graph.producer.get(queue.pop())
        if node is not None and node not in found:
            found.add(node)
            queue.extend(node.inputs)
    return found


def _misfit(message: str, output: Value) -> BackendError:
    return BackendError(Diagnostic("E820", message, output.span))


def _listed(names: list[str]) -> str:
    return "further outputs " + ", ".join(f"`{name}`" for name in names)
