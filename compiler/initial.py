"""How weights start: the rules of `init`, the defaults, and the seeded numbers themselves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Initialiser:
    """A rule with its arguments, bound: `he` with `{"distribution": "normal"}`."""

    rule: str
    arguments: tuple[tuple[str, Any], ...] = ()


_DEFAULTS = {
    "weight": Initialiser("he", (("distribution", "normal"),)),
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
