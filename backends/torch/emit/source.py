"""A graph as one self-contained file of PyTorch source."""

from __future__ import annotations

import re
import sys
import textwrap

from backends.layout import WIDTH, lines_of
from backends.notes import described, doc_text
from backends.notes import flow as model_flow
from backends.torch.emit.classes import IMPORTED, Disagreement, Parameter, Plan, plans_of, text_of, type_of
from backends.torch.emit.forms import Bracket
from backends.torch.emit.forward import Forward
from backends.torch.emit.library import helpers, included, mentioned
from backends.torch.emit.members import Registrations, needs_labelled
from backends.torch.emit.notes import Shapes
from backends.torch.emit.structure import Structure, structure_of
from backends.writer import Names, Writer, identifier
from compiler.graph import Graph

#: Name in the code -> the import that brings it; in the order of writing.
IMPORTS = {
    "OrderedDict": "from collections import OrderedDict",
    "Mapping": "from collections.abc import Mapping",
    "Sequence": "from collections.abc import Sequence",
    "Any": "from typing import Any",
    "torch": "import torch",
    "F": "import torch.nn.functional as F",
    "Tensor": "from torch import Tensor",
    "nn": "from torch import nn",
    "_BatchNorm": "from torch.nn.modules.batchnorm import _BatchNorm",
    "_InstanceNorm": "from torch.nn.modules.instancenorm import _InstanceNorm",
}

#: With more weights than these, PyTorch's own way to load them is too slow.
MANY = 2_000


def file_name(graph: Graph) -> str:
    """`vgg16.py`; a name that would hide PyTorch or a module of Python's own gets `_model` behind it."""
    made = identifier(graph.name)
    return (
        f"{made}_model.py"
        if made in sys.stdlib_module_names or made in ("torch", "numpy", "cnnc")
        else f"{made}.py"
    )


def source_of(graph: Graph) -> str:
    """The PyTorch source of a model, with its training-time branches in `if self.training`."""
    whole = graph.with_training
    conditional = not graph.training
    structure, plans, of = _planned(whole)
    writer = _Source(structure, plans, of, graph, conditional)
    return writer.text()


def _planned(graph: Graph) -> tuple[Structure, list[Plan], dict[str, Plan]]:
    """Units and classes; what is shared but differs between its applications is taken apart until it fits."""
    dissolved: frozenset[str] = frozenset()
    while True:
        structure = structure_of(graph, dissolved)
        try:
            plans, of = plans_of(structure)
        except Disagreement as found:
            dissolved |= found.paths
            continue
        return structure, plans, of


class _Source:
    def __init__(
        self, structure: Structure, plans: list[Plan], of: dict[str, Plan], graph: Graph, conditional: bool
    ) -> None:
        self.structure = structure
        self.plans = plans
        self.of = of
        self.graph = graph
        self.conditional = conditional
        self.code = Writer()
        self.names = Names((*IMPORTED, *helpers(), *(plan.name for plan in plans), "TRAINING_ONLY"))

    def text(self) -> str:
        """The file: docstring, imports, helpers, classes, the model, `build_model`."""
        for plan in self.plans:
            self._class(plan)
        self._build_model()
        body = self.code.text()
        bare = _without_strings(body)
        wanted = included(mentioned(bare))
        head = Writer()
        self._docstring(head)
        head.line("from __future__ import annotations")
        head.blank()
        names = set(re.findall(r"(?<![\w.])[A-Za-z_]\w*(?![\w=])", bare)).union(*(h.names for h in wanted))
        self._imports(head, names)
        for helper in wanted:
            head.blank(2)
            head.lines(helper.source)
        return head.text() + "\n\n" + body

    # -- head ------------------------------------------------------------------------------

    def _docstring(self, head: Writer) -> None:
        graph = self.graph
        title = f"{graph.name}: {graph.doc.splitlines()[0]}" if graph.doc else f"{graph.name}."
        head.line(f'"""{doc_text(title)}')
        for line in graph.doc.splitlines()[1:]:
            head.line(doc_text(line))
        head.line()
        for line in described(graph):
            head.line(line)
        head.line('"""')
        head.blank()

    def _imports(self, head: Writer, names: set[str]) -> None:
        lines = [line for name, line in IMPORTS.items() if name in names]
        if "Tensor" in names and "nn" in names:
            lines = [line for line in lines if line != IMPORTS["nn"]]
            lines[lines.index(IMPORTS["Tensor"])] = "from torch import Tensor, nn"
        if "Mapping" in names and "Sequence" in names:
            lines.remove(IMPORTS["Sequence"])
            lines[lines.index(IMPORTS["Mapping"])] = "from collections.abc import Mapping, Sequence"
        standard = [line for line in lines if "torch" not in line]
        for line in standard:
            head.line(line)
        if standard:
            head.blank()
        for line in lines:
            if line not in standard:
                head.line(line)

    # -- classes ---------------------------------------------------------------------------

    def _class(self, plan: Plan) -> None:
        code, structure = self.code, self.structure
        shapes = Shapes(structure, plan)
        flow = shapes.flow()
        forward = Forward(structure, plan, shapes, self.conditional, self.graph.outputs)
        registrations = Registrations(structure, plan, self.of, shapes, self.names.fresh)
        parameters, result, body = forward.write()
        statements = list(registrations.lines())
        for table in registrations.tables:
            code.blank(2)
            for line in table:
                code.line(line)
        base = "Labelled" if needs_labelled(structure, plan.unit.path) else "nn.Module"
        code.blank(2)
        code.line(f"class {plan.name}({base}):")
        with code.indent():
            self._class_doc(plan, flow)
            if registrations.buffers:
                code.blank()
                for buffer in registrations.buffers:
                    code.line(f"{buffer}: Tensor")
            if statements or plan.parameters:
                code.blank()
                self._put(self._signature("__init__", [self._parameter(p) for p in plan.parameters], "None"))
                with code.indent():
                    code.line("super().__init__()")
                    for name, attribute in plan.stored.items():
                        code.line(f"self.{attribute} = {name}")
                    for before, tree, after in statements:
                        self._put(lines_of(before, tree, after, 2), 2)
            code.blank()
            self._put(self._signature("forward", parameters, result))
            with code.indent():
                if plan.unit.parent is None:
                    self._put(forward.checks(), 2)
                for line in body:
                    code.line(line) if line else code.line()

    def _put(self, lines: list[str], depth: int = 1) -> None:
        """Lines that are laid out with their indentation already."""
        for line in lines:
            self.code.line(line[4 * depth :])

    @staticmethod
    def _parameter(p: Parameter) -> str:
        default = f" = {text_of(p.default)}" if p.has_default else ""
        values = (*p.values, p.default) if p.has_default else p.values
        return f"{p.name}: {type_of(values)}{default}"

    @staticmethod
    def _signature(name: str, parameters: list[str], result: str) -> list[str]:
        """`def name(self, ...) -> result:`, laid out one step in."""
        items = ["self", *parameters]
        line = f"    def {name}({', '.join(items)}) -> {result}:"
        if len(line) <= WIDTH:
            return [line]
        return [f"    def {name}(", *(" " * 8 + item + "," for item in items), f"    ) -> {result}:"]

    def _class_doc(self, plan: Plan, flow: str) -> None:
        scope = plan.unit.scope
        lines = [doc_text(line) for line in scope.doc.splitlines()] if scope.doc else []
        if not lines:
            where = doc_text(plan.unit.path)
            what = {"model": "The model", "block": f"The block {doc_text(scope.name)}"}.get(scope.kind)
            if what is None:
                what = (
                    f"The part {where}" if len(plan.units) == 1 else f"The parts that are built like {where}"
                )
            if scope.kind == "model":
                what, flow = f"The model {doc_text(self.graph.name)}", model_flow(self.graph)
            lines = textwrap.wrap(f"{what}: {flow}." if flow else f"{what}.", WIDTH - 10)
        elif flow and scope.kind != "model":
            lines += ["", f"{flow}."]
        if len(lines) == 1:
            self.code.line(f'"""{lines[0]}"""')
        else:
            self.code.line(f'"""{lines[0]}')
            for line in lines[1:]:
                self.code.line(line)
            self.code.line('"""')

    # -- the way in ------------------------------------------------------------------------

    def _build_model(self) -> None:
        code = self.code
        name = self.of[""].name
        aside = (
            [w.name for w in self.structure.graph.weights.values() if w.training] if self.conditional else []
        )
        code.blank(2)
        if aside:
            self._put(lines_of("TRAINING_ONLY = ", Bracket("{", tuple(f'"{n}"' for n in aside), "}")), 0)
            code.blank(2)
        code.line(f"def build_model(weights: Mapping[str, Any] | None = None) -> {name}:")
        with code.indent():
            told = '"""The model; `weights` is an array or tensor for each name of its `state_dict`.'
            if aside:
                code.line(told)
                code.line()
                code.line("What only training uses may be missing as a whole.")
                code.line('"""')
            else:
                code.line(f'{told}"""')
            code.line(f"model = {name}()")
            code.line("if weights is not None:")
            with code.indent():
                code.line("state = {name: torch.as_tensor(value) for name, value in weights.items()}")
                if aside:
                    code.line("if not TRAINING_ONLY & state.keys():")
                    with code.indent():
                        code.line("own = model.state_dict()")
                        code.line("state.update({name: own[name] for name in TRAINING_ONLY})")
                self._load_state()
            code.line("return model")

    def _load_state(self) -> None:
        """Put `state` into `model`, all of it and nothing else."""
        code = self.code
        if len(self.structure.graph.weights) <= MANY:
            code.line("model.load_state_dict(state)")
            return
        code.line("# `load_state_dict` looks at every name for every layer, which takes minutes for so many.")
        code.line("own = model.state_dict()")
        code.line('counters = {name for name in own if name.endswith(".num_batches_tracked")}')
        code.line("wrong = sorted(set(own).symmetric_difference(state) - counters)")
        code.line("if wrong:")
        with code.indent():
            code.line('raise RuntimeError(f"weights that are missing or left over: {wrong[:10]}")')
        code.line("for name, value in state.items():")
        with code.indent():
            code.line("if own[name].shape != value.shape:")
            with code.indent():
                code.line('raise RuntimeError(f"{name} is {list(value.shape)}, not {list(own[name].shape)}")')
            code.line("own[name].copy_(value)")


def _without_strings(code: str) -> str:
    """Code without docstrings, strings and comments, to see which names it uses."""
    code = re.sub(r'"""(?:[^"\\]|\\.)*"""', '""', code)
    lines = []
    for line in code.splitlines():
        # The expressions of f-strings are code.
        line = re.sub(
            r'\bf"((?:[^"\\]|\\.)*)"', lambda found: " ".join(re.findall(r"{([^}]*)}", found[1])), line
        )
        line = re.sub(r'"(?:[^"\\]|\\.)*"', '""', line)
        lines.append(line.partition("#")[0])
    return "\n".join(lines)
