"""Softmax over channels of maps, which is written as its formula."""

from __future__ import annotations

import cases
import numpy as np
import pytest
from one_layer import make, numbers, one

import netsurgery

NODE, FORMULA = ["Softmax"], ["ReduceMax", "Sub", "Exp", "ReduceSum", "Div"]
TWO = ["MatMul", "Exp", "Add", "Reciprocal"]


def softmax(axis: int, shape: tuple[int, ...]) -> netsurgery.Net:
    return make(one("Softmax", f"softmax_param {{ axis: {axis} }}"), x=shape)


@pytest.mark.parametrize("opset", [17, 18])
@pytest.mark.parametrize(
    ("axis", "sizes"),
    [(1, (None, 5, None, None)), (-3, (2, 5, None, None)), (2, (2, None, 3, None)), (-2, (None, None, 3, None))],
)
def test_maps_at_every_size(axis: int, sizes: tuple[int | None, ...], opset: int) -> None:
    model = netsurgery.to_onnx(softmax(axis, (2, 5, 3, 4)), opset=opset, input_shapes={"x": sizes})
    assert [node.op_type for node in model.graph.node] == FORMULA
    session = cases.session(model.SerializeToString())
    for shape in ((2, 5, 3, 4), tuple(7 if n is None else n for n in sizes)):
        x = 100 * numbers(*shape)  # exp of the greatest would overflow
        exact = np.exp(x.astype("f8") - x.max(axis=axis, keepdims=True))
        (got,) = session.run(None, {"x": x})
        np.testing.assert_allclose(got, exact / exact.sum(axis=axis, keepdims=True), rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize(
    ("axis", "shape", "expected"),
    [
        (1, (2, 5), NODE),
        (-1, (2, 5, 3, 4), NODE),
        (3, (2, 5, 3, 4), NODE),
        (1, (2, 5, 1, 1), NODE),
        (1, (2, 256, 3, 4), FORMULA),
        (1, (2, 257, 3, 4), NODE),
        (1, (3, 2), NODE),
        (1, (3, 2, 1, 1), NODE),
        (2, (3, 5, 2), TWO),
        (-1, (3, 5, 7, 2), TWO),
        (1, (3, 2, 5), ["Reshape", *TWO, "Shape", "Reshape"]),
        (1, (3, 2, 5, 4), ["Reshape", *TWO, "Shape", "Reshape"]),
        (2, (3, 4, 2, 5), FORMULA),
    ],
)
def test_the_node_where_it_is_as_fast_or_rounds_less(axis: int, shape: tuple[int, ...], expected: list[str]) -> None:
    for plain, operators in ((False, expected), (True, NODE)):
        model = netsurgery.to_onnx(softmax(axis, shape), static=True, plain=plain)
        assert [node.op_type for node in model.graph.node] == operators


@pytest.mark.parametrize(
    ("axis", "sizes"), [(1, (None, 2, None, None)), (1, (None, 2, None)), (2, (None, None, 2)), (-1, (3, None, 5, 2))]
)
def test_two_classes_at_every_size(axis: int, sizes: tuple[int | None, ...]) -> None:
    """Probabilities as small as they come keep their digits: proposals are ranked by them."""
    declared = tuple(6 if n is None else n for n in sizes)
    session = cases.session(netsurgery.to_onnx(softmax(axis, declared), input_shapes={"x": sizes}).SerializeToString())
    for shape in (declared, tuple(7 if n is None else n for n in sizes)):
        for scale in (1, 20, 1000):
            x = scale * numbers(*shape)
            exact = np.exp(x.astype("f8") - x.max(axis=axis, keepdims=True))
            (got,) = session.run(None, {"x": x})
            np.testing.assert_allclose(got, exact / exact.sum(axis=axis, keepdims=True), rtol=2e-5, atol=1e-37)
