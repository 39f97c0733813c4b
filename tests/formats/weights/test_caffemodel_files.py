"""Weights files: our wire reader against protobuf's own parser, and what it says of files that are none."""

from __future__ import annotations

import hashlib
import os
import struct
from pathlib import Path

import pytest
from wire_cases import (
    BlobProto,
    NetParameter,
    length_delimited,
    plain,
    small_net,
)

from netsurgery.errors import WeightsError
from netsurgery.formats.weights.caffemodel import parse_caffemodel, read_binaryproto, read_caffemodel
from netsurgery.formats.weights.hashes import sha256, structure_hash
from netsurgery.shown import visible


@pytest.fixture
def small(tmp_path: Path) -> Path:
    path = tmp_path / "small.caffemodel"
    path.write_bytes(small_net())
    return path


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
        b"\x08\x64\x12\x15net_iter_1.caffemodel\x1a\x00",
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
        assert str(caught.value) == f"{visible(str(path))}: {expected}"


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


def test_message_is_typed_and_keeps_what_it_does_not_know() -> None:
    net = NetParameter(name="n", input=["data"], input_dim=[1, 3, 8, 8])
    layer = net.layer.add(name="p", type="Pooling", bottom=["data"], top=["p"], loss_weight=[0.1])
    layer.pooling_param.pool = 1
    layer.pooling_param.kernel_size.append(3)
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
