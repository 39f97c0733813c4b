"""Weights files: our wire reader against protobuf's own parser, and what it says of files that are none."""

from __future__ import annotations

import os
import struct
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from wire_cases import (
    arrays,
    dims,
    length_delimited,
    nets,
    protobuf_layers,
    same,
    small_net,
    varint,
)

from netsurgery.errors import WeightsError
from netsurgery.files.copy import copy_array
from netsurgery.files.mapped import locate
from netsurgery.files.output import replacing
from netsurgery.formats.weights.caffemodel import parse_caffemodel, read_caffemodel
from netsurgery.formats.weights.hashes import structure_hash

quick = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@pytest.fixture
def small(tmp_path: Path) -> Path:
    path = tmp_path / "small.caffemodel"
    path.write_bytes(small_net())
    return path


@quick
@given(nets())
def test_reader_agrees_with_protobuf(data: bytes) -> None:
    model = parse_caffemodel(data, "x")
    expected = protobuf_layers(data)
    assert [layer.name for layer in model.layers] == [name for name, _ in expected]
    assert {layer.type for layer in model.layers} == {"Convolution"}
    for layer, (_, blobs_) in zip(model.layers, expected, strict=True):
        assert len(layer.blobs) == len(blobs_)
        assert all(same(a, b) for a, b in zip(arrays(layer), blobs_, strict=True))
        assert not any(a.flags.writeable for a in arrays(layer))


def test_a_damaged_value_is_seen() -> None:
    data = small_net()
    damaged = data.replace(struct.pack("<f", 5), struct.pack("<f", 6))
    assert damaged != data
    assert not same(arrays(parse_caffemodel(damaged, "x").layers[2])[1], protobuf_layers(data)[2][1][1])


def test_vintage_type_legacy_and_precision_are_told(small: Path) -> None:
    model = read_caffemodel(small)
    assert (model.name, model.vintage, model.precision) == ("small", "V2", {"float32", "float64"})
    assert [(x.name, x.type, len(x.blobs)) for x in model.layers] == [
        ("conv", "Convolution", 2),
        ("relu", "ReLU", 0),
        ("ip", "InnerProduct", 2),
    ]
    assert [(b.legacy, b.precision) for b in model.layers[2].blobs if b] == [(False, "float64"), (True, "float32")]

    v0 = length_delimited(2, length_delimited(1, length_delimited(1, b"a") + length_delimited(2, b"innerproduct")))
    v1 = length_delimited(2, length_delimited(4, b"b") + b"\x28\x27")
    fork = length_delimited(2, length_delimited(4, b"c") + b"\x28\x2d")
    assert [(x.name, x.type) for x in parse_caffemodel(v1 + fork, "x").layers] == [("b", "Deconvolution"), ("c", "#45")]
    assert parse_caffemodel(v0, "x").vintage == "V0"
    assert parse_caffemodel(v0, "x").layers[0].type == "InnerProduct"
    assert parse_caffemodel(v1, "x").vintage == "V1"
    assert parse_caffemodel(v0 + v1, "x").vintage == "mixed"


def test_values_written_one_by_one_are_read_in_bulk() -> None:
    count = 200_000
    values = np.arange(count, dtype="<f4")
    records = np.zeros(count, np.dtype([("tag", "u1"), ("value", "<f4")]))
    records["tag"], records["value"] = 0x2D, values
    blob = length_delimited(7, b"\x08\xc0\x9a\x0c") + records.tobytes()
    net = length_delimited(100, length_delimited(1, b"x") + length_delimited(7, blob))
    (layer,) = parse_caffemodel(net, "x").layers
    assert same(arrays(layer)[0], values)


@pytest.mark.skipif(sys.platform != "linux", reason="counts page faults as Linux does")
def test_half_a_gigabyte_opens_untouched(tmp_path: Path) -> None:
    import resource

    # The payload is a hole in the file: 553 MB, as VGG16 has.
    path = tmp_path / "vgg.caffemodel"
    count = 138_357_544
    hollow(path, count)
    read_caffemodel(path)  # imports, warm
    faults = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    model = read_caffemodel(path)
    structure_hash(path)
    faults = resource.getrusage(resource.RUSAGE_SELF).ru_minflt - faults
    assert arrays(model.layers[0])[0].shape == (count,)
    assert faults < 1000, "135,000 pages would be touched by reading the values"


def hollow(path: Path, *counts: int) -> None:
    """A net of one layer for each count, with so many values, which are a hole in the file."""
    with open(path, "wb") as file:
        for i, count in enumerate(counts):
            blob = dims(count) + b"\x2a" + varint(4 * count)
            layer = length_delimited(1, b"fc%d" % i) + b"\x3a" + varint(len(blob) + 4 * count) + blob
            file.write(b"\xa2\x06" + varint(len(layer) + 4 * count) + layer)
            file.seek(4 * count, 1)
        file.truncate()


@pytest.mark.skipif(sys.platform == "win32", reason="files have no holes by default")
def test_more_than_two_gigabytes_are_read(tmp_path: Path) -> None:
    path = tmp_path / "huge.caffemodel"
    hollow(path, 600_000_000, 1_200_000_000)  # protobuf could not write the second layer: 4.8 GB
    assert path.stat().st_size > 7.2e9
    assert [arrays(x)[0].shape for x in read_caffemodel(path).layers] == [(600_000_000,), (1_200_000_000,)]
    os.truncate(path, path.stat().st_size - 1)
    with pytest.raises(WeightsError) as caught:
        read_caffemodel(path)
    assert str(caught.value) == (
        f"{path}: layer 'fc1': field 100 needs 4800000026 bytes and 4800000025 are left (byte 2400000033)\n"
        "  fix: the file is cut off or damaged: download or copy it again; protobuf writes nothing over 2 GB: "
        "if it was saved so, save HDF5 (snapshot_format: HDF5)"
    )


def test_names_that_are_not_utf8_stay_apart() -> None:
    data = b"".join(length_delimited(100, length_delimited(1, name)) for name in (b"\xb2\xe3", b"\xb2\xe4"))
    assert [x.name for x in parse_caffemodel(data, "x").layers] == ["\\xb2\\xe3", "\\xb2\\xe4"]


def test_locate_finds_values_in_the_file(small: Path) -> None:
    model = read_caffemodel(small)
    weight = arrays(model.layers[0])[0]
    for view in (weight, weight.reshape(2, 4), weight.reshape(-1), weight[1:]):
        place = locate(view)
        assert place is not None
        path, offset = place
        assert path == str(small)
        assert small.read_bytes()[offset : offset + view.nbytes] == view.tobytes()
    double = arrays(model.layers[2])[0]
    assert double.dtype == np.float32
    for elsewhere in (double, weight.copy(), weight.T, weight[:, :, ::-1], weight.view(np.int32)):
        assert locate(elsewhere) is None


def test_a_model_outlives_its_file(small: Path, tmp_path: Path) -> None:
    model = read_caffemodel(small)
    weight = arrays(model.layers[0])[0]
    small.rename(tmp_path / "elsewhere")
    assert locate(weight) is None
    (tmp_path / "elsewhere").unlink()
    del model
    assert weight.tolist() == [[[[0, 1], [2, 3]]], [[[4, 5], [6, 7]]]]
    with replacing(tmp_path / "copy") as out:
        copy_array(weight, out)
    assert (tmp_path / "copy").read_bytes() == weight.tobytes()


def test_locate_denies_a_file_that_was_replaced(small: Path) -> None:
    weight = arrays(read_caffemodel(small).layers[0])[0]
    with replacing(small) as out:
        out.write(small_net())
    assert locate(weight) is None
