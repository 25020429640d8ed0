"""Layers that only move channels: where each channel of the result comes from."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from compiler.ops.reshape import ChannelShuffle


@pytest.mark.parametrize(("channels", "groups"), [(6, 1), (6, 2), (6, 3), (12, 4), (12, 3), (5, 5)])
def test_a_shuffle_takes_the_channels_that_pytorch_takes(channels: int, groups: int) -> None:
    wanted = F.channel_shuffle(torch.arange(channels).reshape(1, channels, 1), groups).flatten().tolist()
    assert list(ChannelShuffle(groups=groups).order(channels)) == wanted
