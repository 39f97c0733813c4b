"""Datum: an image or an array with its label, as Caffe's databases hold them.

Source: BVLC Caffe, src/caffe/proto/caffe.proto (Datum), src/caffe/util/io.cpp (DecodeDatumNative)
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import NetsurgeryError, Source
from ..files.images import decode
from ..files.wire import BYTES, FIXED32, MalformedError, fields, signed, varint

CHANNELS, HEIGHT, WIDTH, DATA, LABEL, FLOAT_DATA, ENCODED = range(1, 8)


@dataclass(frozen=True, eq=False)
class Datum:
    """pixels: (C, H, W), uint8, blue first, or float32 where it holds floats; label: None if it has none."""

    pixels: NDArray[Any]
    label: int | None


def read_datum(data: bytes) -> Datum:
    """A Datum from its bytes; what is encoded (JPEG, PNG) is decoded, gray staying one channel.

    Raises: NetsurgeryError if it is damaged, or its numbers do not fill its shape.
    """
    numbers = dict.fromkeys((CHANNELS, HEIGHT, WIDTH, ENCODED), 0)
    label: int | None = None
    pixels, floats = b"", bytearray()
    try:
        for number, wire, begin, end in fields(data, 0, len(data)):
            if number == DATA:
                pixels = data[begin:end]
            elif number == FLOAT_DATA and wire in (BYTES, FIXED32):
                floats += data[begin:end]
            elif number == LABEL:
                label = signed(varint(data, begin, end)[0])
            elif number in numbers:
                numbers[number] = varint(data, begin, end)[0]
    except MalformedError as error:
        raise NetsurgeryError(f"is no Datum: {error.problem}", expected="a database of Datums") from None
    if numbers[ENCODED]:
        return Datum(_decoded(pixels), label)
    values: NDArray[Any] = np.frombuffer(pixels, np.uint8) if pixels else np.frombuffer(bytes(floats), "<f4")
    shape = numbers[CHANNELS], numbers[HEIGHT], numbers[WIDTH]
    if values.size != shape[0] * shape[1] * shape[2]:
        raise NetsurgeryError(f"a Datum of {values.size} numbers says it is {'x'.join(map(str, shape))}")
    return Datum(values.reshape(shape), label)


def _decoded(data: bytes) -> NDArray[np.uint8]:
    pixels = decode(io.BytesIO(data), Source(), _as_it_is, "an image in each Datum")
    planes = pixels[None] if pixels.ndim == 2 else pixels[:, :, ::-1].transpose(2, 0, 1)
    return np.ascontiguousarray(planes)


def _as_it_is(opened: Any) -> NDArray[np.uint8]:
    gray = opened.mode in ("1", "L", "LA", "I", "I;16")
    return np.asarray(opened.convert("L" if gray else "RGB"))
