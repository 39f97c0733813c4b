"""Prototxt text: what is read, what is refused and with which words, and that it is written back the same."""

from __future__ import annotations

import math
from typing import Any

import pytest
from texts import COMMENTED, refusal

from netsurgery.errors import Source
from netsurgery.formats.prototxt.text import parse
from netsurgery.formats.prototxt.typed import resolve
from netsurgery.formats.prototxt.write import write_message
from netsurgery.message import Field, Message, Token, write_float


@pytest.mark.parametrize(
    ("text", "type", "expected"),
    [
        ("num_output: 0x10 pad: 010 pad: 0", "ConvolutionParameter", [16, 8, 0]),
        ("axis: -1", "ConvolutionParameter", [-1]),
        *[(f"bias_term: {word}", "ConvolutionParameter", [True]) for word in ("true", "True", "t", "1", "TRUE")],
        *[(f"bias_term: {word}", "ConvolutionParameter", [False]) for word in ("false", "False", "f", "0")],
        ("value: 0.1 min: 1 max: -1.5e1f mean: .5", "FillerParameter", [0.10000000149011612, 1.0, -15.0, 0.5]),
        (
            "value: inf min: -inf max: 1e99 mean: -Infinity",
            "FillerParameter",
            [math.inf, -math.inf, math.inf, -math.inf],
        ),
        ("pool: AVE", "PoolingParameter", ["AVE"]),
        ('pool: "AVE"', "PoolingParameter", ["AVE"]),
        ("pool: 1", "PoolingParameter", ["AVE"]),
        ("type: ANY_FORKS_LAYER", "V1LayerParameter", ["ANY_FORKS_LAYER"]),
        ('type: "Pooling"', "LayerParameter", ["Pooling"]),
        ('data: "a\\000\\377"', "Datum", [b"a\x00\xff"]),
        ("no_such_field: 1.50 num_output: 1", "ConvolutionParameter", [Token("1.50", "number"), 1]),
    ],
)
def test_values_get_the_type_of_their_field(text: str, type: str, expected: list[Any]) -> None:
    message = resolve(parse(text), type)
    assert message.type == type
    values = [f.value for f in message.fields]
    assert values == expected
    assert [v.__class__ for v in values] == [v.__class__ for v in expected]


def test_nan_is_a_number() -> None:
    value = resolve(parse("value: nan"), "FillerParameter").last("value")
    assert value != value


def test_messages_get_their_type_and_keep_place_and_comments() -> None:
    net = resolve(parse("# why\nlayer { pooling_param { pool: MAX } own_param { x: 1 } } # yes"), "NetParameter")
    (field,) = net.fields
    assert (field.comments, field.remark, field.source) == (("why",), "yes", Source("", 2, 1))
    assert field.value.type == "LayerParameter"
    assert field.value.text == "# why\nlayer { pooling_param { pool: MAX } own_param { x: 1 } } # yes"
    pooling, own = (f.value for f in field.value.fields)
    assert (pooling.type, own.type) == ("PoolingParameter", "")


LAYER = 'layer {\n  name: "ip" type: "InnerProduct"\n  inner_product_param {\n    %s\n  }\n}'


UINT32 = "\n  expected: a whole number from 0 to 4294967295"


INT32 = "\n  expected: a whole number from -2147483648 to 2147483647"


TWICE = "is set again (first in line 4, column 5); it is not a repeated field\n  fix: remove one of the two"


@pytest.mark.parametrize(
    ("text", "line", "expected"),
    [
        ("num_output: 3.0", 4, f"num_output is 3.0{UINT32}"),
        ("num_output: -1", 4, f"num_output is -1{UINT32}"),
        ("num_output: 4294967296", 4, f"num_output is 4294967296{UINT32}"),
        ("num_output: " + "9" * 5000, 4, f"num_output is {'9' * 37}...{UINT32}"),
        ("axis: 2147483648", 4, f"axis is 2147483648{INT32}"),
        ("axis: 08", 4, f"axis is 08{INT32}"),
        ('num_output: "10"', 4, f'num_output is "10"{UINT32}\n  fix: num_output: 10, without quotes'),
        ('num_output: "a"', 4, f'num_output is "a"{UINT32}'),
        (
            'bias_term: "true"',
            4,
            'bias_term is "true"\n  expected: true or false\n  fix: bias_term: true, without quotes',
        ),
        ('num_output: "\\377"', 4, f'num_output is "\\xff"{UINT32}'),
        ("num_output { }", 4, f"num_output is a message{UINT32}: num_output: VALUE"),
        ("bias_term: 2", 4, "bias_term is 2\n  expected: true or false"),
        ("weight_filler: 3", 4, "weight_filler is 3\n  expected: a message: weight_filler { ... }"),
        ("weight_filler { std: 010 }", 4, "std is 010\n  expected: a number"),
        ("weight_filler { std: 0x10 }", 4, "std is 0x10\n  expected: a number"),
        (
            "weight_filler { type: xavier }",
            4,
            'type is xavier without quotes\n  expected: a string\n  fix: type: "xavier"',
        ),
        ("num_output: 1\n    num_output: 1", 5, f"num_output {TWICE}"),
        ("weight_filler {} weight_filler {}", 4, f"weight_filler {TWICE}"),
    ],
)
def test_values_that_a_field_cannot_hold_are_refused(text: str, line: int, expected: str) -> None:
    assert refusal(LAYER % text, "NetParameter") == f"a.prototxt:{line}: layer 'ip' (InnerProduct): {expected}"


@pytest.mark.parametrize(
    ("text", "written", "fix"),
    [
        ("fan_in", "fan_in", "\n  fix: did you mean FAN_IN?"),
        ('"FAN_UOT"', '"FAN_UOT"', "\n  fix: did you mean FAN_OUT?"),
        ("9", "9", ""),
        ("-1", "-1", ""),
    ],
)
def test_names_that_an_enum_does_not_have(text: str, written: str, fix: str) -> None:
    assert refusal(f"variance_norm: {text}", "FillerParameter") == (
        f"a.prototxt:1: variance_norm is {written}\n  expected: one of: FAN_IN, FAN_OUT, AVERAGE{fix}"
    )


def test_the_new_layer_wants_its_type_in_quotes() -> None:
    assert refusal("layer { type: CONVOLUTION name: 'c' }", "NetParameter") == (
        "a.prototxt:1: layer 'c' (CONVOLUTION): type is CONVOLUTION without quotes\n"
        '  expected: a string\n  fix: type: "Convolution"'
    )


def test_the_old_enum_is_offered_for_a_quoted_type() -> None:
    message = refusal('layers {\n  name: "c"\n  type: "InnerProduct"\n}', "NetParameter")
    assert message.startswith(
        "a.prototxt:3: layer 'c' (InnerProduct): type is \"InnerProduct\"\n  expected: one of: ABSVAL,"
    )
    assert message.endswith("\n  fix: did you mean INNER_PRODUCT?")


def test_bare_words_of_a_template_are_listed_in_one_error() -> None:
    text = """\
layers {
  layer { name: 'a' type: 'conv'
    num_output: cls6x pad: p } }
input_dim: cls6x input_dim: big
"""
    assert refusal(text, "NetParameter") == (
        f"a.prototxt:3: layer 'a' (conv): num_output is cls6x{UINT32}\n"
        "  fix: if the file is a template, fill it in: --set cls6x=VALUE --set p=VALUE --set big=VALUE"
    )


def test_writes_in_the_style_of_caffe() -> None:
    net = resolve(
        parse(COMMENTED + "layer { pooling_param < pool: 1 own: 1.50 > loss_weight: [.1, 1] own { s: 'x' } }"),
        "NetParameter",
    )
    assert (
        write_message(net)
        == """\
# SmallNet
# by its author
name: "small" # a net
input: "data"
# unrelated
# the first
# layer
# convolves
layer {
  name: "conv1"
  # type: "Deconvolution"
  type: "Convolution"
  convolution_param {
    num_output: 4
    # pad: 1
    #
  }
} # end of conv1
# nothing yet
layer {
}
# the end
layer {
  pooling_param {
    pool: AVE
    own: 1.50
  }
  loss_weight: 0.1
  loss_weight: 1
  own {
    s: "x"
  }
}
"""
    )
    assert write_message(Message("", (Field("a", True),)), 2) == "    a: true\n"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (0.1, "0.1"),
        (1.0, "1"),
        (-0.0, "-0"),
        (1e-5, "1e-05"),
        (0.0005, "0.0005"),
        (16777216.0, "16777216"),
        (123456.789, "123456.79"),
        (1 / 3, "0.33333334"),
        (3.4028234663852886e38, "3.4028235e+38"),
        (math.inf, "inf"),
        (-math.inf, "-inf"),
        (math.nan, "nan"),
    ],
)
def test_floats_are_written_short(value: float, expected: str) -> None:
    assert write_float(value) == expected


def test_strings_are_escaped() -> None:
    message = Message("", (Field("a", Token("\"\\\n\t\x00\x7f é'", "string")), Field("b", "x"), Field("c", b"\xff\n")))
    text = write_message(message)
    assert text == 'a: "\\"\\\\\\n\\t\\000\\177 é\'"\nb: "x"\nc: "\\377\\n"\n'
    assert parse(text).fields[0].value == message.fields[0].value
