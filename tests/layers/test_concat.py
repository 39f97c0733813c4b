"""What the cases of fixtures/ lack: ranks, edge cases and refusals of layers/concat.py."""

from __future__ import annotations

from one_layer import make, one, refusal

from netsurgery.errors import ShapeError


def test_concat_refuses_unequal_axes() -> None:
    net = make(one("Concat", bottoms=("x", "z")), x=(1, 2, 5), z=(1, 3, 4))
    assert refusal(lambda: net.shapes(), ShapeError) == (
        "net.prototxt:3: layer 'y' (Concat): axis 2 of a bottom: 4\n  expected: 5"
    )
