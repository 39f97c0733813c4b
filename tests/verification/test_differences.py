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
FEW = """layer { name: "in" type: "Input" top: "x" top: "z" input_param { shape { dim: 4 dim: 6 } shape { dim: 4 dim: 6 } } }
"""
LABEL = 'layer { name: "l" type: "Input" top: "l" input_param { shape { dim: 4 } } }\n'
STEPS = """layer { name: "in" type: "Input" top: "x" top: "z" input_param { shape { dim: 3 dim: 2 dim: 5 } shape { dim: 3 dim: 2 } } }
layer { name: "e" type: "%s" bottom: "x" bottom: "z" top: "y" recurrent_param { num_output: 4 } }"""
ITEMS = "items (first axis) of bottom 1, those of bottom 0 being expected: 1"
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
    **{
        type: (FEW + TWO % (type, ""), {"x": (4, 6), "z": (1, 6)}, ITEMS)
        for type in ("EuclideanLoss", "SigmoidCrossEntropyLoss")
    },
    "ContrastiveLoss": (
        FEW + LABEL + 'layer { name: "e" type: "ContrastiveLoss" bottom: "x" bottom: "z" bottom: "l" top: "y" }',
        {"x": (4, 6), "z": (1, 6), "l": (4,)},
        ITEMS,
    ),
    "Accuracy": (
        FEW + LABEL + 'layer { name: "e" type: "Accuracy" bottom: "x" bottom: "l" top: "y" }',
        {"x": (4, 6), "z": (4, 6), "l": (1,)},
        "number of labels: 1",
    ),
    **{
        type: (STEPS % type, {"x": (3, 2, 5), "z": (3, 1)}, "streams of the indicators (bottom 1): 1")
        for type in ("LSTM", "RNN")
    },
    "Filter": (
        FEW + LABEL + 'layer { name: "e" type: "Filter" bottom: "x" bottom: "l" top: "y" }',
        {"x": (4, 6), "z": (4, 6), "l": (3,)},
        "items: 4",
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
    net, path = netsurgery.initialize(from_text(text), 0, "random"), tmp_path / "m.onnx"
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


def test_a_model_takes_a_negative_index_from_the_end(tmp_path: Path) -> None:
    """Where Caffe aborts (BatchReindex), or reads what is not the blob's (Embed)."""
    for text, feeds in (
        (
            FEW + LABEL + 'layer { name: "e" type: "BatchReindex" bottom: "x" bottom: "l" top: "y" }',
            {"x": np.eye(4, 6, dtype=np.float32), "z": np.ones((4, 6), np.float32), "l": np.float32([0, -1, 3, 3])},
        ),
        (
            LABEL + 'layer { name: "e" type: "Embed" bottom: "l" top: "y" embed_param { num_output: 3 input_dim: 5 } }',
            {"l": np.float32([4, -1, 4, 4])},
        ),
    ):
        net = netsurgery.initialize(from_text(text), 0, "random")
        netsurgery.save_onnx(net, tmp_path / "m.onnx")
        session = cases.session(str(tmp_path / "m.onnx"))
        (y,) = session.run(["y"], {i.name: feeds[i.name] for i in session.get_inputs()})
        assert (y[1] == y[2]).all()
        with pytest.raises(NetsurgeryError, match="-1"):
            netsurgery.run(net, feeds)
