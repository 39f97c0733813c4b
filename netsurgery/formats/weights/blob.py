"""One BlobProto: its shape and its values, as a view of the file where they lie there as float32."""

from __future__ import annotations

import math
from array import array as packed_array
from dataclasses import dataclass

import numpy as np

from ...aliases import Array
from ...files.wire import (
    BYTES,
    FIXED32,
    FIXED64,
    TRUNCATED,
    VARINT,
    Buffer,
    MalformedError,
    field,
    fields,
    signed,
    varint,
)

MAX_AXES = 32
"""Caffe's kMaxBlobAxes."""
MAX_COUNT = 2**31 - 1
"""Caffe counts the values of a blob in an int."""

DATA, SHAPE, DOUBLE_DATA, RAW_TYPE, RAW_DATA = 5, 7, 8, 10, 12
PAYLOADS = {5: "data", 6: "diff", 8: "double_data", 9: "double_diff", 12: "raw_data", 13: "raw_diff"}
WIRES = {**dict.fromkeys((1, 2, 3, 4, RAW_TYPE), VARINT), SHAPE: BYTES, RAW_DATA: BYTES}
"""Wire types of fields that are written in one way only."""
RAW_DTYPES: dict[int | None, str] = {0: "<f8", 1: "<f4", 2: "<f2"}


@dataclass(frozen=True)
class StoredBlob:
    """A blob as a file holds it: float32, read-only. `precision` is what the values were in the file.

    `legacy`: its shape was given as num, channels, height, width, so it is 4-d, ones in front.
    """

    array: Array
    legacy: bool = False
    precision: str = "float32"


class _Values:
    """Where the values of a repeated float or double field lie: runs of (offset, count, stride)."""

    def __init__(self, dtype: str) -> None:
        self.dtype = np.dtype(dtype)
        self.runs = packed_array("q")
        self.count = 0

    def add(self, offset: int, count: int, stride: int) -> None:
        if count:
            self.runs.extend((offset, count, stride))
            self.count += count

    def add_packed(self, begin: int, stop: int, name: str) -> None:
        width = self.dtype.itemsize
        if (stop - begin) % width:
            raise MalformedError(
                f"{name} of {stop - begin} bytes", begin, expected=f"a multiple of {width} bytes", fix=TRUNCATED
            )
        self.add(begin, (stop - begin) // width, width)

    def read(self, data: Buffer) -> Array:
        """A view of `data` when the values stand side by side, else a copy."""
        if not self.count:
            return np.empty(0, self.dtype)
        if len(self.runs) == 3 and self.runs[2] == self.dtype.itemsize:
            return np.frombuffer(data, self.dtype, self.count, self.runs[0])
        values = np.empty(self.count, self.dtype)
        done = 0
        for i in range(0, len(self.runs), 3):
            offset, count, stride = self.runs[i : i + 3]
            values[done : done + count] = np.ndarray((count,), self.dtype, data, offset, (stride,))
            done += count
        return values


def _run(data: Buffer, at: int, end: int, width: int) -> int:
    """How many fields of one byte of tag, that at `at`, and `width` bytes of value follow each other from `at` on.

    Values written one by one come by the million: only their tags are looked at, and those by NumPy.
    """
    stride = 1 + width
    count, step = 1, 64
    while True:
        step = min(step, (end - at) // stride - count)
        if step <= 0 or data[at + count * stride] != data[at]:
            return count
        tags = np.ndarray((step,), np.uint8, data, at + count * stride, (stride,))
        other = np.flatnonzero(tags != data[at])
        if other.size:
            return count + int(other[0])
        count += step
        step = min(step * 4, 1 << 20)


def read_blob(data: Buffer, start: int, end: int) -> StoredBlob:
    """The BlobProto in data[start:end]. Gradients (diff) are skipped.

    raw_data counts before double_data, and that before data, as in NVIDIA's and BVLC's Caffe; num, channels, height and
    width before shape.

    Raises: MalformedError.
    Source: BVLC/caffe src/caffe/blob.cpp, NVIDIA/caffe src/caffe/blob.cpp
    """
    dims: list[int] = []
    legacy: dict[int, int] = {}
    singles, doubles = _Values("<f4"), _Values("<f8")
    raw: tuple[int, int] | None = None
    raw_type: int | None = None
    at = start
    while at < end:
        tag_at = at
        number, wire, begin, at = field(data, at, end)
        if wire != WIRES.get(number, wire):
            raise _wire(number, wire, tag_at)
        if number in (DATA, DOUBLE_DATA):
            values, one = (singles, FIXED32) if number == DATA else (doubles, FIXED64)
            if wire == BYTES:
                values.add_packed(begin, at, PAYLOADS[number])
            elif wire == one:
                width = values.dtype.itemsize
                count = _run(data, tag_at, end, width) if begin == tag_at + 1 else 1
                values.add(begin, count, width + 1)
                at = begin + width + (count - 1) * (width + 1)
            else:
                raise _wire(number, wire, tag_at)
        elif number <= 4:
            # An int32 is what the low 32 bits say.
            value = varint(data, begin, at)[0] & 0xFFFF_FFFF
            legacy[number] = value - (1 << 32) if value >> 31 else value
        elif number == SHAPE:
            _read_dims(data, begin, at, dims)
        elif number == RAW_TYPE:
            raw_type = varint(data, begin, at)[0]
        elif number == RAW_DATA:
            raw = begin, at
    if raw and raw[0] < raw[1]:
        if raw_type not in RAW_DTYPES:
            raise MalformedError(
                f"raw_data_type {'missing' if raw_type is None else raw_type}",
                raw[0],
                expected="0 (double), 1 (float) or 2 (half)",
            )
        stored = _Values(RAW_DTYPES[raw_type])
        stored.add_packed(*raw, "raw_data")
    else:
        stored = doubles if doubles.count else singles
    shape = tuple(legacy.get(n, 0) for n in (1, 2, 3, 4)) if legacy else tuple(dims)
    _check_shape(shape, stored.count, start)
    values_ = stored.read(data)
    precision = values_.dtype.name
    if precision != "float32":
        with np.errstate(over="ignore"):
            values_ = values_.astype("<f4")
    values_.flags.writeable = False
    return StoredBlob(values_.reshape(shape), bool(legacy), precision)


def _read_dims(data: Buffer, start: int, end: int, dims: list[int]) -> None:
    """Appends the dims of a BlobShape, packed or one by one."""
    for number, wire, begin, stop in fields(data, start, end):
        if number != 1:
            continue
        if wire not in (VARINT, BYTES):
            raise _wire(number, wire, begin)
        while begin < stop:
            value, begin = varint(data, begin, stop)
            dims.append(signed(value))
            if len(dims) > MAX_AXES:
                raise MalformedError(
                    f"a blob of more than {MAX_AXES} axes", start, expected="at most as many as Caffe has"
                )


def _check_shape(shape: tuple[int, ...], count: int, offset: int) -> None:
    text = "x".join(str(n) for n in shape) or "one value"
    if any(n < 0 for n in shape):
        raise MalformedError(f"a blob of shape {text}", offset, expected="no negative dimension")
    if math.prod(n for n in shape if n) > MAX_COUNT:
        raise MalformedError(f"a blob of shape {text}", offset, expected=f"at most {MAX_COUNT} values")
    need = math.prod(shape)
    if need != count:
        raise MalformedError(
            f"a blob of shape {text} ({need} values) that holds {count}",
            offset,
            expected=f"{need} values",
            fix="the file is damaged, or its values were stripped: get the original",
        )


def _wire(number: int, wire: int, offset: int) -> MalformedError:
    names = {1: "num", 2: "channels", 3: "height", 4: "width", 7: "shape", 10: "raw_data_type", **PAYLOADS}
    return MalformedError(f"field {number} ({names[number]}) of a blob has wire type {wire}", offset, fix=TRUNCATED)
