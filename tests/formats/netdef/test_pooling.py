"""Pooling comes back from Caffe2 as it went."""

from __future__ import annotations

from pathlib import Path

import cases
import numpy as np
import pytest

import netsurgery
from netsurgery.exporters.caffe2.export import save_caffe2
from netsurgery.formats.load import from_text


@pytest.mark.parametrize("static", [False, True])
@pytest.mark.parametrize("size", [7, 12, 13])
@pytest.mark.parametrize(
    "params",
    [
        "kernel_size: 2 stride: 2",
        "kernel_size: 3 stride: 2 pad: 1",
        "kernel_size: 3 stride: 1 pad: 1",
        "kernel_size: 1",
        "pool: AVE kernel_size: 3 stride: 1",
        "pool: AVE kernel_size: 3 stride: 2 pad: 1",
        "pool: AVE kernel_size: 3 stride: 1 pad: 1",
        "kernel_size: 3 stride: 2 ceil_mode: false",
        "pool: AVE_EXC_PAD kernel_size: 3 stride: 2",
        "pool: AVE_EXC_PAD kernel_size: 3 stride: 2 pad: 1",
    ],
)
def test_the_way_to_round_comes_back(params: str, size: int, static: bool, tmp_path: Path) -> None:
    net = from_text(
        f'layer {{ name: "in" type: "Input" top: "x" input_param {{ shape {{ dim: 1 dim: 3 dim: {size} dim: {size} }} }} }}\n'
        f'layer {{ name: "p" type: "Pooling" bottom: "x" top: "p" pooling_param {{ {params} }} }}'
    )
    save_caffe2(net, tmp_path, static=static)
    made = netsurgery.load(tmp_path / "init_net.pb", tmp_path / "predict_net.pb")
    floor = made.layers[-1].params.last("pooling_param").has("round_mode")
    assert floor == ("ceil_mode: false" in params), "FLOOR is written only where the file rounded down"
    for other in (size, size + 1, size + 2):
        shapes = {"x": (1, 3, other, other)}
        assert made.shapes(shapes)["p"] == net.shapes(shapes)["p"]


def test_an_input_that_no_operator_reads_is_left_out(tmp_path: Path) -> None:
    from netsurgery._proto.caffe2 import new

    net = from_text('layer { name: "in" type: "Input" top: "x" input_param { shape { dim: 1 dim: 3 } } }\n'
                    'layer { name: "r" type: "ReLU" bottom: "x" top: "y" }')  # fmt: skip
    save_caffe2(net, tmp_path)
    proto = new("NetDef")
    proto.ParseFromString((tmp_path / "predict_net.pb").read_bytes())
    proto.external_input.append("im_info")
    (tmp_path / "predict_net.pb").write_bytes(proto.SerializeToString())
    made = netsurgery.load(tmp_path / "init_net.pb", tmp_path / "predict_net.pb")
    assert dict(made.inputs) == {"x": (1, 3)}
    assert "input 'im_info' left out: no operator reads it" in made.notes


@pytest.mark.parametrize("rounding", ["round_mode: FLOOR", ""])
@pytest.mark.parametrize("window", [(3, 2, 1), (3, 1, 1), (4, 3, 2), (2, 2, 1)])
def test_an_average_without_padding_divides_by_what_is_in_the_image(
    rounding: str, window: tuple[int, int, int]
) -> None:
    k, s, p = window
    net = from_text(
        'layer { name: "in" type: "Input" top: "x" input_param { shape { dim: 2 dim: 3 dim: 9 dim: 8 } } }\n'
        f'layer {{ name: "p" type: "Pooling" bottom: "x" top: "y" pooling_param {{ pool: AVE_EXC_PAD kernel_size: {k} stride: {s}'
        f" pad: {p} {rounding} }} }}"
    )
    session = cases.session(netsurgery.to_onnx(net).SerializeToString())
    for sizes in ((9, 8), (7, 13), (10, 10)):
        x = np.random.default_rng(0).normal(size=(2, 3, *sizes)).astype(np.float32)
        got = netsurgery.run(net, {"x": x})["y"]
        want = np.empty_like(got)
        for i, j in np.ndindex(*got.shape[2:]):
            part = x[:, :, max(0, i * s - p) : i * s - p + k, max(0, j * s - p) : j * s - p + k]
            want[:, :, i, j] = part.mean(axis=(2, 3))
        np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(session.run(None, {"x": x})[0], want, rtol=1e-5, atol=1e-6)
