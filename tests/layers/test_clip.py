"""What the cases of fixtures/ lack: ranks, edge cases and refusals of layers/clip.py."""

from __future__ import annotations

import numpy as np
from one_layer import make, one

import netsurgery


def test_clip_gives_its_lower_bound_for_nan() -> None:
    net = make(one("Clip", "clip_param { min: -1 max: 1 }"), x=(1, 1))
    assert netsurgery.run(net, {"x": np.array([[np.nan]])})["y"] == [[-1]]
