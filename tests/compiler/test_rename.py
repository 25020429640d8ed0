"""Rules that rename the weights of a file."""

from __future__ import annotations

import pytest

from compiler.rename import MAX_RULES, Rule, renamed, rule_between

NAMES = ("backbone.conv1.weight", "backbone.layers.0.norm.gamma", "backbone.layers.11.norm.gamma", "fc.weight", "fc.bias")


def rules(*texts: str) -> list[Rule]:
    return [Rule(*text.split("=")) for text in texts]


def result(*texts: str, names: tuple[str, ...] = NAMES) -> list[str]:
    done = renamed(names, rules(*texts))
    assert done.mistakes == () and tuple(done.names) == names
    return list(done.names.values())


def mistakes(*texts: str, names: tuple[str, ...] = NAMES) -> list[str]:
    done = renamed(names, rules(*texts))
    assert done.names == {} and {m.code for m in done.mistakes} == {"E519"}
    return [m.message for m in done.mistakes]


@pytest.mark.parametrize(
    "given, names, wanted",
    [
        ((), ("a.b",), ["a.b"]),
        (("a.b=c",), ("a.b", "d"), ["c", "d"]),
        (("a=c.d",), ("a.b.e", "ab.e", "b.a"), ["c.d.b.e", "ab.e", "b.a"]),
        (("a=",), ("a.b", "c"), ["b", "c"]),
        (("=a",), ("b", "c.d"), ["a.b", "a.c.d"]),
        # Once, by the first rule that fits: names can change places, and details come before the rest.
        (("a=b", "b=a"), ("a.x", "b.x"), ["b.x", "a.x"]),
        (("a.fc=head", "a="), ("a.fc.w", "a.c.w"), ["head.w", "c.w"]),
        (("a.*=b.*", "a.c=d"), ("a.c.w", "c"), None),
        (("a.c=d", "a.*=b.*"), ("a.c.w", "a.e.w"), ["d.w", "b.e.w"]),
        (("l.*.n=f.*.1",), ("l.0.n.g", "l.11.n.g", "l.0.m.g"), ["f.0.1.g", "f.11.1.g", "l.0.m.g"]),
        (("*.*=x.*.*",), ("a.b.c", "d"), ["x.a.b.c", "d"]),
        (("layer*=stage*s",), ("layer12.w", "layer.w", "alayer1.w"), ["stage12s.w", "stages.w", "alayer1.w"]),
        (("a*b=c*",), ("ab", "axb", "aab", "a"), ["c", "cx", "ca", "a"]),
        (("**.gamma=**.weight",), ("a.b.gamma", "gamma", "gamma.gamma"), ["a.b.weight", "weight", "weight.gamma"]),
        (("**.n.*=**.m.*",), ("n.0", "a.n.0.n.1", "a.n"), ["m.0", "a.m.0.n.1", "a.n"]),
        (("*.**.b=**.*x.c",), None, None),
        (("a.**.b=c.**",), ("a.x.y.b.z", "a.b", "a.x"), ["c.x.y.z", "c", "a.x"]),
    ],
)  # fmt: skip
def test_what_a_rule_makes_of_names(given: tuple[str, ...], names: tuple[str, ...] | None, wanted: list[str] | None) -> None:
    if names is None:
        assert "wildcards" in mistakes(*given)[0]
    elif wanted is None:
        assert "earlier rules" in mistakes(*given, names=names)[0]
    else:
        assert result(*given, names=names) == wanted


@pytest.mark.parametrize(
    "given, says",
    [
        (("a..b=c",), "empty step"),
        (("a.=c",), "empty step"),
        (("a=.c",), "empty step"),
        (("a*b*=c*",), "more than one `*`"),
        (("***=**",), "more than one `*`"),
        (("**.a.**=**.b.**",), "`**` more than once"),
        (("a.*=b",), "not the same wildcards"),
        (("a.*=**.b",), "not the same wildcards"),
        (("fc=fc",), "leaves every name"),
        (("=",), "leaves every name"),
        (("fc2=head",), "fits no name"),
        (("backbon=x",), "fits no name"),
        (("fc.weight.x=head",), "fits no name"),
        (("fc=fc2", "fc=fc3"), "earlier rules"),
        (("fc.weight=fc.bias",), "`fc.weight` and `fc.bias` would both be named `fc.bias`"),
        (("backbone.layers.*.norm=norm*", "norm11=x"), "fits no name"),
        (("fc.bias=",), "nothing would be left of the name `fc.bias`"),
    ],
)  # fmt: skip
def test_a_rule_that_cannot_be_meant_is_told(given: tuple[str, ...], says: str) -> None:
    assert says in mistakes(*given)[0]


def test_the_name_that_is_near_is_told() -> None:
    first, second = renamed(NAMES, rules("backbon=", "layers=x")).mistakes
    assert first.help == ("the file has `backbone`",)
    assert second.help == ("the file has `backbone.layers`",)


def test_there_are_only_so_many_rules_and_mistakes_are_told_ten_at_a_time() -> None:
    assert f"{MAX_RULES:,}" in mistakes(*(f"a{i}=b{i}" for i in range(MAX_RULES + 1)))[0]
    assert len(mistakes(*(f"a{i}=b{i}" for i in range(MAX_RULES)))) == 10


@pytest.mark.parametrize(
    "old, new, rule",
    [
        ("module.conv.weight", "conv.weight", "module="),
        ("conv.weight", "net.conv.weight", "=net"),
        ("a.fc.weight", "a.head.weight", "a.fc=a.head"),
        ("a.gamma", "a.weight", "a.gamma=a.weight"),
        ("a=b.c", "a.c", None),
        ("a.*.c", "a.b.c", None),
    ],
)  # fmt: skip
def test_the_rule_between_two_names_makes_one_the_other(old: str, new: str, rule: str | None) -> None:
    made = rule_between(old, new)
    assert (None if made is None else str(made)) == rule
    if made is not None:
        assert renamed((old,), [made]).names == {old: new}
