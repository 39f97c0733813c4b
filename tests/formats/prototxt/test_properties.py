"""Any prototxt text agrees with protobuf's own parser, comes back as it was written, and fails in one way only."""

from __future__ import annotations

import math
import re
import struct
from typing import Any

from google.protobuf import message_factory, text_format
from hypothesis import given, settings
from hypothesis import strategies as st

from netsurgery import _proto
from netsurgery.errors import NetsurgeryError, Source
from netsurgery.formats.prototxt.template import fill_template, placeholders
from netsurgery.formats.prototxt.text import parse
from netsurgery.formats.prototxt.typed import resolve
from netsurgery.formats.prototxt.write import write_message
from netsurgery.message import Field, Message, Token

NET = """\
name: "small"  # a net
input: "data" input_shape { dim: [1, 3, 8, 8] }
# the first
layer {
  name: "conv1" type: 'Convolution' bottom: "da" 'ta'
  top: "conv1"
  param { lr_mult: 1 decay_mult: -1.5e0 } param: < lr_mult: 2.f, decay_mult: 0; >
  convolution_param {
    num_output: 0x4 kernel_size: 03
    weight_filler { type: 'gaussian' std: 1e-2 }
    engine: CAFFE # pad: 1
  }
  include { phase: TEST stage: "a\\t\\"\\303\\251" not_stage: ["b", 'c'] }
} # end of conv1
layer: [ { name: "p" pooling_param { pool: 1 global_pooling: t } loss_weight: inf } ]
layers { type: CONVOLUTION name: "old" blobs_lr: 1 layer { pool: MAX } }
"""

LAX = re.compile(r"""\\[^abfnrtv\\?'"0-7xuU]|[0-9.]ff""")
"""What protobuf's Python parser lets pass and the C++ one, Caffe's, does not: escapes that do not exist, `2.ff`."""


def new(name: str) -> Any:
    """An empty protobuf message of the schema."""
    return message_factory.GetMessageClass(_proto.pool().FindMessageTypeByName(f"netsurgery.caffe.{name}"))()


def placeless(message: Message) -> Message:
    """The message without the places that it was read from."""
    fields = []
    for f in message.fields:
        value = placeless(f.value) if isinstance(f.value, Message) else f.value
        fields.append(Field(f.name, value, Source(), f.comments, f.remark))
    return Message(message.type, tuple(fields))


def fill(target: Any, message: Message) -> Any:
    """The protobuf message of what we read."""
    for f in message.fields:
        field_type = _proto.message(message.type)[f.name]
        value: Any = _proto.enum(field_type.type)[f.value] if field_type.kind == "enum" else f.value
        if field_type.kind == "message":
            inner = getattr(target, f.name)
            inner = inner.add() if field_type.repeated else inner
            inner.SetInParent()
            fill(inner, value)
        elif field_type.repeated:
            getattr(target, f.name).append(value)
        else:
            setattr(target, f.name, value)
    return target


def canonical(message: Any) -> bytes:
    """Bytes that are equal when the messages are, NaN included."""
    data: bytes = message.SerializeToString(deterministic=True)
    return data


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
floats = st.floats(width=32, allow_nan=False) | st.sampled_from(
    [math.nan, *(struct.unpack("<f", struct.pack("<f", x))[0] for x in (0.1, 0.0005, 1e-5))]
)


def values(field_type: _proto.FieldType, depth: int) -> st.SearchStrategy[Any]:
    match field_type.kind:
        case "message":
            return messages(field_type.type, depth - 1)
        case "enum":
            return st.sampled_from(sorted(_proto.enum(field_type.type)))
        case "float":
            return floats
        case "double":
            return st.floats(allow_nan=False) | st.just(math.nan)
        case "bool":
            return st.booleans()
        case "string":
            return texts
        case "bytes":
            return st.binary(max_size=8)
        case "int32":
            return st.integers(-(2**31), 2**31 - 1)
        case "uint32":
            return st.integers(0, 2**32 - 1)
        case "int64":
            return st.integers(-(2**63), 2**63 - 1)
        case _:
            return st.integers(0, 2**64 - 1)


@st.composite
def messages(draw: st.DrawFn, type: str, depth: int = 3) -> Message:
    """A message of the schema with some of its fields, forks' included."""
    known = [f for f in _proto.message(type).values() if depth > 0 or f.kind != "message"]
    chosen = draw(st.lists(st.sampled_from(known), max_size=6, unique_by=lambda f: f.name)) if known else []
    fields = []
    for field_type in chosen:
        count = draw(st.integers(1, 3)) if field_type.repeated else 1
        fields += [Field(field_type.name, draw(values(field_type, depth))) for _ in range(count)]
    return Message(type, tuple(fields))


lines = st.text(st.characters(exclude_characters="\n\r", exclude_categories=["Cs"]), max_size=6).map(
    lambda line: line.rstrip()
)
names = st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,5}", fullmatch=True)
tokens = st.one_of(
    texts.map(lambda text: Token(text, "string")),
    names.map(lambda text: Token(text, "name")),
    st.sampled_from(["0", "-1", "1.", ".5", "-1e-3f", "0x1F", "-inf"]).map(lambda text: Token(text, "number")),
)


def trees(depth: int = 3) -> st.SearchStrategy[Message]:
    """Messages of no schema, with comments."""
    value = tokens | trees(depth - 1) if depth else tokens
    field = st.builds(
        Field, names | st.just("[a.b]"), value, st.just(Source()), st.lists(lines, max_size=2).map(tuple), lines
    )
    return st.lists(field, max_size=4).map(lambda fields: Message("", tuple(fields)))


@given(messages("NetParameter") | messages("LayerParameter") | messages("V1LayerParameter"))
@settings(max_examples=150, deadline=None)
def test_what_is_written_means_the_same_to_protobuf(message: Message) -> None:
    expected = canonical(fill(new(message.type), message))
    text = write_message(message)
    assert canonical(text_format.Parse(text, new(message.type))) == expected
    if message.fields:
        assert canonical(fill(new(message.type), resolve(parse(text), message.type))) == expected


@given(messages("NetParameter").filter(lambda m: m.fields), st.booleans(), st.booleans(), st.booleans())
@settings(max_examples=150, deadline=None)
def test_what_protobuf_writes_means_the_same_to_us(message: Message, one_line: bool, utf8: bool, angles: bool) -> None:
    expected = fill(new("NetParameter"), message)
    text = text_format.MessageToString(
        expected,
        as_one_line=one_line,
        as_utf8=utf8,
        pointy_brackets=angles,
        use_index_order=True,
        use_short_repeated_primitives=one_line,
    )
    assert canonical(fill(new("NetParameter"), resolve(parse(text), "NetParameter"))) == canonical(expected)


@given(trees().filter(lambda m: m.fields))
@settings(max_examples=200, deadline=None)
def test_any_tree_comes_back_as_it_was_written(tree: Message) -> None:
    assert placeless(parse(write_message(tree))) == tree


@st.composite
def damaged(draw: st.DrawFn) -> str:
    """The text of a net with some pieces cut out, doubled, or replaced."""
    text = NET
    for _ in range(draw(st.integers(1, 3))):
        start = draw(st.integers(0, len(text)))
        end = min(len(text), start + draw(st.integers(0, 6)))
        piece = draw(
            st.sampled_from(["", "0x", *"{}[]<>:,;'#-1x$é\"\n\\"]) | st.just(text[start:end] * 2) | st.text(max_size=3)
        )
        text = text[:start] + piece + text[end:]
    return text


@given(damaged())
@settings(max_examples=400, deadline=None)
def test_damaged_text_is_read_as_protobuf_reads_it_or_refused(text: str) -> None:
    """Whatever protobuf accepts, we accept, and read the same values; whatever else happens is an error of ours."""
    try:
        expected = None if LAX.search(text) else text_format.Parse(text, new("NetParameter"))
    except text_format.ParseError:
        expected = None
    try:
        ours = resolve(parse(text), "NetParameter")
    except NetsurgeryError as error:
        assert expected is None, f"protobuf accepts this: {error}"
        return
    write_message(ours)
    if expected is not None:
        assert canonical(fill(new("NetParameter"), ours)) == canonical(expected)


@given(st.binary(max_size=300) | st.text(max_size=100) | st.text("{}[]<>:;,\"'#\\-.$@%ax01 \n", max_size=100))
@settings(max_examples=400, deadline=None)
def test_no_input_fails_in_another_way(data: bytes | str) -> None:
    try:
        message = resolve(parse(data), "NetParameter")
        write_message(message).encode()
    except NetsurgeryError as error:
        str(error).encode()
    text = data if isinstance(data, str) else data.decode("utf-8", "surrogateescape")
    try:
        fill_template(text, dict.fromkeys(placeholders(text), "1"))
    except NetsurgeryError as error:
        str(error).encode("utf-8", "surrogateescape")
