"""What the cases of fixtures/ lack: ranks, edge cases and refusals of layers/argmax.py."""

from __future__ import annotations

import numpy as np
from one_layer import agree, make, one, refusal

from netsurgery.errors import ShapeError


def test_argmax_takes_the_last_of_equal_values() -> None:
    x = np.array([[1, 3, 0, 3, 3, 1]], np.float32)
    for params, want in [("", [[4]]), ("top_k: 4", [[4, 3, 1, 5]]), ("top_k: 5 axis: 1", [4, 3, 1, 5, 0])]:
        (got,) = agree(make(one("ArgMax", f"argmax_param {{ {params} }}"), x=x.shape), {"x": x})
        np.testing.assert_array_equal(got["y"][0], want)


def test_argmax_refuses_more_than_there_are() -> None:
    net = make(one("ArgMax", "argmax_param { axis: 1 top_k: 4 }"), x=(1, 3, 9))
    assert "top_k is 4 of 3\n  expected: at most 3" in refusal(lambda: net.shapes(), ShapeError)
