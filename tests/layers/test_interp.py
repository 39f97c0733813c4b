"""What the cases of fixtures/ lack: ranks, edge cases and refusals of layers/interp.py."""

from __future__ import annotations

import pytest
from one_layer import agree, make, numbers, one, refusal

from netsurgery.errors import UnsupportedError


@pytest.mark.parametrize(
    ("params", "size", "top"),
    [
        ("height: 1 width: 5", (4, 7), (1, 5)),
        ("height: 4 width: 1", (4, 7), (4, 1)),
        ("height: 4 width: 1 pad_beg: -1", (5, 7), (4, 1)),
        ("zoom_factor: 3", (1, 4), (1, 10)),
        ("shrink_factor: 3 zoom_factor: 2 pad_end: -2", (9, 4), (5, 1)),
        ("full_zoom_factor: 2", (3, 4), (6, 8)),
        ("zoom_factor: 2 height: 9 width: 9", (3, 4), (5, 7)),
    ],
)
def test_interp_sizes(params: str, size: tuple[int, int], top: tuple[int, int]) -> None:
    net = make(one("Interp", f"interp_param {{ {params} }}"), x=(1, 2, *size))
    first, _ = agree(net, {"x": numbers(1, 2, *size)}, {"x": numbers(2, 2, size[0] + 4, size[1] + 1)})
    assert first["y"].shape[2:] == top


def test_interp_refuses() -> None:
    for params, problem in [
        ("pad_beg: 1 zoom_factor: 2", "pad_beg 1, pad_end 0\n  expected: 0 or less"),
        ("height: 4", "no size is set\n  expected: height and width, shrink_factor or zoom_factor"),
        ("zoom_factor: 0", "a size or factor is less than 1\n  expected: positive numbers"),
    ]:
        net = make(one("Interp", f"interp_param {{ {params} }}"), x=(1, 2, 5, 5))
        assert problem in refusal(lambda net=net: net.shapes(), UnsupportedError)  # type: ignore[misc]
