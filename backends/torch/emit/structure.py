"""Which scopes become modules, what flows into and out of each, and who registers what.

A *unit* is a scope with a place of its own in the tree of modules: the model, and every scope
that adds steps to the path or is shared.  Other scopes belong to the unit around them.  The
general scheme holds for every unit: tensors made outside and used inside come in as
arguments, tensors made inside and used outside go out as results, and a module that lives
elsewhere (something shared) comes in as an argument too.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from backends.torch.emit.forms import ANYWHERE, EMITTERS, Form
from backends.torch.emit.owned import owned_by_sequential
from compiler.graph import Graph, Node, Scope, Value, Weight
from compiler.passes.remove_dead_code import remove_dead_code

#: How deep modules may call one another: a call takes three frames of Python's thousand.  What lies
#: deeper is written into the forward pass around it.
DEEPEST = 150
#: How many `nn.Sequential` may stand inside one another in one expression; a deeper one gets a class.
NESTED = 5


@dataclass(eq=False)
class Item:
    """One statement of a forward pass: a node, or the call of a unit inside."""

    source: Node | Unit
    inputs: list[Value]
    outputs: list[Value]
    module: str | None  # the path of the module that is called
    training: bool


@dataclass(eq=False)
class Unit:
    """One application of a scope that has a module."""

    scope: Scope
    path: str
    parent: Unit | None
    depth: int
    items: list[Item] = field(default_factory=list)
    inputs: dict[Value, None] = field(default_factory=dict)
    modules: dict[str, None] = field(default_factory=dict)  # paths of modules that live elsewhere
    outputs: list[Value] = field(default_factory=list)
    training: bool = True  # all of it exists in training alone
    sequential: bool = False
    height: int = 0

    @property
    def chain(self) -> Iterator[Unit]:
        """This unit and those around it, innermost first."""
        unit: Unit | None = self
        while unit is not None:
            yield unit
            unit = unit.parent


@dataclass
class Entry:
    """Something that a unit registers under `steps` (without the unit's own path)."""

    steps: tuple[str, ...]
    source: Node | Unit | Weight


@dataclass(eq=False)
class Structure:
    """The units of a graph and what each path registers."""

    graph: Graph
    root: Unit
    units: list[Unit]  # inner ones first
    entries: dict[str, list[Entry]]  # path of a unit -> what it registers, in order of use
    forms: dict[Node, Form]
    registered: dict[Node, str]  # node -> path of its module


def structure_of(graph: Graph, dissolved: frozenset[str] = frozenset()) -> Structure:
    """Analyse a graph; the scopes at `dissolved` paths get no unit of their own."""
    builder = _Builder(graph, dissolved)
    builder.collect()
    builder.place_modules()
    builder.flow()
    builder.find_sequentials()
    return builder.finish()


class _Builder:
    def __init__(self, graph: Graph, dissolved: frozenset[str]) -> None:
        self.graph = graph
        #: Nodes that something comes of: the others register their modules, and never run.
        self.live = set(remove_dead_code(graph)[0].nodes)
        self.dissolved = dissolved
        self.unit_of: dict[Node, Unit] = {}
        self.units: list[Unit] = []
        self.paths: set[str] = {""}
        self.forms: dict[Node, Form] = {}
        self.modules: dict[Node, str] = {}
        self.leaves: dict[str, Node] = {}
        self.member_units: dict[Unit, list[Node | Unit]] = {}

    # -- units ---------------------------------------------------------------------------

    def collect(self) -> None:
        """Units in order of opening, with their direct members in order of running."""
        live = set(self.graph.nodes)
        used = self._scopes_in_use(live)
        root = Unit(self.graph.root, "", None, 0)
        self.units.append(root)
        self.member_units[root] = []
        stack: list[tuple[Iterator[Node | Scope], Unit, str]] = [(iter(self.graph.root.members), root, "")]
        while stack:
            members, unit, path = stack[-1]
            member = next(members, None)
            if member is None:
                stack.pop()
            elif isinstance(member, Node):
                if member in live:
                    self.unit_of[member] = unit
                    self.member_units[unit].append(member)
            elif member in used:
                steps = member.absolute if member.absolute is not None else (path, *member.steps)
                inner = ".".join(step for step in steps if step)
                named = bool(member.steps) or member.absolute is not None
                opens = named and inner not in self.dissolved and unit.depth < DEEPEST
                target = unit
                if opens:
                    target = Unit(member, inner, unit, unit.depth + 1)
                    self.units.append(target)
                    self.member_units[target] = []
                    self.member_units[unit].append(target)
                    self.paths.add(inner)
                stack.append((iter(member.members), target, inner))

    def _scopes_in_use(self, live: set[Node]) -> set[Scope]:
        """Scopes with a node somewhere inside."""
        used: set[Scope] = set()
        order: list[tuple[Scope, Scope | None]] = [(self.graph.root, None)]
        for scope, _ in order:
            order.extend((m, scope) for m in scope.members if isinstance(m, Scope))
        for scope, parent in reversed(order):
            if scope in used or any(isinstance(m, Node) and m in live for m in scope.members):
                used.add(scope)
                if parent is not None:
                    used.add(parent)
        return used

    # -- modules -------------------------------------------------------------------------

    def place_modules(self) -> None:
        """The form of every node, and the path at which its module is registered."""
        at_path: dict[str, list[Node]] = {}
        known: dict[object, Form] = {}
        for node in self.graph.nodes:
            key = (node.op, node.input_types)
            form = known.get(key) or EMITTERS[type(node.op)](node)
            if not any(slot.is_path for _, slot in form.slots):
                known[key] = form
            self.forms[node] = form
            if form.layer is not None:
                at_path.setdefault(node.path, []).append(node)
        for path, nodes in at_path.items():
            layers = {self.forms[node].layer for node in nodes}
            if len(layers) == 1:
                for node in nodes:
                    self.modules[node] = path
            elif nodes[0].weights:
                for node in nodes:
                    self.forms[node] = ANYWHERE[type(node.op)](node)
                    self.modules[node] = path
            else:
                for node in nodes:
                    self.modules[node] = node.name
        self._step_aside()

    def _step_aside(self) -> None:
        """What has no weights gives way: its path is nobody's name of a weight, and no part of one."""
        taken: set[str] = set()
        for path in (*self.graph.weights, *self.paths, *(p for n, p in self.modules.items() if n.weights)):
            while path and path not in taken:
                taken.add(path)
                path = path.rpartition(".")[0]
        given: dict[str, str] = {}
        for node, path in self.modules.items():
            if not node.weights:
                if path not in given:
                    wanted, count = path, 1
                    while wanted in taken:
                        count += 1
                        wanted = f"{path}_{node.op.name}{count if count > 2 else ''}"
                    taken.add(wanted)
                    given[path] = wanted
                self.modules[node] = given[path]

    def owner(self, path: str) -> str:
        """The unit's path that registers `path`: the longest one before it."""
        while path:
            path = path.rpartition(".")[0]
            if path in self.paths:
                return path
        return ""

    # -- flow ----------------------------------------------------------------------------

    def flow(self) -> None:
        """Inputs, outputs and foreign modules of every unit."""
        root = self.units[0]
        root.inputs = dict.fromkeys(self.graph.inputs.values())
        made: dict[Value, Unit] = dict.fromkeys(self.graph.inputs.values(), root)
        place: dict[Value, int] = {}
        for node in self.graph.nodes:
            for value in node.outputs:
                made[value] = self.unit_of[node]
                place[value] = len(place)
        leaving: dict[Unit, set[Value]] = {unit: set() for unit in self.units}
        for node in self.graph.nodes:
            if node not in self.live:
                continue
            unit = self.unit_of[node]
            for value in node.inputs:
                if value.weight is not None:
                    self._bring(value, value.weight, unit)
                elif made[value] is not unit:
                    self._connect(value, made[value], unit, leaving)
        for value in self.graph.outputs.values():
            if value in made:
                self._connect(value, made[value], root, leaving)
            elif value.weight is not None:
                self._bring(value, value.weight, root)
        for unit in self.units:
            unit.outputs = sorted(leaving[unit], key=place.__getitem__)
            unit.training = bool(self._nodes_of(unit)) and unit.parent is not None
        for node in self.graph.nodes:
            if not node.training:
                for unit in self.unit_of[node].chain:
                    unit.training = False

    def _nodes_of(self, unit: Unit) -> bool:
        return bool(self.member_units[unit])

    @staticmethod
    def _connect(value: Value, maker: Unit, user: Unit, leaving: dict[Unit, set[Value]]) -> None:
        """Carry a value out of the units that it is made in and into those that it is used in."""
        while maker is not user:
            if user.depth > maker.depth:
                user.inputs[value] = None
                assert user.parent is not None
                user = user.parent
            else:
                leaving[maker].add(value)
                assert maker.parent is not None
                maker = maker.parent

    def _bring(self, value: Value, path: str, unit: Unit) -> None:
        """Carry a raw weight from the unit that holds it into the one that uses it."""
        for one in unit.chain:
            if _within(path, one.path):
                return
            one.inputs[value] = None

    def bring_module(self, path: str, unit: Unit) -> None:
        """Carry a module from the unit that can reach it into the one that calls it."""
        for one in unit.chain:
            if _within(path, one.path):
                return
            one.modules[path] = None

    # -- sequences -----------------------------------------------------------------------

    def find_sequentials(self) -> None:
        """Which units are `nn.Sequential`; inner ones first, then everybody's modules are placed."""
        foreign, borrowing = self._foreign_entries(), self._borrowing()
        for unit in reversed(self.units):
            unit.sequential = (
                unit.scope.kind in ("seq", "group")
                and not foreign.get(unit.path)
                and unit not in borrowing
                and self._is_chain(unit)
            )
            inner = [m for m in self.member_units[unit] if isinstance(m, Unit)]
            unit.height = 1 + max((m.height for m in inner if m.sequential), default=0)
            if unit.sequential and unit.height > NESTED:
                unit.sequential = False
            if not unit.sequential:
                unit.height = 0
        # One path is one module: its applications agree, or none of them is a sequence.
        agreed: dict[str, bool] = {}
        for unit in self.units:
            agreed[unit.path] = agreed.get(unit.path, True) and unit.sequential
        for unit in self.units:
            unit.sequential = agreed[unit.path]

    def _borrowing(self) -> set[Unit]:
        """Units within which a module is called that lives elsewhere: an `nn.Sequential` hands none on."""
        found: set[Unit] = set()
        modules = [(node, path) for node, path in self.modules.items() if not self.forms[node].inline]
        called = [(path, self.unit_of[node]) for node, path in modules]
        called += [(unit.path, unit.parent) for unit in self.units[1:] if unit.parent is not None]
        for path, unit in called:
            for one in unit.chain:
                if _within(path, one.path):
                    break
                found.add(one)
        return found

    def _foreign_entries(self) -> dict[str, bool]:
        """Paths of units beneath which something is registered that does not run inside them."""
        found: dict[str, bool] = {}
        for node, path in self.modules.items():
            owner = self.owner(path)
            if owner != self.unit_of[node].path and (self.forms[node].register or node.weights):
                found[owner] = True
        for unit in self.units[1:]:
            owner = self.owner(unit.path)
            assert unit.parent is not None
            if owner != unit.parent.path:
                found[owner] = True
        for name in self.graph.weights:
            if self.owner(name) != "" and name not in self._layer_weights:
                found[self.owner(name)] = True
        return found

    @property
    def _layer_weights(self) -> set[str]:
        cached = getattr(self, "_weights_of_layers", None)
        if cached is None:
            cached = {name for node in self.graph.nodes for name in node.weights.values()}
            self._weights_of_layers: set[str] = cached
        return cached

    def _is_chain(self, unit: Unit) -> bool:
        """Each member takes just the previous one's result, and is a module under one step of its own."""
        if len(unit.inputs) != 1 or len(unit.outputs) != 1:
            return False
        value = next(iter(unit.inputs))
        if value.weight is not None:
            return False
        seen: set[str] = set()
        uses: dict[Value, int] = {}
        members = self.member_units[unit]
        for member in members:
            for one in member.inputs:
                uses[one] = uses.get(one, 0) + 1
        for member in members:
            if list(member.inputs) != [value] or len(member.outputs) != 1 or uses[value] != 1:
                return False
            if member.training != unit.training:
                return False
            if isinstance(member, Node):
                form, path = self.forms[member], self.modules.get(member)
                if path is None or form.before or (not form.inline and form.call != "{layer}({0})"):
                    return False
            else:
                path = member.path
            head, _, step = path.rpartition(".")
            if head != unit.path or step in seen or owned_by_sequential(step):
                return False
            seen.add(step)
            value = member.outputs[0]
        return value is unit.outputs[0] and uses.get(value, 0) == 0

    # -- the result ----------------------------------------------------------------------

    def finish(self) -> Structure:
        registered: dict[Node, str] = {}
        for node, path in self.modules.items():
            if self.unit_of[node].sequential or not self.forms[node].inline:
                registered[node] = path
        for node, path in registered.items():
            self.bring_module(path, self.unit_of[node])
        for unit in self.units[1:]:
            assert unit.parent is not None
            self.bring_module(unit.path, unit.parent)
        for unit in self.units:
            for member in self.member_units[unit]:
                if isinstance(member, Node):
                    unit.items.append(
                        Item(
                            member,
                            list(member.inputs),
                            list(member.outputs) if member in self.live else [],
                            registered.get(member),
                            member.training,
                        )
                    )
                else:
                    unit.items.append(
                        Item(member, list(member.inputs), list(member.outputs), member.path, member.training)
                    )
        return Structure(
            self.graph, self.units[0], self._inner_first(), self._entries(registered), self.forms, registered
        )

    def _inner_first(self) -> list[Unit]:
        return list(reversed(self.units))

    def _entries(self, registered: dict[Node, str]) -> dict[str, list[Entry]]:
        entries: dict[str, list[Entry]] = {path: [] for path in self.paths}
        known: set[str] = set()

        def add(path: str, source: Node | Unit | Weight) -> None:
            if path in known:
                return
            known.add(path)
            owner = self.owner(path)
            relative = path[len(owner) + 1 :] if owner else path
            entries[owner].append(Entry(tuple(relative.split(".")), source))

        held = self._raw_by_node()
        for name in held.get(None, ()):  # raw weights of the model first, as they stand first
            add(name, self.graph.weights[name])
        opened: set[Unit] = set()
        for node in self.graph.nodes:
            for unit in reversed([u for u in self.unit_of[node].chain if u.parent is not None]):
                if unit not in opened:
                    opened.add(unit)
                    add(unit.path, unit)
            for name in held.get(node, ()):
                add(name, self.graph.weights[name])
            if node in registered:
                add(registered[node], node)
        return entries

    def _raw_by_node(self) -> dict[Node | None, list[str]]:
        """Raw weights by the node that uses them first; those that nobody uses under None."""
        found: dict[Node | None, list[str]] = {}
        seen: set[str] = set()
        for node in self.graph.nodes:
            for value in node.inputs:
                if value.weight is not None and value.weight not in seen:
                    seen.add(value.weight)
                    found.setdefault(node, []).append(value.weight)
        rest = [n for n in self.graph.weights if n not in seen and n not in self._layer_weights]
        found[None] = rest
        return found


def _within(path: str, prefix: str) -> bool:
    """Whether the module at `prefix` holds `path`."""
    return not prefix or path.startswith(prefix + ".")
