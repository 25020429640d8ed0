"""A seed into the text of a spec."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from random import Random

from compiler.ops import OPS
from compiler.ops.base import BATCH, TensorType
from tests.generator.maker import Maker, sizes
from tests.generator.making.base import Place
from tests.generator.sim import Body, Code, LayerOf, Sim, Totals
from tests.generator.steps import INDENT, Begin, Out, block_lines, lines

#: What every run of the tests examines, and how many layers the largest of them has.
SEEDS, LARGEST = range(200), 24
FREE = {1: ("L",), 2: ("H", "W"), 3: ("D", "H", "W")}


@dataclass(frozen=True)
class Spec:
    """A random spec: its text, and what was tried in vain while it was made."""

    seed: int
    text: str
    refusals: Counter[tuple[str, str]]


def random_spec(seed: int, largest: int = 60) -> Spec:
    """The spec of this seed: 5 to `largest` layers, and a bounded number of multiply-adds and elements."""
    rng = Random(seed)
    maker = Maker(rng)
    totals = Totals(most_layers=largest)
    sim = Sim(totals, maker.blocks)
    base = rng.choice([2, 3, 4])
    sim.globals["base"] = sim.scope["base"] = base
    constants = [f"let base = {base}"]
    parameters = declare_parameters(rng, sim)
    wanted = min(rng.choice([5, 8, 12, 20, 35, 60]), largest)
    inputs = declare(rng)
    body: Body = []
    for name, kind in inputs:
        sim.it = sim.scope[name] = kind
        sim.inside = kind if len(inputs) == 1 else None
        part = flow(rng, maker, sim, wanted if name == inputs[0][0] else 5)
        body += [Begin(Code(name))] if len(inputs) > 1 else []
        body += part
        if len(inputs) > 1:
            body.append(Out(maker.name("result")))
    if len(inputs) == 1 and (maker.outputs or rng.random() < 0.7):
        body.append(Out("logits"))  # without any, the last tensor is the output
    sections = []
    if "conv" in totals.used and rng.random() < 0.2:
        sections.append("init { conv = he(uniform) }")
    if not maker.has_training and rng.random() < 0.5:
        sections.append(f"expect macs == {totals.macs}")
    head = f"model net({', '.join(parameters)})" if parameters else "model net"
    inner = [f"input {name}: {written(rng, kind)}" for name, kind in inputs] + lines(body) + sections
    blocks = [line for block in maker.blocks.values() for line in ["", *block_lines(block)]]
    model = ["", "## A random network.", f"{head} {{", *(INDENT + line for line in inner), "}"]
    variant = [f"model again = net{rng.choice(['', '(classes = 4)', '(4)'])}"] if parameters else []
    order = [*constants, *blocks, *model] if rng.random() < 0.7 else [*constants, *model, *blocks]
    return Spec(seed, "\n".join([*disarranged(rng, [*order, *variant]), ""]), maker.refusals)


def declare_parameters(rng: Random, sim: Sim) -> list[str]:
    """Parameters of the model with their defaults, which are in scope."""
    made: list[str] = []
    if rng.random() < 0.5:
        sim.scope["classes"] = 4
        made.append("classes = 4")
        if rng.random() < 0.3:
            sim.scope["act"] = LayerOf(OPS["relu"])
            made.append("act = relu")
    return made


def disarranged(rng: Random, text: list[str]) -> list[str]:
    """Comments, blank lines and another indentation, which mean nothing."""
    if rng.random() < 0.6:
        return text
    made = []
    for line in text:
        if rng.random() < 0.1:
            made.append(rng.choice(["", "# a note", "        # another"]))
        indented = line if rng.random() < 0.8 else rng.choice(["", "  ", "\t"]) + line.lstrip()
        made.append(
            indented
            + (rng.choice([" # why", "  # { } ( -> "]) if line.strip() and rng.random() < 0.06 else "")
        )
    return made


def declare(rng: Random) -> list[tuple[str, TensorType]]:
    """The inputs: mostly one; of several, one may have rows of its own."""
    made = []
    for i in range(rng.choice([1, 1, 1, 1, 2, 3])):
        rank = rng.choice([0, 1, 2, 2, 2, 2, 3])
        shape = tuple(sizes(rng, rank))
        free = rank > 0 and i == 0 and rng.random() < 0.12
        flags = tuple(free and axis > 0 for axis in range(len(shape)))
        name = f"image{i}" if i else "image"
        rows = name if i and rng.random() < 0.3 else BATCH
        made.append((name, TensorType(shape, flags, rows)))
    return made


def written(rng: Random, kind: TensorType) -> str:
    names = FREE.get(kind.rank - 1, ())
    parts = [
        f"{names[axis - 1]} = {n}" if free else str(n)
        for axis, (n, free) in enumerate(zip(kind.shape, kind.free, strict=True))
    ]
    return f"[{', '.join(parts)}]" + (" per image" if kind.rows != BATCH else "")


def flow(rng: Random, maker: Maker, sim: Sim, wanted: int) -> Body:
    """Statements until there are about so many layers."""
    start, made, vain = sim.totals.layers, [], 0
    while sim.totals.layers - start < wanted and vain < 4:
        more = maker.body(sim, Place(), 1)
        vain = 0 if more else vain + 1
        made += more
    return made
