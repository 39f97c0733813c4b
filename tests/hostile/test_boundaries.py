"""What libraries raise on damaged files, each as an error of ours that names the file."""

from __future__ import annotations

import io
import os
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import netdefs
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

import netsurgery
from netsurgery import NetsurgeryError, ParseError
from netsurgery._proto.caffe2 import new
from netsurgery.errors import WeightsError
from netsurgery.files.arrays import read_arrays
from netsurgery.formats.manifest import read_manifest
from netsurgery.formats.netdef.groups import digest
from netsurgery.formats.preprocessing import read_mean
from netsurgery.formats.weights.tensor_files import read_tensors
from netsurgery.verification.runtimes.onnxruntime import open_model
from netsurgery.verification.runtimes.recorded import open_opinion


def refusal(call: Callable[[], object], kind: type[NetsurgeryError] = ParseError) -> str:
    with pytest.raises(NetsurgeryError) as caught:
        call()
    assert type(caught.value) is kind
    return str(caught.value)


EXPECTED = "  expected: a NetDef of Caffe2: init_net.pb or predict_net.pb"
SCHEMA = "  expected: an operator as Caffe2's schema has it"
MISFIT = "its inputs or arguments are not those of such an operator"


def changed(folder: Path, change: Callable[[onnx.ModelProto], object]) -> tuple[Path, Path]:
    """A NetDef of one Conv, changed."""
    init, predict = netdefs.SAMPLES["conv_valid"].save(folder)
    net = new("NetDef")
    net.ParseFromString(predict.read_bytes())
    change(net)
    predict.write_bytes(net.SerializeToString())
    return init, predict


def load(files: tuple[Path, Path]) -> netsurgery.Net:
    return netsurgery.load(*files, input_shapes={"x": (2, 3, 7, 8)})


def test_operators_without_what_they_need_are_refused(tmp_path: Path) -> None:
    files = changed(tmp_path, lambda net: net.op[0].ClearField("output"))
    assert refusal(lambda: load(files)) == f"{files[1]}: layer '' (Conv): has no output\n{EXPECTED}"
    files = changed(tmp_path, lambda net: net.op[0].input.pop())
    assert refusal(lambda: load(files)) == (
        f"{files[1]}: layer 'y' (Conv): {MISFIT}: IndexError list index out of range\n{SCHEMA}"
    )


def test_names_of_a_netdef_that_are_no_text_are_refused(tmp_path: Path) -> None:
    files = changed(tmp_path, lambda net: setattr(net, "name", "ABCDE"))
    files[1].write_bytes(files[1].read_bytes().replace(b"ABCDE", b"AB\xffDE"))
    assert refusal(lambda: load(files)) == f"{files[1]}: is no NetDef: name 'AB\\xffDE' is not UTF-8\n{EXPECTED}"
    files = changed(tmp_path, lambda net: None)
    files[0].write_bytes(files[0].read_bytes().replace(b"\x12\x01w", b"\x12\x01\xff"))
    assert refusal(lambda: load(files)) == f"{files[0]}: is no NetDef: output '\\xff' is not UTF-8\n{EXPECTED}"


def test_layers_told_in_a_netdef_whose_parameters_are_gone_are_refused(tmp_path: Path) -> None:
    _, predict = files = netdefs.SAMPLES["tanh"].save(tmp_path)
    net = new("NetDef")
    net.ParseFromString(predict.read_bytes())
    told = net.arg.add(name="netsurgery.layer:g", s=b"layer { } layer { }", ints=(0, 1))
    told.strings.extend([digest(net.op[:1]), b"nowhere"])
    predict.write_bytes(net.SerializeToString())
    assert refusal(lambda: load(files)) == f"{predict}: the init net does not fill in 'nowhere'\n{EXPECTED}"
    del told.strings[1:]
    predict.write_bytes(net.SerializeToString())
    assert refusal(lambda: load(files)) == (
        f"{predict}:1: the text holds 2 layers\n"
        '  expected: one layer: layer { name: "relu9" type: "ReLU" bottom: "fc9" top: "fc9" }'
    )


def model(folder: Path, change: Callable[[onnx.ModelProto], object]) -> Path:
    """An ONNX model of one node, changed."""
    tensor = helper.make_tensor("w", TensorProto.FLOAT, [3], [1, 2, 3])
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [3]) for name in "xy"]
    graph = helper.make_graph([helper.make_node("Add", ["x", "w"], ["y"])], "g", values[:1], values[1:], [tensor])
    made = helper.make_model(graph)
    change(made)
    path = folder / "model.onnx"
    path.write_bytes(made.SerializeToString())
    return path


def external(**entries: str) -> Callable[[onnx.ModelProto], None]:
    def change(made: onnx.ModelProto) -> None:
        (tensor,) = made.graph.initializer
        tensor.ClearField("float_data")
        tensor.data_location = TensorProto.EXTERNAL
        for key, value in entries.items():
            tensor.external_data.add(key=key, value=value)

    return change


@pytest.mark.parametrize("place", ["", "x" * 5000, ".", "a\nb"])
def test_models_whose_numbers_are_nowhere_are_refused(place: str, tmp_path: Path) -> None:
    path = model(tmp_path, external(location=place))
    shown = (place if len(place) <= 80 else f"{place[:77]}...").replace("\n", "\\n")
    assert refusal(lambda: open_model(path)).split("\n  expected")[0] == (
        f"{path}: the numbers of 'w' are said to be in '{shown}', which is not looked at"
    )


def test_offsets_that_are_no_numbers_are_refused(tmp_path: Path) -> None:
    for offset in ("x", "-1", "\u00b2", "9" * 5000):
        path = model(tmp_path, external(location="data", offset=offset))
        assert refusal(lambda path=path: open_model(path)).endswith("\n  expected: offset and length in bytes")


def test_element_types_and_names_that_there_are_not_are_refused(tmp_path: Path) -> None:
    path = model(tmp_path, lambda made: setattr(made.graph.input[0].type.tensor_type, "elem_type", 77))
    assert refusal(lambda: open_model(path)) == (
        f"{path}: is no ONNX model: 'x' is of element type 77\n  expected: a .onnx file"
    )
    path = model(tmp_path, lambda made: setattr(made.graph, "name", "ABCDE"))
    path.write_bytes(path.read_bytes().replace(b"ABCDE", b"AB\xffDE"))
    assert refusal(lambda: open_model(path)) == (
        f"{path}: is no ONNX model: name 'AB\\xffDE' is not UTF-8\n  expected: a .onnx file"
    )


def test_a_record_of_options_that_is_none_is_refused(tmp_path: Path) -> None:
    from netsurgery.verification.options import Comparing
    from netsurgery.verification.recorded_options import compared_as_recorded

    for text in ("{", "[]", "[" * 100_000):
        path = model(tmp_path, lambda made, t=text: made.metadata_props.add(key="netsurgery.options", value=t))
        said = refusal(lambda path=path: compared_as_recorded(path, Comparing()))
        assert said.startswith(f"{path}: its record of options cannot be read: ")


def npz(folder: Path, **members: bytes) -> Path:
    path = folder / "x.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(f"{name}.npy", data)
    return path


def npy(header: bytes, values: bytes = b"") -> bytes:
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + values


HEADERS = {
    "TokenError": b"{'descr': '<f4', 'shape': (",
    "SyntaxError": b"{'descr': '<f4' 'shape'}",
    "RecursionError or MemoryError": b"[" * 5000,
    "objects": b"{'descr': '|O', 'fortran_order': False, 'shape': (3,), }",
    "more than there is": b"{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999,), }",
    "negative": b"{'descr': '<f4', 'fortran_order': False, 'shape': (-1,), }",
    "structured": b"{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,), }",
}


@pytest.mark.parametrize("header", HEADERS)
def test_arrays_with_headers_that_are_none_are_refused(header: str, tmp_path: Path) -> None:
    path = tmp_path / "x.npy"
    path.write_bytes(npy(HEADERS[header], b"\0" * 12))
    assert refusal(lambda: read_mean(str(path)), WeightsError).startswith(f"{path}: cannot be read: ")
    archive = npz(tmp_path, **{"conv:0": npy(HEADERS[header], b"\0" * 12)})
    assert refusal(lambda: read_tensors(archive), WeightsError).startswith(f"{archive}: cannot be read: ")


def test_archives_whose_members_do_not_unpack_are_refused(tmp_path: Path) -> None:
    out = io.BytesIO()
    np.save(out, np.zeros(1000, "f4"))
    path = npz(tmp_path, **{"0/out/x": out.getvalue()})
    data = bytearray(path.read_bytes())
    data[60:64] = b"\xff\xff\xff\xff"  # zlib.error, or a wrong checksum
    path.write_bytes(data)
    assert refusal(lambda: open_opinion(str(path))).startswith(f"{path}: cannot be read: ")
    data[8:10] = b"\x63\x00"
    where = data.index(b"PK\x01\x02")
    data[where + 10 : where + 12] = b"\x63\x00"  # NotImplementedError: a way of packing that there is not
    path.write_bytes(data)
    assert refusal(lambda: open_opinion(str(path))) == (
        f"{path}: cannot be read: That compression method is not supported\n  expected: recorded numbers: .npz"
    )


def test_records_that_are_no_records_are_refused(tmp_path: Path) -> None:
    out = tmp_path / "x.npz"
    numbers = {"0/in/data": np.zeros(1, "f4"), "0/out/y": np.zeros(1, "f4")}
    for text in ("[]", '{"versions": 3}', '{"sha256": {"weights": 5}}', "{", "[" * 100_000):
        np.savez(out, netsurgery=np.array(text), **numbers)
        assert refusal(lambda: open_opinion(str(out))).startswith(f"{out}: 'netsurgery' in it ")
    np.savez(out, **{**numbers, "0/out/y": np.array(["a"])})
    assert refusal(lambda: open_opinion(str(out))) == f"{out}: '0/out/y' holds <U1\n  expected: numbers"


def test_manifests_that_are_none_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "models.toml"
    for data in (b"a = " + b"[" * 100_000, b"x = 0x", b"[[model]", b"a = 1\na = 2", b"d = 0000-00-00"):
        path.write_bytes(data)
        assert refusal(lambda: read_manifest(path)).startswith(f"{path}: is not TOML: ")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no FIFOs here")
def test_arrays_are_read_from_files_alone(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "x.npz")
    assert refusal(lambda: read_arrays(tmp_path / "x.npz")) == (
        f"{tmp_path / 'x.npz'}: is no ordinary file\n  expected: a .npy or .npz file\n  fix: save it as a file first"
    )
