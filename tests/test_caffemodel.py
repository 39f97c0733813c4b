"""Weights files: our wire reader against protobuf's own parser, and what it says of files that are none."""

from __future__ import annotations

import contextlib
import hashlib
import os
import struct
import sys
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from wire_cases import (
    BlobProto,
    NetParameter,
    arrays,
    dims,
    length_delimited,
    nets,
    plain,
    protobuf_layers,
    same,
    small_net,
    varint,
)

from netsurgery.errors import NetsurgeryError, WeightsError
from netsurgery.files.copy import copy_array
from netsurgery.files.mapped import locate
from netsurgery.files.output import replacing
from netsurgery.formats.weights.caffemodel import parse_caffemodel, read_binaryproto, read_caffemodel
from netsurgery.formats.weights.hashes import sha256, structure_hash
from netsurgery.formats.weights.model_file import ModelFile

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


# -- where the values lie --


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


# -- hostile and mistaken files --


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


WRONG = {
    "prototxt": (b'name: "x"\nlayer { name: "y" }\n', "this looks like a prototxt", "were the two files swapped?"),
    "commented prototxt": (b"# a net\n\ninput: 'data'\n", "this looks like a prototxt", "were the two files swapped?"),
    "text": (b"hello", "is a text file", ""),
    "web page": (b"<!DOCTYPE html><html>", "is a web page, not a model", "download the file itself"),
    "git-lfs": (
        b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n",
        "is a Git LFS pointer, not the model",
        "run `git lfs pull` in its repository",
    ),
    "zip": (b"PK\x03\x04\x00\x00", "is a zip archive (or a PyTorch model)", "unpack it first"),
    "onnx": (
        b"\x08\x07\x12\x07pytorch:\x00",
        "this looks like an ONNX model",
        "give the Caffe model that it was made from",
    ),
    "mean": (b"\x08\x01\x10\x03", "is a single blob (a mean image, .binaryproto)", "give it as the mean"),
    "solverstate": (
        b"\x08\x64\x12\x0fnet_iter_1.caffemodel\x1a\x00",
        "is a .solverstate",
        "give the .caffemodel that was saved beside it",
    ),
}


@pytest.mark.parametrize("what", WRONG)
def test_other_files_are_recognised(what: str, tmp_path: Path) -> None:
    data, problem, fix = WRONG[what]
    path = tmp_path / "net.caffemodel"
    path.write_bytes(data)
    with pytest.raises(WeightsError) as caught:
        read_caffemodel(path)
    advice = f"\n  fix: {fix}" if fix else ""
    assert str(caught.value) == f"{path}: {problem}\n  expected: a .caffemodel (binary){advice}"


def test_an_onnx_file_of_onnx_itself_is_recognised(tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnx")
    graph = onnx.helper.make_graph([onnx.helper.make_node("Relu", ["x"], ["y"])], "g", [], [])
    for producer in ("", "pytorch"):
        (tmp_path / "m").write_bytes(onnx.helper.make_model(graph, producer_name=producer).SerializeToString())
        with pytest.raises(WeightsError, match="this looks like an ONNX model"):
            read_caffemodel(tmp_path / "m")


def test_a_caffe2_net_is_recognised() -> None:
    op = length_delimited(2, b"w") + length_delimited(3, b"") + length_delimited(4, b"Fill") + length_delimited(5, b"")
    with pytest.raises(WeightsError, match=r"Caffe2 NetDef \(init_net.pb\): only Caffe models are read"):
        parse_caffemodel(length_delimited(1, b"init") + length_delimited(2, op), "x")


def test_missing_empty_and_odd_files(tmp_path: Path) -> None:
    can_be_read = "\n  expected: a file that can be read"
    cases = {
        tmp_path / "none.caffemodel": f"cannot be opened: No such file or directory{can_be_read}",
        tmp_path: f"cannot be opened: is a folder{can_be_read}",
        Path("a\0b"): f"cannot be opened: no path may hold a null character{can_be_read}",
    }
    (tmp_path / "empty").touch()
    cases[tmp_path / "empty"] = "the file is empty"
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe")
        cases[tmp_path / "pipe"] = "is no ordinary file\n  expected: a file on a disk: it is mapped, not read"
    for path, expected in cases.items():
        with pytest.raises(WeightsError) as caught:
            read_caffemodel(path)
        assert str(caught.value) == f"{path}: {expected}"


def test_a_mean_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "mean.binaryproto"
    path.write_bytes(BlobProto(num=1, channels=3, height=1, width=2, data=range(6)).SerializeToString())
    assert read_binaryproto(path).tolist() == [[[[0, 1]], [[2, 3]], [[4, 5]]]]
    path.write_bytes(small_net())
    with pytest.raises(WeightsError) as caught:
        read_binaryproto(path)
    assert str(caught.value) == (
        f"{path}: field 1 (num) of a blob has wire type 2 (byte 0)\n"
        "  expected: a single BlobProto, as compute_image_mean writes it\n"
        "  fix: the file is cut off or damaged: download or copy it again"
    )


# -- hashes --


def test_structure_hash_sees_all_but_values(small: Path) -> None:
    data = small_net()
    first = structure_hash(small)
    assert sha256(small) == hashlib.sha256(data).hexdigest()
    small.write_bytes(data.replace(struct.pack("<f", 5), struct.pack("<f", 6)))
    assert structure_hash(small) == first
    small.write_bytes(data.replace(b"conv", b"c0nv"))
    assert structure_hash(small) != first
    small.write_bytes(data + b"\x1a\x00")
    assert structure_hash(small) != first
    small.write_bytes(data[:-1])
    with pytest.raises(WeightsError, match="cut off"):
        structure_hash(small)


# -- the structure of a binary net --


def test_message_is_typed_and_keeps_what_it_does_not_know() -> None:
    net = NetParameter(name="n", input=["data"], input_dim=[1, 3, 8, 8])
    layer = net.layer.add(name="p", type="Pooling", bottom=["data"], top=["p"], loss_weight=[0.1])
    layer.pooling_param.pool = 1
    layer.pooling_param.kernel_size = 3
    layer.pooling_param.global_pooling = False
    layer.blobs.add(data=[1]).shape.dim.append(1)
    body = bytes(layer.SerializeToString())
    body += length_delimited(149, b"\x0a\x00") + b"\xb0\x09\x05" + b"\xbd\x09\x00\x00\x80\x3f"
    body += length_delimited(148, b"\x08\x03")  # the fields of clip_param are floats: this is another fork's message
    net.ClearField("layer")
    message = parse_caffemodel(bytes(net.SerializeToString()) + length_delimited(100, body), "x").message()
    assert plain(message) == (
        "NetParameter { name='n' input='data' input_dim=1 input_dim=3 input_dim=8 input_dim=8 layer=LayerParameter { "
        "name='p' type='Pooling' bottom='data' top='p' loss_weight=0.10000000149011612 "
        "pooling_param=PoolingParameter { pool='AVE' kernel_size=3 global_pooling=False } "
        "#149=b'\\n\\x00' #150=5:number #151=0x3f800000:number #148=b'\\x08\\x03' } }"
    )


def test_enum_values_of_forks_are_not_guessed() -> None:
    data = length_delimited(100, length_delimited(2, b"Pooling") + length_delimited(121, b"\x08\x03"))
    assert plain(parse_caffemodel(data, "x").message()) == (
        "NetParameter { layer=LayerParameter { type='Pooling' #121=b'\\x08\\x03' } }"
    )
    v1 = length_delimited(2, length_delimited(4, b"c") + b"\x28\x2d")
    assert plain(parse_caffemodel(v1, "x").message()) == (
        "NetParameter { layers=V1LayerParameter { name='c' type='#45' } }"
    )
