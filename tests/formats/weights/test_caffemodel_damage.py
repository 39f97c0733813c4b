"""Weights files: our wire reader against protobuf's own parser, and what it says of files that are none."""

from __future__ import annotations

import contextlib
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from wire_cases import (
    arrays,
    dims,
    length_delimited,
    nets,
    same,
    small_net,
)

from netsurgery.errors import NetsurgeryError, WeightsError
from netsurgery.formats.weights.caffemodel import parse_caffemodel
from netsurgery.formats.weights.model_file import ModelFile


def read_all(data: bytes) -> ModelFile:
    """Everything that can be read from `data`."""
    model = parse_caffemodel(data, "x")
    model.message()
    return model


def test_every_truncation_is_an_error_or_a_prefix() -> None:
    data = small_net()
    whole = read_all(data).layers
    errors = 0
    for length in range(len(data)):
        try:
            layers = read_all(data[:length]).layers
        except WeightsError as error:
            errors += 1
            assert str(error).startswith("x: ")
        else:
            assert [(a.name, a.type) for a in layers] == [(b.name, b.type) for b in whole[: len(layers)]]
            for a, b in zip(layers, whole, strict=False):
                assert all(same(x, y) for x, y in zip(arrays(a), arrays(b), strict=True))
    assert len(data) - errors == 2, "cut between two layers, what is left is a smaller net"


@settings(max_examples=400, deadline=1000)
@given(st.data())
def test_damaged_files_give_our_errors_only(data: st.DataObject) -> None:
    original = data.draw(st.one_of(st.just(small_net()), nets()))
    damaged = bytearray(original)
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, max(0, len(damaged) - 1)))
        what = data.draw(st.sampled_from(["flip", "set", "splice", "drop", "insert"]))
        if not damaged:
            break
        if what == "flip":
            damaged[at] ^= 1 << data.draw(st.integers(0, 7))
        elif what == "set":
            damaged[at] = data.draw(st.sampled_from([0, 1, 0x7F, 0x80, 0xFF]))
        elif what == "splice":
            other = data.draw(st.integers(0, len(damaged) - 1))
            damaged[at:at] = damaged[other : other + data.draw(st.integers(0, 40))]
        elif what == "drop":
            del damaged[at : at + data.draw(st.integers(1, 20))]
        else:
            damaged[at:at] = data.draw(st.binary(max_size=12))
    with contextlib.suppress(NetsurgeryError):
        read_all(bytes(damaged))


@settings(max_examples=300, deadline=1000)
@given(st.binary(max_size=200))
def test_random_bytes_give_our_errors_only(data: bytes) -> None:
    with contextlib.suppress(NetsurgeryError):
        read_all(data)


@pytest.mark.parametrize(
    "piece",
    [
        b"\x12\x00",  # V1 layers without anything
        b"\xa2\x06\x00",  # V2 layers
        b"\xa2\x06\x04\x3a\x02\x08\x00",  # with a blob of no values
        b"\xa2\x06\x09\x3a\x07\x3a\x00\x2d\x00\x00\x80\x3f",  # with a blob of one value
        b"\x1a\x00",  # inputs
        b"\x20\x01",  # input dims
    ],
)
def test_hostile_files_ask_for_bounded_memory(piece: bytes) -> None:
    data = piece * (500_000 // len(piece))
    tracemalloc.start()
    with contextlib.suppress(NetsurgeryError):
        read_all(data)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 10 * len(data) + 64e6


@pytest.mark.parametrize("tags", [b"\x2d....\x30\x00", b"\x2d....", b"\x2a\x04....", b"\xad\x00...."])
def test_values_in_pieces_ask_for_bounded_memory(tags: bytes) -> None:
    count = 20_000
    blob = dims(count) + tags * count
    data = length_delimited(100, length_delimited(7, blob))
    tracemalloc.start()
    (layer,) = parse_caffemodel(data, "x").layers
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert arrays(layer)[0].tobytes() == b"...." * count
    assert peak < 10 * len(data)


def blob_net(blob: bytes) -> bytes:
    return length_delimited(
        100, length_delimited(1, b"fc6") + length_delimited(2, b"InnerProduct") + length_delimited(7, blob)
    )


VALUE = b"\x2a\x04\x00\x00\x80\x3f"


DAMAGED = {
    "shape and values": (
        blob_net(dims(2, 3) + VALUE),
        "blob 0: a blob of shape 2x3 (6 values) that holds 1 (byte 24)\n  expected: 6 values\n"
        "  fix: the file is damaged, or its values were stripped: get the original",
    ),
    "stripped": (
        blob_net(dims(4096, 9216)),
        "blob 0: a blob of shape 4096x9216 (37748736 values) that holds 0 (byte 24)\n  expected: 37748736 values\n"
        "  fix: the file is damaged, or its values were stripped: get the original",
    ),
    "negative": (
        blob_net(dims(-1, -1) + VALUE),
        "blob 0: a blob of shape -1x-1 (byte 24)\n  expected: no negative dimension",
    ),
    "absurd": (
        blob_net(dims(2**62, 4) + VALUE),
        "blob 0: a blob of shape 4611686018427387904x4 (byte 24)\n  expected: at most 2147483647 values",
    ),
    "absurd and empty": (
        blob_net(dims(0, 2**62, 2**62)),
        "blob 0: a blob of shape 0x4611686018427387904x4611686018427387904 (byte 24)\n"
        "  expected: at most 2147483647 values",
    ),
    "many axes": (
        blob_net(dims(*[1] * 33) + VALUE),
        "blob 0: a blob of more than 32 axes (byte 26)\n  expected: at most as many as Caffe has",
    ),
    "half a value": (
        blob_net(dims(1) + b"\x2a\x03\x00\x00\x80"),
        "blob 0: data of 3 bytes (byte 31)\n  expected: a multiple of 4 bytes\n"
        "  fix: the file is cut off or damaged: download or copy it again",
    ),
    "raw of no type": (
        blob_net(dims(1) + b"\x62\x02\x00\x3c"),
        "blob 0: raw_data_type missing (byte 31)\n  expected: 0 (double), 1 (float) or 2 (half)",
    ),
    "raw integers": (
        blob_net(dims(1) + b"\x50\x03\x62\x04\x00\x00\x00\x01"),
        "blob 0: raw_data_type 3 (byte 33)\n  expected: 0 (double), 1 (float) or 2 (half)",
    ),
    "a group": (
        blob_net(b"\x4b" * 100_000),
        "blob 0: field 9 is a start of a group, which no Caffe file has (byte 28)",
    ),
    "cut off": (
        blob_net(dims(2) + VALUE * 2)[:-3],
        "field 100 needs 38 bytes and 35 are left (byte 0)\n"
        "  fix: the file is cut off or damaged: download or copy it again",
    ),
}


@pytest.mark.parametrize("what", DAMAGED)
def test_damaged_blobs_are_named(what: str) -> None:
    data, expected = DAMAGED[what]
    with pytest.raises(WeightsError) as caught:
        parse_caffemodel(data, "fc.caffemodel")
    title = "'fc6'" if what == "cut off" else "'fc6' (InnerProduct)"
    assert str(caught.value) == f"fc.caffemodel: layer {title}: {expected}"
