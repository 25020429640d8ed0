"""Arithmetic of sizes, against worked cases and against PyTorch."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from compiler import shapes

# kernel, stride, pad, size: Caffe, floor, ceil, TensorFlow's SAME, TensorFlow's VALID
WORKED = (
    ((3, 2, 1, 64), (33, 32, 33, 32, 31)),
    ((3, 2, 0, 112), (56, 55, 56, 56, 55)),
    ((3, 2, 1, 112), (57, 56, 57, 56, 55)),
    ((4, 4, 2, 9), (3, 3, 3, 3, 2)),
    ((1, 2, 0, 32), (17, 16, 16, 16, 16)),
    ((2, 1, 0, 13), (12, 12, 12, 13, 12)),
    ((3, 2, 0, 55), (27, 27, 27, 28, 27)),
)


@pytest.mark.parametrize(("window", "sizes"), WORKED)
def test_worked_cases(window: tuple[int, int, int, int], sizes: tuple[int, ...]) -> None:
    kernel, stride, pad, size = window
    same = shapes.same_pads(size, kernel, stride)
    assert sizes == (
        shapes.output_size(size, kernel, stride, pad, pad, "caffe"),
        shapes.output_size(size, kernel, stride, pad, pad, "floor"),
        shapes.output_size(size, kernel, stride, pad, pad, "ceil"),
        shapes.output_size(size, kernel, stride, *same),
        shapes.output_size(size, kernel, stride),
    )


# size, extent, stride, pads: whether `exact` takes it
EXACT = (
    ((224, 11, 4, 0, 0), False),  # the AlexNet that does not fit
    ((227, 11, 4, 0, 0), True),
    ((224, 11, 4, 2, 2), True),  # torchvision's: a remainder of 1 within the padding
    ((224, 11, 4, 1, 1), False),
    ((224, 7, 2, 3, 3), True),  # the stem of a ResNet
    ((56, 1, 2, 0, 0), True),  # its shortcut: the stride skips them anyway
    ((55, 1, 2, 0, 0), True),
    ((112, 3, 2, 0, 0), False),
    ((112, 3, 2, 1, 1), True),
    ((10, 2, 4, 0, 0), True),  # remainder 0
    ((12, 2, 4, 0, 0), True),  # remainder 2, the gap
    ((13, 2, 4, 0, 0), False),  # remainder 3
    ((9, 3, 5, 0, 1), True),
    ((10, 4, 3, 1, 0), False),
    ((10, 4, 3, 0, 1), True),
)


@pytest.mark.parametrize(("window", "fits"), EXACT)
def test_exact_refuses_where_real_positions_would_never_be_seen(window: tuple[int, ...], fits: bool) -> None:
    assert shapes.fits(*window) is fits


@pytest.mark.parametrize(("window", "fits"), EXACT)
def test_the_exact_rule_says_what_no_window_reads(window: tuple[int, ...], fits: bool) -> None:
    size, extent, stride, begin, end = window
    outputs = shapes.floor_size(*window)
    seen = {o * stride - begin + t for o in range(outputs) for t in range(extent)}
    gap = max(0, stride - extent)
    unseen = [i for i in range(size) if i > max(seen)]
    assert (len(unseen) <= gap) is fits


@pytest.mark.parametrize(
    ("size", "extent", "stride", "upper", "lower"),
    (
        (64, 3, 2, (0, 1), (1, 0)),
        (224, 7, 2, (2, 3), (3, 2)),
        (13, 2, 1, (0, 1), (1, 0)),
        (9, 4, 2, (1, 2), (2, 1)),
        (9, 3, 1, (1, 1), (1, 1)),
        (8, 1, 2, (0, 0), (0, 0)),
        (5, 2, 7, (0, 0), (0, 0)),
        (3, 9, 2, (4, 4), (4, 4)),
    ),
)
def test_same_pads(
    size: int, extent: int, stride: int, upper: tuple[int, int], lower: tuple[int, int]
) -> None:
    assert shapes.same_pads(size, extent, stride) == upper
    assert shapes.same_pads(size, extent, stride, lower=True) == lower
    assert shapes.floor_size(size, extent, stride, *upper) == shapes.cdiv(size, stride)


def test_same_with_stride_1_depends_on_no_size() -> None:
    for extent in range(1, 12):
        assert len({shapes.same_pads(size, extent, 1) for size in range(1, 30)}) == 1


def test_half_pads_and_extents() -> None:
    assert [shapes.half_pads(k) for k in (1, 2, 3, 4, 7)] == [(0, 0), (0, 0), (1, 1), (1, 1), (3, 3)]
    assert [shapes.extent(3, d) for d in (1, 2, 5)] == [3, 5, 11] and shapes.extent(1, 9) == 1


SMALL = [
    (i, k, s, p) for i in range(1, 14) for k in range(1, 6) for s in range(1, 5) for p in range(k // 2 + 1)
]


def test_floor_and_ceil_are_those_of_pytorch() -> None:
    compared = 0
    for size, kernel, stride, pad in SMALL:
        for mode in ("floor", "ceil"):
            ours = shapes.output_size(size, kernel, stride, pad, pad, mode)
            try:
                theirs = F.max_pool1d(
                    torch.zeros(1, 1, size), kernel, stride, pad, ceil_mode=mode == "ceil"
                ).shape[-1]
            except RuntimeError:
                theirs = 0
            assert max(ours, 0) == theirs, (size, kernel, stride, pad, mode)
            compared += 1
    assert compared == 2 * len(SMALL) > 800


def test_a_last_window_starts_before_the_pads_behind() -> None:
    """By counting: windows start every stride from the pads in front on; ceil adds one that sticks out."""
    for size, kernel, stride, _ in SMALL:
        for begin in range(3):
            for end in range(3):
                length = size + begin + end
                if length < kernel:
                    continue
                starts = list(range(0, length - kernel + 1, stride))
                wanted = starts + [starts[-1] + stride] * (starts[-1] + kernel < length)
                clipped = [at for at in wanted if at in starts or at < size + begin]
                assert shapes.ceil_size(size, kernel, stride, begin, end) == len(clipped)
                assert shapes.caffe_size(size, kernel, stride, begin, end, padded=True) == len(clipped)
                assert shapes.caffe_size(size, kernel, stride, begin, end, padded=False) == len(wanted)


def test_overhang_lowers_ceil_and_caffe_to_floor() -> None:
    for size, kernel, stride, pad in SMALL:
        for end in {pad, 0, kernel // 2}:
            for mode in ("ceil", "caffe"):
                outputs = shapes.output_size(size, kernel, stride, pad, end, mode)
                if outputs < 1:
                    continue
                more = shapes.overhang(size, kernel, stride, pad, end, outputs)
                assert shapes.floor_size(size, kernel, stride, pad, end + more) == outputs


def test_a_last_window_of_ceil_sees_the_input() -> None:
    for size, kernel, stride, pad in SMALL:
        outputs = shapes.ceil_size(size, kernel, stride, pad, pad)
        assert shapes.blind_window(size, kernel, 1, stride, pad, outputs) is None


def test_blind_windows_are_those_that_read_nothing() -> None:
    found = 0
    for size, kernel, stride, pad in SMALL:
        for dilation in (1, 2, 5):
            covered = shapes.extent(kernel, dilation)
            for begin in (0, pad, covered - 1, covered):
                outputs = shapes.caffe_size(size, covered, stride, begin, pad)
                reads = [
                    any(0 <= o * stride - begin + dilation * t < size for t in range(kernel))
                    for o in range(outputs)
                ]
                expected = reads.index(False) if False in reads else None
                blind = shapes.blind_window(size, kernel, dilation, stride, begin, outputs)
                assert (blind is None) == (expected is None), (size, kernel, dilation, stride, begin, outputs)
                found += blind is not None
    assert found > 100


def test_caffe_clips_a_layer_that_pads_on_another_axis() -> None:
    assert shapes.caffe_size(32, 1, 2) == 17
    assert shapes.caffe_size(32, 1, 2, padded=True) == 16


def test_adaptive_windows_are_those_of_pytorch() -> None:
    for size in range(1, 12):
        values = torch.arange(size, dtype=torch.float64)[None, None]
        for outputs in range(1, 14):
            windows = shapes.adaptive_windows(size, outputs)
            means = [float(values[0, 0, a:b].mean()) for a, b in windows]
            assert F.adaptive_avg_pool1d(values, outputs)[0, 0].tolist() == pytest.approx(means, abs=1e-12)


def test_sizes_beyond_machine_words_stay_exact() -> None:
    assert shapes.floor_size(2**80, 3, 2, 1, 1) == (2**80 - 1) // 2 + 1
    assert shapes.blind_window(2**31 - 1, 3, 1, 2, 1, 2**30) is None
