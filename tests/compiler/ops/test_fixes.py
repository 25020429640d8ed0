"""What PyTorch refuses is refused, and the fixes that messages offer work: against random windows."""

from __future__ import annotations

import random
import re
from typing import Any

import pytest
import torch
import torch.nn.functional as F

from compiler.declare import Fault, Word
from compiler.ops import OPS
from compiler.ops.base import TensorType


def windows(count: int, seed: int) -> list[dict[str, Any]]:
    rng = random.Random(seed)
    return [
        {
            "size": rng.randint(1, 20),
            "kernel": rng.randint(1, 6),
            "stride": rng.randint(1, 5),
            "pad": rng.randint(0, 4),
            "dilation": rng.choice((1, 1, 2, 3)),
        }
        for _ in range(count)
    ]


def accepts(name: str, x: TensorType, **arguments: Any) -> bool:
    try:
        OPS[name].apply_to([x], **arguments).infer([x])
    except Fault:
        return False
    return True


def pytorch_pool(name: str, w: dict[str, Any], ceil: bool) -> int | None:
    """The size that PyTorch's pool gives; None where it refuses."""
    array = torch.zeros(1, 2, w["size"])
    try:
        if name == "maxpool":
            return F.max_pool1d(array, w["kernel"], w["stride"], w["pad"], w["dilation"], ceil).shape[-1]
        return F.avg_pool1d(array, w["kernel"], w["stride"], w["pad"], ceil).shape[-1]
    except RuntimeError:
        return None


@pytest.mark.parametrize("name", ("maxpool", "avgpool"))
@pytest.mark.parametrize("mode", ("floor", "ceil"))
def test_pools_that_pytorch_refuses_are_refused(name: str, mode: str) -> None:
    refused = 0
    for w in windows(1500, 1):
        arguments = {k: w[k] for k in ("kernel", "stride", "pad")} | {"round": Word(mode)}
        if name == "maxpool":
            arguments["dilation"] = w["dilation"]
        x, theirs = TensorType((2, w["size"])), pytorch_pool(name, w, mode == "ceil")
        accepted = accepts(name, x, **arguments)
        if theirs is None:
            refused += 1
            assert not accepted, w
        elif accepted:
            assert OPS[name].apply_to([x], **arguments).infer([x])[0].shape == (2, theirs), w
        else:  # PyTorch gives minus infinity where a window sees no input
            assert name == "maxpool" and w["dilation"] > w["size"], w
    assert refused > 100


def test_convolutions_are_refused_as_pytorch_does() -> None:
    refused = 0
    for w in windows(1500, 1):
        window = {k: w[k] for k in ("kernel", "stride", "pad", "dilation")}
        try:
            array, weight = torch.zeros(1, 2, w["size"]), torch.zeros(1, 2, w["kernel"])
            F.conv1d(array, weight, None, w["stride"], w["pad"], w["dilation"])
            possible = True
        except RuntimeError:
            refused, possible = refused + 1, False
        accepted = accepts("conv", TensorType((2, w["size"])), filters=1, round=Word("floor"), **window)
        assert accepted == possible, w
    assert refused > 100


@pytest.mark.parametrize("mode", ("reflect", "replicate", "circular"))
def test_borders_that_pytorch_cannot_pad_are_refused(mode: str) -> None:
    for size in range(1, 5):
        for begin in range(7):
            for end in range(7):
                try:
                    F.pad(torch.zeros(1, 2, size), (begin, end), mode)
                    possible = True
                except (RuntimeError, ValueError):
                    possible = False
                x = TensorType((2, size))
                assert accepts("pad", x, amount=((begin, end),), mode=Word(mode)) == possible
                assert (
                    accepts("conv", x, filters=1, kernel=1, pad=((begin, end),), pad_mode=Word(mode))
                    == possible
                )


def test_the_fixes_of_e301_fit() -> None:
    tried = 0
    for w in windows(1500, 2):
        for name, arguments in (("conv", {"filters": 1}), ("avgpool", {})):
            window = {k: w[k] for k in ("kernel", "stride", "pad")} | arguments
            x = TensorType((2, w["size"]))
            try:
                OPS[name].apply_to([x], **window).infer([x])
            except Fault as found:
                if found.code != "E301":
                    continue
                text = found.help[0]
                size = re.search(r"an input of (\d+)", text)
                assert size and accepts(name, TensorType((2, int(size[1]))), **window), (w, text)
                pad = re.search(r"`pad = (\d+)`", text)
                if pad:
                    assert accepts(name, x, **{**window, "pad": int(pad[1])}), (w, text)
                    assert not any(
                        accepts(name, x, **{**window, "pad": p}) for p in range(w["pad"], int(pad[1]))
                    )
                assert accepts(name, x, **window, round=Word("floor"))
                tried += 1
    assert tried > 100


def test_pads_that_e302_offers_give_a_result() -> None:
    tried = 0
    for w in windows(1500, 3):
        window = {"filters": 1, **{k: w[k] for k in ("kernel", "stride", "pad", "dilation")}}
        x = TensorType((2, w["size"]))
        try:
            OPS["conv"].apply_to([x], **window).infer([x])
        except Fault as found:
            if found.code == "E302":
                pad = re.search(r"`pad = (\d+)`", found.help[0])
                assert pad and accepts("conv", x, **{**window, "pad": int(pad[1])}), (w, found.help)
                tried += 1
    assert tried > 50
