"""docs/differences.md: at sizes where Caffe aborts a model may answer; netsurgery.run and verify refuse them."""

from __future__ import annotations

from pathlib import Path

import cases
import numpy as np
import pytest

import netsurgery
from netsurgery.errors import NetsurgeryError
from netsurgery.formats.load import from_text

X = 'layer { name: "in" type: "Input" top: "x" input_param { shape { dim: 1 dim: 4 dim: 16 dim: 16 } } }\n'
XZ = X + X.replace('"in"', '"in2"').replace('"x"', '"z"')
TWO = 'layer { name: "e" type: "%s" bottom: "x" bottom: "z" top: "y" %s }'
ONE = 'layer { name: "e" type: "%s" bottom: "x" top: "y" %s }'
SIZES = {"x": (1, 4, 16, 16), "z": (1, 4, 1, 16)}
ROWS = {
    "Eltwise": (XZ + TWO % ("Eltwise", ""), SIZES, "axis 2 of bottom 2: 1"),
    "Scale": (XZ + TWO % ("Scale", "scale_param { axis: 0 }"), SIZES, "axis 2 of the second bottom: 1"),
    "Bias": (XZ + TWO % ("Bias", "bias_param { axis: 0 }"), SIZES, "axis 2 of the second bottom: 1"),
    "Pooling that gives no row": (
        X + ONE % ("Pooling", "pooling_param { kernel_size: 4 stride: 1 round_mode: FLOOR }"),
        {"x": (1, 4, 3, 16)},
        "the kernel spans 4, the padded bottom 3",
    ),
    "Pooling that gives one": (
        X + ONE % ("Pooling", "pooling_param { pool: AVE kernel_size: 4 stride: 2 round_mode: FLOOR }"),
        {"x": (1, 4, 3, 16)},
        "the kernel spans 4, the padded bottom 3",
    ),
    "SPP": (
        X + ONE % ("SPP", "spp_param { pyramid_height: 3 }"),
        {"x": (1, 4, 3, 16)},
        "a size of 3 does not fill 4 bins: kernel 1, pad 1",
    ),
}


@pytest.mark.parametrize("row", ROWS)
def test_a_model_answers_where_caffe_aborts_and_verify_says_so(row: str, tmp_path: Path) -> None:
    text, shapes, problem = ROWS[row]
    net, path = from_text(text), tmp_path / "m.onnx"
    netsurgery.save_onnx(net, path)
    feeds = {name: np.ones(shape, np.float32) for name, shape in shapes.items()}
    cases.session(str(path)).run(None, feeds)
    with pytest.raises(NetsurgeryError) as refused:
        netsurgery.run(net, feeds)
    assert refused.value.problem == problem
    with pytest.raises(NetsurgeryError) as refused:
        netsurgery.verify(net, path, shapes=[shapes])
    assert refused.value.problem == problem
    if len(shapes) == 1:
        with pytest.raises(NetsurgeryError) as refused:
            netsurgery.verify(net, path, sizes=[(3, 16)])
        assert refused.value.problem == problem


def test_a_model_fails_where_caffe_has_one_position(tmp_path: Path) -> None:
    params = "convolution_param { num_output: 2 kernel_size: 5 stride: 4 }"
    net = netsurgery.initialize(from_text(X + ONE % ("Convolution", params)), 0, "random")
    feeds = {"x": np.random.default_rng(0).normal(size=(1, 4, 3, 16)).astype(np.float32)}
    want = netsurgery.run(net, feeds)["y"]
    assert want.shape == (1, 2, 1, 3)
    netsurgery.save_onnx(net, tmp_path / "m.onnx")
    with pytest.raises(NetsurgeryError, match="fails at x 1x4x3x16"):
        netsurgery.verify(net, tmp_path / "m.onnx", sizes=[(3, 16)])
    made = netsurgery.to_onnx(net, input_shapes={"x": (1, 4, 3, 16)})
    assert not cases.difference(cases.session(made.SerializeToString()).run(None, feeds)[0], want)
