"""Prototxt text: what is read, what is refused and with which words, and that it is written back the same."""

from __future__ import annotations

from typing import Any

import pytest
from texts import COMMENTED, number, refusal, string

from netsurgery.errors import ParseError, Source
from netsurgery.formats.prototxt.template import placeholders
from netsurgery.formats.prototxt.text import parse
from netsurgery.formats.prototxt.typed import resolve
from netsurgery.formats.prototxt.write import write_message
from netsurgery.message import Field, Message, Token


def plain(message: Message) -> list[tuple[str, Any]]:
    """Names and values only."""
    return [(f.name, plain(f.value) if isinstance(f.value, Message) else f.value) for f in message.fields]


def name(text: str) -> Token:
    return Token(text, "name")


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
