"""Nets of any vintage become the V2 net that Caffe makes of them on load: prototxt in, prototxt out."""

from __future__ import annotations

import pytest
from old_nets import check, read, refusal

from netsurgery.errors import Source
from netsurgery.formats.prototxt.upgrade import upgrade, vintage

LAYER = 'layer { name: "r" type: "ReLU" bottom: "x" top: "r" }'


def test_input_dims_of_several_inputs() -> None:
    check(
        f"""name: "n" {LAYER}
        input: "x" input_dim: 1 input_dim: 2 input_dim: 3 input_dim: 4
        input: "y" input_dim: 5 input_dim: 6 input_dim: 7 input_dim: 8""",
        f"""name: "n" layer {{ name: "input" type: "Input" top: "x" top: "y" input_param {{
            shape {{ dim: 1 dim: 2 dim: 3 dim: 4 }} shape {{ dim: 5 dim: 6 dim: 7 dim: 8 }} }} }} {LAYER}""",
        "inputs 'x' (1x2x3x4), 'y' (5x6x7x8) made an Input layer",
    )


def test_an_input_without_a_shape_is_an_input_of_unknown_shape() -> None:
    check(
        f'input: "x" {LAYER}',
        f'layer {{ name: "input" type: "Input" top: "x" }} {LAYER}',
        "input 'x' (shape unknown) made an Input layer",
    )


def test_an_input_without_a_shape_beside_the_layer_that_writes_it_goes_as_in_caffe() -> None:
    rest = f'layer {{ name: "data" type: "Data" top: "x" }} {LAYER}'
    check(f'input: "x" {rest}', rest, "input 'x' left out, as Caffe does: layer 'data' writes it")


def test_input_dim_and_input_shape_may_agree() -> None:
    check(
        f"""input: "x" input_dim: 1 input_dim: 2 input_dim: 3 input_dim: 4
        input_shape {{ dim: 1 dim: 2 dim: 3 dim: 4 }} {LAYER}""",
        f"""layer {{ name: "input" type: "Input" top: "x" input_param {{ shape {{ dim: 1 dim: 2 dim: 3 dim: 4 }} }} }}
        {LAYER}""",
        "input 'x' (1x2x3x4) made an Input layer",
    )


def test_input_dim_and_input_shape_that_disagree_are_refused() -> None:
    assert (
        refusal('input: "x"\ninput_dim: 1 input_dim: 2 input_dim: 3 input_dim: 4\ninput_shape { dim: 1 dim: 2 dim: 3 }')
        == "net.prototxt:3: input 'x' has shape 1x2x3 in input_shape and 1x2x3x4 in input_dim (line 2)\n"
        "  expected: one shape for each input\n"
        "  fix: remove the input_dim lines: Caffe does not read them beside input_shape"
    )


@pytest.mark.parametrize(
    ("dims", "problem"),
    [
        ("input_dim: 1 input_dim: 2 input_dim: 3", "1 input but 3 input_dim values"),
        ("input_dim: 1 " * 8, "1 input but 8 input_dim values"),
        ("input_dim: 1", "1 input but 1 input_dim value"),
    ],
)
def test_a_wrong_number_of_input_dims_is_refused(dims: str, problem: str) -> None:
    assert (
        refusal(f'input: "x"\n{dims}') == f"net.prototxt:2: {problem}\n"
        "  expected: 4 values: num, channels, height and width of each input\n"
        "  fix: write input_shape { dim: ... } once per input for a shape that is not 4-dimensional"
    )


def test_a_wrong_number_of_input_shapes_is_refused() -> None:
    assert (
        refusal('input: "x"\ninput: "y"\ninput_shape { dim: 1 }') == "net.prototxt:3: 2 inputs but 1 input_shape\n"
        "  expected: one input_shape for each input"
    )


def test_dims_without_an_input_mean_nothing() -> None:
    check(
        f"input_dim: 1 input_shape {{ dim: 3 }} {LAYER}",
        LAYER,
        "input_dim, input_shape left out: without input they mean nothing to Caffe",
    )


def test_batch_norm_statistics_are_not_trained() -> None:
    params = 'param { lr_mult: 1 name: "mean" } param { lr_mult: 0 } param { decay_mult: 2 }'
    check(
        f'layer {{ name: "bn" type: "BatchNorm" {params} }} layer {{ name: "s" type: "Scale" {params} }}',
        f"""layer {{ name: "bn" type: "BatchNorm" param {{ lr_mult: 0 name: "mean" decay_mult: 0 }}
            param {{ lr_mult: 0 decay_mult: 0 }} param {{ decay_mult: 0 lr_mult: 0 }} }}
            layer {{ name: "s" type: "Scale" {params} }}""",
    )


def test_a_v2_net_is_returned_as_it_is() -> None:
    params = "param { lr_mult: 0 decay_mult: 0 }" * 3
    net = read(f'name: "n" debug_info: true {LAYER} layer {{ name: "bn" type: "BatchNorm" {params} }}')
    upgraded, notes = upgrade(net)
    assert upgraded is net
    assert notes == ()


def test_layers_that_need_no_upgrade_keep_their_text() -> None:
    net, _ = upgrade(read(f'input: "x" {LAYER} layer {{ type: "BatchNorm" param {{}} param {{}} param {{}} }}'))
    assert [layer.text for layer in net.all("layer")] == ["", LAYER, ""]


def test_layers_and_fields_keep_their_place_in_the_file() -> None:
    net, _ = upgrade(
        read(
            """input: "x"
            input_dim: 1 input_dim: 2
            input_dim: 3 input_dim: 4
            layers {
              layer {
                type: "padding" pad: 2
              }
              bottom: "x" top: "p"
            }
            # reads it
            layers {
              layer {
                type: "conv" # of old
                num_output: 1
                blobs_lr: 1
              }
              bottom: "p" top: "c"
            }"""
        )
    )
    source, conv = net.all("layer")
    assert source.source.line == 1
    shape = source.last("input_param").last("shape")
    assert [(d.value, d.source.line) for d in shape.fields] == [(1, 2), (2, 2), (3, 3), (4, 3)]
    assert conv.source.line == 11
    assert net.fields[1].comments == ("reads it",)
    assert [(f.name, f.source.line) for f in conv.fields] == [
        ("type", 13), ("bottom", 8), ("top", 17), ("param", 15), ("convolution_param", 14)
    ]  # fmt: skip
    assert conv.fields[0].remark == "of old"
    assert [(f.name, f.source.line) for f in conv.last("convolution_param").fields] == [("num_output", 14), ("pad", 6)]
    assert conv.last("convolution_param").source == Source("net.prototxt", 14, 17)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('layers { layer { type: "relu" } }', "V0"),
        ("layers { type: RELU }", "V1"),
        ('layer { type: "ReLU" }', "V2"),
        ('input: "x"', "V2"),
        ('layers { type: RELU } layer { type: "ReLU" }', "V1+V2"),
        ('layers { layer { type: "relu" } } layers { type: RELU }', "V0+V1"),
    ],
)
def test_vintage(text: str, expected: str) -> None:
    assert vintage(read(text)) == expected
