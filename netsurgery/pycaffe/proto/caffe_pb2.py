"""caffe.proto.caffe_pb2: the messages of Caffe, of its SSD branch and of some thirty forks as real protobuf classes.

BVLC's and SSD's fields have their own numbers, so these classes read and write every caffemodel, binaryproto, Datum and
solverstate. Fields of other forks are there by name, for text: forks reuse each other's numbers, so in a binary they
carry numbers of ours, which no Caffe reads. All of it lives in a descriptor pool of its own, beside which a real
pycaffe, with any protobuf, may be imported in the same process.

Source: proto/caffe.proto; google.protobuf's generated modules of 3.x, whose names (_LAYERPARAMETER) scripts use.
"""

from __future__ import annotations

from typing import Any

from google.protobuf.descriptor import Descriptor, EnumDescriptor
from google.protobuf.internal.enum_type_wrapper import EnumTypeWrapper
from google.protobuf.message_factory import GetMessageClass

from ..._proto import pool

_FILE = "netsurgery/pycaffe/caffe.proto"
# forks pool over any number of axes, and warp several times; scripts set one value, and read it
_SINGULAR = (
    ("PoolingParameter", "kernel_size", ""),
    ("PoolingParameter", "stride", "1"),
    ("PoolingParameter", "pad", "0"),
    ("TransformationParameter", "resize_param", ""),
    ("TransformationParameter", "noise_param", ""),
)

DESCRIPTOR = pool("caffe", _FILE, _SINGULAR).FindFileByName(_FILE)


def _add_message(descriptor: Descriptor, prefix: str) -> Any:
    """A message's class; descriptors go by the names that protoc gave them, also those of what it holds."""
    message: Any = GetMessageClass(descriptor)
    message.__module__ = __name__
    globals()[prefix + descriptor.name.upper()] = descriptor
    for nested in descriptor.nested_types:
        child = _add_message(nested, f"{prefix}{descriptor.name.upper()}_")
        child.__qualname__ = f"{message.__qualname__}.{nested.name}"
    for enum in descriptor.enum_types:
        globals()[f"{prefix}{descriptor.name.upper()}_{enum.name.upper()}"] = enum
    return message


def _add_enum(descriptor: EnumDescriptor) -> None:
    globals()[descriptor.name] = EnumTypeWrapper(descriptor)
    globals()[f"_{descriptor.name.upper()}"] = descriptor
    for value in descriptor.values:
        globals()[value.name] = value.number


for _message in DESCRIPTOR.message_types_by_name.values():
    globals()[_message.name] = _add_message(_message, "_")
for _enum in DESCRIPTOR.enum_types_by_name.values():
    _add_enum(_enum)
del _message, _enum


def __getattr__(name: str) -> Any:
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}: no Caffe that netsurgery knows has it")
