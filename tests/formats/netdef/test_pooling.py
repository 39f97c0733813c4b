"""Pooling comes back from Caffe2 as it went."""

from __future__ import annotations

from pathlib import Path

import pytest

import netsurgery
from netsurgery.exporters.caffe2.export import save_caffe2
from netsurgery.formats.load import from_text


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
    ],
)
def test_the_way_to_round_comes_back(params: str, size: int, tmp_path: Path) -> None:
    net = from_text(
        f'layer {{ name: "in" type: "Input" top: "x" input_param {{ shape {{ dim: 1 dim: 3 dim: {size} dim: {size} }} }} }}\n'
        f'layer {{ name: "p" type: "Pooling" bottom: "x" top: "p" pooling_param {{ {params} }} }}'
    )
    save_caffe2(net, tmp_path)
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
