"""The memory of inference and training: worked by hand, by brute force, and against what PyTorch keeps."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import cnnc
from compiler.graph import Graph, GraphBuilder
from compiler.load import load
from compiler.memory import kept_activations, optimizer_state, peak_activations, usage
from compiler.ops import OPS
from compiler.ops.base import TensorType
from compiler.ops.dropout import Dropout
from compiler.ops.reshape import Flatten, Identity, Reshape
from spec_lang.source import Source
from tests.cases import CASES, LayerCase
from tests.generator.random_spec import random_spec


def net(*lines: str, input: str = "x: [2, 4, 4]", more: str = "") -> Graph:
    body = "\n".join(lines)
    return load(Source("m.cnn", f"model m {{\ninput {input}\n{body}\n}}\n{more}"))


# -- inference -------------------------------------------------------------------------------

# Of [2, 4, 4] there are 32 numbers; conv(n, 1x1) makes 16 n.
PEAKS: dict[str, tuple[Graph, int, str]] = {
    # 32 + 48, then 48 + 16: the ReLU writes over what nobody else needs.
    "a chain": (net("conv(3, 1x1) -> relu", "conv(1, 1x1)"), 32 + 48, "conv1"),
    "nothing but in place": (net("relu -> sigmoid"), 32, "x"),
    # The input lives until the sum: 32 with 64 and 32, when the second convolution runs.
    "a residual": (
        net("add {", "branch { conv(4, 1x1) -> relu -> conv(2, 1x1) }", "branch { }", "}"), 32 + 64 + 32, "conv2"),
    # The sum needs room of its own, beside its two terms.
    "a sum alone": (net("add {", "branch { relu }", "branch { }", "}"), 32 + 32 + 32, "add1"),
    # Here the ReLU may not write over x: two of 32.  The last one may.
    "a copy where others read": (net("x -> relu as a", "x -> conv(1, 1x1) as b", "concat(a, b)"),
                                 32 + 16 + 48, "concat1"),
    # Everything made so far is in the next concat: 32 + 16, 48; 48 + 16, 64: (x, a) 48 with c of 64 and b of 16.
    "dense": (net("x -> conv(1, 1x1) as a", "concat(x, a) as c", "c -> conv(1, 1x1) as b", "concat(c, b)"),
              48 + 16 + 64, "concat2"),
    # The skip of 32 + the first conv's 64 lives from the top of the U to its end.
    "a U": (
        net("conv(4, 1x1) -> relu as top", "maxpool(2x2) -> conv(8, 1x1)", "adaptiveavgpool(4x4) as up",
            "concat(top, up)"),
        64 + 128 + 192, "concat1"),
    # A view has no room of its own, and keeps what it shows: 32 lives to the end of both.
    "views": (net("flatten as f", "f -> fc(5) as g", "f -> fc(7) as h", "concat(g, h)"), 32 + 5 + 7, "fc2"),
    # Outputs live to the end.
    "outputs": (net("conv(4, 1x1)", "output a", "conv(1, 1x1)", "output b"), 64 + 32, "conv1"),
    "outputs in place": (net("conv(1, 1x1)", "output a", "relu -> conv(2, 1x1) -> conv(1, 1x1)", "output b"),
                         16 + 16 + 32, "conv2"),
    "two inputs": (net("input y: [2, 4, 4]", "y -> conv(3, 1x1) -> relu as b", "x -> conv(3, 1x1) as a", "add(a, b)"),
                   48 + 48 + 48, "add1"),
    # No room while nothing is computed, though somebody else reads it too.
    "dropout": (net("dropout(0.5) as d", "add(d, x)"), 64, "add1"),
    "classic dropout": (net("dropout(0.5, mode = classic) as d", "add(d, x)"), 96, "add1"),
    "a raw weight": (net("weight w: [2, 4, 4]", "add(x, w)"), 64, "add1"),
}  # fmt: skip


@pytest.mark.parametrize("name", PEAKS)
def test_the_peak_is_what_is_worked_out_by_hand(name: str) -> None:
    graph, numbers, where = PEAKS[name]
    assert peak_activations(graph) == (numbers, where)


def brute_force(graph: Graph, batch: int = 1) -> int:
    """The peak, from the definition: what lives is asked anew at every step, of every value.

    Rooms: a value is alive in a room from the step that makes it to its last reader.  A room is alive if
    any of its values is.
    """
    values = [*graph.inputs.values(), *(v for node in graph.nodes for v in node.outputs)]
    made = {id(v): -1 for v in graph.inputs.values()}
    made |= {id(v): step for step, node in enumerate(graph.nodes) for v in node.outputs}
    end = len(graph.nodes)
    outputs = {id(v) for v in graph.outputs.values()}
    readers = {id(v): [s for s, n in enumerate(graph.nodes) if v in n.inputs] for v in values}
    last = {k: end if k in outputs else max(steps, default=made[k]) for k, steps in readers.items()}

    rooms = [{id(v)} for v in graph.inputs.values()]
    size = {id(v): int(np.prod(v.shape)) * batch for v in values}

    def room_of(key: int) -> set[int] | None:
        return next((room for room in rooms if key in room), None)

    def shows(node: Any) -> bool:
        op, x = node.op, node.input_types[0]
        if isinstance(op, Dropout):
            return op.mode != "classic"
        pools = ("globalavgpool", "globalmaxpool", "adaptiveavgpool", "adaptivemaxpool")
        return isinstance(op, (Flatten, Reshape, Identity)) or (
            op.name in pools and x.shape == node.outputs[0].shape)

    # Views first, wherever they are: they decide how long a room lives.
    for node in graph.nodes:
        source = room_of(id(node.inputs[0]))
        if source is not None and shows(node):
            source.add(id(node.outputs[0]))
        else:
            rooms.extend({id(v)} for v in node.outputs)
    ends = [max(last[k] for k in room) for room in rooms]
    starts = [min(made[k] for k in room) for room in rooms]
    held = [max(size[k] for k in room) for room in rooms]
    most = sum(h for h, s in zip(held, starts, strict=True) if s < 0)
    for step, node in enumerate(graph.nodes):
        alive = sum(h for h, s, e in zip(held, starts, ends, strict=True) if s <= step <= e)
        source = room_of(id(node.inputs[0]))
        new = room_of(id(node.outputs[0]))
        if source is not None and new is not None and source is not new and not node.op.new_volume(node.input_types):
            if ends[rooms.index(source)] == step:
                alive -= held[rooms.index(source)]
        most = max(most, alive)
    return most


@pytest.mark.parametrize("seed", range(1, 21))
def test_the_peak_of_random_networks_is_that_of_brute_force(seed: int) -> None:
    graph = load(Source("r.cnn", random_spec(seed).text))
    for one in (graph, graph.with_training):
        assert peak_activations(one, 3)[0] == brute_force(one, 3)


@pytest.mark.parametrize("name", ["lenet5", "googlenet", "shufflenet_v2_x1_0"])
def test_the_peak_of_known_networks_is_that_of_brute_force(name: str) -> None:
    graph = load(name)
    numbers, where = peak_activations(graph)
    assert numbers == brute_force(graph) and where in {node.name for node in graph.nodes}


def test_a_batch_multiplies_activations_and_leaves_weights_alone() -> None:
    graph = load("resnet18")
    one, many = usage(graph), usage(graph, 7)
    assert many.inference.activations == 7 * one.inference.activations
    assert many.training.activations == 7 * one.training.activations
    assert (many.inference.weights, many.training.state) == (one.inference.weights, one.training.state)
    running = sum(w.elements for w in graph.weights.values() if not w.trainable)
    assert one.inference.weights == 4 * (11_689_512 + running) and one.training.gradients == 4 * 11_689_512


def test_what_training_holds_takes_no_room_at_inference() -> None:
    plain, aux = usage(load("googlenet")), usage(load("googlenet_aux"))
    assert plain.inference == aux.inference
    assert aux.training.gradients == 4 * 13_004_888
    assert aux.training.activations > plain.training.activations


# -- training --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("section", "name", "copies"),
    (("", "sgd", 1), ("optimizer = sgd(lr = 0.1, momentum = 0)", "sgd", 0), ("optimizer = adam", "adam", 2)))
def test_what_the_optimizer_keeps(section: str, name: str, copies: int) -> None:
    graph = net("conv(3, 1x1)", more=f"train m {{ {section} }}" if section else "")
    assert optimizer_state(graph) == (name, copies)
    assert usage(graph).training.state == 4 * copies * 9


# A ReLU keeps its result, a convolution what flows in, a maxpool that and 8 bytes for each position.
KEPT: dict[str, tuple[Graph, int]] = {
    "a chain": (net("conv(3, 1x1) -> relu -> maxpool(2x2) -> conv(2, 1x1)"), 4 * (32 + 48 + 12) + 8 * 12),
    "each once": (net("conv(3, 1x1) -> relu as a", "a -> conv(2, 1x1) as b", "a -> conv(2, 1x1) as c", "add(b, c)"),
                  4 * (32 + 48)),
    "a view is what it shows": (net("conv(3, 1x1) -> relu -> flatten -> fc(2)"), 4 * (32 + 48)),
    "nothing in front of what is trained": (net("relu -> maxpool(2x2) -> flatten -> fc(2)"), 4 * 8),
    "nothing where nothing is trained": (net("conv(3, 1x1, frozen = true) -> relu"), 0),
    "a frozen layer passes it on": (net("conv(3, 1x1) -> conv(2, 1x1, frozen = true) -> relu"), 4 * (32 + 48 + 32)),
    "a frozen matrix needs nothing": (net("conv(3, 1x1) -> flatten -> fc(2, frozen = true)"), 4 * 32),
    "a mask of a byte": (net("conv(3, 1x1) -> dropout(0.5)"), 4 * 32 + 48),
    "a mask of channels": (net("conv(3, 1x1) -> dropout(0.5, spatial = true)"), 4 * 32 + 3),
    "a mask of an image": (net("conv(3, 1x1) -> dropout(0.5, mode = path)"), 4 * 32 + 1),
    "training alone": (net("conv(3, 1x1)", "training { flatten -> fc(2)", "output aux }", "relu", "output y"),
                       4 * (32 + 48 + 48)),
}  # fmt: skip


@pytest.mark.parametrize("name", KEPT)
def test_what_is_kept_is_what_is_worked_out_by_hand(name: str) -> None:
    graph, size = KEPT[name]
    assert kept_activations(graph) == size == usage(graph).training.activations
    assert kept_activations(graph, 5) == 5 * size


def saved(graph: Graph, batch: int) -> list[tuple[Any, int]]:
    """What PyTorch's autograd saves in a step of the generated module: the tensors, and the bytes of their storages.

    Parameters and buffers do not count, and each storage counts once.
    """
    import torch

    module = cnnc.torch_module(graph, cnnc.initial_weights(graph, seed=0))
    module.train()
    own = {t.untyped_storage().data_ptr() for t in [*module.parameters(), *module.buffers()]}
    found: dict[int, Any] = {}

    def pack(tensor: Any) -> Any:
        if tensor.untyped_storage().data_ptr() not in own:
            found[tensor.untyped_storage().data_ptr()] = tensor
        return tensor

    inputs = [torch.rand(batch, *value.shape) for value in graph.inputs.values()]
    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        kept = module(*inputs)  # alive, so that no storage is used twice
    del kept
    return [(tensor, tensor.untyped_storage().nbytes()) for tensor in found.values()]


def masks(graph: Graph) -> int:
    """The numbers in masks of dropout: PyTorch on a CPU has four bytes for each, on a GPU one."""
    return sum(n.op.marks(n.output_types) for n in graph.with_training.nodes if isinstance(n.op, Dropout))


@pytest.mark.parametrize("name", ["lenet5", "vgg11", "squeezenet1_1"])
def test_without_normalisation_pytorch_keeps_exactly_that(name: str) -> None:
    graph = load(name)
    batch = 2
    kept = sum(size for _, size in saved(graph, batch))
    assert kept == kept_activations(graph, batch) + 3 * batch * masks(graph)


@pytest.mark.parametrize("name", ["resnet18", "googlenet", "mobilenet_v2"])
def test_with_batchnorm_pytorch_keeps_that_and_two_numbers_a_channel(name: str) -> None:
    graph = load(name)
    batch = 2
    statistics = 4 * sum(2 * n.outputs[0].shape[0] for n in graph.nodes if n.op.name == "batchnorm")
    kept = sum(size for _, size in saved(graph, batch))
    assert kept == kept_activations(graph, batch) + 3 * batch * masks(graph) + statistics


#: Where PyTorch has no such layer and the generated module puts it together from others (or pads first), what
#: those keep comes instead or on top; and normalisations keep statistics.
COMPOSED = ("rbf", "l2norm", "lrn", "hardsigmoid", "instancenorm", "groupnorm", "layernorm", "batchnorm", "pad", "select")


def behind_a_weight(case: LayerCase) -> Graph:
    """The case's layer behind layers with weights, so that its gradient is asked for."""
    builder = GraphBuilder("behind")
    given = []
    for at, feed in enumerate(case.feeds):
        value = builder.input(f"x{at}", TensorType(feed.shape))
        (value,) = builder.apply(OPS["scale"], [value], path=f"s{at}")
        given.append(value)
    (y,) = builder.apply(case.op, given, path="layer", **case.arguments)
    return builder.build({"y": y})


def _plain(case: LayerCase) -> bool:
    arguments = case.arguments
    uneven = isinstance(arguments.get("pad"), (tuple, str)) or arguments.get("pad_mode") not in (None, "zeros")
    joins = case.op.name in ("multiply", "maximum") and (len(case.feeds) > 2 or "constant" in arguments)
    along = case.op.name == "fc" and "axis" in arguments
    return not (
        case.op.name in COMPOSED or uneven or joins or along or "divisor" in arguments or "round" in arguments
        or any(feed.raw or feed.free for feed in case.feeds) or "centers" in arguments)


@pytest.mark.parametrize("case", [c for c in CASES if _plain(c)], ids=str)
def test_each_layer_keeps_what_pytorch_keeps(case: LayerCase) -> None:
    graph = behind_a_weight(case)
    kept = sum(size for _, size in saved(graph, 3))
    assert kept == kept_activations(graph, 3) + 9 * masks(graph)


def test_what_the_train_section_freezes_needs_no_gradient() -> None:
    body = """model m {
    input image: [3, 8, 8]
    conv1: conv(4, 3x3) -> bn: batchnorm -> relu
    flatten -> fc: fc(5)
}
"""
    free, frozen = (
        usage(load(Source("m.cnn", body + section)))
        for section in ("train m { epochs = 1 }", 'train m { freeze = "all but fc" }')
    )
    inside = usage(load(Source("m.cnn", body.replace("3x3", "3x3, frozen = true").replace(
        "batchnorm", "batchnorm(frozen = true)"))))
    assert free.training.gradients == 4 * (3 * 4 * 9 + 4 + 8 + 5 * 144 + 5)
    assert frozen.training.gradients == 4 * (5 * 144 + 5) == frozen.training.state
    assert frozen.training == inside.training and frozen.inference == free.inference
