"""Everything that must hold for a spec that `check` accepts, on whatever is at hand to compare with.

`examine` gives the findings of one text, each with the name of what failed; no finding is good news.
"""

from __future__ import annotations

from collections.abc import Collection

from tests.generator.findings import Examined, Finding
from tests.generator.meaning import accepted, formatted
from tests.generator.numbers import Numbers
from tests.generator.shrink import shrunk

STAGES = ("fmt", "forward", "planned", "gradients", "training", "heads", "onnx", "passes", "sizes",
          "transforms")  # fmt: skip


def examine(text: str, seed: int = 0, stages: Collection[str] = STAGES) -> Examined:
    """Examine one spec; `seed` is that of weights and inputs."""
    made = Examined(text, seed)
    graph = made.attempt("check", lambda: accepted(text))
    if graph is None:
        return made
    made.graph = graph
    if "fmt" in stages:
        made.stage = "fmt"
        made.attempt("fmt", lambda: formatted(made, graph))
    numbers: Numbers | None = None
    for stage in STAGES[1:]:
        if stage not in stages:
            continue
        if numbers is None:
            numbers = made.attempt("run", lambda: Numbers(made, graph))
        if numbers is None:
            break
        made.stage = stage
        made.attempt(stage, getattr(numbers, stage))
    return made


def smallest(text: str, finding: Finding, seed: int = 0, most: int = 2_000) -> str:
    """The spec made smaller while it still has this finding."""
    stages = (finding.stage,) if finding.stage else ("forward",)
    return shrunk(text, lambda smaller: finding in examine(smaller, seed, stages).findings, most)
