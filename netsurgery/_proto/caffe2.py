"""Caffe2's messages, made from the descriptor set built from proto/caffe2.proto (`python proto/build.py`)."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

PACKAGE = "netsurgery.caffe2"

FLOAT, INT32, STRING, BOOL, INT64 = 1, 2, 4, 5, 10
"""Numbers of TensorProto.DataType, which operators such as Cast take."""


@cache
def message_class(name: str) -> Any:
    """The class of a message: "NetDef", "OperatorDef", "Argument"."""
    from google.protobuf.descriptor_pb2 import FileDescriptorSet
    from google.protobuf.descriptor_pool import DescriptorPool
    from google.protobuf.message_factory import GetMessageClass

    pool = DescriptorPool()
    descriptors = FileDescriptorSet.FromString(Path(__file__).with_name("caffe2.binpb").read_bytes())
    for file in descriptors.file:
        pool.AddSerializedFile(file.SerializeToString())
    return GetMessageClass(pool.FindMessageTypeByName(f"{PACKAGE}.{name}"))


def new(name: str) -> Any:
    """An empty message."""
    return message_class(name)()
