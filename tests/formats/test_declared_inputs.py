"""Any top that nobody can compute becomes an input where its shape is given, in every command that reads nets."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cases
import pytest

import netsurgery
from netsurgery.errors import NetsurgeryError, ShapeError, UnsupportedLayersError
from netsurgery.exporters.convert import convert
from netsurgery.formats.load import from_text
from netsurgery.formats.options import Reading

CONV = 'layer { name: "c" type: "Convolution" bottom: "data" top: "c" convolution_param { num_output: 2 kernel_size: 3 } }\n'
LOSS = 'layer { name: "loss" type: "SoftmaxWithLoss" bottom: "c" bottom: "label" top: "loss" }\n'
SOURCES = {
    "unknown, with a label": 'layer { name: "data" type: "CPMData" top: "data" top: "label" cpmdata_param { batch_size: 2 } }\n',
    "unknown": 'layer { name: "data" type: "BoxData" top: "data" }\n',
    "a field that is not known": 'layer { name: "data" type: "ImageData" top: "data" top: "label" image_data_param { label: false } }\n',
    "another": 'layer { name: "data" type: "MemoryData" top: "data" top: "label" memory_data_param { share_in_parallel: false } }\n',
    "a negative size": 'layer { name: "data" type: "Input" top: "data" input_param { shape { dim: -1 dim: 3 dim: 9 dim: 9 } } }\n',
    "a negative size of old": 'input: "data" input_dim: -1 input_dim: 3 input_dim: 9 input_dim: 9\n',
    "no size": 'layer { name: "data" type: "Data" top: "data" top: "label" data_param { source: "x" batch_size: 4 } }\n',
    "in small letters": 'layer { name: "data" type: "input" top: "data" }\n',
    "nothing": "",
    "for another phase": 'layer { name: "data" type: "Data" top: "data" include { phase: TRAIN } }\n',
    "Python": 'layer { name: "data" type: "Python" top: "data" top: "label" python_param { module: "m" layer: "L" } }\n',
}


@pytest.mark.parametrize("source", SOURCES)
def test_a_shape_makes_it_an_input(source: str, tmp_path: Path) -> None:
    text = SOURCES[source] + CONV + (LOSS if '"label"' in SOURCES[source] else "")
    (tmp_path / "net.prototxt").write_text(text)
    with pytest.raises(NetsurgeryError):
        convert(tmp_path / "net.prototxt", None, tmp_path / "m.onnx", Reading(initialize="random"))
    net = netsurgery.load(tmp_path / "net.prototxt", input_shapes={"data": (1, 3, 8, 8)})
    assert net.inputs["data"] == (1, 3, 8, 8)
    given: list[tuple[tuple[Any, ...], list[Any]]] = [
        ((1, 3, 8, 8), [1, 3, 8, 8]),
        (("N", 3, "H", "W"), ["N", 3, "H", "W"]),
    ]
    for shape, axes in given:
        reading = Reading(initialize="random", input_shapes={"data": shape})
        done = convert(tmp_path / "net.prototxt", None, tmp_path / "m.onnx", reading)
        assert done.to_json()["inputs"] == {"data": axes}
        assert cases.session(str(tmp_path / "m.onnx")).get_inputs()[0].shape == axes


def test_a_declared_shape_is_overridden_or_it_is_said_why_not() -> None:
    net = from_text(
        'layer { name: "d" type: "Input" top: "data" input_param { shape { dim: 1 dim: 3 dim: 9 dim: 9 } } }\n' + CONV
    )
    assert net.inputs["data"] == (1, 3, 9, 9)
    digits = cases.FIXTURES / "digits"
    files = digits / "deploy.prototxt", digits / "digits.caffemodel"
    name, shape = next(iter(netsurgery.load(*files).inputs.items()))
    assert shape is not None
    two = netsurgery.load(*files, input_shapes={name: (2, *shape[1:])})
    assert two.inputs[name] == (2, *shape[1:])
    larger = netsurgery.load(*files, input_shapes={name: (1, 1, 56, 56)})
    assert larger.inputs[name] == shape
    assert (
        larger.notes[-1] == f"the declared shapes of inputs stay for now: the weights do not fit at '{name}' 1x1x56x56"
    )
    assert netsurgery.convolutionalize(larger).shapes({name: (1, 1, 56, 56)})


def test_what_a_layer_computes_is_no_input() -> None:
    text = SOURCES["unknown"] + CONV
    with pytest.raises(ShapeError) as refused:
        from_text(text, input_shapes={"data": (1, 3, 8, 8), "c": (1, 2, 6, 6)})
    assert refused.value.problem == "'c' is no input: layer 'c' (Convolution) computes it"


def test_pixels_are_still_told(tmp_path: Path) -> None:
    """...by the data layer whose place an Input took."""
    from netsurgery.formats.preprocessing import from_net

    data = 'layer { name: "data" type: "Data" top: "data" transform_param { mean_value: 104 scale: 0.5 } data_param { source: "x" } }\n'
    net = from_text(data + CONV, input_shapes={"data": (1, 3, 8, 8)})
    done = from_net(net)
    assert done is not None and done.scale == 0.5
    assert (
        "input 'data' is expected as the layer prepared it: mean_value 104 subtracted, then scaled by 0.5" in net.notes
    )


def test_a_label_that_is_only_silenced_goes_with_its_silence() -> None:
    text = 'layer { name: "data" type: "Data" top: "data" top: "label" data_param { source: "x" batch_size: 4 } }\n'
    text += 'layer { name: "s" type: "Silence" bottom: "label" }\n' + CONV
    net = from_text(text, input_shapes={"data": (1, 3, 8, 8)})
    assert dict(net.inputs) == {"data": (1, 3, 8, 8)}
    assert [layer.type for layer in net.layers] == ["Input", "Convolution"]
    both = from_text(
        text.replace('bottom: "label" }', 'bottom: "label" bottom: "data" }'), input_shapes={"data": (1, 3, 8, 8)}
    )
    assert [layer.bottoms for layer in both.layers] == [(), ("data",), ("data",)]


def test_a_negative_size_is_told_with_the_option_that_says_it(tmp_path: Path) -> None:
    (tmp_path / "n.prototxt").write_text('input: "data" input_dim: 1 input_dim: 3 input_dim: -1 input_dim: -1\n' + CONV)
    with pytest.raises(UnsupportedLayersError) as refused:
        netsurgery.load(tmp_path / "n.prototxt").require_supported()
    assert str(refused.value) == (
        f"{tmp_path}/n.prototxt:1: layer 'input' (Input): a declared size is negative: (1, 3, -1, -1)\n"
        "  expected: sizes from 1 on\n  fix: say it: --input-shape data=1,3,224,224"
    )
    net = netsurgery.load(tmp_path / "n.prototxt", input_shapes={"data": (1, 3, 224, 224)})
    net.require_supported()
    assert net.inputs == {"data": (1, 3, 224, 224)}


def test_a_label_of_an_unknown_source_that_nobody_reads_goes_with_it(tmp_path: Path) -> None:
    (tmp_path / "n.prototxt").write_text(SOURCES["unknown, with a label"] + CONV)
    with pytest.raises(UnsupportedLayersError) as refused:
        netsurgery.load(tmp_path / "n.prototxt").require_supported()
    assert str(refused.value) == (
        f"{tmp_path}/n.prototxt:1: layer 'data' (CPMData): layer type 'CPMData' is not known\n"
        "  expected: a type that `netsurgery layers` lists\n"
        "  fix: make an input of what it gives: --input-shape data=1,3,224,224"
    )
    net = netsurgery.load(tmp_path / "n.prototxt", input_shapes={"data": (1, 3, 224, 224)})
    net.require_supported()
    assert [layer.type for layer in net.layers] == ["Input", "Convolution"]
    scored = from_text(SOURCES["unknown, with a label"] + CONV + LOSS, input_shapes={"data": (1, 3, 8, 8)})
    assert "label" in scored.blobs, "what a loss reads stays, for deploy"


SUM = """layer { name: "a" type: "Data" top: "data" data_param { source: "x" batch_size: 4 } }
layer { name: "b" type: "Data" top: "b" data_param { source: "x" batch_size: 4 } }
layer { name: "c" type: "Convolution" bottom: "data" top: "c" convolution_param { num_output: 3 kernel_size: 1 } }
layer { name: "e" type: "Eltwise" bottom: "c" bottom: "b" top: "e" }
"""
AGREE: list[tuple[dict[str, tuple[Any, ...]], dict[str, list[Any]]]] = [
    ({"data": ("N", 3, "H", "W"), "b": ("N", 3, "H", "W")}, {"data": ["N", 3, "H", "W"], "b": ["N", 3, "H", "W"]}),
    ({"data": (1, 3, 8, 8), "b": ("N", 3, "H", "W")}, {"data": [1, 3, 8, 8], "b": [1, 3, 8, 8]}),
    ({"data": ("N", "C", "H", "W"), "b": ("N", 3, 8, 8)}, {"data": ["N", 3, 8, 8], "b": ["N", 3, 8, 8]}),
    ({"data": ("N", "C", "H", "W"), "b": ("N", 3, "H", "W")}, {"data": ["N", 3, "H", "W"], "b": ["N", 3, "H", "W"]}),
]


@pytest.mark.parametrize(("shapes", "axes"), AGREE)
def test_axes_that_must_agree_do(
    shapes: dict[str, tuple[Any, ...]], axes: dict[str, list[Any]], tmp_path: Path
) -> None:
    (tmp_path / "net.prototxt").write_text(SUM)
    reading = Reading(initialize="random", input_shapes=shapes)
    done = convert(tmp_path / "net.prototxt", None, tmp_path / "m.onnx", reading)
    assert done.to_json()["inputs"] == axes


def test_axes_that_cannot_agree_are_refused(tmp_path: Path) -> None:
    (tmp_path / "net.prototxt").write_text(SUM)
    reading = Reading(initialize="random", input_shapes={"data": (1, 3, 8, 8), "b": (1, 3, 9, 8)})
    with pytest.raises(ShapeError) as refused:
        convert(tmp_path / "net.prototxt", None, tmp_path / "m.onnx", reading)
    assert (refused.value.problem, refused.value.expected) == ("axis 2 of bottom 2: 9", "8")
