"""Named operations on weights from elsewhere, for what differs on purpose.

- `head`: another number of classes.  What depends on it keeps its initial values; the rest is taken.
- `fc_to_conv`: fully connected layers of the file are convolutions over the whole map in the model.
- `bgr_to_rgb`: the first convolution's input channels lie the other way (weights that came from Caffe).

They say, before a number is read, what is to be done with whom; `cnnc.weights_io` does it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from math import prod

from compiler.graph import Graph, Node, Value
from compiler.ops.conv import Conv
from compiler.ops.reshape import Pad
from spec_lang.diagnostics import Diagnostic, nearest
from spec_lang.frozen import field, frozen

Shape = tuple[int, ...]

HEAD, FC_TO_CONV, BGR_TO_RGB = "head", "fc_to_conv", "bgr_to_rgb"

#: Name -> what it does, as it follows its name in a sentence.
OPERATIONS = {
    HEAD: "keeps initial values where the number of classes is another one",
    FC_TO_CONV: "takes fully connected weights for convolutions",
    BGR_TO_RGB: "turns the input channels of the first convolution round",
}


@frozen
class Misfit:
    """A weight whose shape in the file is not the graph's."""

    name: str
    wanted: Shape
    found: Shape

    def __str__(self) -> str:
        return f"{self.name} {list(self.found)} to {list(self.wanted)}"


@frozen
class Adapted:
    """What operations do with weights whose shape differs.

    Attributes:
        misshaped: what still does not fit.
        views: what is taken in another shape of as many numbers.
        head: what keeps its initial values.
        reversed: whose input channels are turned round.
        remedies: misshaped name -> the operation, not asked for, that it needs.
        mistakes: operations that do not exist, cannot be done, or find nothing to do.
    """

    misshaped: tuple[Misfit, ...] = ()
    views: tuple[Misfit, ...] = ()
    head: tuple[Misfit, ...] = ()
    reversed: tuple[str, ...] = ()
    remedies: Mapping[str, str] = field(default_factory=dict)
    mistakes: tuple[Diagnostic, ...] = ()


def adapted(graph: Graph, misshaped: Sequence[Misfit], present: Collection[str],
            operations: Collection[str]) -> Adapted:
    """What the operations make of the weights that the file has in another shape.

    A matrix may need both: a view as a convolution, which then has another number of classes.
    `present` are the weights that the file has at all.
    """
    unknown = tuple(_unknown(name) for name in operations if name not in OPERATIONS)
    if unknown:
        return Adapted(tuple(misshaped), mistakes=unknown)
    views = _views(graph, misshaped)
    seen = [Misfit(m.name, m.wanted, views.get(m.name, m.found)) for m in misshaped]
    heads = _head(graph, [m for m in seen if m.found != m.wanted])
    rest: list[Misfit] = []
    taken: list[Misfit] = []
    kept: list[Misfit] = []
    remedies: dict[str, str] = {}
    used: set[str] = set()
    for m in misshaped:
        needed = [name for name, able in ((FC_TO_CONV, views), (HEAD, heads)) if m.name in able]
        if not needed or (m.name not in heads and views[m.name] != m.wanted):
            rest.append(m)
        elif not set(needed) <= set(operations):
            rest.append(m)
            remedies[m.name] = next(name for name in needed if name not in operations)
        else:
            used.update(needed)
            (kept if HEAD in needed else taken).append(m)
    mistakes = [Diagnostic("E520", f"`{name}` changes nothing: {why}") for name, why in _IDLE.items()
                if name in operations and name not in used]
    turned: tuple[str, ...] = ()
    if BGR_TO_RGB in operations:
        first, problem = _first_layer(graph)
        turned = tuple(name for name in first if name in present)
        if problem is None and not turned:
            problem = f"the file has no `{first[0]}`"
        if problem is not None:
            mistakes.append(Diagnostic("E520", f"`{BGR_TO_RGB}` cannot be done: {problem}"))
    return Adapted(tuple(rest), tuple(taken), tuple(kept), turned, remedies, tuple(mistakes))


#: What is said of an operation that found nothing to do.
_IDLE = {
    HEAD: "no weight differs in its number of classes alone",
    FC_TO_CONV: "no weight of a convolution is a matrix of as many numbers in the file",
}


def _unknown(name: str) -> Diagnostic:
    near = nearest(name, OPERATIONS)
    return Diagnostic("E520", f"there is no operation `{name}` on weights",
                      notes=(f"operations: {', '.join(OPERATIONS)}",),
                      help=(f"did you mean `{near[0]}`?",) if near else ())


# ---- fc_to_conv -----------------------------------------------------------------------------


def _views(graph: Graph, misshaped: Sequence[Misfit]) -> dict[str, Shape]:
    """Name -> shape as a convolution's, for every matrix in the file that has as many numbers for a filter.

    A map is flattened channel by channel, and [filters, channels, kernel...] lies in that order too, so that
    it is a view.  In a grouped convolution a filter does not see all of the map.
    """
    if not any(len(m.found) == 2 and len(m.wanted) > 2 for m in misshaped):
        return {}
    convs = {node.weights["weight"] for node in graph.with_training.nodes
             if isinstance(node.op, Conv) and node.op.groups == 1}
    views = {}
    for m in misshaped:
        if m.name in convs and len(m.found) == 2 and m.found[1] == prod(m.wanted[1:]):
            views[m.name] = (m.found[0], *m.wanted[1:])
    return views


# ---- head -----------------------------------------------------------------------------------


def _owned(node: Node) -> list[str]:
    """The weights that a node uses: its own, and raw ones that flow in."""
    return [*node.weights.values(), *(value.weight for value in node.inputs if value.weight is not None)]


def _head(graph: Graph, misshaped: Sequence[Misfit]) -> set[str]:
    """The misshaped weights that differ because the number of classes does.

    From every output, backwards: the last layers with weights, if what differs is how many channels they
    make; and those before them, where as many channels go in.
    """
    wrong = {misfit.name: misfit for misfit in misshaped}
    whole = graph.with_training
    found: set[str] = set()
    visited: set[Node] = set()
    stack: list[Value] = list(whole.outputs.values()) if wrong else []
    while stack:
        node = whole.producer.get(stack.pop())
        if node is None or node in visited:
            continue
        visited.add(node)
        owned = _owned(node)
        if owned:
            misfits = [wrong[name] for name in owned if name in wrong]
            if not misfits or not all(_of_classes(misfit) for misfit in misfits):
                continue
            found.update(misfit.name for misfit in misfits)
            if not _hands_on(graph, node, misfits):
                continue
        stack += node.inputs
    return found


def _of_classes(misfit: Misfit) -> bool:
    """Whether the channels that come out differ, and nothing else: weights lie [out, in, ...].

    The channels that go in may differ as well if they do by the same numbers (from classes to classes).
    """
    if len(misfit.wanted) != len(misfit.found) or not misfit.wanted:
        return False
    pairs = list(zip(misfit.found, misfit.wanted, strict=True))
    differ = [axis for axis, (found, wanted) in enumerate(pairs) if found != wanted]
    return differ[0] == 0 and max(differ) <= 1 and len({pairs[axis] for axis in differ}) == 1


def _hands_on(graph: Graph, node: Node, misfits: Sequence[Misfit]) -> bool:
    """Whether a layer of the head has as many channels coming in, so that what is before may be of it too."""
    mixing = [name for name in _owned(node) if graph.weights[name].role == "weight"
              and len(graph.weights[name].shape) > 1]
    depthwise = isinstance(node.op, Conv) and 1 < node.op.groups == node.inputs[0].shape[0]
    return not mixing or depthwise or any(
        m.found[1] != m.wanted[1] for m in misfits if m.name in mixing)


def classifier_weights(graph: Graph) -> frozenset[str]:
    """The weights of the last layers that have some, before every output."""
    found: set[str] = set()
    visited: set[Node] = set()
    stack: list[Value] = list(graph.outputs.values())
    while stack:
        node = graph.producer.get(stack.pop())
        if node is None or node in visited:
            continue
        visited.add(node)
        owned = _owned(node)
        found.update(owned)
        if not owned:
            stack += node.inputs
    return frozenset(found)


# ---- bgr_to_rgb -----------------------------------------------------------------------------


def _first_layer(graph: Graph) -> tuple[tuple[str, ...], str | None]:
    """The weights of the convolutions that see an image before anything else does, and why there are none."""
    whole = graph.with_training
    images = [value for value in whole.inputs.values() if len(value.shape) > 2 and value.shape[0] == 3]
    if not images:
        shown = ", ".join(f"`{name}` is {value.type}" for name, value in whole.inputs.items())
        return (), f"no input is an image of 3 channels: {shown}"
    names: dict[str, None] = {}
    for image in images:
        stack = [image]
        while stack:
            for node in whole.uses.get(stack.pop(), ()):
                if isinstance(node.op, Conv) and node.op.groups == 1:
                    names[node.weights["weight"]] = None
                elif _keeps_channels(node):
                    stack += node.outputs
                else:
                    groups = f" of {node.op.groups} groups" if isinstance(node.op, Conv) else ""
                    return (), (f"`{node.name}` ({node.op.name}{groups}) sees `{image.name}` before a "
                                "convolution has mixed its channels")
    return tuple(names), None if names else "no convolution sees the image"


def _keeps_channels(node: Node) -> bool:
    """Whether it does the same to every channel, whichever comes first."""
    return (node.op.elementwise or isinstance(node.op, Pad)) and len(node.inputs) == 1 and not node.weights
