"""Rules that rename the weights of a file: `backbone=`, `fc=head`, `layers.*.norm=features.*.1`.

A rule is OLD=NEW.  OLD is a name, or the first dotted steps of names; what comes after them is kept.
In a step a `*` stands for any characters; a step `**` stands for any number of steps, as few as will
do; NEW repeats them in the same order.  An empty NEW takes the steps off, an empty OLD puts NEW in
front of every name.  Each name is changed by the first rule that fits it, once.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from spec_lang.diagnostics import Diagnostic, nearest
from spec_lang.frozen import frozen
from spec_lang.source import Span

#: Rules in all.
MAX_RULES = 10_000
#: How many mistakes of one kind are told.
SHOWN = 10
#: Of more names than this none is looked for that is near.
MAX_NEAR = 2_000

ANY = "**"


@frozen
class Rule:
    """A rule as it was written; `span` is its place in a table."""

    old: str
    new: str
    span: Span | None = None

    def __str__(self) -> str:
        return f"{self.old}={self.new}"


@frozen
class Renamed:
    """Name -> new name, in the order of the file; or what is wrong with the rules."""

    names: Mapping[str, str]
    mistakes: tuple[Diagnostic, ...] = ()


def renamed(names: Sequence[str], rules: Sequence[Rule]) -> Renamed:
    """The names after the rules.  Every rule must have changed a name, and no two names may become one."""
    if len(rules) > MAX_RULES:
        return Renamed({}, (_wrong(rules[0], f"there are {len(rules):,} rules that rename, and the limit is "
                                   f"{MAX_RULES:,}"),))
    wrong = [mistake for rule in rules if (mistake := _malformed(rule)) is not None]
    if wrong:
        return Renamed({}, tuple(wrong))
    # Rules without wildcards are looked up by the first steps of a name, so that long tables cost little.
    plain: dict[str, int] = {}
    patterns: list[tuple[int, list[str], list[str]]] = []
    for number, rule in enumerate(rules):
        if "*" in rule.old:
            patterns.append((number, _steps(rule.old), _steps(rule.new)))
        else:
            plain.setdefault(rule.old, number)
    used: set[int] = set()
    made: dict[str, str] = {}
    for name in names:
        steps = name.split(".")
        fits = [plain[head] for head in _heads(name) if head in plain]
        first = min(fits, default=len(rules))
        result: list[str] | None = None
        for number, old, new in patterns:
            if number > first:
                break
            result = _applied(old, new, steps)
            if result is not None:
                first = number
                break
        if first < len(rules):
            used.add(first)
            if result is None:
                rule = rules[first]
                result = [*_steps(rule.new), *steps[len(_steps(rule.old)):]]
        made[name] = ".".join(steps if result is None else result)
    unused = [rule for number, rule in enumerate(rules) if number not in used]
    mistakes = [*(_unused(rule, names) for rule in unused[:SHOWN]), *_collisions(made)]
    return Renamed({}, tuple(mistakes)) if mistakes else Renamed(made)


def rule_between(old: str, new: str) -> Rule | None:
    """The rule that brings one name to the other by as few steps as differ; None if it cannot be written."""
    ours, theirs = old.split("."), new.split(".")
    while ours and theirs and ours[-1] == theirs[-1]:
        ours.pop()
        theirs.pop()
    rule = Rule(".".join(ours), ".".join(theirs))
    return None if "=" in old or "*" in old + new or _malformed(rule) else rule


def _steps(text: str) -> list[str]:
    return text.split(".") if text else []


def _heads(name: str) -> Iterable[str]:
    """`a.b.c` has the first steps ``, `a`, `a.b` and `a.b.c`."""
    yield ""
    end = name.find(".")
    while end >= 0:
        yield name[:end]
        end = name.find(".", end + 1)
    yield name


def _malformed(rule: Rule) -> Diagnostic | None:
    old, new = _steps(rule.old), _steps(rule.new)
    for text, steps in ((rule.old, old), (rule.new, new)):
        if "" in steps:
            whole = ".".join(step for step in steps if step)
            return _wrong(rule, f"`{text}` has an empty step", f"rules are about whole steps: `{whole}`")
        if any(step != ANY and step.count("*") > 1 for step in steps):
            return _wrong(rule, f"`{text}` has more than one `*` in a step")
        if steps.count(ANY) > 1:
            return _wrong(rule, f"`{text}` has `**` more than once")
    if rule.old == rule.new:
        return _wrong(rule, "it leaves every name as it is")
    if _wildcards(old) != _wildcards(new):
        return _wrong(rule, "its sides have not the same wildcards",
                      "what a `*` on the left stands for comes where the `*` on the right is")
    return None


def _wildcards(steps: Iterable[str]) -> list[str]:
    return [ANY if step == ANY else "*" for step in steps if "*" in step]


def _applied(old: Sequence[str], new: Sequence[str], steps: Sequence[str]) -> list[str] | None:
    """The steps after a rule with wildcards; None where it does not fit."""
    gap = old.index(ANY) if ANY in old else len(old)
    before, after = old[:gap], old[gap + 1:]
    starred = _starred(before, steps)
    if starred is None:
        return None
    for start in range(gap, len(steps) - len(after) + 1) if ANY in old else (gap,):
        rest = _starred(after, steps[start:])
        if rest is not None:
            stars = iter([*starred, *rest])
            made: list[str] = []
            for step in new:
                if step == ANY:
                    made += steps[gap:start]
                else:
                    made.append(step.replace("*", next(stars)) if "*" in step else step)
            return [*made, *steps[start + len(after):]]
    return None


def _starred(pattern: Sequence[str], steps: Sequence[str]) -> list[str] | None:
    """What the `*` of the pattern stand for in the first steps; None where it does not fit."""
    if len(pattern) > len(steps):
        return None
    found = []
    for wanted, step in zip(pattern, steps, strict=False):
        head, star, tail = wanted.partition("*")
        if not star:
            if step != wanted:
                return None
        elif len(step) < len(head) + len(tail) or not (step.startswith(head) and step.endswith(tail)):
            return None
        else:
            found.append(step[len(head): len(step) - len(tail)])
    return found


def _unused(rule: Rule, names: Sequence[str]) -> Diagnostic:
    steps = _steps(rule.old)
    for name in names:
        if "*" in rule.old:
            fits = _applied(steps, steps, name.split(".")) is not None
        else:
            fits = rule.old in _heads(name)
        if fits:
            return _wrong(rule, "earlier rules have changed every name that it fits",
                          "the first rule that fits a name is taken: put this one first")
    near: tuple[str, ...] = ()
    if len(names) <= MAX_NEAR:
        heads = dict.fromkeys(head for name in names for head in _heads(name) if head)
        near = tuple(head for head in heads if head.endswith(f".{rule.old}")) or nearest(rule.old, heads)
    return _wrong(rule, "it fits no name in the file", *([f"the file has `{near[0]}`"] if near else ()))


def _collisions(made: Mapping[str, str]) -> list[Diagnostic]:
    olds: dict[str, list[str]] = {}
    for old, new in made.items():
        olds.setdefault(new, []).append(old)
    double = [(new, names) for new, names in olds.items() if len(names) > 1]
    mistakes = [Diagnostic("E519", f"`{names[0]}` and `{names[1]}` would both be named `{new}`")
                for new, names in double[:SHOWN]]
    if "" in olds:
        mistakes.append(Diagnostic("E519", f"nothing would be left of the name `{olds[''][0]}`"))
    return mistakes


def _wrong(rule: Rule, what: str, *help: str) -> Diagnostic:
    return Diagnostic("E519", f"the rule `{rule}`: {what}", rule.span, help=help)
