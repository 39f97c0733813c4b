"""What the cases of fixtures/ lack: ranks, edge cases and refusals of layers/filter.py."""

from __future__ import annotations

from one_layer import make, one, refusal

from netsurgery.errors import UnsupportedError


def test_filter_wants_a_top_for_each_bottom() -> None:
    net = make(one("Filter", bottoms=("x", "z", "sel")), x=(2, 3), z=(2,), sel=(2,))
    assert refusal(lambda: net.shapes(), UnsupportedError) == (
        "net.prototxt:4: layer 'y' (Filter): 1 tops for 3 bottoms\n  expected: 2: one for each bottom but the selector"
    )
