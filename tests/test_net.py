"""Net and Layer in a REPL: changed safely, shown shortly."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import netsurgery
from netsurgery.errors import NetsurgeryError, ShapeError, UnsupportedError
from netsurgery.formats.load import from_text
from netsurgery.net import Net

FIXTURES = Path(__file__).parent.parent / "fixtures"
TEXT = """
name: "small"
layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 1 dim: 3 dim: 8 dim: 8 } } }
layer { name: "conv" type: "Convolution" bottom: "data" top: "conv" convolution_param { num_output: 4 kernel_size: 3 pad: 1 } }
layer { name: "relu" type: "ReLU" bottom: "conv" top: "conv" }
layer { name: "twin" type: "Convolution" bottom: "data" top: "twin" convolution_param { num_output: 4 kernel_size: 3 pad: 1 } }
layer { name: "sum" type: "Eltwise" bottom: "conv" bottom: "twin" top: "sum" }
"""
SHARED = TEXT.replace("convolution_param { num", 'param { name: "w" } param { name: "b" } convolution_param { num')


def with_blobs(text: str) -> Net:
    return netsurgery.initialize(from_text(text), how="random")


@pytest.fixture
def net() -> Net:
    return with_blobs(TEXT)


@pytest.fixture
def x() -> dict[str, np.ndarray]:
    return {"data": np.random.default_rng(0).random((1, 3, 8, 8), np.float32)}


def test_with_params_sets_fields_of_the_layer_s_own_message(net: Net) -> None:
    changed = net.with_params("conv", stride=2).with_params("twin", stride=2)
    assert changed.shapes()["sum"] == (1, 4, 4, 4)
    assert "stride: 2" in netsurgery.to_prototxt(changed)
    assert changed["conv"].weights is net["conv"].weights
    assert net.with_params("conv", bias_term=None) == net


def test_with_params_makes_the_message_where_there_is_none(net: Net) -> None:
    changed = net.with_params("sum", operation="MAX", coeff=None).with_params("relu", negative_slope=0.5)
    assert "operation: MAX" in netsurgery.to_prototxt(changed)
    assert "negative_slope: 0.5" in netsurgery.to_prototxt(changed)


def test_with_params_leaves_weights_out_that_do_not_fit(net: Net) -> None:
    changed = net.with_params("conv", kernel_size=5, pad=2)
    assert changed["conv"].weights == () and changed["twin"].weights
    assert "layer 'conv' (Convolution): its weights did not fit any more and were left out" in changed.notes


def test_with_params_is_held_to_field_accounting(net: Net) -> None:
    with pytest.raises(UnsupportedError, match="did you mean 'stride'"):
        net.with_params("conv", strid=2)
    with pytest.raises(UnsupportedError, match="num_output is 0"):
        net.with_params("conv", num_output=0)
    with pytest.raises(UnsupportedError, match="has no parameters: 'x' cannot be set"):
        from_text(
            'input: "a" input_shape { dim: 1 } layer { name: "s" type: "AbsVal" bottom: "a" top: "s" }'
        ).with_params("s", x=1)


def test_with_layer_keeps_weights_and_readers_in_place(net: Net, x: dict[str, np.ndarray]) -> None:
    same = net.with_layer(
        netsurgery.layer(
            'layer { name: "conv" type: "Convolution" bottom: "data" top: "conv" '
            "convolution_param { num_output: 4 kernel_size: 3 pad: 2 dilation: 2 } }"
        )
    )
    assert same["relu"].bottoms == same["conv"].tops == net["conv"].tops
    assert same["conv"].weights is net["conv"].weights
    assert not np.allclose(netsurgery.run(same, x)["sum"], netsurgery.run(net, x)["sum"])
    relu = net.with_layer(netsurgery.layer('layer { name: "relu" type: "ELU" bottom: "conv" top: "conv" }'))
    assert (relu["relu"].bottoms, relu["relu"].tops) == (net["relu"].bottoms, net["relu"].tops)
    wider = net.with_layer(replace(net["conv"], params=net.with_params("conv", num_output=4, group=1)["conv"].params))
    assert np.array_equal(netsurgery.run(wider, x)["sum"], netsurgery.run(net, x)["sum"])


def test_shared_weights_stay_shared(x: dict[str, np.ndarray]) -> None:
    net = with_blobs(SHARED)
    kernels, bias = (w * 2 for w in net["conv"].weights)
    changed = net.with_weights("conv", kernels, bias)
    assert changed["twin"].weights[0] is kernels and changed["twin"].weights[1] is bias
    assert changed["conv"].weights[0] is kernels
    assert with_blobs(TEXT).with_weights("conv", kernels, bias)["twin"].weights[0] is not kernels
    with pytest.raises(ShapeError):
        net.with_weights("conv", kernels[:1], bias)


def test_reprs_are_short(net: Net) -> None:
    assert repr(net) == "<Net 'small': 5 layers; 224 parameters; inputs data 1x3x8x8; outputs sum>"
    assert repr(net["conv"]) == "<Layer 'conv' (Convolution): data -> conv@conv; 2 blobs>"
    inner = net["conv"].params.last("convolution_param")
    assert repr(inner) == "<Message ConvolutionParameter: num_output: 4, kernel_size: 3, pad: 1>"
    assert repr(net["conv"].params) == "<Message LayerParameter: convolution_param {..}>"
    digits = netsurgery.load(FIXTURES / "digits/deploy.prototxt", FIXTURES / "digits/digits.caffemodel")
    assert len(repr(digits)) < 200


def test_nets_are_tables_in_notebooks(net: Net) -> None:
    page = net._repr_html_()
    assert page.startswith("<table>") and page.count("<tr>") == 1 + len(net.layers)
    assert "conv@conv 1x4x8x8" in page and ">112<" in page
    odd = from_text('input: "<a>" layer { name: "o" type: "Odd" bottom: "<a>" top: "o" }')
    assert "Odd (not supported)" in odd._repr_html_() and "<a>" not in odd._repr_html_()


def test_the_tables_say_what_inspect_says(net: Net, monkeypatch: pytest.MonkeyPatch) -> None:
    conv = "<td>conv</td><td>Convolution</td><td>conv@conv 1x4x8x8</td><td>112</td><td>6,912</td><td>3</td><td>1</td>"
    page = net._repr_html_().replace(' style="text-align: left"', "")
    assert "<th>multiply-accumulates</th><th>receptive field</th><th>stride</th>" in page and conv in page
    digits = netsurgery.load(FIXTURES / "digits/deploy.prototxt", FIXTURES / "digits/digits.caffemodel")
    page = digits._repr_html_().replace(' style="text-align: left"', "")
    assert "<td>ip1</td><td>InnerProduct</td><td>ip1" in page and "<td>all</td><td>-</td>" in page


def test_tables_show_what_can_be_told_of_a_net_that_does_not_fit() -> None:
    pool = 'layer { name: "p" type: "Pooling" bottom: "x" top: "p" pooling_param { kernel_size: 9 pad: 9 } }'
    page = from_text(f'input: "x" input_dim: 1 input_dim: 3 input_dim: 4 input_dim: 4 {pool}')._repr_html_()
    assert "x 1x3x4x4" in page and "p ?" in page


def test_reports_print_what_the_command_prints(net: Net, capsys: pytest.CaptureFixture[str]) -> None:
    report = netsurgery.verify(net, net)
    assert repr(report).startswith("<Report '") and len(repr(report)) < 250
    print(report)
    out = capsys.readouterr().out
    assert "agree" in out and "netsurgery" in out
    assert report._repr_html_().count("<table>") == len(report.cases)


def test_differences_are_short(net: Net) -> None:
    same, other = netsurgery.diff(net, net), netsurgery.diff(net, net.with_params("conv", stride=2))
    assert repr(same) == "<Difference: none; 4 blobs equal bit for bit>"
    assert repr(other) == "<Difference: 1 changed>"
    assert str(other).splitlines()[0] == "conv: convolution_param.stride: 1 -> 2"


def test_a_string_is_one_name(net: Net, x: dict[str, np.ndarray]) -> None:
    assert list(netsurgery.run(net, x, "sum")) == ["sum"]
    assert netsurgery.passes.cut(net, "twin").outputs == ("twin",)
    assert [o.name for o in netsurgery.to_onnx(net, outputs="twin").graph.output] == ["twin"]
    assert netsurgery.verify(net, net, outputs="twin").passed


@pytest.mark.parametrize("name", ["run", "verify", "to_onnx", "save_onnx", "convolutionalize", "deploy", "to_prototxt"])
def test_a_path_in_place_of_a_net_is_refused_by_name(name: str) -> None:
    more = {"run": [{}], "verify": ["m.onnx"], "save_onnx": ["m.onnx"]}.get(name, [])
    with pytest.raises(NetsurgeryError) as caught:
        getattr(netsurgery, name)("deploy.prototxt", *more)
    assert str(caught.value) == (
        "'deploy.prototxt' is a path, not a Net\n  fix: netsurgery.load('deploy.prototxt') reads one"
    )


def test_layers_in_place_of_one_name_are_told_apart_however_many_they_are() -> None:
    data = 'layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 1 } } }'
    first = 'layer { name: "p" type: "Power" bottom: "data" top: "x" }'
    net = from_text(data + first + 6 * 'layer { name: "r" type: "ReLU" bottom: "x" top: "x" }')
    versions = ("x@p", "x@r", "x@r'", "x@r''", "x@r'''", "x@r'4", "x")
    assert net.blobs == ("data", *versions)
    assert from_text(netsurgery.to_prototxt(net)).blobs == net.blobs
    assert net.renamed(blobs={"x": "y"}).blobs == ("data", *(blob.replace("x", "y") for blob in versions))
