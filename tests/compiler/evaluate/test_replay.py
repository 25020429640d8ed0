"""A block that is made again is what its evaluation would have made: everything of it, and every message."""

import pytest

from compiler.declare import show
from compiler.evaluate import blocks, context, model, replay
from compiler.evaluate.context import Run
from compiler.evaluate.replay import Recording
from compiler.graph import Node, Value
from compiler.load import check, load, shipped
from spec_lang.diagnostics import SpecError
from spec_lang.limits import Limits
from spec_lang.source import Source
from tests.generator.random_spec import random_spec


def described(inference):
    """All that a graph says, with values and scopes by their order of appearance."""
    graph = inference.with_training
    values, scopes = {}, {}
    for value in (*graph.inputs.values(), *(v for node in graph.nodes for v in node.outputs)):
        values[value] = len(values)

    def said(argument):
        if isinstance(argument, tuple):
            return [said(part) for part in argument]
        return ("tensor", values.get(argument)) if isinstance(argument, Value) else (type(argument), show(argument))

    def scope(one):
        scopes[id(one)] = len(scopes)
        members = [(m.name,) if isinstance(m, Node) else scope(m) for m in one.members]
        parent = None if one.parent is None else scopes[id(one.parent)]
        shown = {k: said(v) for k, v in one.arguments.items()}
        return (one.kind, one.steps, one.name, parent, shown, one.span, one.doc, one.shared, one.label, one.path,
                one.absolute, members)

    tree = scope(graph.root)
    nodes = [
        (node.op, [values.get(v, v.weight) for v in node.inputs], node.path, node.name, dict(node.weights),
         scopes[id(node.scope)], node.span, node.training, node.label,
         [(values[v], v.type, v.name, v.span) for v in node.outputs])
        for node in graph.nodes
    ]
    outputs = {name: values[value] for name, value in graph.outputs.items()}
    kept = [node.name for node in inference.nodes]
    return nodes, list(graph.weights.items()), tree, outputs, graph.free, list(graph.arguments), kept


class Made:
    """What an evaluation came to: graphs or messages, and what it cost; and how many blocks were made again."""

    def __init__(self, monkeypatch, target, evaluated, limits):
        again, runs, self.replayed = Recording.again, [], 0

        class Kept(Run):
            def __init__(self, *given):
                super().__init__(*given)
                runs.append(self)

        def counted(recording, *given):
            results = again(recording, *given)
            self.replayed += results is not None
            return results

        with monkeypatch.context() as patch:
            patch.setattr(model, "Run", Kept)
            patch.setattr(Recording, "again", counted)
            if evaluated:
                patch.setattr(blocks, "key_of", lambda *_: None)
            self.found = [str(one) for one in check(target, limits=limits)]
            try:
                self.graph = described(load(target, limits=limits))
            except SpecError as error:
                self.graph = [(d.code, d.message, d.span, d.notes, d.help, d.labels) for d in error.diagnostics]
        self.cost = [(r.steps, r.names, r.paths.taken, r.paths.through, len(r.spoken_for)) for r in runs]


def same(monkeypatch, target, limits=None):
    """How many blocks were made again, of which none is other than evaluated."""
    limits = limits or Limits()
    one, other = (Made(monkeypatch, target, evaluated, limits) for evaluated in (False, True))
    assert other.replayed == 0
    assert one.found == other.found
    assert one.graph == other.graph
    assert one.cost == other.cost
    return one.replayed


@pytest.mark.parametrize("name", list(shipped()))
def test_shipped_models_are_what_they_would_be(monkeypatch, name):
    same(monkeypatch, name)


def test_resnet152_evaluates_each_kind_of_block_once(monkeypatch):
    assert same(monkeypatch, "resnet152") == 2 * 42  # of 50; `check` and `load`


@pytest.mark.parametrize("first", range(0, 400, 100))
def test_random_specs_are_what_they_would_be(monkeypatch, first):
    again = sum(
        same(monkeypatch, Source("random.cnn", random_spec(seed, 60).text)) for seed in range(first, first + 100)
    )
    assert again > 10


BLOCK = "block B(n = 2, act = relu, k = 3) {\n    add {\n        branch { conv(n, k, pad = same) }\n        branch { identity }\n    }\n    act\n}\n"


def texts():
    def one(body, block=BLOCK, size="2, 8, 8"):
        return f"model m {{\n    input image: [{size}]\n{body}\n}}\n{block}"

    def plain(inside, parameters="n = 2"):
        return f"block B({parameters}) {{\n{inside}\n}}\n"

    return {
        "labels and kinds": (one("B\nB\nfirst: B\nB(2)\nB(k = 3)\nB(k = 3x3)\nB(k = (3, 3))\nB(act = tanh)\nB(act = tanh)"), 6),
        "an argument of another kind": (one("B(2)\nB(true)\nB(2.0)"), 0),
        "an input of another type": (one("B -> B\nmaxpool(2)\nB -> B\nflatten\nB"), 2),
        "a name for the result": (one("B as a\nB as b\nB as c\nadd(a, b, c)"), 2),
        "a result that nobody takes": (one("B as a\nB as b\nB"), 0),
        "a result that nobody needs": (one("B as x\naside { B as _ }\naside { B as _ }\nx -> B"), 0),
        "a tensor that nobody takes within": (one("B\nB\nB", plain("conv(n, 1) as lost\nin -> relu")), 2),
        "a tensor put aside within": (one("B\nB\nB", plain("aside { tanh as _ }\nrelu")), 0),
        "a name for what flows in": (one("conv(2, 1)\nB\nB\nB", plain("in as x\nrelu\nadd(it, x)")), 0),
        "a name for what has one": (one("conv(2, 1) as a\nB as b\nB as c\nB", plain("in as x\nrelu\nadd(it, x)")), 0),
        "several outputs": (one("B as (a, b)\na -> B as (c, d)\nadd(b, c, d)", plain("relu as p\noutput p\nin -> tanh\noutput q")), 1),
        "blocks within blocks": (one("B\nB\nB(3)\nB(3)", plain("C(n)\nC(n)\nC(2)", "n = 2") + "block C(n) {\n    conv(n, 1) -> batchnorm -> relu\n}\n"), 5),
        "an inline block": (one("B\nB\nB", "inline " + plain("C\nconv(n, 1)") + "block C {\n    conv(2, 1) -> relu\n}\n"), 2),
        "arrays and loops": (one("B\nB\nB", plain("for i in 0..n {\n  in -> conv(2, 1) as x[i]\n}\nconcat(x[0..n])\nconv(2, 1)")), 2),
        "groups and seqs": (one('B\nB\n"s": seq {\n  B\n  B\n}', plain('"g": {\n  seq {\n    conv(n, 1) -> relu\n  }\n}\n"a.b": conv(2, 1)')), 3),
        "shared within": (one("B\nB\nB", plain("shared s: conv(2, 1)\ns -> relu -> s")), 0),
        "shared around": (one('shared s: seq {\n  B\n  B\n}\ns\ns\nB'), 0),
        "shared handed on": (one("shared s: conv(2, 1)\ns\nB(s)\nB(s)", plain("f -> relu", "f")), 0),
        "a tensor handed on": (one("relu as x\nB(x)\nB(x)", plain("add(it, t)", "t")), 0),
        "a weight within": (one("B\nB", plain('weight w: [2, 1, 1]\nmultiply(it, w)')), 0),
        "training around": (one("B -> B\ntraining {\n  B -> B\n  output aux\n}\nB"), 0),
        "training within": (one("B\nB", plain("training {\n  conv(2, 1)\n  output aux\n}\nrelu")), 0),
        "an expectation": (one("B\nB\nB", plain("conv(n, 1)\nexpect it.channels == 2")), 2),
        "one that is not met": (one("B\nB\nB", plain("conv(n, 1)\nexpect it.channels == 3")), 0),
        "a mistake": (one("B\nB\nB", plain("conv(n, 1)\nfc(3, stride = 2)")), 0),
        "a mistake at another size": (one("B\nB\nB\nmaxpool(2)\nB", plain("conv(n, 5, pad = same)\nexpect it.height > 4")), 0),
        "a warning": (one("B\nB\nB", plain('"g": {\n  conv(n, 1)\n}')), 2),
        "a constant": (one("B\nB\nB", "let width = 1 + 1\n" + plain("conv(width, 1)")), 1),
        "a function": (one("B\nB\nB", "let f(a) = 2 * a\n" + plain("conv(f(n) - 2, 1)")), 1),
        "a layer by another name": (one("B\nB\nB", "block relu6 {\n    tanh\n}\n" + plain("relu6")), 1),
        "a list": (one("B([2, 3])\nB([2, 3])\nB([2, 3])\nB([2, 3.0])\nB((2, 3))", plain("for k in n {\n  conv(2, 1)\n}", "n = [1]")), 1),
        "a long list": (one("B([i for i in 0..100])\nB([i for i in 0..100])", plain("conv(len(n), 1)", "n")), 0),
        "a layer with arguments": (one("B(leakyrelu(0.1))\nB(leakyrelu(0.1))\nB(relu)\nB(relu)", plain("f", "f")), 1),
        "nothing but what flows": (one("B\nB\nB", plain("identity")), 2),
        "nothing at all": (one("B\nB\nrelu", plain("")), 1),
        "a path that is taken": (one('x: B\nx: B\n"x.y": B\nB'), 0),
        "a path that goes through": (one('"a.b": B\n"a.c": B\na: B\n"a.b.conv1": conv(2, 1)'), 0),
        "a label of two steps within": (one("B\nB\nB", plain('"p.q": conv(n, 1)\nrelu') ), 1),
        "shared around, at another size": (one("shared s: seq {\n  B\n  B\n}\ns\nconv(5, 1)\ns\nB", plain("conv(2, 1) -> conv(5, 1)")), 0),
        "a tensor of training outside of it": (one("conv(2, 1) as a\nB\nconv(2, 1) as b\nB\ntraining {\n  relu as x[0]\n  output aux\n}\nx[0] -> B"), 1),
        "training within a block": (one("conv(2, 1)\nB as (a, _)\ntanh\nB as (b, _)\ntanh\nB as (c, _)", plain("relu\noutput main\ntraining {\n  conv(2, 1)\n  output aux\n}")), 0),
        "a mistake of the grammar": (one("conv(2, 1)\nB\nB\nB", plain("conv(2, 1\nrelu as t\n(3")), 0),
        "named, then not": (one("conv(2, 1) as a\nB\nB\nB", plain("in as x\nrelu\nadd(it, x)")), 0),
        "2, then 2.0": (one("conv(2, 1)\nB(2)\nB(2)\nB(2.0)"), 1),
        "1, then true": (one("conv(2, 1)\nB(1)\nB(1)\nB(true)", plain("if n == 1 {\n  relu\n} else {\n  tanh\n}", "n")), 1),
        "numbers in lists": (one("conv(2, 1)\nB([1])\nB([1])\nB([true])\nB([1.0])", plain("for k in n {\n  if k == 1 {\n    relu\n  } else {\n    tanh\n  }\n}", "n")), 1),
        "layers with other arguments": (one("conv(2, 1)\nB(elu(alpha = 1))\nB(elu(alpha = 2))\nB(elu(alpha = true))\nB(elu)", plain("f", "f")), 0),
        "other depths": (one("conv(2, 1)\nN(9)", "block N(n) {\n    if n > 0 {\n        N(n - 1)\n    }\n    C\n    C\n}\nblock C {\n    D\n    D\n}\nblock D {\n    relu\n}\n"), 20),
        "one name twice": (one("conv(2, 1)\nB\nB\nB", plain("relu1: tanh\nrelu")), 2),
        "a block that asks, made again within one that is evaluated": (one("conv(2, 1)\nB(1)\nB(2)\nconv(4, 1)\nB(2)", plain("C\nrelu", "n = 1") + "block C {\n  conv(in.channels, 1)\n}\n"), 1),
        "such a one in a loop": (one("conv(2, 1)\nB(2)\nB(3)\nmaxpool(2)\nB(3)", plain("repeat n {\n  C\n}") + "block C {\n  if it.height == 8 {\n    relu\n  } else {\n    tanh\n  }\n}\n"), 1),
        "such a one that expects": (one("conv(2, 1)\nB(2)\nB(3)\nconv(4, 1)\nB(3)", plain("repeat n {\n  C\n}") + "block C {\n  expect it.channels == 2\n  relu\n}\n"), 1),
        "two zeros": (one("conv(2, 1)\nB(0.0)\nB(-0.0)\nB([0.0])\nB([-0.0])", plain('"x{n}": conv(2, 1)', "n = 0.5").replace("= 0.5", "")), 0),
        "two zeros of a layer": (one("conv(2, 1)\nmultiply(it, 0.0)\nmultiply(it, -0.0)\nmultiply(it, 0)"), 0),
        "put aside twice": (one("aside {\n  conv(2, 1) as _ -> B\n}\naside {\n  conv(2, 1) -> B\n}\nrelu", plain("in as _")), 0),
        "a product as a size": (one("conv(2, 9, pad = same)\nB\nconv(4, 1)\nB", plain("conv(2, 3*3, pad = same)")), 0),
        "a product beside its size": (one("conv(2, 1)\nconv(2, 9, pad = same)\nconv(2, 3*3, pad = same)"), 0),
        "a tensor handed on within": (one("conv(2, 1)\nB\nB\nconv(4, 1)\nB", plain("relu as x\nC(x)") + "block C(t) {\n  add(it, t)\n}\n"), 0),
        "tensors handed on within": (one("conv(2, 1)\nB\nB\nconv(4, 1)\nB", plain("relu as x\nC([x, x])") + "block C(t) {\n  add(it, t[0])\n}\n"), 0),
        "a block of another's that does not fit": (one("conv(2, 1)\nO(1)\nO(1)\nmaxpool(2)\nO(1)\nO(2)\nO(2)", "block O(n) {\n  C\n  relu\n}\nblock C {\n  conv(2, 5, pad = 2)\n  conv(2, 8)\n}\n"), 0),
        "growing inputs": (one("B\nB\nB\nB\nB", plain("concat {\n  branch { identity }\n  branch { batchnorm -> relu -> conv(n, 3, pad = 1) }\n}")), 4),
        "inputs of other ranks": (one("B\nflatten\nB\nB", plain("batchnorm -> relu")), 2),
        "inputs that are asked": (one("B\nconv(4, 1)\nB\nB", plain("conv(in.channels, 1)\nconv(2 * it.channels, 1)")), 0),
        "an output named by its type": (one("B\nconv(4, 1)\nB\nB", plain('conv(3, 1)\noutput "{in}"')), 0),
        "as long as it fits": (one("B\nB\nB\nB\nB", plain("conv(n, 3)")), 2),
        "a size that is not whole": (one("B\nB\nB\nB", plain("conv(n, 3, stride = 2, pad = 1)"), "2, 18, 18"), 0),
        "weights that are not there": (one("B\nconv(4, 1)\nB\nB", plain("lrn(3) -> softmax")), 2),
        "a tensor as an argument within": (one("B\nconv(5, 1)\nB\nconv(6, 1)\nB", plain("in -> maxpool(2) as small\nin -> adaptiveavgpool(like = small)\nadd(it, small)")), 1),
    }  # fmt: skip


@pytest.mark.parametrize("name", list(texts()))
def test_any_block_is_what_it_would_be(monkeypatch, name):
    text, again = texts()[name]
    assert same(monkeypatch, Source("m.cnn", text)) >= again


DEEP = "model m {\n    input image: [2, 8, 8]\n    repeat 6 {\n        B\n    }\n}\n" + BLOCK


@pytest.mark.parametrize("limit", ["steps", "layers"])
def test_limits_are_met_at_the_same_place(monkeypatch, limit):
    whole = Made(monkeypatch, Source("m.cnn", DEEP), True, Limits())
    most = whole.cost[-1][0] if limit == "steps" else len(whole.graph[0])
    outcomes = set()
    for number in [most, most - 1, *range(most + 1, 0, -max(most // 60, 1))]:
        limits = Limits(**{limit: number})
        same(monkeypatch, Source("m.cnn", DEEP), limits)
        outcomes.add(len(Made(monkeypatch, Source("m.cnn", DEEP), False, limits).found))
    assert outcomes == {0, 1}


@pytest.mark.parametrize("letters", [30, 60, 61, 62, 90, 91, 92, 1000])
def test_all_names_are_as_long_as_they_may_be(monkeypatch, letters):
    for module in (context, replay):
        monkeypatch.setattr(module, "MAX_NAMES", letters)
    assert same(monkeypatch, Source("m.cnn", DEEP)) >= (2 * 4 if letters == 1000 else 0)


GROWING = (
    "model m {\n    input image: [2, 8, 8]\n    repeat 6 {\n        D\n    }\n}\n"
    "block D {\n    concat {\n        branch { identity }\n        branch { conv(8, 1) }\n    }\n}\n"
)


@pytest.mark.parametrize("limit", ["elements", "dimension"])
def test_tensors_that_grow_are_refused_at_the_same_place(monkeypatch, limit):
    outcomes = set()
    for number in [*range(4, 60, 3), 64 * 33, 64 * 40, 64 * 50]:
        limits = Limits(**{limit: number})
        again = same(monkeypatch, Source("m.cnn", GROWING), limits)
        refused = len(Made(monkeypatch, Source("m.cnn", GROWING), False, limits).found)
        outcomes.add((bool(again), refused))
    assert outcomes >= {(False, 1), (True, 1), (True, 0)}


def test_a_product_is_refused_whatever_stands_before_it():
    text = texts()["a product beside its size"][0]
    assert [d.code for d in check(Source("m.cnn", text))] == ["E316"]


def test_a_join_of_one_branch_is_no_layer(monkeypatch):
    text = ("model m {\n    input image: [2, 8, 8]\n    B\n    B\n    B\n}\nblock B {\n    if true {\n        C\n    }\n}\n"
            "block C {\n    add {\n        for i in 0..1 {\n            branch { relu }\n        }\n    }\n}\n")  # fmt: skip
    for layers in (1, 2, 3, 4):
        same(monkeypatch, Source("m.cnn", text), Limits(layers=layers))
    assert check(Source("m.cnn", text), limits=Limits(layers=3)) == []
    assert [d.code for d in check(Source("m.cnn", text), limits=Limits(layers=2))] == ["E412"]


def test_what_does_not_fit_is_tried_once_for_all_that_is_in_it(monkeypatch):
    """Each of the nested blocks on its own would try all that is in it: 190 times as much."""
    text = (
        "model m {\n    input image: [2, 12, 12]\n    conv(2, 1)\n    F(60)\n    maxpool(2)\n    F(60)\n}\n"
        "block F(n) {\n    if n == 0 {\n        conv(2, 3, pad = 1)\n        conv(2, 5)\n    } else {\n"
        "        relu\n        F(n - 1)\n    }\n}\n"
    )
    tried, typed = [], Recording._typed
    monkeypatch.setattr(Recording, "_typed", lambda self, *given: tried.append(1) or typed(self, *given))
    same(monkeypatch, Source("m.cnn", text))
    assert len(tried) == 2  # by `check` and by `load`


def test_densenet201_evaluates_one_of_its_layers(monkeypatch):
    assert same(monkeypatch, "densenet201") >= 2 * 97


def test_a_recursion_is_as_deep_as_it_was(monkeypatch):
    text = "model m {\n    input image: [2, 8, 8]\n    F(5)\n}\nblock F(n) {\n    if n == 0 {\n        conv(2, 1)\n    } else {\n        add {\n            branch { F(n - 1) -> F(n - 1) }\n            branch { F(n - 1) }\n        }\n    }\n}\n"
    assert same(monkeypatch, Source("m.cnn", text)) > 8
