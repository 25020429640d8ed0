"""Where values live: what shares memory, what must not, and what is used again."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from backends.numpy.plan.layout import Layout, chosen
from backends.numpy.plan.lower import concrete, lowered
from backends.numpy.plan.storage import Home, Storage
from backends.numpy.plan.units import Units
from cnnc.verification import varied_weights
from compiler.graph import Graph, Value
from compiler.load import load
from spec_lang.source import Source
from tests.backends.numpy.plan.kit import LAYOUTS
from tests.generator.random_spec import random_spec


def stored(graph: Graph, layout: Layout, batch: int = 2) -> tuple[Units, Storage]:
    """Units and storage of a graph; all inputs have so many rows."""
    live, _ = lowered(graph, varied_weights(graph), np.dtype("float32"))
    shapes = {name: value.shape for name, value in live.inputs.items()}
    rows = {value.type.rows: batch for value in live.inputs.values() if value.type.rows is not None}
    fixed = concrete(live, shapes, rows)
    units = Units(fixed)
    return units, Storage(fixed, units, layout, np.dtype("float32"))


def spec(body: str, image: str = "[4, 9, 14]") -> Graph:
    return load(Source("net.cnn", f"model net {{\n input image: {image}\n{body}\n}}\n"))


def roots(units: Units, storage: Storage) -> list[Home]:
    values: list[Value] = [value for unit in units.made for value in (*unit.reads, unit.output)]
    return list(dict.fromkeys(storage.home(value).root for value in values if value.weight is None))


def lies_in(home: Home, other: Home) -> bool:
    """Whether it is a part of the other one, or a part of a part."""
    above: Home | None = home
    while above is not None and above is not other:
        above = above.parent
    return above is other


def memory(home: Home) -> tuple[int, int]:
    """The bytes that a home takes: where it begins and ends."""
    return np.lib.array_utils.byte_bounds(home.full)


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
@pytest.mark.parametrize("seed", range(500, 530))
def test_what_lives_at_the_same_time_lies_apart(seed: int, layout: Layout) -> None:
    units, storage = stored(load(Source("random.cnn", random_spec(seed, 30).text)), layout)
    for one, other in combinations(roots(units, storage), 2):
        if one.first <= other.last and other.first <= one.last:
            (a, b), (c, d) = memory(one), memory(other)
            assert b <= c or d <= a, (one.shape, other.shape)


@pytest.mark.parametrize("seed", range(500, 530))
def test_every_reader_runs_while_what_it_reads_lives(seed: int) -> None:
    units, storage = stored(load(Source("random.cnn", random_spec(seed, 30).text)), Layout(True))
    made = dict.fromkeys(storage._concrete.graph.inputs.values(), -1)
    for position, unit in enumerate(units.made):
        for value in unit.reads:
            if value.weight is None:
                assert made[value] < position
                assert storage.home(value).root.first <= made[value]
                assert position <= storage.home(value).root.last
        made[unit.output] = position
    for value in units.outputs.values():
        if value.weight is None:
            assert storage.home(value).root.last == len(units.made)


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
@pytest.mark.parametrize("first", range(80_000, 80_200, 50))
def test_nothing_is_written_over_what_somebody_still_reads(first: int, layout: Layout) -> None:
    for seed in range(first, first + 50):
        units, storage = stored(load(Source("random.cnn", random_spec(seed, 25).text)), layout)
        last_read = {v: p for p, unit in enumerate(units.made) for v in unit.reads if v.weight is None}
        last_read |= dict.fromkeys((v for v in units.kept if v.weight is None), len(units.made))
        made = list(storage._concrete.graph.inputs.values())
        for position, unit in enumerate(units.made):
            # A view writes nothing, and a concat only what was not made in it.
            joins = unit.head is not None and unit.head.op.name == "concat"
            own = {v for v in made if joins and lies_in(storage.home(v), storage.home(unit.output))}
            if not storage.is_view(unit.output):
                for value in made:
                    if last_read.get(value, -1) > position and value not in own:
                        one, other = storage.inner(unit.output), storage.inner(value)
                        if np.may_share_memory(one, other):  # by their bounds: is it so?
                            other.fill(1)
                            one.fill(0)
                            assert other.all(), f"seed {seed}, unit {position}"
            made.append(unit.output)


def test_a_chain_of_convolutions_takes_two_blocks_however_long() -> None:
    units, storage = stored(spec(" repeat 40 { conv(4, 3, pad = 1) -> relu }\n output y"), Layout(True))
    assert len(units.made) == 40
    assert len(storage.blocks) == 2


def test_a_layer_that_works_number_by_number_writes_over_its_input() -> None:
    graph = spec(" softmax as x -> tanh -> relu -> softmax -> sigmoid\n output y")
    units, storage = stored(graph, Layout(True))
    assert [len(unit.chain) for unit in units.made] == [2, 1]
    graph = spec(" tanh as x -> add(it, image)\n output y")
    units, storage = stored(graph, Layout(True))
    one, other = (storage.home(unit.output) for unit in units.made[-1:] * 2)
    assert one is other
    assert storage.home(units.made[-1].output) is not storage.home(graph.inputs["image"])


def test_the_parts_of_a_concat_are_made_where_they_belong() -> None:
    body = " concat { branch { conv(6, 3, pad = 1) } branch { conv(2, 1) -> tanh } branch { } }\n output y"
    for layout in LAYOUTS.values():
        units, storage = stored(spec(body), layout)
        first, second, whole = (storage.inner(unit.output) for unit in units.made)
        image = storage.inner(next(iter(storage._concrete.graph.inputs.values())))
        axis = whole.ndim - 1 if layout.channels_last else 0
        expected = np.split(whole, [6, 8], axis=axis)
        for part, place in zip((first, second, image), expected, strict=True):
            assert part.__array_interface__["data"] == place.__array_interface__["data"]
            assert part.shape == place.shape and part.strides == place.strides


def test_a_concat_of_a_value_twice_holds_it_twice() -> None:
    units, storage = stored(spec(" tanh as x -> concat(it, x)\n output y"), Layout(True))
    assert storage.inner(units.made[-1].output).shape == (2, 9, 14, 8)
    assert storage.inner(units.made[0].output).shape == (2, 9, 14, 4)


def test_what_is_padded_with_zeros_has_margins_as_wide_as_its_widest_reader_asks() -> None:
    body = """ tanh as x
 add { branch { conv(4, 3x5, pad = [(1, 1), (0, 4)]) } branch { conv(4, 1x3, pad = [(0, 0), (2, 0)]) } }
 output y"""
    units, storage = stored(spec(body), Layout(True))
    assert storage.home(units.made[0].output).margins == ((1, 1), (2, 4))
    assert storage.home(units.made[0].output).full.shape == (2, 11, 20, 4)
    assert storage.home(units.made[0].output).inner.shape == (2, 9, 14, 4)


def test_flatten_is_free_where_the_order_is_the_same() -> None:
    body = " softmax -> flatten -> fc(3)\n output y"
    for layout, free in ((Layout(False), True), (Layout(True), False)):
        units, storage = stored(spec(body), layout)
        assert storage.is_view(units.made[1].output) is free
    units, storage = stored(spec(" globalavgpool -> flatten -> fc(3)\n output y"), Layout(True))
    assert storage.is_view(units.made[1].output)


def test_the_batch_is_last_where_convolutions_see_few_channels() -> None:
    few = spec(" conv(40, 3) -> relu\n output y")
    many = spec(" conv(40, 3) -> relu -> conv(4, 3)\n output y")
    assert not chosen(few.nodes).channels_last
    assert chosen(many.nodes).channels_last
    assert chosen(spec(" tanh\n output y").nodes).channels_last


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
@pytest.mark.parametrize("axes", [1, 2, 3, 4, 5])
def test_a_layout_and_its_way_back(layout: Layout, axes: int) -> None:
    canonical = np.arange(np.prod(range(2, 2 + axes))).reshape(range(2, 2 + axes))
    there = layout.memory(canonical)
    assert there.shape == layout.shape(canonical.shape)
    assert np.array_equal(layout.canonical(there), canonical)
    if axes > 1:
        assert there.shape[layout.channel_axis(axes)] == canonical.shape[1]
