"""The generator of random specs draws everything that there is, and fails are made small."""

from __future__ import annotations

from collections import Counter

import pytest

from compiler.load import check, load
from compiler.ops import OPS
from spec_lang.source import Source
from tests.generator.campaign import main
from tests.generator.coverage import expected, seen
from tests.generator.differential import examine, smallest
from tests.generator.parts import PARTS, parts
from tests.generator.random_spec import LARGEST, SEEDS, random_spec
from tests.generator.shrink import shrunk


def test_every_layer_and_every_choice_is_drawn() -> None:
    drawn = set()
    for seed in range(1_000, 1_400):
        drawn |= seen(load(Source("random.cnn", random_spec(seed, 24).text)).with_training)
        if drawn >= expected():
            break
    assert expected() <= drawn, sorted(expected() - drawn)
    assert {name for name, _, _ in drawn} == set(OPS)


def test_the_parts_of_published_networks_are_drawn_among_what_every_run_compares() -> None:
    drawn: Counter[str] = Counter()
    for seed in SEEDS:
        drawn.update(parts(load(Source("random.cnn", random_spec(seed, LARGEST).text))))
    assert len(SEEDS) >= 200
    assert {name: drawn[name] for name in PARTS if drawn[name] < 3} == {}


@pytest.mark.parametrize(
    "name, wanted",
    [
        ("densenet121", {"dense, one concat after another"}),
        ("googlenet_aux", {"an auxiliary head", "two auxiliary heads"}),
        ("googlenet", set()),
        ("mobilenet_v3_small", {"squeeze and excitation by convolutions"}),
        ("shufflenet_v2_x0_5", {"a shuffle of halves or groups"}),
        ("convnext_tiny", {"stochastic depth"}),
        ("resnet18", set()),
        ("inception_v3", set()),
    ],
)
def test_the_parts_are_told_in_published_networks(name: str, wanted: set[str]) -> None:
    assert parts(load(name)) == wanted


FORMS = ("repeat ", "for ", "if ", "else", "seq {", "branch {", "aside {", "training {", "shared ", "weight ", "let ",
         "inline block ", "expect ", " as (", "_)", "[k, ", "per image", "H = ", "init {", "act = ", "like = ",
         "(in, it)", "trainable = false", "value = ", "output \"", "model again", " # ")  # fmt: skip


def test_every_form_of_the_language_is_drawn() -> None:
    text = "".join(random_spec(seed, 24).text for seed in range(2_000, 2_150))
    assert [form for form in FORMS if form not in text] == []


def test_the_same_seed_gives_the_same_spec() -> None:
    assert [random_spec(seed).text for seed in range(8)] == [random_spec(seed).text for seed in range(8)]


def test_a_spec_that_fails_is_made_small_and_still_fails() -> None:
    text = random_spec(6, 24).text
    last = text.replace("model net", "let unused = 1\n\nmodel net")

    def fails(smaller: str) -> bool:
        return "conv(" in smaller and not any(d.is_error for d in check(Source("small.cnn", smaller)))

    small = shrunk(last, fails)
    assert fails(small)
    assert len(small.splitlines()) <= 8 and "let" not in small


def test_a_finding_is_shrunk_to_what_has_it(monkeypatch: pytest.MonkeyPatch) -> None:
    from backends.numpy.emit import EMITTERS
    from backends.numpy.emit.base import Emitter
    from compiler.ops.activation import Tanh

    wrong = Emitter(lambda layer: layer.call("sigmoid", layer.x), EMITTERS[Tanh].backward)
    monkeypatch.setitem(EMITTERS, Tanh, wrong)
    text = "model m {\n    input x: [4, 5]\n    conv(3, 2) -> tanh -> relu\n    flatten -> fc(3)\n}\n"
    findings = examine(text, stages=("forward",)).findings
    assert [f.kind for f in findings][:1] == ["forward of torch"]
    small = smallest(text, findings[0])
    assert "tanh" in small and "conv" not in small and "fc" not in small


def test_a_mistake_in_a_head_is_found_with_the_heads(monkeypatch: pytest.MonkeyPatch) -> None:
    from backends.numpy.emit import EMITTERS
    from backends.numpy.emit.base import Emitter
    from compiler.ops.activation import Tanh

    wrong = Emitter(lambda layer: layer.call("sigmoid", layer.x), EMITTERS[Tanh].backward)
    monkeypatch.setitem(EMITTERS, Tanh, wrong)
    head = "training {\n        flatten -> fc(3) -> tanh\n        output aux\n    }"
    text = f"model m {{\n    input x: [4, 5]\n    conv(3, 2)\n    {head}\n    relu\n    output y\n}}\n"
    assert examine(text, stages=("forward", "planned", "gradients", "onnx")).findings == []
    found = examine(text, stages=("heads",)).findings
    wanted = {"forward of torch", "planned mode", "gradients of inputs in inference"}
    assert wanted <= {f.kind for f in found}


def test_the_command_prints_specs_and_tells_failures_by_its_status(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--count", "2", "--seed", "5", "--largest", "8", "--print"]) == 0
    assert capsys.readouterr().out == "".join(f"# seed {s}\n{random_spec(s, 8).text}\n" for s in (5, 6))
    assert main(["--count", "2", "--seed", "5", "--largest", "8"]) == 0
