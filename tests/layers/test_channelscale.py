"""What the cases of fixtures/ lack: ranks, edge cases and refusals of layers/channelscale.py."""

from __future__ import annotations

import numpy as np
import pytest
from one_layer import agree, make, numbers, one


@pytest.mark.parametrize("s", [(2, 1, 4, 5), (2, 4, 5), (2, 20)])
def test_channel_scale_takes_factors_of_any_shape(s: tuple[int, ...]) -> None:
    net = make(one("ChannelScale", bottoms=("x", "s")), x=(2, 3, 4, 5), s=s)
    feed = {"x": numbers(2, 3, 4, 5), "s": numbers(*s)}
    (tops,) = agree(net, feed)
    np.testing.assert_array_equal(tops["y"], feed["x"] * feed["s"].reshape(2, 1, 4, 5))
