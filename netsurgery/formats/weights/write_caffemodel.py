"""Nets to .caffemodel (V2): weights go from where they lie into the file, no copy of them in memory."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, BinaryIO

from ...aliases import Array
from ...errors import Source, UnsupportedError
from ...files.copy import copy_array
from ...files.wire import BYTES, VARINT, put_bytes, put_tag, put_varint
from ...message import Field, Message
from ...net import Layer, Net
from ..prototxt.binary import encode
from ..prototxt.versions import layer_message

if TYPE_CHECKING:
    from .model_file import StoredLayer


MAX_BYTES = 2**31 - 1
"""What protobuf, and with it Caffe, reads from a file."""

_NAME, _LAYER, _BLOBS, _SHAPE, _DATA = 1, 100, 7, 7, 5


def write_to(
    out: BinaryIO, net: Net, names: Mapping[str, str], others: Sequence[StoredLayer] = (), source: Source | None = None
) -> None:
    """Writes the layers of `net` with their parameters and weights, float32, into an open file; errors name `source`.

    Parameters that only forks know are not written: their numbers mean other things to other readers.

    `names` are the blob names of the file where they differ from the net's (layers in place). `others` are layers of another weights
    file, written behind with their name, type and blobs.

    Raises: UnsupportedError if the file would be over 2 GB.
    """
    plan = [_plan(layer, names) for layer in net.layers] + [_plan_other(layer) for layer in others]
    head = put_bytes(_NAME, net.name.encode("utf-8", "surrogateescape")) if net.name else b""
    size = len(head) + sum(len(start) + sum(len(h) + 4 * a.size for h, a in blobs) for start, blobs in plan)
    if size > MAX_BYTES:
        raise UnsupportedError(
            f"a caffemodel of {size / 1e9:.1f} GB",
            source=source,
            expected="at most 2 GB: protobuf, and so Caffe, cannot read more from one file",
            fix="convert to ONNX with --weights link or --weights external instead",
        )
    out.write(head)
    for start, blobs in plan:
        out.write(start)
        _write_blobs(out, blobs)


def _plan(layer: Layer, names: Mapping[str, str]) -> tuple[bytes, list[tuple[bytes, Array]]]:
    """What stands before the blobs of a layer, and for each blob what stands before its values."""
    # Of a layer that is not known the shapes of old blobs, which have ones in front, stay as they are written there.
    old = not layer.kind.is_supported
    return _planned(layer_message(layer, names), [(array, old and array.ndim == 4) for array in layer.weights])


def _plan_other(layer: StoredLayer) -> tuple[bytes, list[tuple[bytes, Array]]]:
    message = Message("LayerParameter", (Field("name", layer.name), Field("type", layer.type)))
    return _planned(message, [(blob.array, blob.legacy) for blob in layer.blobs if blob])


def _planned(message: Message, arrays: Iterable[tuple[Array, bool]]) -> tuple[bytes, list[tuple[bytes, Array]]]:
    body = encode(message)
    blobs = [(_blob_head(array, legacy), array) for array, legacy in arrays]
    length = len(body) + sum(len(head) + 4 * array.size for head, array in blobs)
    return put_tag(_LAYER, BYTES) + put_varint(length) + body, blobs


def _blob_head(array: Array, legacy: bool) -> bytes:
    """A BlobProto up to its values, with its own tag and length. A legacy shape is num, channels, height, width, which Caffe fits to
    any blob of up to 4 axes."""
    if legacy:
        shape = b"".join(put_tag(i, VARINT) + put_varint(n) for i, n in enumerate(array.shape, 1))
    else:
        shape = put_bytes(_SHAPE, put_bytes(1, b"".join(put_varint(n) for n in array.shape)) if array.ndim else b"")
    head = shape + (put_tag(_DATA, BYTES) + put_varint(4 * array.size) if array.size else b"")
    return put_tag(_BLOBS, BYTES) + put_varint(len(head) + 4 * array.size) + head


def _write_blobs(out: BinaryIO, blobs: list[tuple[bytes, Array]]) -> None:
    for head, array in blobs:
        out.write(head)
        copy_array(array, out)
