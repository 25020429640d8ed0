"""Which of the parts that published networks are made of a graph has, whatever it was written as."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from compiler.graph import Graph, Node, Value

#: What lies between a pool and the factors made of it.
SQUEEZING = {"conv", "fc", "flatten", "reshape", "relu", "silu", "hardswish", "identity"}


class Parts:
    """A graph with its training sections, asked what it is made of."""

    def __init__(self, graph: Graph) -> None:
        self.inference, self.graph = graph, graph.with_training
        self.makers = {value: node for node in self.graph.nodes for value in node.outputs}
        self.before: dict[Value, set[Value]] = {}
        for node in self.graph.nodes:
            known = {v for x in node.inputs for v in (x, *self.before.get(x, ()))}
            for value in node.outputs:
                self.before[value] = known

    def found(self) -> set[str]:
        return {name for name, holds in PARTS.items() if holds(self)}

    def named(self, name: str) -> Iterator[Node]:
        return (node for node in self.graph.nodes if node.op.name == name)

    def source(self, value: Value) -> Value:
        """What a value is, without the identities on the way."""
        node = self.makers.get(value)
        return self.source(node.inputs[0]) if node is not None and node.op.name == "identity" else value

    def joined(self, node: Node) -> list[Value]:
        return [self.source(value) for value in node.inputs]

    def dense(self, progressive: bool) -> bool:
        """A concat that holds an earlier one's parts: the earlier one itself, or those parts anew.

        What it holds beside them is made of that earlier one.
        """
        concats = list(self.named("concat"))
        for later in concats:
            parts = self.joined(later)
            for earlier in concats:
                result = earlier.output
                held = {result} if progressive else set(self.joined(earlier))
                more = [v for v in parts if v not in held]
                if held <= set(parts) and more and len(held) + len(more) > (1 if progressive else 2):
                    if result in self.before[later.output] and all(
                        result in self.before.get(v, ()) for v in more
                    ):
                        return True
        return False

    def gated(self, weights: str) -> bool:
        """What is multiplied by factors for its channels that are made of its own means."""
        for node in self.named("multiply"):
            for value, gate in (self.joined(node), self.joined(node)[::-1]) if len(node.inputs) == 2 else ():
                layers = self.back_to_pool(gate)
                if layers is not None and layers[0] is value and layers[1].count(weights) == 2:
                    return True
        return False

    def back_to_pool(self, gate: Value) -> tuple[Value, list[str]] | None:
        """The map that a gate is made of, and the layers between; none if it is no gate."""
        names: list[str] = []
        maker = self.makers.get(gate)
        while maker is not None and len(maker.inputs) == 1:
            names.append(maker.op.name)
            source = self.source(maker.inputs[0])
            if maker.op.name in ("globalavgpool", "globalmaxpool"):
                squashed = {"sigmoid", "hardsigmoid"} & set(names)
                return (source, names) if squashed else None
            if maker.op.name not in SQUEEZING | {"sigmoid", "hardsigmoid"}:
                return None
            maker = self.makers.get(source)
        return None

    def heads(self) -> int:
        """Outputs of training alone, with weights of their own, on a map that inference makes on its way."""
        own = {v for n in self.graph.nodes if n.training for v in n.outputs}
        on_the_way = {v for out in self.inference.outputs.values() for v in self.before.get(out, ())}
        made = {v for v in on_the_way if v in self.makers and self.before[v]}
        ends = [v for k, v in self.graph.outputs.items() if k not in self.inference.outputs]
        weighted = [n.output for n in self.graph.nodes if n.training and n.weights]
        return sum(
            v in own and any(w is v or w in self.before[v] for w in weighted) and bool(self.before[v] & made)
            for v in ends
        )

    def shuffled(self) -> bool:
        """Channels shuffled after a concat or a convolution in groups."""
        for node in self.named("channelshuffle"):
            maker = self.makers.get(self.source(node.inputs[0]))
            grouped = maker is not None and getattr(maker.op, "groups", 1) > 1
            if node.op.groups > 1 and maker is not None and (grouped or maker.op.name == "concat"):  # type: ignore[attr-defined]
                return True
        return False

    def dropped(self) -> bool:
        """A sum with a part that is dropped for whole images."""
        for node in self.named("add"):
            makers = [self.makers.get(v) for v in self.joined(node)]
            if len(makers) > 1 and any(m is not None and getattr(m.op, "mode", "") == "path" for m in makers):
                return True
        return False


PARTS: dict[str, Callable[[Parts], bool]] = {
    "dense, one concat after another": lambda p: p.dense(progressive=True),
    "dense, all joined at once": lambda p: p.dense(progressive=False),
    "squeeze and excitation by convolutions": lambda p: p.gated("conv"),
    "squeeze and excitation by fully connected layers": lambda p: p.gated("fc"),
    "an auxiliary head": lambda p: p.heads() > 0,
    "two auxiliary heads": lambda p: p.heads() > 1,
    "a shuffle of halves or groups": Parts.shuffled,
    "stochastic depth": Parts.dropped,
}


def parts(graph: Graph) -> set[str]:
    return Parts(graph).found()
