"""What the cases of fixtures/ lack: ranks, edge cases and refusals of layers/crop.py."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from one_layer import agree, make, numbers, one, refusal

from netsurgery.errors import ShapeError


@pytest.mark.parametrize(
    ("params", "x", "ref", "cut"),
    [
        ("axis: -1 offset: 3", (2, 3, 9), (1, 1, 4), np.s_[:, :, 3:7]),
        ("axis: 0 offset: 1", (3, 3, 9), (2, 2, 8), np.s_[1:3, 1:3, 1:9]),
        ("axis: 2 offset: 0 offset: 2 offset: 1", (1, 2, 5, 6, 7), (1, 1, 5, 2, 3), np.s_[:, :, 0:5, 2:4, 1:4]),
        ("", (1, 2, 5, 6), (1, 1, 5, 6), np.s_[:]),
    ],
)
def test_crop_of_any_rank(params: str, x: tuple[int, ...], ref: tuple[int, ...], cut: Any) -> None:
    net = make(one("Crop", f"crop_param {{ {params} }}", bottoms=("x", "ref")), x=x, ref=ref)
    feed = {"x": numbers(*x), "ref": numbers(*ref)}
    more = {"x": numbers(*(n + 2 for n in x)), "ref": numbers(*(n + 1 for n in ref))}
    first, _ = agree(net, feed, more)
    np.testing.assert_array_equal(first["y"], feed["x"][cut])


def test_crop_refuses_to_go_outside() -> None:
    net = make(one("Crop", "crop_param { offset: 3 }", bottoms=("x", "ref")), x=(1, 1, 8, 8), ref=(1, 1, 4, 6))
    assert refusal(lambda: net.shapes(), ShapeError) == (
        "net.prototxt:3: layer 'y' (Crop): axis 3: 6 from 3 on, out of 8\n  expected: a part of the first bottom"
    )
