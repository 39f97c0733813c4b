"""What the cases of fixtures/ lack: ranks, edge cases and refusals of layers/eltwise.py."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from one_layer import agree, make, numbers, one, refusal

import netsurgery
from netsurgery.errors import UnsupportedError


@pytest.mark.parametrize(
    ("params", "nodes", "expected"),
    [
        ("coeff: 1 coeff: -1", ["Sub"], lambda a, b: a - b),
        ("coeff: 0.5 coeff: -2", ["Mul", "Mul", "Add"], lambda a, b: 0.5 * a - 2 * b),
        ("operation: PROD", ["Mul"], lambda a, b: a * b),
        ("operation: MAX coeff: 3 coeff: 4", ["Max"], np.maximum),
    ],
)
def test_eltwise_of_two(params: str, nodes: list[str], expected: Any) -> None:
    net = make(one("Eltwise", f"eltwise_param {{ {params} }}", "ab"), a=(2, 3, 4), b=(2, 3, 4))
    feed = {"a": numbers(2, 3, 4), "b": numbers(2, 3, 4)}
    (tops,) = agree(net, feed)
    np.testing.assert_allclose(tops["y"], expected(feed["a"], feed["b"]), rtol=1e-6)
    assert [n.op_type for n in netsurgery.to_onnx(net).graph.node] == nodes


def test_eltwise_of_four_ties_all_sizes_together() -> None:
    net = make(
        one("Eltwise", "eltwise_param { coeff: 1 coeff: 1 coeff: 2 coeff: 1 }", "abcd"), **dict.fromkeys("abcd", (2, 3))
    )
    feed = {name: numbers(2, 3) for name in "abcd"}
    tops, _ = agree(net, feed, {name: numbers(5, 7) for name in "abcd"})
    np.testing.assert_allclose(tops["y"], sum(feed.values()) + feed["c"], rtol=1e-6)


def test_eltwise_max_lets_the_second_win_over_nan() -> None:
    net = make(one("Eltwise", "eltwise_param { operation: MAX }", "ab"), a=(3,), b=(3,))
    tops = netsurgery.run(net, {"a": np.array([np.nan, 1, 2]), "b": np.array([1, np.nan, 1])})
    np.testing.assert_array_equal(tops["y"], [1, np.nan, 2])


def test_eltwise_in_place_is_a_product_only() -> None:
    in_place = one("Eltwise", "eltwise_param { operation: OP }", ("h", "x"), ("h",))
    layers = 'layer { name: "h" type: "AbsVal" bottom: "x" top: "h" } ' + in_place
    net = make(layers.replace("OP", "PROD"), x=(2, 3))
    x = numbers(2, 3)
    np.testing.assert_array_equal(netsurgery.run(net, {"x": x})["h"], np.abs(x) * x)
    wrong = make(layers.replace("OP", "SUM"), x=(2, 3))
    assert refusal(lambda: netsurgery.run(wrong, {"x": x}), UnsupportedError) == (
        "net.prototxt:2: layer 'y' (Eltwise): top 'h' is also its bottom\n"
        "  expected: another top: Caffe's Eltwise does not work in place"
    )
