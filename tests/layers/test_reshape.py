"""What the cases of fixtures/ lack: ranks, edge cases and refusals of layers/reshape.py."""

from __future__ import annotations

import cases
import numpy as np
import pytest
from one_layer import agree, make, numbers, one, refusal

import netsurgery
from netsurgery.errors import NetsurgeryError


def test_reshape_keeps_the_order_of_numbers() -> None:
    x = numbers(2, 3, 4, 5)
    net = make(one("Reshape", "reshape_param { shape { dim: -1 dim: 2 } axis: 1 num_axes: 2 }"), x=x.shape)
    (got,) = agree(net, {"x": x})
    np.testing.assert_array_equal(got["y"], x.reshape(2, 6, 2, 5))


def test_reshape_to_fixed_sizes_ties_down_what_it_must() -> None:
    net = make(one("Reshape", "reshape_param { shape { dim: 0 dim: 12 dim: 5 } }"), x=(2, 3, 4, 5))
    session = cases.session(netsurgery.to_onnx(net).SerializeToString())
    assert session.get_inputs()[0].shape == ["x_n", 3, 4, 5]


@pytest.mark.parametrize(
    ("params", "problem"),
    [
        ("shape { dim: -1 dim: -1 }", "shape is (-1, -1)\n  expected: sizes, 0 to copy, -1 once"),
        ("shape { dim: 7 dim: -1 }", "24 numbers do not fill shape (7, -1)\n  expected: a multiple of 7"),
        ("shape { dim: 7 }", "count of the new axes: 7\n  expected: 24"),
        ("shape { dim: 1 } axis: 4", "axis 4, num_axes -1 of a blob with 3 axes\n  expected: axes from 0 to 3"),
        (
            "shape { dim: 1 } axis: 2 num_axes: 2",
            "axis 2, num_axes 2 of a blob with 3 axes\n  expected: axes from 0 to 3",
        ),
    ],
)
def test_reshape_refuses(params: str, problem: str) -> None:
    net = make(one("Reshape", f"reshape_param {{ {params} }}"), x=(2, 3, 4))
    assert problem in refusal(lambda: net.shapes(), NetsurgeryError)
