"""Prototxt text: what is read, what is refused and with which words, and that it is written back the same."""

from __future__ import annotations

import math
from typing import Any

import pytest

from netsurgery.errors import ParseError, Source
from netsurgery.formats.prototxt.template import fill_template, placeholders
from netsurgery.formats.prototxt.text import parse
from netsurgery.formats.prototxt.typed import resolve
from netsurgery.formats.prototxt.write import write_float, write_message
from netsurgery.message import Field, Message, Token

COMMENTED = """\
# SmallNet
# by its author

name: "small" # a net
input: "data"

# unrelated

# the first
# layer
layer { # convolves
  name: "conv1"
  #type: "Deconvolution"
  type: "Convolution"
  convolution_param {
    num_output: 4
    # pad: 1
    #
  }
} # end of conv1
layer {
  # nothing yet
}
# the end
"""


def plain(message: Message) -> list[tuple[str, Any]]:
    """Names and values only."""
    return [(f.name, plain(f.value) if isinstance(f.value, Message) else f.value) for f in message.fields]


def refusal(text: str | bytes, type: str = "") -> str:
    with pytest.raises(ParseError) as caught:
        message = parse(text, "a.prototxt")
        if type:
            resolve(message, type)
    return str(caught.value)


def number(text: str) -> Token:
    return Token(text, "number")


def name(text: str) -> Token:
    return Token(text, "name")


def string(text: str) -> Token:
    return Token(text, "string")


def numbers(**values: str) -> list[tuple[str, Any]]:
    return [(key, number(value)) for key, value in values.items()]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a: 1", numbers(a="1")),
        ("a {b: x}", [("a", [("b", name("x"))])]),
        ("a: {b: x}", [("a", [("b", name("x"))])]),
        ("a < b: x >", [("a", [("b", name("x"))])]),
        ("a: <> b { }", [("a", []), ("b", [])]),
        ("a: [1, x]", [("a", number("1")), ("a", name("x"))]),
        ("a: [MAX]", [("a", name("MAX"))]),
        ("a: [ ] b: 1", numbers(b="1")),
        ("a [{b: 1}, <b: 2>]", [("a", numbers(b="1")), ("a", numbers(b="2"))]),
        ("a: [{}]", [("a", [])]),
        ("a: 1, b: 2; c {}, d: 3;", [*numbers(a="1", b="2"), ("c", []), *numbers(d="3")]),
        ("a: 'x\"y'", [("a", string('x"y'))]),
        (r'a: "\n\t\"\'\\\101\x41\u00e9\ud83d\ude00\U0001f600"', [("a", string("\n\t\"'\\AAé😀😀"))]),
        (r'a: "\344\270\255"', [("a", string("中"))]),
        ('a: "x"\n  \'y\' "z"', [("a", string("xyz"))]),
        ("a: 1. b: .5 c: 1e-3f d: 0x1F e: 017", numbers(a="1.", b=".5", c="1e-3f", d="0x1F", e="017")),
        ("a: -1 b: - 1 c: -inf d: - Infinity", numbers(a="-1", b="-1", c="-inf", d="-Infinity")),
        ("a: inf b: nan", [("a", name("inf")), ("b", name("nan"))]),
        ("a: 1\r\nb: 2\r\n", numbers(a="1", b="2")),
        ("# old Mac\ra: 1\rb: 2\r", numbers(a="1", b="2")),
        ("\ufeffa: 1", numbers(a="1")),
        (b"\xef\xbb\xbfa: 1", numbers(a="1")),
        ("a:\u00a01", numbers(a="1")),
        ("[caffe.more] { a: 1 } [ a.b/c.d ]: 2", [("[caffe.more]", numbers(a="1")), ("[a.b/c.d]", number("2"))]),
    ],
)
def test_reads_what_people_write(text: str | bytes, expected: list[tuple[str, Any]]) -> None:
    assert plain(parse(text)) == expected


def test_bytes_that_are_not_utf8() -> None:
    """A Chinese comment in GBK is common; a string's bytes are kept."""
    message = parse(b'# \xd6\xd0\nname: "\xd6"')
    (field,) = message.fields
    assert field.comments == ("\\xd6\\xd0",)
    assert resolve(message, "NetParameter").last("name") == "\\xd6"
    assert resolve(Message("", (Field("data", field.value),)), "Datum").last("data") == b"\xd6"
    assert write_message(message) == '# \\xd6\\xd0\nname: "\\326"\n'


def test_a_character_may_be_split_between_strings() -> None:
    assert resolve(parse(r'name: "\344\270" "\255"'), "NetParameter").last("name") == "中"


def test_every_field_and_message_knows_its_place() -> None:
    (layer, dim, more) = parse('# x\n  layer {\r\n\tname: "a" }\ndim: [1,\n 2]', "a.prototxt").fields
    assert (layer.source, layer.value.source) == (Source("a.prototxt", 2, 3),) * 2
    assert layer.value.fields[0].source == Source("a.prototxt", 3, 2)
    assert (dim.source, more.source) == (Source("a.prototxt", 4, 7), Source("a.prototxt", 5, 2))
    assert str(layer.source) == "a.prototxt:2"


def test_comments_are_kept() -> None:
    net_name, net_input, conv, empty = parse(COMMENTED).fields
    assert (net_name.comments, net_name.remark) == (("SmallNet", "by its author"), "a net")
    assert (net_input.comments, net_input.remark) == ((), "")
    assert conv.comments == ("unrelated", "the first", "layer", "convolves")
    assert conv.remark == "end of conv1"
    layer_name, layer_type, param = conv.value.fields
    assert (layer_name.comments, layer_type.comments) == ((), ('type: "Deconvolution"',))
    assert (param.value.fields[0].remark, param.remark) == ("\npad: 1\n", "")
    assert (empty.comments, empty.remark) == (("nothing yet",), "\nthe end")


def test_comments_in_lists_and_between_name_and_value() -> None:
    fields = parse("dim: [ 1, # batch\n # channels\n 3 ] # both\na: # why\n 1, # because\n").fields
    assert [(f.name, f.comments, f.remark) for f in fields] == [
        ("dim", (), "batch"),
        ("dim", ("channels",), "both"),
        ("a", ("why",), "because"),
    ]


def test_layers_carry_their_text_with_the_comments_directly_above() -> None:
    fields = parse(COMMENTED).fields
    start, end = COMMENTED.index("# the first"), COMMENTED.index(" # end of conv1") + len(" # end of conv1")
    assert [f.value.text for f in fields if f.name == "layer"] == [
        COMMENTED[start:end],
        "layer {\n  # nothing yet\n}",
    ]
    assert parse("layers <a: 1>; b { layer {} }").fields[0].value.text == "layers <a: 1>;"
    assert parse("b { layer {} }").fields[0].value.fields[0].value.text == ""
    assert parse("layer {}", layer_text=False).fields[0].value.text == ""


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("layer {\n  num_output 20\n}", "a.prototxt:2: column 14: expected ':' or '{' after 'num_output', found '20'"),
        ("a", "a.prototxt:1: column 2: expected ':' or '{' after 'a', found the end of the file"),
        ("a:", "a.prototxt:1: column 3: expected a value after 'a', found the end of the file"),
        ("a: }", "a.prototxt:1: column 4: expected a value after 'a', found '}'"),
        ("a: 3x3", "a.prototxt:1: column 4: expected a value after 'a', found '3x3'"),
        ("a: - x", "a.prototxt:1: column 6: expected a value after 'a', found 'x'"),
        (
            'a: "x\n"',
            "a.prototxt:1: column 4: expected a value after 'a', found a string that does not end on its line",
        ),
        ('"a": 1', 'a.prototxt:1: column 1: expected a field name, found "a"'),
        ("404: Not Found", "a.prototxt:1: column 1: expected a field name, found '404'"),
        ("a: 1,, b: 2", "a.prototxt:1: column 6: expected a field name, found ','"),
        ("é: 1", "a.prototxt:1: column 1: expected a field name, found 'é'"),
        ("a: \x1a", "a.prototxt:1: column 4: expected a value after 'a', found '\\x1a'"),
        (f"a: ~{'x' * 50}", f"a.prototxt:1: column 4: expected a value after 'a', found '~{'x' * 36}...'"),
        (
            "layer {\n a {\n}\nlayer {\n}",
            "a.prototxt:1: column 7: the '{' of 'layer' is never closed\n  fix: add a '}'",
        ),
        ("a <", "a.prototxt:1: column 3: the '<' of 'a' is never closed\n  fix: add a '>'"),
        (
            "a {\n}\n}",
            "a.prototxt:3: column 1: '}' closes nothing\n  fix: remove it, or open the message it belongs to",
        ),
        ("a {\n >", "a.prototxt:2: column 2: expected '}' to close 'a' of line 1, found '>'"),
        ("a: [1, 2", "a.prototxt:1: column 4: '[' is never closed"),
        ("a: [", "a.prototxt:1: column 4: '[' is never closed"),
        ("a: [1,]", "a.prototxt:1: column 7: expected a value after ',', found ']'"),
        ("a: [1 2]", "a.prototxt:1: column 7: expected ',' or ']' in the list, found '2'"),
        ("a: [[1]]", "a.prototxt:1: column 5: expected a value after 'a', found '['"),
        ("a [1]", "a.prototxt:1: column 3: expected ':' after 'a'"),
        ("a [b.c]", "a.prototxt:1: column 3: expected a value after 'a', found '[b.c]'"),
        (
            'a: "C:\\data"',
            "a.prototxt:1: column 4: '\\d' in a string is no escape\n  fix: write '\\\\' for a backslash",
        ),
        ("a{" * 101, "a.prototxt:1: column 202: messages are nested more than 100 deep"),
        ("", "a.prototxt: the file is empty\n  expected: a prototxt: protobuf text"),
        ("# nothing\n", "a.prototxt: the file is empty\n  expected: a prototxt: protobuf text"),
        (
            b"\n\x07CaffeNet\x12\x00\x00",
            "a.prototxt: this looks like a binary caffemodel; were the two files swapped?\n"
            "  expected: a prototxt: protobuf text\n  fix: give the prototxt first, then the caffemodel",
        ),
        (
            b"\n\x07CaffeNe",
            "a.prototxt: this looks like a binary caffemodel; were the two files swapped?\n"
            "  expected: a prototxt: protobuf text\n  fix: give the prototxt first, then the caffemodel",
        ),
        (
            b"\x89HDF\r\n\x1a\n",
            "a.prototxt: this looks like a binary caffemodel; were the two files swapped?\n"
            "  expected: a prototxt: protobuf text\n  fix: give the prototxt first, then the caffemodel",
        ),
        (
            b"PK\x03\x04\x00\x00",
            "a.prototxt: is a zip archive (or a PyTorch model)\n"
            "  expected: a prototxt: protobuf text\n  fix: unpack it first",
        ),
        (
            "name: 'a'".encode("utf-16"),
            "a.prototxt: the text is UTF-16\n  expected: UTF-8\n  fix: save the file as UTF-8",
        ),
        (
            "name: 'a'".encode("utf-16-le"),
            "a.prototxt: the text is UTF-16\n  expected: UTF-8\n  fix: save the file as UTF-8",
        ),
        (
            "\n<!DOCTYPE html>\n<html>",
            "a.prototxt: this is a web page\n  expected: a prototxt\n  fix: download the raw file",
        ),
        (
            "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1",
            "a.prototxt: this is a Git LFS pointer\n  expected: a prototxt\n  fix: run `git lfs pull`",
        ),
    ],
)
def test_says_what_is_wrong_and_where(text: str | bytes, expected: str) -> None:
    assert refusal(text) == expected


def test_messages_may_be_nested_to_the_limit() -> None:
    message = parse("a{" * 100 + "}" * 100)
    assert write_message(message).count("{") == 100


def test_too_large_a_file_is_refused() -> None:
    assert (
        refusal(b" " * ((64 << 20) + 1))
        == "a.prototxt: the prototxt is 67108865 bytes long\n  expected: at most 67108864"
    )


@pytest.mark.parametrize(
    "piece",
    [*'["{<#-\\ ', "a{", "a:[", '"\\', 'a:"\\q', "$a", "{{", "@a", "a:[] #\n", "a:[1,#\n", "[a."],
)
def test_reading_takes_linear_time(piece: str) -> None:
    """Half a megabyte of what makes naive readers go back again and again: a quadratic one would not end."""
    text = piece * (500_000 // len(piece))
    try:
        resolve(parse(text), "NetParameter")
    except ParseError:
        placeholders(text)


def test_templates_are_recognised() -> None:
    expected = (
        "a.prototxt:2: this is a template: '{}' is not filled in\n  expected: a value for each placeholder\n"
        "  fix: --set {}=VALUE"
    )
    for written in ("$H$", "${H}", "$H", "{H}", "{{ H }}", "{{H}}", "%(H)d", "@H@"):
        assert refusal(f"# $x {{y}} and @z@\ninput_dim: {written}") == expected.format("H", "H"), written
    assert refusal("a: {h}\nb: {w}\nc: {h}") == (
        "a.prototxt:1: this is a template: 'h', 'w' are not filled in\n  expected: a value for each placeholder\n"
        "  fix: --set h=VALUE --set w=VALUE"
    )
    assert refusal("{% for i in x %}\na: 1") == (
        "a.prototxt:1: this is a Jinja template\n  fix: render it with Jinja first"
    )


def test_marks_in_strings_alone_make_no_template() -> None:
    assert refusal('source: "$HOME/{x}" }').startswith("a.prototxt:1: column 21: '}' closes nothing")
    assert parse('source: "$HOME/{x}"').fields[0].value == string("$HOME/{x}")


@pytest.mark.parametrize(
    ("text", "names", "filled"),
    [
        ('a: $H$ b: "${W}/$H$" # $H$', ["H", "W"], 'a: 7 b: "8/7" # $H$'),
        ("layer {{\n a: {H} b {{ c: {W}}} }}", ["H", "W"], "layer {\n a: 7 b { c: 8} }"),
        ("a {{ b: {H}}}\n# {W}", ["H"], "a { b: 7}\n# {W}"),
        ("a { b: {{ H }} c: {{W}} }", ["H", "W"], "a { b: 7 c: 8 }"),
        ("a: %(H)d b: @W@", ["H", "W"], "a: 7 b: 8"),
        (
            "num_output: clsx pool: MAX bias: true H: clsx W { clsx: inf }",
            ["clsx"],
            "num_output: 9 pool: MAX bias: true H: 9 W { clsx: inf }",
        ),
    ],
)
def test_fills_templates(text: str, names: list[str], filled: str) -> None:
    values = {"H": "7", "W": "8", "clsx": "9"}
    assert placeholders(text) == names
    assert fill_template(text, {key: values[key] for key in names}) == filled


def test_a_template_may_be_filled_in_steps() -> None:
    text = fill_template("a: $H$ b: $W$", {"H": "1"})
    assert text == "a: 1 b: $W$"
    assert placeholders(text) == ["W"]


def test_filling_what_is_not_there() -> None:
    with pytest.raises(ParseError) as caught:
        fill_template("a: $height$", {"heigth": "1"})
    assert str(caught.value) == (
        "there is no placeholder 'heigth' in the text\n  expected: one of: height\n  fix: did you mean 'height'?"
    )
    with pytest.raises(ParseError) as caught:
        fill_template("a: 1", {"x": "1"})
    assert str(caught.value) == (
        "there is no placeholder 'x' in the text\n  expected: a template; the text has no placeholders"
    )


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
        '  expected: a string\n  fix: type: "CONVOLUTION"'
    )


def test_the_old_enum_is_offered_for_a_quoted_type() -> None:
    message = refusal('layers {\n  name: "c"\n  type: "InnerProduct"\n}', "NetParameter")
    assert message.startswith(
        "a.prototxt:3: layer 'c' (InnerProduct): type is \"InnerProduct\"\n  expected: one of: NONE,"
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
