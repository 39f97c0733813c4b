"""What the cases of fixtures/ lack: ranks, edge cases and refusals of layers/prelu.py."""

from __future__ import annotations

import numpy as np
import pytest
from one_layer import agree, make, numbers, one

import netsurgery


@pytest.mark.parametrize("shape", [(3, 4), (2, 4, 5), (2, 4, 2, 3, 5)])
def test_prelu_of_any_rank(shape: tuple[int, ...]) -> None:
    x, slope = numbers(*shape), numbers(4)
    (tops,) = agree(make(one("PReLU"), [slope], x=shape), {"x": x})
    np.testing.assert_allclose(tops["y"], np.where(x > 0, x, x * slope.reshape(-1, *[1] * (len(shape) - 2))), rtol=1e-6)
    shared = make(one("PReLU", "prelu_param { channel_shared: true }"), [np.float32(0.5).reshape(())], x=shape)
    (tops,) = agree(shared, {"x": x})
    np.testing.assert_allclose(tops["y"], np.where(x > 0, x, x / 2), rtol=1e-6)


@pytest.mark.parametrize(
    ("slope", "nodes"),
    [
        ([0.25, 0.0, -0.5, 1.5], ["Add", "Mul", "Mul", "Relu", "Relu"]),
        ([0.25, 0.25, 0.25, 0.25], ["LeakyRelu"]),
        ([2.0, 2.0, 2.0, 2.0], ["LeakyRelu"]),
    ],
)
def test_the_fastest_exact_form_is_chosen_by_the_slopes(slope: list[float], nodes: list[str]) -> None:
    net = make(one("PReLU"), [np.float32(slope)], x=(1, 4, 2, 3))
    x = np.float32([-np.inf, -2, -0.0, 0, 3, np.inf] * 4).reshape(1, 4, 2, 3)
    with np.errstate(invalid="ignore"):
        expected = np.where(x > 0, x, x * np.float32(slope).reshape(4, 1, 1))
    for plain in (False, True):
        model = netsurgery.to_onnx(net, plain=plain)
        assert sorted(node.op_type for node in model.graph.node) == sorted(["PRelu"] if plain else nodes)
        (y,) = netsurgery.session(model, threads=1).run(None, {"x": x})
        np.testing.assert_array_equal(y, expected)
