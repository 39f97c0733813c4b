"""Small nets at the edges of what layers take, each with the numbers that real Caffe gave for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cases
import numpy as np
import pytest

import netsurgery
from netsurgery import passes
from netsurgery.errors import ShapeError, UnsupportedError, WeightsError
from netsurgery.formats.load import from_text

Array = np.ndarray[Any, Any]
LOWEST = float(np.finfo(np.float32).min)
NAN = float("nan")


@dataclass(frozen=True)
class Case:
    """The layers of a net, its inputs, and what Caffe made of them."""

    name: str
    layers: str
    feeds: dict[str, Array]
    want: dict[str, Array]
    opsets: Sequence[int] = (17, 21)
    only_run: bool = False
    weights: dict[str, list[Array]] = field(default_factory=dict)

    def net(self) -> netsurgery.Net:
        inputs = "".join(
            f'layer {{ name: "{name}" type: "Input" top: "{name}" input_param {{ shape {{ {dims(x)} }} }} }}\n'
            for name, x in self.feeds.items()
        )
        net = from_text(inputs + self.layers, "net.prototxt")
        for name, blobs in self.weights.items():
            net = net.with_weights(name, *blobs)
        return net


def dims(x: Array) -> str:
    return " ".join(f"dim: {n}" for n in x.shape)


def blob(numbers: Any, *shape: int) -> Array:
    return np.array(numbers, np.float32).reshape(shape)


def pool(params: str, tops: Sequence[str] = ("y",)) -> str:
    names = " ".join(f'top: "{top}"' for top in tops)
    return f'layer {{ name: "pool" type: "Pooling" bottom: "x" {names} pooling_param {{ {params} }} }}'


COLUMN = blob([1, 2, 3, 4, 5], 1, 1, 5, 1)
CASES = [
    Case(
        "the mask of global pooling",
        pool("pool: MAX global_pooling: true", ("y", "mask")),
        {"x": blob([1, 5, 5, 3, -1, -2, -3, -1], 1, 2, 2, 2)},
        {"y": blob([5, -1], 1, 2, 1, 1), "mask": blob([1, 0], 1, 2, 1, 1)},
    ),
    Case(
        "a greatest value behind the image",
        pool("pool: MAX kernel_h: 1 kernel_w: 1 stride_h: 3 stride_w: 1"),
        {"x": COLUMN},
        {"y": blob([1, 4, LOWEST], 1, 1, 3, 1)},
    ),
    Case(
        "an average right behind the image",
        pool("pool: AVE kernel_h: 1 kernel_w: 1 stride_h: 2 stride_w: 1"),
        {"x": COLUMN[:, :, :4]},
        {"y": blob([1, 3, NAN], 1, 1, 3, 1)},
    ),
    Case(
        "an average further behind the image",
        pool("pool: AVE kernel_h: 1 kernel_w: 1 stride_h: 3 stride_w: 1"),
        {"x": COLUMN},
        {"y": blob([1, 4, 0], 1, 1, 3, 1)},
    ),
    Case(
        "an axis counted from behind",
        'layer { name: "y" type: "Im2col" bottom: "x" top: "y" convolution_param { kernel_size: 2 axis: -2 } }',
        {"x": blob([1, 2, 3], 1, 1, 3)},
        {"y": blob([1, 2, 2, 3], 1, 2, 2)},
    ),
    Case(
        "an average whose windows end inside the padding",
        pool("pool: AVE kernel_h: 5 kernel_w: 4 stride: 4 pad: 3"),
        {"x": blob([1, 2, 3, 4, 5], 1, 1, 1, 5)},
        {"y": blob([0.05, 0.7], 1, 1, 1, 2)},
    ),
    *(
        Case(
            f"a sum with a pool that drops its last window ({method})",
            pool(f"pool: {method} kernel_size: 2 stride: 2 pad: 1")
            + ' layer { name: "sum" type: "Eltwise" bottom: "y" bottom: "z" top: "sum" }',
            {"x": blob(range(1, 13), 1, 1, 3, 4), "z": blob([0] * 6, 1, 1, 2, 3)},
            {"sum": blob(want, 1, 1, 2, 3)},
            opsets=(17, 21, 22, 24),
        )
        for method, want in {"AVE": [0.25, 1.25, 1, 3.5, 8.5, 5], "MAX": [1, 3, 4, 9, 11, 12]}.items()
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_run_gives_caffes_numbers(case: Case) -> None:
    for dtype in (np.float32, np.float64):
        got = netsurgery.run(case.net(), case.feeds, dtype=dtype)
        for name, want in case.want.items():
            assert not cases.difference(got[name], want), (name, got[name], want)


@pytest.mark.parametrize("static", [False, True], ids=["free sizes", "fixed sizes"])
@pytest.mark.parametrize("case", [case for case in CASES if not case.only_run], ids=lambda case: case.name)
def test_onnx_gives_caffes_numbers(case: Case, static: bool) -> None:
    for opset in case.opsets:
        model = netsurgery.to_onnx(case.net(), opset=opset, static=static, outputs=list(case.want))
        session = cases.session(model.SerializeToString())
        feeds = {i.name: case.feeds[i.name] for i in session.get_inputs()}
        for name, got in zip(case.want, session.run(None, feeds), strict=True):
            assert not cases.difference(got, case.want[name]), (opset, name, got, case.want[name])


@pytest.mark.parametrize("type", ["Convolution", "Deconvolution", "Im2col"])
def test_channels_are_the_second_axis(type: str) -> None:
    net = from_text(
        'layer { name: "x" type: "Input" top: "x" input_param { shape { dim: 1 dim: 2 dim: 3 dim: 3 dim: 3 } } }\n'
        f'layer {{ name: "y" type: "{type}" bottom: "x" top: "y" convolution_param {{ num_output: 1 kernel_size: 2 axis: -3 }} }}',
        "net.prototxt",
    )
    with pytest.raises(UnsupportedError) as error:
        netsurgery.initialize(net)
    assert str(error.value) == f"net.prototxt:2: layer 'y' ({type}): axis is -3 of 5 axes\n  expected: 1"


SHARING = [
    'layer { name: "share" type: "Split" bottom: "c" top: "a" top: "b" }',
    'layer { name: "share" type: "Reshape" bottom: "c" top: "a" reshape_param { shape { dim: -1 } } }',
    'layer { name: "share" type: "Flatten" bottom: "c" top: "a" }',
    'layer { name: "share" type: "Slice" bottom: "c" top: "a" }',
    'layer { name: "share" type: "Concat" bottom: "c" top: "a" }',
]
"""Caffe gives top and bottom the same memory."""


def sharing(share: str, *layers: str) -> str:
    data = 'layer { name: "x" type: "Input" top: "x" input_param { shape { dim: 1 dim: 4 } } }'
    made = 'layer { name: "make" type: "Power" bottom: "x" top: "c" }'
    return "\n".join([data, made, share, *layers])


RELU = 'layer { name: "relu" type: "ReLU" bottom: "a" top: "a" }'


@pytest.mark.parametrize("share", SHARING)
def test_a_layer_in_place_that_would_change_another_blob_in_caffe_is_refused(share: str) -> None:
    # for x = -1 2 -3 4 Caffe's y is 0 2 0 4
    other = "b" if "Split" in share else "c"
    later = f'layer {{ name: "y" type: "Power" bottom: "{other}" top: "y" }}'
    net = from_text(sharing(share, RELU, later), "net.prototxt")
    with pytest.raises(UnsupportedError) as error:
        netsurgery.run(net, {"x": blob([-1, 2, -3, 4], 1, 4)})
    assert str(error.value) == (
        f"net.prototxt:4: layer 'relu' (ReLU): in place it would change '{other}' too, which lies in the same memory in Caffe and is "
        "needed later\n  expected: another top, or a bottom that shares no memory (Split, Reshape, Flatten share it)"
    )


@pytest.mark.parametrize("share", SHARING)
def test_a_layer_in_place_on_memory_that_nobody_reads_later_is_taken(share: str) -> None:
    other = "b" if "Split" in share else "c"
    before = f'layer {{ name: "y" type: "Power" bottom: "{other}" top: "y" }}'
    got = netsurgery.run(from_text(sharing(share, before, RELU)), {"x": blob([-1, 2, -3, 4], 1, 4)})
    assert got["y"].ravel().tolist() == [-1, 2, -3, 4]
    assert got["a"].ravel().tolist() == [0, 2, 0, 4]


def test_an_inserted_layer_is_not_written_in_place_where_it_would_change_another_blob() -> None:
    later = (
        'layer { name: "y" type: "Power" bottom: "b" top: "y" }\nlayer { name: "z" type: "Power" bottom: "a" top: "z" }'
    )
    net = passes.insert(from_text(sharing(SHARING[0], later)), 'layer { name: "relu" type: "ReLU" }', before="z")
    text = netsurgery.to_prototxt(net)
    again = from_text(text)
    x = {"x": blob([-1, 2, -3, 4], 1, 4)}
    for made in (net, again):
        got = netsurgery.run(made, x, ["y", "z"])
        assert got["y"].ravel().tolist() == [-1, 2, -3, 4]
        assert got["z"].ravel().tolist() == [0, 2, 0, 4]
    assert again["relu"].bottoms != again["relu"].tops and "@" not in text


def test_the_bilinear_filler_gives_caffes_bits() -> None:
    net = from_text(
        'layer { name: "x" type: "Input" top: "x" input_param { shape { dim: 1 dim: 1 dim: 9 dim: 9 } } }\n'
        'layer { name: "y" type: "Convolution" bottom: "x" top: "y" convolution_param { num_output: 1 kernel_size: 9\n'
        'weight_filler { type: "bilinear" } } }'
    )
    got = netsurgery.initialize(net)["y"].weights[0][0, 0]
    corner = [0.0399999954, 0.0799999908, 0.119999997, 0.159999996, 0.199999988]
    assert got[0, :5].tolist() == np.array(corner, np.float32).tolist()


def test_weights_that_caffe_would_not_load_are_not_written(tmp_path: Path) -> None:
    net = from_text(
        'layer { name: "x" type: "Input" top: "x" input_param { shape { dim: 1 dim: 4 } } }\n'
        'layer { name: "a" type: "InnerProduct" bottom: "x" top: "a" inner_product_param { num_output: 3 } }\n'
        'layer { name: "b" type: "InnerProduct" bottom: "a" top: "b" inner_product_param { num_output: 2 } }',
        "net.prototxt",
    )
    net = passes.delete(netsurgery.initialize(net), "a")
    with pytest.raises(WeightsError) as error:
        netsurgery.save_caffe(net, tmp_path / "cut.prototxt", tmp_path / "cut.caffemodel")
    assert str(error.value) == (
        "net.prototxt:3: layer 'b' (InnerProduct): has blobs of shapes 2x3, 2\n  expected: 2x4, 2"
    )
    assert not list(tmp_path.iterdir())


SHARED = """
layer { name: "x" type: "Input" top: "x" input_param { shape { dim: 1 dim: 1 dim: 2 dim: 2 } } }
layer { name: "c" type: "Convolution" bottom: "x" top: "c" param { name: "w" OWNER } convolution_param {
  num_output: 1 kernel_size: 2 bias_term: false weight_filler { type: "constant" value: 2 } } }
layer { name: "f" type: "InnerProduct" bottom: "x" top: "f" param { name: "w" OTHER } inner_product_param {
  num_output: 1 bias_term: false weight_filler { type: "constant" value: 3 } } }
"""
PERMISSIVE = "share_mode: PERMISSIVE"


def test_only_the_later_layers_say_whether_shared_blobs_may_differ_in_shape(tmp_path: Path) -> None:
    # Caffe: Cannot share param 'w' owned by layer 'c' with layer 'f'; shape mismatch
    with pytest.raises(ShapeError, match="parameter 'w', which another layer has with shape 1x1x2x2"):
        netsurgery.initialize(from_text(SHARED.replace("OWNER", PERMISSIVE).replace("OTHER", "")))
    net = netsurgery.initialize(from_text(SHARED.replace("OWNER", "").replace("OTHER", PERMISSIVE)))
    netsurgery.save_caffe(net, tmp_path / "net.prototxt", tmp_path / "net.caffemodel")
    again = netsurgery.load(tmp_path / "net.prototxt", tmp_path / "net.caffemodel")
    got = netsurgery.run(again, {"x": blob([1, 2, 3, 4], 1, 1, 2, 2)})
    assert got["c"].ravel().tolist() == got["f"].ravel().tolist() == [20]
