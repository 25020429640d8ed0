"""What the tables of layers do not reach: tiles, ties, tails, extreme numbers."""

from __future__ import annotations

import math
import warnings

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from backends.numpy.kernels import activation, conv, pool, window

NAN, INF = math.nan, math.inf


def test_erfc_is_within_a_few_units_of_the_last_place() -> None:
    x = np.concatenate([np.linspace(-7, 7, 20_001), [0.46875, -0.46875, 4.0, -4.0, 0.0]])
    wanted = np.array([math.erfc(v) for v in x])
    assert np.abs(activation.erfc(x) - wanted).max() < 1e-15
    assert (np.abs(activation.erfc(x) - wanted) / wanted).max() < 1e-14
    np.testing.assert_array_equal(activation.erfc(np.array([INF, -INF, NAN])), [0.0, 2.0, NAN])


EXTREMES = np.array([-INF, -1e4, -100.0, -0.0, 0.0, 100.0, 1e4, INF, NAN])


@pytest.mark.parametrize(
    ("name", "torch_function"),
    [
        ("sigmoid", torch.sigmoid),
        ("softplus", F.softplus),
        ("relu", F.relu),
        ("relu6", F.relu6),
        ("elu", F.elu),
        ("selu", F.selu),
        ("leakyrelu", F.leaky_relu),
        ("hardsigmoid", F.hardsigmoid),
    ],
)
def test_an_activation_takes_extreme_numbers_as_pytorch_does(name: str, torch_function: object) -> None:
    assert callable(torch_function)
    with np.errstate(over="raise", divide="raise"):
        got = getattr(activation, name)(EXTREMES)
    np.testing.assert_allclose(got, torch_function(torch.tensor(EXTREMES)).numpy(), rtol=1e-12)


@pytest.mark.parametrize("name", ["softmax", "logsoftmax"])
def test_softmax_does_not_overflow(name: str) -> None:
    x = np.array([[1e4, 1e4 - 1, -1e4], [-1e4, -1e4 - 2, -1e4 + 1]])
    with np.errstate(over="raise", divide="raise"):
        got = getattr(activation, name)(x)
    wanted = (F.softmax if name == "softmax" else F.log_softmax)(torch.tensor(x), 1)
    np.testing.assert_allclose(got, wanted.numpy(), rtol=1e-12)


@pytest.mark.parametrize("tile", [1, 60, 500, 3_000, 100_000])
@pytest.mark.parametrize("rank", [1, 2, 3])
def test_tiles_of_any_size_give_the_same(monkeypatch: pytest.MonkeyPatch, tile: int, rank: int) -> None:
    monkeypatch.setattr(conv, "TILE", tile)
    rng = np.random.default_rng(0)
    x, w = rng.normal(size=(3, 4, 9, 8, 7)[: 2 + rank]), rng.normal(size=(6, 2, 3, 2, 2)[: 2 + rank])
    b = rng.normal(size=6)
    stride, pad, dilation = (2, 1, 3)[:rank], ((1, 2), (0, 1), (2, 0))[:rank], (2, 3, 1)[:rank]
    xt, wt, bt = (torch.tensor(a, requires_grad=True) for a in (x, w, b))
    padded = F.pad(xt, [p for pair in reversed(pad) for p in pair])
    y = (F.conv1d, F.conv2d, F.conv3d)[rank - 1](padded, wt, bt, stride, 0, dilation, 2)
    options = {"stride": stride, "pad": pad, "dilation": dilation, "groups": 2}
    np.testing.assert_allclose(conv.conv(x, w, b, **options), y.detach().numpy(), atol=1e-12)
    d = rng.normal(size=y.shape)
    y.backward(torch.tensor(d))
    assert xt.grad is not None and wt.grad is not None and bt.grad is not None
    np.testing.assert_allclose(
        conv.conv_input_gradient(d, x.shape, w, **options), xt.grad.numpy(), atol=1e-12
    )
    np.testing.assert_allclose(
        conv.conv_weight_gradient(d, x, w.shape, **options), wt.grad.numpy(), atol=1e-11
    )
    np.testing.assert_allclose(conv.channel_sums(d), bt.grad.numpy(), atol=1e-11)


@pytest.mark.parametrize("weights", [0, 10_000, 512 * 4_608])
@pytest.mark.parametrize(
    ("images", "depth", "out"),
    [
        (64, 4_608, (14, 14)),
        (1, 576, (224, 224)),
        (256, 25_088, (1, 1)),
        (2, 27, (4_000_000,)),
        (64, 25, (28, 28)),
    ],
)
def test_tiles_cover_everything_once_and_stay_bounded(
    images: int, depth: int, out: tuple[int, ...], weights: int
) -> None:
    met = np.zeros((images, out[0]), int)
    for some, bands in conv.tiles(images, depth, out, weights):
        for rows in bands:
            met[some, rows] += 1
            numbers = met[some, rows].size * depth * math.prod(out[1:])
            assert numbers <= max(conv.TILE, depth * math.prod(out[1:]))
    assert (met == 1).all()


@pytest.mark.parametrize(
    ("images", "depth", "out", "weights", "tiles", "bands"),
    [  # with 2^20 numbers in a tile
        (64, 27, (112, 112), 0, 64, 1),  # an image has 338,688 numbers: more than a quarter of a tile
        (64, 27, (112, 112), 10**6, 32, 1),  # as many weights let 2 share it (of 2.95)
        (64, 27, (112, 112), 10**9, 22, 1),  # at most 3 fit
        (1, 576, (224, 224), 0, 1, 28),  # a row has 129,024: 8 fit
        (8, 10, (4, 4), 0, 1, 1),
        (5, 25, (64, 64), 0, 3, 1),  # 102,400: 2 in a quarter
        (3, 2**21, (2, 1), 0, 3, 2),  # a position alone is too large
    ],
)
def test_tiles_are_as_large_as_they_may_be(
    images: int, depth: int, out: tuple[int, ...], weights: int, tiles: int, bands: int
) -> None:
    found = list(conv.tiles(images, depth, out, weights))
    assert (len(found), len(found[0][1])) == (tiles, bands)


@pytest.mark.parametrize("stride", [1, 2, 3])
def test_gradients_that_are_not_finite_stay_where_they_belong(stride: int) -> None:
    x = with_ties()
    y = pool.maxpool(x, 2, stride=stride)
    d = np.full(y.shape, INF)
    xt = torch.tensor(x, requires_grad=True)
    F.max_pool2d(xt, 2, stride).backward(torch.tensor(d))
    assert xt.grad is not None
    np.testing.assert_array_equal(pool.maxpool_backward(d, x, y, 2, stride=stride), xt.grad.numpy())
    xt.grad = None
    F.relu6(xt).backward(torch.full_like(xt, NAN))
    np.testing.assert_array_equal(
        activation.relu6_backward(np.full_like(x, NAN), F.relu6(xt).detach().numpy()), xt.grad
    )
    xt.grad = None
    F.relu(xt).backward(torch.full_like(xt, INF))
    np.testing.assert_array_equal(
        activation.relu_backward(np.full_like(x, INF), F.relu(xt).detach().numpy()), xt.grad
    )


def with_ties() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 3, (2, 3, 8, 9)).astype(float)


def test_a_tie_in_a_window_goes_to_the_first_in_rows() -> None:
    x = with_ties()
    xt = torch.tensor(x, requires_grad=True)
    yt = F.max_pool2d(xt, (3, 2), (2, 1), (1, 0), ceil_mode=True)
    y = pool.maxpool(x, (3, 2), stride=(2, 1), pad=((1, 1), (0, 0)), overhang=(1, 0))
    np.testing.assert_array_equal(y, yt.detach().numpy())
    d = np.random.default_rng(1).normal(size=y.shape)
    yt.backward(torch.tensor(d))
    got = pool.maxpool_backward(d, x, y, (3, 2), stride=(2, 1), pad=((1, 1), (0, 0)), overhang=(1, 0))
    assert xt.grad is not None
    np.testing.assert_allclose(got, xt.grad.numpy(), atol=1e-12)


@pytest.mark.parametrize("size", [(1, 1), (3, 4)])
def test_a_tie_in_an_adaptive_or_global_pool_goes_to_the_first_in_rows(size: tuple[int, int]) -> None:
    x = with_ties()
    xt = torch.tensor(x, requires_grad=True)
    d = np.random.default_rng(1).normal(size=(2, 3, *size))
    F.adaptive_max_pool2d(xt, size).backward(torch.tensor(d))
    assert xt.grad is not None
    np.testing.assert_allclose(pool.adaptivemaxpool_backward(d, x), xt.grad.numpy(), atol=1e-12)
    if size == (1, 1):
        np.testing.assert_allclose(pool.globalmaxpool_backward(d, x), xt.grad.numpy(), atol=1e-12)


def test_what_is_not_a_number_goes_through_a_pool() -> None:
    x = np.zeros((1, 1, 4, 4))
    x[0, 0, 1, 2] = NAN
    np.testing.assert_array_equal(pool.maxpool(x, 2), F.max_pool2d(torch.tensor(x), 2).numpy())


@pytest.mark.parametrize("rule", ["ceil", "caffe"])
def test_what_hangs_over_is_what_the_rules_of_pytorch_and_caffe_say(rule: str) -> None:
    for size in range(1, 24):
        for k in range(1, 6):
            for s in range(1, 6):
                for p in range(k // 2 + 1):
                    out = -(-(size + 2 * p - k) // s) + 1
                    if (rule == "ceil" or p) and (out - 1) * s >= size + p:
                        out -= 1
                    if out < 1:
                        continue
                    (more,) = window.overhang((size,), k, s, ((p, p),), rule=rule)
                    assert (size + 2 * p + more - k) // s + 1 == out
                    if rule == "ceil":
                        assert F.max_pool1d(torch.zeros(1, 1, size), k, s, p, ceil_mode=True).shape[2] == out


def test_a_mask_lets_no_infinity_through_and_warns_of_none() -> None:
    d, mask = np.array([INF, -INF, NAN, 2.0, 3.0]), np.array([False, False, False, True, False])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        np.testing.assert_array_equal(activation.masked(d, mask), [0, 0, 0, 2, 0])
