"""The schema of Caffe files as plain tables, read from the descriptor set built from proto/caffe.proto.

The parsers look fields up here, by name in text and by number in binaries. No message classes are generated: weights
are walked on the wire, and classes would pin the protobuf runtime.

Source: proto/caffe.proto (rebuild with `python proto/build.py`).
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from google.protobuf.descriptor_pb2 import (
        DescriptorProto,
        EnumDescriptorProto,
        FieldDescriptorProto,
        FileDescriptorSet,
    )
    from google.protobuf.descriptor_pool import DescriptorPool

RANGES = {
    "int32": (-(2**31), 2**31 - 1),
    "uint32": (0, 2**32 - 1),
    "int64": (-(2**63), 2**63 - 1),
    "uint64": (0, 2**64 - 1),
}
"""What whole numbers of each kind that the schema has may be."""
FIRST_FORK_NUMBER = 20000
"""Fields of BVLC and SSD messages from here on are known by name only: the forks reuse each other's numbers."""

# FieldDescriptorProto.Type, by its number.
_KINDS = {
    1: "double",
    2: "float",
    3: "int64",
    4: "uint64",
    5: "int32",
    6: "fixed64",
    7: "fixed32",
    8: "bool",
    9: "string",
    11: "message",
    12: "bytes",
    13: "uint32",
    14: "enum",
    15: "sfixed32",
    16: "sfixed64",
    17: "sint32",
    18: "sint64",
}
_REPEATED = 3  # FieldDescriptorProto.Label

Default = int | float | bool | str | bytes | None


@dataclass(frozen=True, slots=True)
class FieldType:
    """One field of a message.

    kind: the proto's own word ("uint32", "enum", "message", ...); type: the message or enum without the package.
    default: the declared one, a float rounded to float32, an enum by name; the proto's implicit one when none is
    declared (has_default tells); None for messages and repeated fields.
    fork: known by name only, never used to read a binary.
    """

    name: str
    number: int
    kind: str
    repeated: bool
    packed: bool
    type: str
    default: Default
    has_default: bool
    fork: bool


@cache
def message(name: str) -> Mapping[str, FieldType]:
    """The fields of a message ("PoolingParameter") by field name, forks' included.

    Raises: KeyError for a message that the schema does not have.
    """
    messages, enums, package = _index()
    prefix = f".{package}."
    return MappingProxyType({f.name: _field_type(f, prefix, enums) for f in messages[name].field})


@cache
def fields_by_number(name: str) -> Mapping[int, FieldType]:
    """The fields of a message by number, without the forks' fields, whose numbers are not those of any file.

    Raises: KeyError for a message that the schema does not have.
    """
    return MappingProxyType({f.number: f for f in message(name).values() if not f.fork})


@cache
def enum(name: str) -> Mapping[str, int]:
    """The values of an enum ("PoolingParameter.PoolMethod") by name.

    Raises: KeyError for an enum that the schema does not have.
    """
    return MappingProxyType({v.name: v.number for v in _index()[1][name].value})


@cache
def words() -> frozenset[str]:
    """The parts of the names of all fields: kernel, size, h ..."""
    return frozenset(part for m in _index()[0].values() for f in m.field for part in f.name.split("_"))


def fields(name: str) -> Mapping[str, FieldType]:
    """As `message`; no fields where the schema does not have the message."""
    return message(name) if has_message(name) else {}


def has_message(name: str) -> bool:
    """Whether the schema has this message."""
    return name in _index()[0]


@cache
def pool(
    package: str = "netsurgery.caffe", name: str = "caffe.proto", singular: tuple[tuple[str, str, str], ...] = ()
) -> DescriptorPool:
    """A descriptor pool of its own with the schema, for real protobuf classes (`message_factory.GetMessageClass`).

    package, name: what the messages' package and the file are called in it. singular: (message, field, default or "") of fields
    that some fork repeats and that are single in it.
    """
    from google.protobuf.descriptor_pb2 import FileDescriptorProto
    from google.protobuf.descriptor_pool import DescriptorPool

    result = DescriptorPool()
    for source in _descriptors().file:
        file = FileDescriptorProto()
        file.CopyFrom(source)
        if file.package != package:
            for message in file.message_type:
                _move_types(message, f".{file.package}.", f".{package}.")
        for message in file.message_type:
            for field in message.field:
                for _, _, default in (s for s in singular if s[:2] == (message.name, field.name)):
                    field.label = field.LABEL_OPTIONAL
                    if default:
                        field.default_value = default
        file.package, file.name = package, name
        result.AddSerializedFile(file.SerializeToString())
    return result


def _move_types(message: DescriptorProto, old: str, new: str) -> None:
    """Types are written with their package."""
    for field in message.field:
        if field.type_name.startswith(old):
            field.type_name = new + field.type_name.removeprefix(old)
    for nested in message.nested_type:
        _move_types(nested, old, new)


@cache
def _descriptors() -> FileDescriptorSet:
    from google.protobuf.descriptor_pb2 import FileDescriptorSet

    return FileDescriptorSet.FromString(Path(__file__).with_name("caffe.binpb").read_bytes())


@cache
def _index() -> tuple[dict[str, DescriptorProto], dict[str, EnumDescriptorProto], str]:
    """Messages and enums by their dotted names, and the package; tables are made when they are asked for."""
    messages: dict[str, DescriptorProto] = {}
    enums: dict[str, EnumDescriptorProto] = {}

    def add(prefix: str, nested: Iterable[DescriptorProto], nested_enums: Iterable[EnumDescriptorProto]) -> None:
        for e in nested_enums:
            enums[prefix + e.name] = e
        for m in nested:
            messages[prefix + m.name] = m
            add(f"{prefix}{m.name}.", m.nested_type, m.enum_type)

    (file,) = _descriptors().file
    add("", file.message_type, file.enum_type)
    return messages, enums, file.package


def _field_type(field: FieldDescriptorProto, prefix: str, enums: Mapping[str, EnumDescriptorProto]) -> FieldType:
    kind = _KINDS[field.type]
    type_name = field.type_name.removeprefix(prefix)
    repeated = field.label == _REPEATED
    has_default = field.HasField("default_value")
    default: Default = None
    if not repeated and kind != "message":
        if has_default:
            default = _parse_default(kind, field.default_value)
        elif kind == "enum":
            default = enums[type_name].value[0].name
        else:
            default = _parse_default(kind, "")
    return FieldType(
        name=field.name,
        number=field.number,
        kind=kind,
        repeated=repeated,
        packed=field.options.packed,
        type=type_name,
        default=default,
        has_default=has_default,
        fork=field.number >= FIRST_FORK_NUMBER,
    )


def _parse_default(kind: str, text: str) -> Default:
    """A default as protoc writes it down; "" is the implicit one."""
    match kind:
        case "enum" | "string":
            return text
        case "bytes":  # protoc writes C escapes, which are Python's as well
            return text.encode("latin-1").decode("unicode_escape").encode("latin-1")
        case "bool":
            return text == "true"
        case "double":
            return float(text or 0)
        case "float":  # "inf", "-inf" and "nan" are words Python knows too
            rounded: float = struct.unpack("<f", struct.pack("<f", float(text or 0)))[0]
            return rounded
        case _:
            return int(text or 0)
