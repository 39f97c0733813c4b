"""Weights files as bytes for the tests: by protobuf, and by hand where it does not write what files hold."""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
from google.protobuf import message_factory
from hypothesis import strategies as st

from netsurgery import _proto
from netsurgery.message import Message


def proto(name: str) -> Any:
    """protobuf's own class of a message of the schema."""
    return message_factory.GetMessageClass(_proto.pool().FindMessageTypeByName(f"netsurgery.caffe.{name}"))


NetParameter, BlobProto = proto("NetParameter"), proto("BlobProto")


def varint(n: int) -> bytes:
    return bytes([n]) if n < 128 else bytes([n & 127 | 128]) + varint(n >> 7)


def length_delimited(number: int, value: bytes) -> bytes:
    """Tag, length and value."""
    return varint(number << 3 | 2) + varint(len(value)) + value


def dims(*values: int) -> bytes:
    """A BlobProto's shape."""
    blob = BlobProto()
    blob.shape.dim.extend(values)
    return bytes(blob.SerializeToString())


floats = st.floats(width=32, allow_nan=False)


@st.composite
def blobs(draw: st.DrawFn) -> bytes:
    """A BlobProto in one of the encodings that are found in files."""
    shape = draw(st.lists(st.integers(0, 3), max_size=4))
    blob = BlobProto()
    legacy = draw(st.booleans())
    if legacy:
        shape = draw(st.lists(st.integers(0, 3), min_size=4, max_size=4))
        blob.num, blob.channels, blob.height, blob.width = shape
        if draw(st.booleans()):
            blob.shape.dim.extend([7, 7])
        size = int(np.prod(shape))
    else:
        size = int(np.prod(shape))
        blob.shape.dim.extend(shape)
        blob.shape.SetInParent()
    values = draw(st.lists(floats, min_size=size, max_size=size))
    encoding = draw(st.sampled_from(["packed", "unpacked", "mixed", "double", "unpacked double", "half", "raw"]))
    before = after = b""
    if encoding == "packed":
        blob.data.extend(values)
        blob.diff.extend(draw(st.sampled_from([[], values])))
    elif encoding == "unpacked":
        after = b"".join(b"\x2d" + struct.pack("<f", v) for v in values)
    elif encoding == "mixed":
        cut = draw(st.integers(0, size))
        before = b"".join(b"\x2d" + struct.pack("<f", v) for v in values[:cut])
        blob.data.extend(values[cut:])
    elif encoding == "double":
        blob.double_data.extend(values)
    elif encoding == "unpacked double":
        after = b"".join(b"\x41" + struct.pack("<d", v) for v in values)
    else:
        dtype = "<f2" if encoding == "half" else "<f4"
        with np.errstate(over="ignore"):
            blob.raw_data = np.array(values, dtype).tobytes()
        blob.raw_data_type = 2 if encoding == "half" else 1
    body = bytes(blob.SerializeToString())
    if draw(st.booleans()) and blob.HasField("shape") and not legacy:
        # The dims one by one, as old protobuf wrote them.
        blob.ClearField("shape")
        body = bytes(blob.SerializeToString())
        after += length_delimited(7, b"".join(b"\x08" + varint(n) for n in shape))
    if draw(st.booleans()):
        after += length_delimited(99, b"a field of a fork")
    return before + body + after


names = st.text(st.characters(codec="utf-8"), max_size=8)


@st.composite
def nets(draw: st.DrawFn) -> bytes:
    """A NetParameter of some vintage."""
    vintage = draw(st.sampled_from(["V0", "V1", "V2"]))
    parts = [length_delimited(1, draw(names).encode())]
    for name in draw(st.lists(names, min_size=1, max_size=4)):
        blob_number = {"V0": 50, "V1": 6, "V2": 7}[vintage]
        body = b"".join(length_delimited(blob_number, b) for b in draw(st.lists(blobs(), max_size=3)))
        if vintage == "V2":
            head = length_delimited(1, name.encode()) + length_delimited(2, b"Convolution")
            parts.append(length_delimited(100, head + length_delimited(3, b"data") + body))
        elif vintage == "V1":
            parts.append(length_delimited(2, body + length_delimited(4, name.encode()) + b"\x28\x04"))
        else:
            inner = length_delimited(1, name.encode()) + length_delimited(2, b"conv") + body
            parts.append(length_delimited(2, length_delimited(1, inner) + length_delimited(2, b"data")))
    return b"".join(parts)


def protobuf_layers(data: bytes) -> list[tuple[str, list[np.ndarray[Any, Any]]]]:
    """What protobuf's own parser finds: names and blobs of the layers."""
    net = NetParameter.FromString(data)
    layers = [x.layer if x.HasField("layer") else x for x in net.layers] + list(net.layer)
    return [(layer.name, [protobuf_values(b) for b in layer.blobs]) for layer in layers]


def protobuf_values(blob: Any) -> np.ndarray[Any, Any]:
    legacy = any(blob.HasField(n) for n in ("num", "channels", "height", "width"))
    shape = (blob.num, blob.channels, blob.height, blob.width) if legacy else tuple(blob.shape.dim)
    if blob.raw_data:
        values = np.frombuffer(blob.raw_data, {0: "<f8", 1: "<f4", 2: "<f2"}[blob.raw_data_type])
    else:
        values = np.array(blob.double_data or blob.data)
    with np.errstate(over="ignore"):
        return values.astype(np.float32).reshape(shape)


def same(a: np.ndarray[Any, Any], b: np.ndarray[Any, Any]) -> bool:
    return a.shape == b.shape and a.dtype == b.dtype and a.tobytes() == b.tobytes()


def arrays(layer: Any) -> list[np.ndarray[Any, Any]]:
    return [blob.array for blob in layer.blobs]


def small_net() -> bytes:
    """A net of three layers, with blobs packed, one by one, and as doubles."""
    net = NetParameter(name="small")
    conv = net.layer.add(name="conv", type="Convolution", bottom=["data"], top=["conv"])
    conv.convolution_param.num_output = 2
    conv.blobs.add(data=range(8)).shape.dim.extend([2, 1, 2, 2])
    conv.blobs.add(data=[1, 2]).shape.dim.append(2)
    net.layer.add(name="relu", type="ReLU", bottom=["conv"], top=["conv"])
    ip = net.layer.add(name="ip", type="InnerProduct", bottom=["conv"], top=["ip"])
    ip.blobs.add(double_data=[0.1, 0.2, 0.3]).shape.dim.extend([1, 3])
    ip.blobs.add(num=1, channels=1, height=1, width=1, data=[5])
    return bytes(net.SerializeToString())


def plain(value: Any) -> str:
    if isinstance(value, Message):
        return f"{value.type} {{ {' '.join(f'{f.name}={plain(f.value)}' for f in value.fields)} }}"
    return f"{value.text}:{value.kind}" if hasattr(value, "kind") else repr(value)
