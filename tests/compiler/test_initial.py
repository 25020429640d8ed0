"""Rules of `init`: the numbers against their formulas and PyTorch, and which rule is for which weight."""

from __future__ import annotations

import hashlib
import math
import os
import statistics
import subprocess
import sys

import numpy as np
import pytest
import torch

from compiler import initial
from compiler.declare import Fault, Faults, Given, Word
from compiler.graph import Weight
from compiler.initial import INITIALISERS, Initialiser, Rule, bind_rule, fans, initial_weights, resolve
from compiler.load import load
from compiler.sampling import Stream, circle, logarithm, normal_radius, product
from spec_lang.limits import Limits
from spec_lang.source import Source

CONV = (96, 24, 3, 5)
DENSE = (200, 300)


def weight(shape, rule="he", role="weight", layer="conv", name="conv1.weight", **arguments):
    return Weight(name, shape, role, layer, True, Initialiser(rule, tuple(arguments.items())),
                  fan_in=math.prod(shape[1:]), fan_out=shape[0] * math.prod(shape[2:]))


def numbers(of, seed=0):
    bound = INITIALISERS[of.initialiser.rule](**dict(of.initialiser.arguments))
    return bound.numbers(of, Stream(seed, of.name)).reshape(of.shape)


def spec(text):
    return load(Source("test.cnn", text))


TORCH = [
    ("he normal", "he", {"distribution": "normal", "fan": "in"},
     lambda w: torch.nn.init.kaiming_normal_(w, nonlinearity="relu")),
    ("he uniform", "he", {"distribution": "uniform", "fan": "in"},
     lambda w: torch.nn.init.kaiming_uniform_(w, nonlinearity="relu")),
    ("he normal over the fan out", "he", {"distribution": "normal", "fan": "out"},
     lambda w: torch.nn.init.kaiming_normal_(w, mode="fan_out", nonlinearity="relu")),
    ("he uniform over the fan out", "he", {"distribution": "uniform", "fan": "out"},
     lambda w: torch.nn.init.kaiming_uniform_(w, mode="fan_out", nonlinearity="relu")),
    ("xavier normal", "xavier", {"distribution": "normal"}, torch.nn.init.xavier_normal_),
    ("xavier uniform", "xavier", {"distribution": "uniform"}, torch.nn.init.xavier_uniform_),
    ("lecun normal", "lecun", {"distribution": "normal"},
     lambda w: torch.nn.init.kaiming_normal_(w, nonlinearity="linear")),
    ("lecun uniform", "lecun", {"distribution": "uniform"},
     lambda w: torch.nn.init.kaiming_uniform_(w, nonlinearity="linear")),
    ("normal", "normal", {"std": 0.3, "mean": -0.2}, lambda w: torch.nn.init.normal_(w, -0.2, 0.3)),
    ("uniform between bounds", "uniform", {"low": -0.1, "high": 0.4},
     lambda w: torch.nn.init.uniform_(w, -0.1, 0.4)),
    ("uniform of one bound", "uniform", {"low": 0.4, "high": None},
     lambda w: torch.nn.init.uniform_(w, -0.4, 0.4)),
    ("orthogonal", "orthogonal", {"gain": 1.5}, lambda w: torch.nn.init.orthogonal_(w, 1.5)),
]


@pytest.mark.parametrize("shape", [CONV, DENSE], ids=["conv", "fc"])
@pytest.mark.parametrize(
    ("rule", "arguments", "peer"), [row[1:] for row in TORCH], ids=[row[0] for row in TORCH]
)
def test_a_rule_has_the_moments_of_pytorchs(rule, arguments, peer, shape):
    ours = numbers(weight(shape, rule, **arguments))
    torch.manual_seed(1)
    theirs = peer(torch.empty(*shape, dtype=torch.float64)).numpy()
    count, std = ours.size, theirs.std()
    # Five standard errors of each statistic, for both samples.
    assert abs(ours.mean() - theirs.mean()) < 5 * std * math.sqrt(2 / count)
    assert ours.std() == pytest.approx(std, rel=5 / math.sqrt(count))
    assert np.quantile(ours, [0.05, 0.25, 0.75, 0.95]) == pytest.approx(
        np.quantile(theirs, [0.05, 0.25, 0.75, 0.95]), abs=12 * std / math.sqrt(count))


@pytest.mark.parametrize(("rule", "bound"), [
    ("he", math.sqrt(6 / 300)), ("xavier", math.sqrt(6 / 500)), ("lecun", math.sqrt(3 / 300))])
def test_a_uniform_rule_fills_its_bounds_and_stays_within(rule, bound):
    made = numbers(weight(DENSE, rule, distribution="uniform"))
    assert 0.999 * bound < np.abs(made).max() <= bound


@pytest.mark.parametrize("shape", [(24, 60), (60, 24), (7, 3, 2, 5), (9, 9), (1, 5), (5, 1)], ids=str)
def test_orthogonal_rows_or_columns_are_orthonormal_times_the_gain(shape):
    matrix = numbers(weight(shape, "orthogonal", gain=1.5)).reshape(shape[0], -1)
    gram = matrix @ matrix.T if matrix.shape[0] <= matrix.shape[1] else matrix.T @ matrix
    assert gram == pytest.approx(2.25 * np.eye(len(gram)), abs=1e-9)


def test_sparse_gives_each_unit_so_many_connections_of_that_deviation():
    made = numbers(weight((400, 8, 3, 5), "sparse", nonzero=15, std=0.5)).reshape(400, -1)
    assert set((made != 0).sum(axis=1)) == {15}
    assert made[made != 0].std() == pytest.approx(0.5, rel=0.05)
    # Every place has the same chance: 400 * 15 / 120 = 50 of 400, with a deviation of 6.6.
    assert abs((made != 0).sum(axis=0) - 50).max() < 33


def test_sparse_fills_a_unit_with_fewer_inputs():
    assert (numbers(weight((4, 3, 1, 1), "sparse", nonzero=15, std=1.0)) != 0).all()


@pytest.mark.parametrize(("rule", "arguments", "value"), [
    ("zeros", {}, 0.0), ("ones", {}, 1.0), ("constant", {"value": 0.25}, 0.25)])
def test_a_constant_rule_gives_its_constant(rule, arguments, value):
    assert (numbers(weight((5,), rule, role="bias", **arguments)) == value).all()


# ---- the stream of random numbers


# 32 random bits: both ends, the middle, around the quarters, and steps through all.
BITS = np.unique(np.r_[0:5000, 2**30 - 50 : 2**30 + 50, 2**31 - 50 : 2**31 + 50,
                       3 * 2**30 - 50 : 3 * 2**30 + 50, 2**32 - 5000 : 2**32, 0 : 2**32 : 49999]).astype(np.uint32)


def test_the_logarithm_is_the_libraries():
    x = np.concatenate([(BITS + 0.5) * 2.0**-32, [2.0**-33, 0.5, 0.70710677, 0.70710678, 1.0]])
    x = x.astype(np.float32)
    wanted = np.log(x.astype(np.float64))
    assert logarithm(x).dtype == np.float32
    assert (np.abs(logarithm(x) - wanted) <= 1.3e-7 * np.maximum(1, np.abs(wanted))).all()


def test_a_direction_is_a_point_of_the_unit_circle():
    x, y = circle(BITS)
    angle = BITS.view(np.int32) * (np.pi / 2**31)
    assert x.dtype == y.dtype == np.float32
    assert x == pytest.approx(np.cos(angle), abs=1e-6) and y == pytest.approx(np.sin(angle), abs=1e-6)


def test_a_radius_is_that_of_its_probability():
    wanted = np.sqrt(-2 * np.log(np.minimum((BITS + 0.5) * 2.0**-32, 1)))
    # What is nearly 1 is a multiple of 2**-24 in float32.
    assert normal_radius(BITS) ** 2 == pytest.approx(wanted**2, rel=1e-6, abs=2.5e-7)


def test_normal_numbers_have_the_normal_distribution_out_to_its_tails():
    made, normal = Stream(7, "normal").normal(1_000_001), statistics.NormalDist()
    assert made.dtype == np.float32 and len(made) == 1_000_001
    below = np.sort(made)
    # Kolmogorov and Smirnov: exceeded once in 2e5 times; the two of a pair, and neighbours, are independent.
    places = np.arange(0, len(made), 97)
    gaps = [abs(place / len(made) - normal.cdf(below[place])) for place in places]
    assert max(gaps) < 2.5 / math.sqrt(len(made))
    for distance in (3.0, 4.0):
        expected = len(made) * normal.cdf(-distance)
        for found in ((made < -distance).sum(), (made > distance).sum()):
            assert abs(found - expected) < 5 * math.sqrt(expected)
    half = len(made) // 2
    for lag in (1, 1 << 15, half):
        assert abs(np.corrcoef(made[:half], made[lag : lag + half])[0, 1]) < 5 / math.sqrt(half)
    assert np.mean(made**4) == pytest.approx(3, abs=5 * math.sqrt(96 / len(made)))


@pytest.mark.parametrize("count", [0, 1, 2, 3, (1 << 16) - 1, (1 << 16) + 1])
def test_any_number_of_normal_numbers_can_be_had(count):
    made = Stream(7, "some").normal(count, mean=100.0, std=0.5)
    assert len(made) == count and (np.abs(made - 100) < 4).all()


def test_the_product_does_not_depend_on_the_order_of_summation():
    a = Stream(0, "a").normal(30 * 500).astype(np.float64).reshape(30, 500)
    b = Stream(0, "b").normal(500 * 20).astype(np.float64).reshape(500, 20)
    order = Stream(0, "order").permutation(500)
    assert np.array_equal(product(a, b), product(a[:, order], b[order]))
    assert product(a, b) == pytest.approx(a @ b, abs=1e-8)


def test_a_permutation_holds_every_number_once():
    order = Stream(3, "epoch").permutation(1000)
    assert sorted(order) == list(range(1000)) and list(order) != sorted(order)


LENET_LIKE = """model m { input image: [2, 9, 14]
    init { fc = orthogonal  "conv2" = sparse(4) }
    conv(6, 3x5) -> conv(4, 3x3) -> batchnorm -> prelu -> flatten -> fc(7)
}
"""


def test_the_numbers_are_fixed_for_ever():
    made = initial_weights(spec(LENET_LIKE), seed=5)
    digest = hashlib.sha256(b"".join(made[name].astype("<f4").tobytes() for name in sorted(made))).hexdigest()
    assert digest[:16] == "1db77a4380751c74"


def test_the_numbers_do_not_depend_on_the_number_of_threads():
    code = ("import hashlib; from compiler.sampling import Stream; "
            "print(hashlib.sha256(Stream(0, 'a').orthogonal(160, 500, 1.0).tobytes()).hexdigest())")
    made = {
        subprocess.run(
            [sys.executable, "-c", code],
            check=True,
            capture_output=True,
            text=True,
            env={**os.environ, "OPENBLAS_NUM_THREADS": threads, "OMP_NUM_THREADS": threads},
        ).stdout
        for threads in ("1", "2")
    }
    assert len(made) == 1


def test_a_weight_depends_on_the_seed_and_its_name_alone():
    text = (
        "model m { input image: [1, 9, 9]\n    first: conv(4, 3x3)\n    MORE\n    flatten -> last: fc(2)\n}\n"
    )
    short = initial_weights(spec(text.replace("MORE", "relu")), seed=1)
    long = initial_weights(spec(text.replace("MORE", "conv(4, 1x1)")), seed=1)
    other = initial_weights(spec(text.replace("MORE", "relu")), seed=2)
    assert np.array_equal(short["first.weight"], long["first.weight"])
    assert np.array_equal(short["last.weight"], long["last.weight"])
    assert not np.array_equal(short["first.weight"], other["first.weight"])
    assert short["first.weight"].flat[0] != short["last.weight"].flat[0]


def test_float64_weights_hold_the_float32_numbers():
    graph = spec(LENET_LIKE)
    single, double = initial_weights(graph), initial_weights(graph, dtype="float64")
    assert all(double[n].dtype == np.float64 and np.array_equal(single[n], double[n]) for n in single)
    assert all(array.dtype == np.float32 for array in single.values())


def test_defaults_are_he_for_layers_zeros_for_biases_and_neutral_norms():
    made = initial_weights(spec("""model m { input image: [8, 9, 14]
        conv(64, 3x5) -> batchnorm -> prelu -> flatten -> fc(7)
    }"""))
    assert made["conv1.weight"].std() == pytest.approx(math.sqrt(2 / 120), rel=0.05)
    assert (made["conv1.bias"] == 0).all() and (made["fc1.bias"] == 0).all()
    assert (made["batchnorm1.weight"] == 1).all() and (made["batchnorm1.bias"] == 0).all()
    assert (made["batchnorm1.running_mean"] == 0).all() and (made["batchnorm1.running_var"] == 1).all()
    assert (made["prelu1.weight"] == 0.25).all()


def test_a_raw_weight_has_the_numbers_that_the_spec_gives():
    made = initial_weights(spec("""model m { input image: [2, 1, 3]
        weight offset: [2, 1, 1] (trainable = false, value = [[[1.5]], [[-2]]])
        add(it, offset)
    }"""))
    assert made["offset"].tolist() == [[[1.5]], [[-2.0]]]


# ---- limits


@pytest.mark.parametrize(("limit", "refused"), [(400, False), (399, True)])
def test_more_bytes_than_the_limit_are_refused_before_any_is_allocated(limit, refused):
    graph = spec("model m { input x: [9]\n    fc(10)\n}")
    if refused:
        with pytest.raises(initial.TooLarge) as caught:
            initial_weights(graph, limits=Limits(allocation_bytes=limit))
        assert (
            caught.value.diagnostics[0].code == "E450" and "400 bytes" in caught.value.diagnostics[0].message
        )
    else:
        assert len(initial_weights(graph, limits=Limits(allocation_bytes=limit))) == 2


def test_a_model_of_a_hundred_terabytes_is_refused_with_its_bytes():
    graph = spec("model m { input x: [10_000_000]\n    fc(10_000_000, bias = false)\n}")
    with pytest.raises(initial.TooLarge) as caught:
        initial_weights(graph)
    assert "400,000,000,000,000 bytes" in caught.value.diagnostics[0].message


def test_more_bytes_than_are_free_are_refused(monkeypatch):
    monkeypatch.setattr(initial, "free_memory", lambda: 100)
    with pytest.raises(initial.TooLarge) as caught:
        initial_weights(spec("model m { input x: [9]\n    fc(10)\n}"))
    assert caught.value.diagnostics[0].code == "E451"


# ---- binding rules


@pytest.mark.parametrize(("name", "given", "code"), [
    ("kaiming", [], "E500"),
    ("he", [Given(None, Word("gauss"))], "E312"),
    ("he", [Given("fan", Word("both"))], "E312"),
    ("normal", [], "E311"),
    ("normal", [Given(None, 0)], "E312"),
    ("normal", [Given(None, -0.1)], "E312"),
    ("uniform", [Given(None, 1.0), Given(None, 0.5)], "E312"),
    ("uniform", [Given(None, 0)], "E312"),
    ("sparse", [Given(None, 0)], "E312"),
    ("sparse", [Given(None, 1.5)], "E312"),
    ("zeros", [Given(None, 1)], "E314"),
    ("ones", [Given("value", 1)], "E310"),
])
def test_a_rule_that_cannot_be_is_refused(name, given, code):
    with pytest.raises(Fault) as caught:
        bind_rule(name, given)
    assert caught.value.code == code


def test_a_rule_is_stored_with_its_defaults():
    assert bind_rule("he") == Initialiser("he", (("distribution", "normal"), ("fan", "in")))
    assert bind_rule("xavier").described == "xavier(distribution = uniform)"
    assert bind_rule("normal", [Given(None, 0.01)]).described == "normal(std = 0.01, mean = 0.0)"


def test_fans_of_a_raw_weight_come_from_its_shape():
    raw = Weight("kernels", (6, 4, 3, 5), "weight", "weight", True, Initialiser("he"))
    assert fans(raw) == (60, 90)


# ---- matching

NAMES = {
    name: Weight(name, shape, role, layer, True, Initialiser("start"))
    for name, role, layer, shape in [
        ("conv1.weight", "weight", "conv", (6, 4, 3, 5)), ("conv1.bias", "bias", "conv", (6,)),
        ("layer1.0.conv.weight", "weight", "conv", (6, 6, 3, 3)),
        ("layer1.0.bn.weight", "norm_weight", "batchnorm", (6,)),
        ("layer1.0.bn.bias", "norm_bias", "batchnorm", (6,)),
        ("layer1.0.bn.running_mean", "running_mean", "batchnorm", (6,)),
        ("layer10.weight", "weight", "conv", (6, 6, 1, 1)),
        ("act.weight", "slope", "prelu", (6,)),
        ("fc1.weight", "weight", "fc", (7, 6)), ("fc1.bias", "bias", "fc", (7,)),
        ("table", "weight", "weight", (3, 3)),
    ]
}


@pytest.mark.parametrize(("target", "is_path", "matched"), [
    ("conv", False, {"conv1.weight", "layer1.0.conv.weight", "layer10.weight"}),
    ("fc", False, {"fc1.weight"}),
    ("batchnorm", False, {"layer1.0.bn.weight"}),
    ("prelu", False, {"act.weight"}),
    ("conv1", True, {"conv1.weight"}),
    ("fc1.bias", True, {"fc1.bias"}),
    ("layer1", True, {"layer1.0.conv.weight"}),
    ("layer1.0.bn", True, {"layer1.0.bn.weight"}),
    ("layer1.0.bn.running_mean", True, {"layer1.0.bn.running_mean"}),
    ("table", True, {"table"}),
])
def test_a_rule_reaches_what_its_left_side_says(target, is_path, matched):
    changed = resolve(NAMES, [Rule(target, is_path, Initialiser("normal", (("std", 0.5), ("mean", 0.0))))])
    assert {name for name in NAMES if changed[name] != NAMES[name]} == matched


@pytest.mark.parametrize(("target", "is_path", "near"), [
    ("convolution", False, ""), ("batchnrm", False, "batchnorm"), ("weight", False, ""), ("fc3", True, "fc1"),
    ("layer", True, "layer1"), ("fc1.wieght", True, "fc1.weight"), ("layer1.0.co", True, "layer1.0.conv"),
])
def test_a_rule_that_matches_nothing_is_an_error_with_the_nearest(target, is_path, near):
    with pytest.raises(Faults) as caught:
        resolve(NAMES, [Rule(target, is_path, bind_rule("he"), "here")])
    [(place, fault)] = caught.value.faults
    assert (place, fault.code) == ("here", "E501")
    assert (near in "".join(fault.help)) if near else not fault.help or "fc" not in target


def test_the_last_match_wins_whatever_its_kind():
    rules = [Rule("fc1", True, bind_rule("lecun")), Rule("fc", False, bind_rule("xavier")),
             Rule("conv", False, bind_rule("lecun")), Rule("conv1", True, bind_rule("xavier"))]
    made = resolve(NAMES, rules)
    assert made["fc1.weight"].initialiser.rule == "xavier"
    assert made["conv1.weight"].initialiser.rule == "xavier"
    assert made["layer10.weight"].initialiser.rule == "lecun"


@pytest.mark.parametrize(("target", "is_path", "rule", "code"), [
    ("conv", False, bind_rule("zeros"), "E502"),
    ("fc1.weight", True, bind_rule("ones"), "E502"),
    ("fc", False, bind_rule("constant", [Given(None, 0.1)]), "E502"),
    ("batchnorm", False, bind_rule("zeros"), None),
    ("fc1.bias", True, bind_rule("constant", [Given(None, 0.1)]), None),
    ("table", True, bind_rule("zeros"), None),
    ("fc1.bias", True, bind_rule("orthogonal"), "E503"),
    ("batchnorm", False, bind_rule("he"), "E503"),
    ("fc1.bias", True, bind_rule("sparse"), "E503"),
])
def test_rules_that_cannot_train_or_do_not_fit_are_refused(target, is_path, rule, code):
    if code is None:
        assert resolve(NAMES, [Rule(target, is_path, rule)]) != NAMES
    else:
        with pytest.raises(Faults) as caught:
            resolve(NAMES, [Rule(target, is_path, rule)])
        assert [fault.code for _, fault in caught.value.faults] == [code]


def test_all_faulty_rules_are_reported_at_once():
    with pytest.raises(Faults) as caught:
        resolve(
            NAMES, [Rule("conv", False, bind_rule("zeros"), 1), Rule("nothing", True, bind_rule("he"), 2)]
        )
    assert [(place, fault.code) for place, fault in caught.value.faults] == [(1, "E502"), (2, "E501")]
