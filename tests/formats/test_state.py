"""Phase, level and stages choose the layers of a net once, when it is read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnxruntime import InferenceSession
from wire_cases import NetParameter

import netsurgery
from netsurgery.exporters.convert import convert
from netsurgery.formats.options import Reading
from netsurgery.passes.deploy import deploy

STAGED = """layer { name: "in" type: "Input" top: "data" input_param { shape { dim: 1 dim: 3 dim: 8 dim: 8 } } }
layer { name: "up" type: "Power" bottom: "data" top: "x" power_param { shift: 100 } include { %s } }
layer { name: "down" type: "Power" bottom: "data" top: "x" power_param { shift: 7 } exclude { %s } }
layer { name: "p" type: "Pooling" bottom: "x" top: "p" pooling_param { pool: AVE kernel_size: 2 stride: 2 } }
"""


@pytest.mark.parametrize(
    ("rule", "head", "options", "value"),
    [
        ('stage: "deploy"', "", {"stages": ["deploy"]}, 100),
        ('stage: "deploy"', "", {}, 7),
        ('stage: "deploy"', 'state { stage: "deploy" }', {}, 100),
        ('stage: "deploy"', 'state { stage: "other" }', {}, 7),
        ("phase: TRAIN", "", {"phase": "TRAIN"}, 100),
        ("phase: TRAIN", "", {}, 7),
        ("min_level: 2", "", {"level": 2}, 100),
        ("min_level: 2", "", {}, 7),
    ],
)
def test_which_layers_there_are_is_decided_once(
    rule: str, head: str, options: dict[str, Any], value: int, tmp_path: Path
) -> None:
    """...when the net is read: what is converted, and what verify holds it against, is that net."""
    (tmp_path / "net.prototxt").write_text(head + STAGED % (rule, rule))
    net = netsurgery.load(tmp_path / "net.prototxt", **options)
    zeros = {"data": np.zeros((1, 3, 8, 8), np.float32)}
    for made in (net, deploy(net)):
        assert [layer.name for layer in made.layers] == ["in", "up" if value == 100 else "down", "p"]
        assert (netsurgery.run(made, zeros)["p"] == value).all()
    convert(tmp_path / "net.prototxt", None, tmp_path / "m.onnx", Reading(**options))
    (p,) = InferenceSession(tmp_path / "m.onnx").run(["p"], zeros)
    assert (p == value).all()


def test_a_snapshot_of_training_loses_what_only_training_does_in_place(tmp_path: Path) -> None:
    made = NetParameter()
    made.layer.add(name="data", type="Input", top=["x"]).input_param.shape.add().dim.extend((1, 2))
    noise = made.layer.add(name="noise", type="Power", bottom=["x"], top=["x"])
    noise.include.add().phase = 0
    other = made.layer.add(name="other", type="Power", bottom=["x"], top=["y"])
    other.include.add().phase = 0
    (tmp_path / "s.caffemodel").write_bytes(made.SerializeToString())
    net = netsurgery.load(tmp_path / "s.caffemodel")
    assert [layer.name for layer in net.layers] == ["data", "other"]
    assert net.notes == (
        "the file holds the net of the TRAIN phase, as snapshots do: all of its layers were taken but 'noise', which TEST"
        " leaves out",
    )
