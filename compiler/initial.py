"""How weights start: the rules of `init`, the defaults, and the seeded numbers themselves.

    init { conv = he(normal)  fc = xavier(uniform)  "fc3" = normal(0.01) }

A rule is declared like a layer.  The numbers come from `compiler.sampling`, one stream per
weight, so that they depend on the seed and the weight's name and nothing else.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from compiler.declare import Choice, Declared, Fault, Faults, Given, Int, Real, Word, arg, show
from compiler.elsewhere import RULES
from spec_lang.diagnostics import Diagnostic, Error, nearest
from spec_lang.frozen import frozen, replace
from spec_lang.limits import DEFAULT_LIMITS, Limits

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from compiler.graph import Graph, Weight
    from compiler.sampling import Stream

    Array = NDArray[np.floating[Any]]

#: Roles of a layer's main tensor, the one that is called `weight`.
MAIN_ROLES = ("weight", "norm_weight", "slope")


@frozen
class Initialiser:
    """A rule with its arguments, bound: `he` with `{"distribution": "normal"}`.

    Besides the names of `INITIALISERS` there is the rule `value`, for a raw weight whose
    numbers stand in the spec: its argument `values` is a nested tuple (or one number).
    """

    rule: str
    arguments: tuple[tuple[str, Any], ...] = ()

    @property
    def described(self) -> str:
        """As it is written in a spec."""
        if not self.arguments or self.rule == "value":
            return self.rule
        parts = [f"{name} = {v if isinstance(v, str) else show(v)}" for name, v in self.arguments]
        return f"{self.rule}({', '.join(parts)})"


@frozen
class Rule:
    """One line of `init`: what it is for, how it starts, and where it stands (opaque here).

    A bare word is a layer's name.  A string (`is_path`) is the path of a layer, the first steps
    of several paths, or the full name of one weight.
    """

    target: str
    is_path: bool
    initialiser: Initialiser
    place: Any = None


class TooLarge(Error):
    """More bytes than may be, or can be, allocated (E450, E451)."""


# ---- the rules


@frozen
class InitialRule(Declared):
    """A rule of `init`."""

    what: ClassVar[str] = "initialisation rule"
    #: Whether all numbers come out equal.
    constant: ClassVar[bool] = False

    def misfit(self, weight: Weight) -> str | None:
        """Why the rule cannot fill this weight; None if it can."""
        return None

    def numbers(self, weight: Weight, stream: Stream) -> Array:
        """The numbers in row-major order, float64 or float32, as a vector of `weight.elements`."""
        raise AssertionError(f"{type(self).__name__} makes no numbers")


@frozen
class Scaled(InitialRule):
    """Zero mean and a variance that follows from the fans."""

    distribution: str = arg(Choice(("normal", "uniform")), "normal or uniform", default=Word("normal"),
                            positional=True)

    def variance(self, fan_in: int, fan_out: int) -> float:
        raise AssertionError(f"{type(self).__name__} has no variance")

    def misfit(self, weight: Weight) -> str | None:
        return None if min(fans(weight)) > 0 else f"{self.name} needs fans, and {_shape(weight)} has none"

    def numbers(self, weight: Weight, stream: Stream) -> Array:
        std = math.sqrt(self.variance(*fans(weight)))
        if self.distribution == "normal":
            return stream.normal(weight.elements, 0.0, std)
        bound = math.sqrt(3.0) * std
        return stream.uniform(weight.elements, -bound, bound)


@frozen
class He(Scaled):
    """Variance 2 / fan, for ReLU networks.  He et al. 2015, equations 10 and 14."""

    name: ClassVar[str] = "he"
    fan: str = arg(Choice(("in", "out")), "the fan: `in` keeps the scale of activations, `out` of gradients",
                   default=Word("in"))

    def variance(self, fan_in: int, fan_out: int) -> float:
        return 2.0 / (fan_in if self.fan == "in" else fan_out)


@frozen
class Xavier(Scaled):
    """Variance 2 / (fan_in + fan_out), for tanh and its like.  Glorot and Bengio 2010, equation 12."""

    name: ClassVar[str] = "xavier"
    distribution: str = arg(Choice(("normal", "uniform")), "normal or uniform", default=Word("uniform"),
                            positional=True)

    def variance(self, fan_in: int, fan_out: int) -> float:
        return 2.0 / (fan_in + fan_out)


@frozen
class LeCun(Scaled):
    """Variance 1 / fan_in, for selu and scaled tanh.  LeCun et al. 1998, Efficient BackProp, section 4.6."""

    name: ClassVar[str] = "lecun"

    def variance(self, fan_in: int, fan_out: int) -> float:
        return 1.0 / fan_in


@frozen
class Normal(InitialRule):
    """A normal distribution of this standard deviation."""

    name: ClassVar[str] = "normal"
    std: float = arg(Real(above=0.0), "standard deviation", positional=True)
    mean: float = arg(Real(), "mean", default=0.0)

    def numbers(self, weight: Weight, stream: Stream) -> Array:
        return stream.normal(weight.elements, self.mean, self.std)


@frozen
class Uniform(InitialRule):
    """A uniform distribution from `low` to `high`; `uniform(b)` goes from -b to b."""

    name: ClassVar[str] = "uniform"
    low: float = arg(Real(), "lower bound; alone, the bound on both sides", positional=True)
    high: float | None = arg(Real(), "upper bound", default=None, positional=True)

    @property
    def bounds(self) -> tuple[float, float]:
        return (-abs(self.low), abs(self.low)) if self.high is None else (self.low, self.high)

    @classmethod
    def normalised(cls, values: Mapping[str, Any], context: Any) -> dict[str, Any]:
        stored = super().normalised(values, context)
        low, high = cls(**stored).bounds
        if not low < high:
            raise Fault("E312", f"uniform: there is nothing between {low:g} and {high:g}", argument="low",
                        help=("uniform(low, high) with low < high, or uniform(bound)",))
        return stored

    def numbers(self, weight: Weight, stream: Stream) -> Array:
        return stream.uniform(weight.elements, *self.bounds)


@frozen
class Sparse(InitialRule):
    """Each unit gets `nonzero` incoming weights, normal, at random places; the rest are zero.

    All of them where there are not more.  Martens 2010, section 5.
    """

    name: ClassVar[str] = "sparse"
    nonzero: int = arg(Int(1), "incoming weights of a unit that are not zero", default=15, positional=True)
    std: float = arg(Real(above=0.0), "their standard deviation", default=1.0)

    def misfit(self, weight: Weight) -> str | None:
        few = len(weight.shape) < 2
        return f"{self.name} needs units with several inputs, not {_shape(weight)}" if few else None

    def numbers(self, weight: Weight, stream: Stream) -> Array:
        units = weight.shape[0]
        return stream.sparse(units, weight.elements // units, self.nonzero, self.std)


@frozen
class Orthogonal(InitialRule):
    """Rows (or columns, where there are more rows) that are orthonormal, times `gain`.

    The matrix is [shape[0], the rest].  Saxe et al. 2014.
    """

    name: ClassVar[str] = "orthogonal"
    gain: float = arg(Real(above=0.0), "length of the rows", default=1.0, positional=True)

    def misfit(self, weight: Weight) -> str | None:
        return f"{self.name} needs a matrix, not {_shape(weight)}" if len(weight.shape) < 2 else None

    def numbers(self, weight: Weight, stream: Stream) -> Array:
        rows = weight.shape[0]
        return stream.orthogonal(rows, weight.elements // rows, self.gain)


@frozen
class Constant(InitialRule):
    """One number everywhere."""

    name: ClassVar[str] = "constant"
    constant: ClassVar[bool] = True
    value: float = arg(Real(), "the number", positional=True)

    def numbers(self, weight: Weight, stream: Stream) -> Array:
        import numpy as np

        return np.full(weight.elements, self.value)


@frozen
class Zeros(InitialRule):
    """Zero everywhere."""

    name: ClassVar[str] = "zeros"
    constant: ClassVar[bool] = True

    def numbers(self, weight: Weight, stream: Stream) -> Array:
        import numpy as np

        return np.zeros(weight.elements)


@frozen
class Ones(InitialRule):
    """One everywhere."""

    name: ClassVar[str] = "ones"
    constant: ClassVar[bool] = True

    def numbers(self, weight: Weight, stream: Stream) -> Array:
        import numpy as np

        return np.ones(weight.elements)


INITIALISERS: dict[str, type[InitialRule]] = {
    rule.name: rule
    for rule in (He, Xavier, LeCun, Normal, Uniform, Sparse, Orthogonal, Constant, Zeros, Ones)
}

_DEFAULTS = {
    "weight": Initialiser("he", (("distribution", "normal"), ("fan", "in"))),
    "bias": Initialiser("zeros"),
    "norm_weight": Initialiser("ones"),
    "norm_bias": Initialiser("zeros"),
    "slope": Initialiser("constant", (("value", 0.25),)),
    "running_mean": Initialiser("zeros"),
    "running_var": Initialiser("ones"),
    "constant": Initialiser("zeros"),
}


def default_initialiser(role: str) -> Initialiser:
    """What a weight of this role starts as when no rule of `init` matches."""
    return _DEFAULTS[role]


def bind_rule(name: str, given: Sequence[Given] = ()) -> Initialiser:
    """The rule of that name with these arguments.  Faults E500 (no such rule), E310 to E315."""
    if name not in INITIALISERS:
        meant = RULES.get(name.lower().partition("_")[0])
        near = (meant,) if meant else nearest(name, INITIALISERS)
        raise Fault("E500", f"`{name}` is no initialisation rule",
                    notes=(f"rules: {', '.join(INITIALISERS)}",),
                    help=(f"did you mean `{near[0]}`?",) if near else ())
    bound = INITIALISERS[name].bind(given)
    return Initialiser(name, tuple((a.name, getattr(bound, a.name)) for a in bound.args()))


def fans(weight: Weight) -> tuple[int, int]:
    """Numbers that flow into and out of a unit; from the shape [out, in, window...] where no layer says."""
    if weight.fan_in > 0 and weight.fan_out > 0:
        return weight.fan_in, weight.fan_out
    if len(weight.shape) < 2:
        return 0, 0
    window = math.prod(weight.shape[2:])
    return weight.shape[1] * window, weight.shape[0] * window


# ---- which rule is for which weight


def resolve(weights: Mapping[str, Weight], rules: Sequence[Rule]) -> dict[str, Weight]:
    """The weights with the initialiser of the last rule that matches each.

    A bare word matches the tensor `weight` of every layer of that name.  A path matches
    the weight of that full name; or the tensor `weight` of the layer at that path; or, as the
    first steps of several paths, the tensor `weight` of the convolutions and fully connected layers below.

    Raises:
        Faults: with the rule's place: E501 matches nothing, E502 equal numbers for all units
            of a layer, E503 a rule that does not fit a weight's shape.
    """
    resolved = dict(weights)
    faults: list[tuple[Any, Fault]] = []
    for rule in rules:
        names = _matches(weights, rule)
        if not names:
            faults.append((rule.place, _unmatched(weights, rule)))
        for name in names:
            fault = _refusal(weights[name], rule.initialiser)
            if fault is not None:
                faults.append((rule.place, fault))
                break
            resolved[name] = replace(resolved[name], initialiser=rule.initialiser)
    if faults:
        raise Faults(faults)
    return resolved


def layer_path(weight: Weight) -> str:
    """The path of the layer that owns the weight; a raw weight's own name."""
    return weight.name if weight.layer == "weight" else weight.name.rpartition(".")[0]


def _matches(weights: Mapping[str, Weight], rule: Rule) -> list[str]:
    if not rule.is_path:
        return [n for n, w in weights.items() if w.layer == rule.target != "weight" and w.role in MAIN_ROLES]
    if rule.target in weights:
        return [rule.target]
    owned = [n for n, w in weights.items() if layer_path(w) == rule.target and w.role in MAIN_ROLES]
    prefix = rule.target + "."
    return owned or [n for n, w in weights.items()
                     if w.role == "weight" and w.layer != "weight" and layer_path(w).startswith(prefix)]


def _unmatched(weights: Mapping[str, Weight], rule: Rule) -> Fault:
    if not rule.is_path:
        layers = sorted({w.layer for w in weights.values() if w.role in MAIN_ROLES and w.layer != "weight"})
        near = nearest(rule.target, layers)
        return Fault("E501", f"there is no `{rule.target}` with weights in this model",
                     notes=(f"layers with weights: {', '.join(layers) or 'none'}",),
                     help=(f"did you mean `{near[0]}`?",) if near else ())
    paths = {layer_path(w) for w in weights.values()}
    candidates = {".".join(path.split(".")[:n]) for path in paths for n in range(1, path.count(".") + 2)}
    near = nearest(rule.target, candidates | set(weights))
    return Fault("E501", f'no weight is at the path "{rule.target}"',
                 help=(f'did you mean "{near[0]}"?',) if near else ())


def _refusal(weight: Weight, initialiser: Initialiser) -> Fault | None:
    if weight.initialiser.rule == "value":
        return Fault("E503", f"{weight.name} has its numbers in the spec already",
                     help=("leave out the rule, or the `value`",))
    bound = INITIALISERS[initialiser.rule](**dict(initialiser.arguments))
    if bound.constant and weight.role == "weight" and weight.layer != "weight" and weight.trainable:
        return Fault(
            "E502", f"{weight.name} cannot start with equal numbers",
            notes=("all units of the layer would compute the same and get the same gradient, so they would"
                   " stay equal however long they train",),
            help=("he(normal) breaks the symmetry",))
    misfit = bound.misfit(weight)
    return Fault("E503", f"{misfit}, the shape of {weight.name}") if misfit else None


def _shape(weight: Weight) -> str:
    return "[" + ", ".join(map(str, weight.shape)) + "]"


# ---- the numbers


def initial_weights(graph: Graph, seed: int = 0, dtype: str = "float32", *,
                    only: Collection[str] | None = None, limits: Limits = DEFAULT_LIMITS) -> dict[str, Any]:
    """Every weight's first numbers: dotted name -> NumPy array.  `only` names those that are wanted.

    The same for every backend, every platform and any number of processors.  Float64 arrays
    hold the float32 numbers, so that both precisions run the same network.

    Raises:
        TooLarge: E450 beyond `limits.allocation_bytes`, E451 beyond the free memory;
            before anything is allocated.
    """
    import numpy as np

    from compiler.sampling import Stream

    wanted = {name: w for name, w in graph.weights.items() if only is None or name in only}
    check_memory(sum(w.elements for w in wanted.values()) * np.dtype(dtype).itemsize,
                 f"the weights of `{graph.name}`", limits)
    made: dict[str, Any] = {}
    for name, weight in wanted.items():
        rule, arguments = weight.initialiser.rule, dict(weight.initialiser.arguments)
        if rule == "value":
            numbers: Array = np.broadcast_to(np.asarray(arguments["values"], dtype=np.float64), weight.shape)
        else:
            numbers = INITIALISERS[rule](**arguments).numbers(weight, Stream(seed, name))
        rounded = numbers.astype(np.float32, copy=False).astype(dtype, copy=False)
        made[name] = np.ascontiguousarray(rounded).reshape(weight.shape)
    return made


def check_memory(size: int, what: str, limits: Limits = DEFAULT_LIMITS) -> None:
    """Refuse to allocate more than the limit (E450) or more than there is (E451)."""
    if size > limits.allocation_bytes:
        raise TooLarge(Diagnostic(
            "E450", f"{what} would take {size:,} bytes, and the limit is {limits.allocation_bytes:,}",
            help=("a smaller model, or a higher limit",)))
    free = free_memory()
    if free is not None and size > free:
        raise TooLarge(Diagnostic(
            "E451", f"{what} would take {size:,} bytes, and {free:,} bytes of memory are free"))


def free_memory() -> int | None:
    """Bytes that can be allocated without swapping; None where the system does not say."""
    try:
        with open("/proc/meminfo", encoding="ascii") as file:
            for line in file:
                if line.startswith("MemAvailable:"):
                    return int(line.split()[1]) * 1024
    except (OSError, ValueError):
        pass
    return None
