"""What the cases of fixtures/ lack: ranks, edge cases and refusals of layers/lrn.py."""

from __future__ import annotations

import cases
import numpy as np
import pytest
from one_layer import agree, make, numbers, one, refusal

import netsurgery
from netsurgery.errors import UnsupportedError


@pytest.mark.parametrize(
    "params",
    [
        "local_size: 1 alpha: 0.5",
        "local_size: 3 alpha: -0.01 k: 2",
        "local_size: 5 alpha: 0.5 beta: 0 k: 2",
        "local_size: 5 alpha: 0.5 beta: -1",
        "local_size: 9 alpha: 2 k: 0.5",
        "local_size: 9 alpha: 2 k: 3 norm_region: WITHIN_CHANNEL",
        "local_size: 1 alpha: 2 beta: -2 norm_region: WITHIN_CHANNEL",
    ],
)
def test_lrn_by_its_formula(params: str) -> None:
    net = make(one("LRN", f"lrn_param {{ {params} }}"), x=(2, 4, 3, 5))
    x = numbers(2, 4, 3, 5)
    tops, _ = agree(net, {"x": x}, {"x": numbers(1, 6, 7, 4)})
    value = {name.strip(":"): v for name, v in zip(params.split()[::2], params.split()[1::2], strict=True)}
    size, alpha, beta = int(value["local_size"]), float(value["alpha"]), float(value.get("beta", 0.75))
    half, within = size // 2, "norm_region" in value
    expected = np.empty(x.shape)
    for n, c, h, w in np.ndindex(*x.shape):
        near = (
            x[n, c, max(0, h - half) : h + half + 1, max(0, w - half) : w + half + 1]
            if within
            else x[n, max(0, c - half) : c + half + 1, h, w]
        )
        k = 1 if within else float(value.get("k", 1))
        share = alpha / (size * size if within else size)
        expected[n, c, h, w] = x[n, c, h, w] * (k + share * (near.astype("f8") ** 2).sum()) ** -beta
    np.testing.assert_allclose(tops["y"], expected, rtol=1e-5)


def test_lrn_works_in_place_within_channels_only() -> None:
    layers = 'layer { name: "h" type: "AbsVal" bottom: "x" top: "h" } ' + one(
        "LRN", "lrn_param { norm_region: R }", "h", "h"
    )
    netsurgery.run(make(layers.replace("R }", "WITHIN_CHANNEL }"), x=(1, 2, 3, 3)), {"x": numbers(1, 2, 3, 3)})
    across = make(layers.replace("R }", "ACROSS_CHANNELS }"), x=(1, 2, 3, 3))
    refusal(lambda: netsurgery.run(across, {"x": numbers(1, 2, 3, 3)}), UnsupportedError)


@pytest.mark.parametrize(
    ("params", "operators"),
    [
        ("", ["Mul", "Conv", "Sqrt", "Sqrt", "Mul", "Div"]),
        ("beta: 0.5", ["Mul", "Conv", "Pow", "Mul"]),
        ("norm_region: WITHIN_CHANNEL", ["Mul", "Conv", "Sqrt", "Sqrt", "Mul", "Div"]),
    ],
)
def test_lrn_is_what_onnxruntime_computes_fastest_and_plainly_its_own_node(params: str, operators: list[str]) -> None:
    net = make(one("LRN", f"lrn_param {{ local_size: 3 alpha: 0.5 k: 2 {params} }}"), x=(1, 16, 4, 4))
    free = {"input_shapes": {"x": [None, 16, None, None]}}
    model = netsurgery.to_onnx(net, **free)
    assert [node.op_type for node in model.graph.node] == operators
    plain = [node.op_type for node in netsurgery.to_onnx(net, plain=True, **free).graph.node]
    assert plain == (["LRN"] if "WITHIN" not in params else ["Mul", "AveragePool", "Mul", "Add", "Pow", "Mul"])
    for x in (numbers(1, 16, 4, 4), 30 * numbers(2, 16, 7, 3)):
        want = netsurgery.run(net, {"x": x}, dtype=np.float64)["y"]
        (got,) = cases.session(model.SerializeToString()).run(None, {"x": x})
        assert np.abs(got - want).max() <= 2e-6 * np.abs(want).max()


def test_channels_without_end_and_parts_of_blocks_keep_the_node() -> None:
    for channels, kind in ((384, "Div"), (385, "LRN"), (400, "LRN"), (24, "LRN")):
        model = netsurgery.to_onnx(make(one("LRN"), x=(1, channels, 2, 2)), static=True)
        assert model.graph.node[-1].op_type == kind


def test_channels_of_no_known_number_need_no_node_that_wants_to_know() -> None:
    net = make(one("LRN", "lrn_param { local_size: 3 alpha: 0.5 k: 2 }"), x=(1, 5, 4, 4))
    model = netsurgery.to_onnx(net)
    assert "LRN" not in [node.op_type for node in model.graph.node]
    session = cases.session(model.SerializeToString())
    for x in (numbers(1, 5, 4, 4), 30 * numbers(2, 9, 7, 3)):
        want = netsurgery.run(net, {"x": x}, dtype=np.float64)["y"]
        assert np.abs(session.run(None, {"x": x})[0] - want).max() <= 2e-6 * np.abs(want).max()
