"""convert names the layer that ties an axis, whichever it is."""

from __future__ import annotations

from pathlib import Path

import cases
import pytest
from seeing import call


def test_a_layer_that_ties_an_axis_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("net.prototxt").write_text(
        'layer { name: "in" type: "Input" top: "x" input_param { shape { dim: 1 dim: 3 dim: 8 dim: 8 } } }\n'
        'layer { name: "r" type: "Reshape" bottom: "x" top: "y" reshape_param { shape { dim: 0 dim: 3 dim: 64 } } }\n'
    )
    code, _, err = call(monkeypatch, capsys, "convert", "net.prototxt", "-o", "m.onnx")
    assert code == 0
    assert "note: layer 'r' (Reshape) ties axis 2 of x to 8 and axis 3 of x to 8\n" in err


INPUT = 'layer { name: "in" type: "Input" top: "x" input_param { shape { dim: 1 dim: 3 dim: 8 dim: 8 } } }\n'
SUM = 'layer { name: "e" type: "Eltwise" bottom: "x" bottom: "%s" top: "y" }\n'
SIZES = "shape { dim: 1 dim: 3 dim: 8 dim: 8 }"
CONT = 'layer { name: "c" type: "Input" top: "cont" input_param { shape { dim: 1 dim: 3 } } }\n'
TIES = {
    "DummyData": f'layer {{ name: "d" type: "DummyData" top: "d" dummy_data_param {{ {SIZES} data_filler {{ value: 3 }} }} }}\n'
    + SUM % "d",
    "Parameter": f'layer {{ name: "d" type: "Parameter" top: "d" parameter_param {{ {SIZES} }} }}\n'
    'layer { name: "p" type: "Power" bottom: "d" top: "p" }\n' + SUM % "p",
    "Local": 'layer { name: "d" type: "Local" bottom: "x" top: "y" local_param { num_output: 2 kernel_size: 3 } }\n',
    "LSTM": CONT + 'layer { name: "d" type: "LSTM" bottom: "x" bottom: "cont" top: "y" recurrent_param { num_output: 2 } }\n',
    "InnerProduct": 'layer { name: "d" type: "InnerProduct" bottom: "x" top: "y" inner_product_param { num_output: 2 } }\n',
    "Bias": 'layer { name: "d" type: "Bias" bottom: "x" top: "y" bias_param { num_axes: 3 } }\n',
}  # fmt: skip


@pytest.mark.parametrize("type", TIES)
def test_constants_weights_and_states_are_named(
    type: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("net.prototxt").write_text(INPUT + TIES[type])
    code, _, err = call(monkeypatch, capsys, "convert", "net.prototxt", "-o", "m.onnx", "--initialize", "random")
    items = "axis 0 of x to 1 and " if type in ("DummyData", "Parameter") else ""
    advice = "; --fully-convolutional frees it" if type == "InnerProduct" else ""
    assert code == 0
    assert f"note: layer 'd' ({type}) ties {items}axis 2 of x to 8 and axis 3 of x to 8{advice}\n" in err


PAIR = (
    INPUT
    + 'layer { name: "in2" type: "Input" top: "z" input_param { shape { dim: 1 dim: 3 dim: 8 dim: 8 } } }\n'
    + SUM % "z"
)
SHAPES = {
    "none": ((), "x (x_n, x_c, x_h, x_w), z (x_n, x_c, x_h, x_w)"),
    "the first": (("x=N,3,H,W",), "x (N, 3, H, W), z (N, 3, H, W)"),
    "the second": (("z=N,3,H,W",), "x (N, 3, H, W), z (N, 3, H, W)"),
    "two names": (("x=N,3,H,W", "z=M,3,P,Q"), "x (N, 3, H, W), z (N, 3, H, W)"),
    "numbers": (("x=2,3,8,8", "z=2,3,8,8"), "x (2, 3, 8, 8), z (2, 3, 8, 8)"),
}  # fmt: skip


@pytest.mark.parametrize("shapes, shown", SHAPES.values(), ids=SHAPES)
def test_axes_are_shown_as_the_model_has_them(
    shapes: tuple[str, ...],
    shown: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("net.prototxt").write_text(PAIR)
    asked = [word for shape in shapes for word in ("--input-shape", shape)]
    assert call(monkeypatch, capsys, "convert", "net.prototxt", "-o", "m.onnx", *asked) == (
        0,
        "",
        f"m.onnx: {shown} -> y\n",
    )
    inputs = cases.session("m.onnx").get_inputs()
    assert ", ".join(f"{x.name} ({', '.join(map(str, x.shape))})" for x in inputs) == shown


def test_what_an_output_leaves_out_ties_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    pool = 'layer { name: "p" type: "Pooling" bottom: "x" top: "p" pooling_param { kernel_size: 2 } }\n'
    Path("net.prototxt").write_text(INPUT + pool + TIES["InnerProduct"])
    words = "convert", "net.prototxt", "-o", "m.onnx", "--initialize", "random", "--output", "p"
    code, _, err = call(monkeypatch, capsys, *words)
    assert (code, err.splitlines()[-1]) == (0, "m.onnx: x (x_n, x_c, x_h, x_w) -> p")
