"""A random spec as a tree of steps, each of which knows its text and what it does to the types that flow."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from compiler.ops import OPS
from compiler.ops.base import TensorType
from tests.generator.sim import Block, Body, Code, LayerOf, Refused, SharedOf, Sim, Step, run

INDENT = "    "


def lines(body: Body) -> list[str]:
    """The text of a body, one level deep."""
    made: list[str] = []
    before: Step | None = None
    for step in body:
        own = step.lines()
        joined = before is not None and step.joined and step.chains and before.chains
        if joined and len(made[-1]) + len(own[0]) < 96:
            made[-1] += f" -> {own[0]}"
            made += own[1:]
        elif joined:
            made += [f"{INDENT}-> {own[0]}", *own[1:]]
        else:
            made += own
        before = step
    return made


def braced(head: str, body: Body) -> list[str]:
    return [f"{head} {{", *(INDENT + line for line in lines(body)), "}"]


def arguments(given: Sequence[tuple[str | None, Code]]) -> str:
    return ", ".join(code.text if name is None else f"{name} = {code.text}" for name, code in given)


def labelled(label: str, text: str) -> str:
    return f"{label}: {text}" if label else text


@dataclass
class Apply(Step):
    """`label: name(arguments) as names`."""

    name: str
    given: Sequence[tuple[str | None, Code]] = ()
    label: str = ""
    names: Sequence[str] = ()

    def run(self, sim: Sim) -> None:
        values = [(name, sim.evaluate(code)) for name, code in self.given]
        target = sim.target(self.name)
        if isinstance(target, SharedOf) and (self.label or values):
            raise Refused("what is shared has a name and arguments")
        results = sim.apply(target, values, [sim.current()])
        bind(sim, self.names, results)

    def lines(self) -> list[str]:
        text = f"{self.name}({arguments(self.given)})" if self.given else self.name
        return [labelled(self.label, text) + _as(self.names)]


def bind(sim: Sim, names: Sequence[str], results: Sequence[TensorType]) -> None:
    if len(names) > 1 and len(names) != len(results):
        raise Refused("another number of results")
    for name, result in zip(names, results, strict=False):
        if "[" in name:
            array, _, keys = name.rstrip("]").partition("[")
            key = eval(keys, {}, dict(sim.values()))
            elements = sim.arrays.setdefault(array, {})
            if key in elements:
                raise Refused("filled twice")
            elements[key] = result
        elif name != "_":
            sim.scope[name] = result
    sim.it = results[0]


def _as(names: Sequence[str]) -> str:
    if not names:
        return ""
    return f" as {names[0]}" if len(names) == 1 else f" as ({', '.join(names)})"


@dataclass
class Begin(Step):
    """A tensor at the beginning of a chain."""

    tensor: Code

    def run(self, sim: Sim) -> None:
        sim.it = sim.evaluate(self.tensor)

    def lines(self) -> list[str]:
        return [self.tensor.text]


@dataclass
class Join(Step):
    """`concat(a, it, axis = channels)`; `tensors` may hold lists and, for some joins, a number."""

    name: str
    tensors: Sequence[Code]
    given: Sequence[tuple[str | None, Code]] = ()
    label: str = ""
    names: Sequence[str] = ()

    def run(self, sim: Sim) -> None:
        found: list[TensorType] = []
        rest: list[tuple[str | None, Any]] = [(n, sim.evaluate(c)) for n, c in self.given]
        for code in self.tensors:
            value = sim.evaluate(code)
            for one in value if isinstance(value, list) else [value]:
                if isinstance(one, TensorType):
                    found.append(one)
                else:
                    rest.insert(0, (None, one))
        bind(sim, self.names, sim.apply(LayerOf(OPS[self.name]), rest, found))

    def lines(self) -> list[str]:
        parts = [*(code.text for code in self.tensors), *([arguments(self.given)] if self.given else [])]
        return [labelled(self.label, f"{self.name}({', '.join(parts)})") + _as(self.names)]


@dataclass
class Branch:
    body: Body

    def types(self, sim: Sim) -> list[TensorType]:
        inner = sim.child()
        run(self.body, inner)
        return [inner.current()]

    def lines(self) -> list[str]:
        own = lines(self.body)
        if len(own) <= 1:
            return [f"branch {{ {own[0] if own else ''} }}" if own else "branch { }"]
        return braced("branch", self.body)


@dataclass
class ForBranches:
    variable: str
    count: Code
    branches: list[Any]

    def types(self, sim: Sim) -> list[TensorType]:
        return [
            t
            for i in range(sim.evaluate(self.count))
            for branch in self.branches
            for t in branch.types(sim.child({self.variable: i}))
        ]

    def lines(self) -> list[str]:
        inner = [INDENT + line for branch in self.branches for line in branch.lines()]
        return [f"for {self.variable} in 0..{self.count.text} {{", *inner, "}"]


@dataclass
class IfBranches:
    condition: Code
    then: list[Any]
    otherwise: list[Any]

    def types(self, sim: Sim) -> list[TensorType]:
        chosen = self.then if sim.evaluate(self.condition) else self.otherwise
        return [t for branch in chosen for t in branch.types(sim)]

    def lines(self) -> list[str]:
        made = [f"if {self.condition.text} {{"]
        made += [INDENT + line for branch in self.then for line in branch.lines()]
        if self.otherwise:
            made += ["} else {", *(INDENT + line for branch in self.otherwise for line in branch.lines())]
        return [*made, "}"]


@dataclass
class Merge(Step):
    """`label: add { branch {...} ... }`."""

    name: str
    branches: list[Any]
    label: str = ""
    names: Sequence[str] = ()

    def run(self, sim: Sim) -> None:
        types = [t for branch in self.branches for t in branch.types(sim)]
        bind(sim, self.names, sim.apply(LayerOf(OPS[self.name]), [], types))

    def lines(self) -> list[str]:
        inner = [INDENT + line for branch in self.branches for line in branch.lines()]
        return [labelled(self.label, self.name) + " {", *inner, "}" + _as(self.names)]


@dataclass
class Group(Step):
    """`label: { ... }` or `label: seq { ... }`; not a scope."""

    label: str
    seq: bool
    body: Body
    names: Sequence[str] = ()

    def run(self, sim: Sim) -> None:
        run(self.body, sim)
        bind(sim, self.names, [sim.current()])

    def lines(self) -> list[str]:
        made = braced(labelled(self.label, "seq") if self.seq else f"{self.label}:", self.body)
        return [*made[:-1], made[-1] + _as(self.names)]


@dataclass
class Repeat(Step):
    count: Code
    body: Body
    chains = False

    def run(self, sim: Sim) -> None:
        for _ in range(sim.evaluate(self.count)):
            inner = sim.child()
            run(self.body, inner)
            sim.it = inner.it

    def lines(self) -> list[str]:
        return braced(f"repeat {self.count.text}", self.body)


@dataclass
class For(Step):
    """`for names in items`; several names are filled from tuples."""

    variables: Sequence[str]
    items: Code
    body: Body
    chains = False

    def run(self, sim: Sim) -> None:
        for item in sim.evaluate(self.items):
            values = item if len(self.variables) > 1 else (item,)
            inner = sim.child(dict(zip(self.variables, values, strict=True)))
            run(self.body, inner)
            sim.it = inner.it

    def lines(self) -> list[str]:
        names = self.variables[0] if len(self.variables) == 1 else f"({', '.join(self.variables)})"
        return braced(f"for {names} in {self.items.text}", self.body)


@dataclass
class If(Step):
    condition: Code
    then: Body
    otherwise: Body | None = None
    chains = False

    def run(self, sim: Sim) -> None:
        chosen = self.then if sim.evaluate(self.condition) else self.otherwise
        if chosen is not None:
            inner = sim.child()
            run(chosen, inner)
            sim.it = inner.it

    def lines(self) -> list[str]:
        made = braced(f"if {self.condition.text}", self.then)
        if self.otherwise is None:
            return made
        return [*made[:-1], "} else {", *(INDENT + line for line in lines(self.otherwise)), "}"]


@dataclass
class Aside(Step):
    """`aside { ... }`, or `training { ... }`."""

    body: Body
    training: bool = False
    chains = False

    def run(self, sim: Sim) -> None:
        inner = sim.child()
        run(self.body, inner)

    def lines(self) -> list[str]:
        return braced("training" if self.training else "aside", self.body)


@dataclass
class Out(Step):
    name: str
    block: bool = False

    def run(self, sim: Sim) -> None:
        sim.outputs.append(sim.current())

    def lines(self) -> list[str]:
        return [f"output {self.name}"]


@dataclass
class Statement(Step):
    """What flows nothing: `let`, `expect`, `weight`; `effect` is what it does to the scope."""

    text: str
    effect: Callable[[Sim], None] = lambda sim: None
    chains = False

    def run(self, sim: Sim) -> None:
        self.effect(sim)

    def lines(self) -> list[str]:
        return [self.text]


@dataclass
class SharedGroup(Step):
    """`shared name: seq { ... }`."""

    name: str
    group: Group
    chains = False

    def run(self, sim: Sim) -> None:
        sim.scope[self.name] = SharedOf(self.group)

    def lines(self) -> list[str]:
        kind = "seq" if self.group.seq else ""
        return braced(f"shared {self.name}: {kind}".rstrip(), self.group.body)


def block_lines(block: Block) -> list[str]:
    """The definition of a block."""
    parts = [name if default is None else f"{name} = {default.text}" for name, default in block.parameters]
    head = f"{'inline ' if block.inline else ''}block {block.name}" + (
        f"({', '.join(parts)})" if parts else ""
    )
    return braced(head, block.body)


IT = Code("it")
