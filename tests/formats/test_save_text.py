"""Nets back to Caffe: what is written is what was read, and Caffe accepts it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from google.protobuf import text_format
from saving import IN_PLACE, again, caffe_accepts
from small_nets import with_random_weights
from wire_cases import NetParameter

from netsurgery.difference import diff
from netsurgery.errors import NetsurgeryError, UnsupportedError, WeightsError
from netsurgery.formats.load import from_text
from netsurgery.formats.save import save_caffe, to_prototxt
from netsurgery.message import Field, Message


def test_untouched_layers_keep_their_text_and_comments() -> None:
    assert to_prototxt(from_text(IN_PLACE)) == IN_PLACE.replace("\n\n", "\n")


def test_changed_layers_are_written_in_the_house_style_under_their_comments() -> None:
    net = from_text(IN_PLACE).renamed({"data": "image"}).without("relu")
    assert (
        to_prototxt(net)
        == """name: "small net"
# --- the input
# where it starts
layer {
  name: "image"
  type: "Input"
  top: "image"
  input_param {
    shape { dim: 1 dim: 2 dim: 3 dim: 3 }
  }
}
layer {
  name: "conv"
  type: "Convolution"
  bottom: "image"
  top: "conv"
  convolution_param {
    num_output: 2
    kernel_size: 2
  }
}
layer { name: "drop" type: "Dropout" bottom: "conv" top: "conv" }
layer { name: "fc" type: "InnerProduct" bottom: "conv" top: "fc"  # the answer
  inner_product_param { num_output: 2 }
}
"""
    )


def test_a_version_that_others_read_too_gets_a_name_of_its_own() -> None:
    net = from_text(
        """layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 1 dim: 2 } } }
        layer { name: "ip" type: "InnerProduct" bottom: "data" top: "ip" inner_product_param { num_output: 2 } }
        layer { name: "side" type: "Power" bottom: "ip" top: "side" }
        layer { name: "relu" type: "ReLU" bottom: "ip" top: "ip" }"""
    )
    assert net["side"].bottoms == ("ip@ip",)
    text = to_prototxt(net)
    assert caffe_accepts(text) == ""
    assert [(x.bottoms, x.tops) for x in from_text(text).layers] == [
        ((), ("data",)),
        (("data",), ("ip_ip",)),
        (("ip_ip",), ("side",)),
        (("ip_ip",), ("ip",)),
    ]


def test_an_input_keeps_its_name_when_a_layer_works_on_it_in_place() -> None:
    text = """layer { name: "in" type: "Input" top: "x" input_param { shape { dim: 1 dim: 2 } } }
layer { name: "relu" type: "ReLU" bottom: "x" top: "x" }
layer { name: "sig" type: "Sigmoid" bottom: "x" top: "y" }
"""
    assert to_prototxt(from_text(text)) == text
    two = text + 'layer { name: "sum" type: "Eltwise" bottom: "x" bottom: "y" top: "z" }\n'
    assert to_prototxt(from_text(two)) == two


def test_old_nets_are_written_as_v2() -> None:
    net = from_text(
        """name: "old"
input: "data"
input_dim: 1 input_dim: 3 input_dim: 8 input_dim: 8
# a convolution
layers { name: "c" type: CONVOLUTION bottom: "data" top: "c" blobs_lr: 1 blobs_lr: 2 convolution_param { num_output: 2 kernel_size: 3 } }
layers { name: "r" type: RELU bottom: "c" top: "c" }
"""
    )
    assert (
        to_prototxt(net)
        == """name: "old"
layer {
  name: "input"
  type: "Input"
  top: "data"
  input_param {
    shape { dim: 1 dim: 3 dim: 8 dim: 8 }
  }
}
# a convolution
layer {
  name: "c"
  type: "Convolution"
  bottom: "data"
  top: "c"
  param {
    lr_mult: 1
  }
  param {
    lr_mult: 2
  }
  convolution_param {
    num_output: 2
    kernel_size: 3
  }
}
layer {
  name: "r"
  type: "ReLU"
  bottom: "c"
  top: "c"
}
"""
    )


@pytest.mark.parametrize(
    "layer",
    [
        'layer { name: "s" type: "Scale" bottom: "data" top: "s" scale_param { bias_term: TRUE } }',
        'layer { name: "p" type: "Pooling" bottom: "data" top: "p" pooling_param { pool: [MAX] kernel_size: 2 } }',
    ],
)
def test_text_that_only_our_parser_reads_is_rewritten(layer: str) -> None:
    text = 'layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 1 dim: 2 dim: 4 dim: 4 } } }\n'
    with pytest.raises(text_format.ParseError):
        text_format.Parse(layer, NetParameter())
    net = from_text(text + layer)
    written = to_prototxt(net)
    text_format.Parse(written, NetParameter())
    assert not diff(net, from_text(written))


def test_no_break_spaces_are_rewritten() -> None:
    net = from_text(IN_PLACE.replace('type: "ReLU" bottom', 'type: "ReLU"\u00a0bottom'))
    assert 'name: "relu"\n' in to_prototxt(net)
    assert to_prototxt(net).isascii()


def test_layers_that_only_stages_select_lose_their_rules() -> None:
    text = """layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 1 dim: 2 } } include { stage: "deploy" } }
layer { name: "r" type: "ReLU" bottom: "data" top: "r" include { phase: TEST } }
"""
    net = from_text(text, stages=["deploy"])
    written = to_prototxt(net)
    assert "stage" not in written
    assert "phase: TEST" in written
    assert [x.name for x in from_text(written).layers] == ["data", "r"]


SHARED = """layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 1 dim: 2 } } }
layer { name: "a" type: "InnerProduct" bottom: "data" top: "a" param { name: "w" lr_mult: 1 } inner_product_param { num_output: 2 } }
layer { name: "b" type: "InnerProduct" bottom: "a" top: "b" param { name: "w" lr_mult: 1 } inner_product_param { num_output: 2 } }
"""


def test_blobs_that_are_no_longer_shared_lose_their_name() -> None:
    alike = with_random_weights(from_text(SHARED))
    alike = alike.with_weights("b", *alike["a"].weights)
    assert 'name: "w"' in to_prototxt(again(alike))
    other = replace(alike["b"], weights=(alike["a"].weights[0] + 1, alike["a"].weights[1]))
    apart = alike.with_layers(other if layer.name == "b" else layer for layer in alike.layers)
    loaded = again(apart)
    assert not diff(loaded, apart)
    assert [x.params.last("param").last("lr_mult") for x in loaded.layers[1:]] == [1, 1]
    np.testing.assert_array_equal(loaded["a"].weights[0] + 1, loaded["b"].weights[0])


def test_two_layers_with_weights_and_one_name_are_refused(tmp_path: Path) -> None:
    net = with_random_weights(
        from_text(SHARED.replace('name: "b" type', 'name: "a" type').replace('name: "w"', ""), "x.prototxt")
    )
    with pytest.raises(UnsupportedError) as error:
        save_caffe(net, tmp_path / "n.prototxt", tmp_path / "n.caffemodel")
    assert str(error.value) == (
        "x.prototxt:2: layer 'a' (InnerProduct): another layer has its name: Caffe loads weights by name, and only into the first\n"
        "  expected: a name of its own for each layer with weights\n"
        "  fix: rename one of the two in the prototxt"
    )
    assert not list(tmp_path.iterdir())


def test_the_phase_that_snapshots_fix_is_left_out() -> None:
    text = to_prototxt(
        from_text(IN_PLACE.replace('"Dropout"', '"Dropout" phase: TRAIN').replace('"ReLU"', '"ReLU" phase: TEST'))
    )
    assert "phase: TRAIN" not in text and "phase: TEST" in text


def test_an_input_without_a_shape_is_refused() -> None:
    net = from_text('input: "data"\nlayer { name: "r" type: "ReLU" bottom: "data" top: "r" }', "x.prototxt")
    with pytest.raises(UnsupportedError) as error:
        save_caffe(net, "nowhere.prototxt")
    assert str(error.value) == (
        "x.prototxt:1: layer 'input' (Input): the shape of input 'data' is not declared\n"
        "  expected: a shape: Caffe cannot load the net without\n"
        "  fix: --input-shape data=1,3,224,224, or netsurgery.passes.set_input_shape(net, 'data', (1, 3, 224, 224))"
    )
    assert not Path("nowhere.prototxt").exists()


def test_fields_of_a_binary_net_without_a_name_are_refused() -> None:
    net = from_text(IN_PLACE)
    odd = replace(net["relu"], params=Message("LayerParameter", (Field("#149", b""),)))
    with pytest.raises(UnsupportedError) as error:
        to_prototxt(net.with_layer(odd))
    assert str(error.value) == (
        "layer 'relu' (ReLU): field 149 of the binary net is not known and has no name to write\n"
        "  fix: give the prototxt, which names it"
    )


def test_missing_weights_leave_both_files_as_they_were(tmp_path: Path) -> None:
    prototxt, caffemodel = tmp_path / "n.prototxt", tmp_path / "n.caffemodel"
    prototxt.write_text("as it was")
    net = from_text(IN_PLACE, "x.prototxt")
    with pytest.raises(WeightsError) as error:
        save_caffe(net, prototxt, caffemodel)
    assert str(error.value) == (
        "x.prototxt:10: layer 'conv' (Convolution): has no weights\n"
        "  expected: blobs of shapes 2x2x2x2, 2\n"
        "  fix: give the weights as well, or write the prototxt alone"
    )
    assert [p.name for p in tmp_path.iterdir()] == ["n.prototxt"]
    assert prototxt.read_text() == "as it was"
    with pytest.raises(NetsurgeryError):
        save_caffe(with_random_weights(net), prototxt, tmp_path / "no" / "n.caffemodel")
    assert prototxt.read_text() == "as it was"
