"""Layers that bring data: from files, from memory, made up."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np
import pytest

import netsurgery.pycaffe as caffe


def net(folder: Path, text: str, phase: int = 1) -> caffe.Net:
    (folder / "net.prototxt").write_text(text)
    return caffe.Net(folder / "net.prototxt", phase)


def test_images_of_a_list_come_in_order_and_begin_again(tmp_path: Path) -> None:
    image = pytest.importorskip("PIL.Image")
    pixels = np.random.RandomState(0).randint(0, 256, (3, 8, 10, 3)).astype(np.uint8)
    for i, array in enumerate(pixels):
        image.fromarray(array).save(tmp_path / f"{i}.png")
    (tmp_path / "list.txt").write_text("".join(f"{i}.png {7 + i}\n" for i in range(3)))
    found = net(
        tmp_path,
        f'layer {{ name: "d" type: "ImageData" top: "data" top: "label" image_data_param {{ source: "{tmp_path}/list.txt" '
        f'root_folder: "{tmp_path}/" batch_size: 2 }} transform_param {{ mean_value: 100 scale: 0.5 crop_size: 6 }} }}',
    )
    assert found.blobs["data"].shape == [2, 3, 6, 6] and found.blobs["label"].shape == [2]
    found.forward()
    want = (pixels[:2, 1:7, 2:8, ::-1].transpose(0, 3, 1, 2).astype(np.float32) - 100) * 0.5
    np.testing.assert_array_equal(found.blobs["data"].data, want)
    assert found.blobs["label"].data.tolist() == [7, 8]
    found.forward()
    assert found.blobs["label"].data.tolist() == [9, 7]


def test_hdf5_rows_go_through_the_files(tmp_path: Path) -> None:
    h5py = pytest.importorskip("h5py")
    for i in range(2):
        with h5py.File(tmp_path / f"{i}.h5", "w") as file:
            file["data"] = np.arange(6.0).reshape(3, 2) + 10 * i
            file["label"] = np.arange(3.0) + 10 * i
    (tmp_path / "list.txt").write_text(f"{tmp_path}/0.h5\n{tmp_path}/1.h5\n")
    found = net(
        tmp_path,
        'layer { name: "d" type: "HDF5Data" top: "data" top: "label" '
        f'hdf5_data_param {{ source: "{tmp_path}/list.txt" batch_size: 4 }} }}',
    )
    seen = []
    for _ in range(2):
        found.forward()
        seen += found.blobs["label"].data.tolist()
    assert seen == [0, 1, 2, 10, 11, 12, 0, 1]


def write_database(kind: str, folder: str, records: dict[bytes, bytes]) -> None:
    if kind == "LMDB":
        lmdb = pytest.importorskip("lmdb")
        with lmdb.open(folder) as environment, environment.begin(write=True) as transaction:
            for key, value in records.items():
                transaction.put(key, value)
        return
    database = pytest.importorskip("plyvel").DB(folder, create_if_missing=True)
    for key, value in records.items():
        database.put(key, value)
    database.close()


@pytest.mark.parametrize("kind", ["LMDB", "LEVELDB"])
def test_a_database_is_read_in_the_order_of_its_keys(kind: str, tmp_path: Path) -> None:
    pixels = np.random.RandomState(0).randint(0, 256, (3, 1, 4, 5)).astype(np.uint8)
    datums = [caffe.io.array_to_datum(array, i + 1).SerializeToString() for i, array in enumerate(pixels)]
    write_database(kind, str(tmp_path / "db"), {f"{i:08}".encode(): datums[i] for i in (2, 0, 1)})
    found = net(
        tmp_path,
        'layer { name: "d" type: "Data" top: "data" top: "label" '
        f'data_param {{ source: "{tmp_path}/db" backend: {kind} batch_size: 2 }} transform_param {{ scale: 2 }} }}',
    )
    found.forward()
    np.testing.assert_array_equal(found.blobs["data"].data, pixels[:2].astype(np.float32) * 2)
    assert found.blobs["label"].data.tolist() == [1, 2]
    found.forward()
    np.testing.assert_array_equal(found.blobs["data"].data, pixels[[2, 0]].astype(np.float32) * 2)
    assert found.blobs["label"].data.tolist() == [3, 1]


def test_two_nets_read_one_lmdb_each_from_its_beginning(tmp_path: Path) -> None:
    """As those of training and testing do; Caffe opens it twice, a process of lmdb's only once."""
    pixels = np.random.RandomState(0).randint(0, 256, (3, 1, 4, 5)).astype(np.uint8)
    datums = [caffe.io.array_to_datum(array, i + 1).SerializeToString() for i, array in enumerate(pixels)]
    write_database("LMDB", str(tmp_path / "db"), {f"{i:08}".encode(): datum for i, datum in enumerate(datums)})
    text = (
        'layer { name: "d" type: "Data" top: "data" top: "label" '
        f'data_param {{ source: "{tmp_path}/db" backend: LMDB batch_size: 1 }} }}'
    )
    first = net(tmp_path, text)
    labels = [first.forward()["label"].item() for _ in range(2)]
    second = net(tmp_path, text)
    labels += [each.forward()["label"].item() for each in (first, second, first)]
    assert labels == [1, 2, 3, 1, 1]


def test_hdf5_output_is_written_at_each_forward(tmp_path: Path) -> None:
    h5py = pytest.importorskip("h5py")
    text = (
        'input: "x" input_shape { dim: 2 dim: 3 } input: "t" input_shape { dim: 2 }\n'
        f'layer {{ name: "o" type: "HDF5Output" bottom: "x" bottom: "t" hdf5_output_param {{ file_name: "{tmp_path}/o.h5" }} }}'
    )
    found = net(tmp_path, text)
    for value in (1, 2):
        found.forward(x=np.full((2, 3), value), t=np.full(2, -value))
        with h5py.File(tmp_path / "o.h5") as file:
            assert file["data"].shape == (2, 3, 1, 1) and (file["data"][()] == value).all()
            assert file["label"].shape == (2, 1, 1, 1) and (file["label"][()] == -value).all()
    with pytest.raises(RuntimeError, match=r"net.prototxt:2: layer 'o' \(HDF5Output\): cannot write '.*gone/o.h5'"):
        net(tmp_path, text.replace(f"{tmp_path}/o.h5", f"{tmp_path}/gone/o.h5"))


@pytest.mark.parametrize("layer", ["Data", "HDF5Data", "ImageData", "WindowData"])
def test_files_that_are_not_there_are_named(layer: str, tmp_path: Path) -> None:
    stem = {"Data": "data", "HDF5Data": "hdf5_data", "ImageData": "image_data", "WindowData": "window_data"}[layer]
    text = f'layer {{ name: "d" type: "{layer}" top: "x" top: "y" {stem}_param {{ source: "nowhere" batch_size: 1 }} }}'
    with pytest.raises(RuntimeError, match=f"layer 'd' \\({layer}\\): "):
        net(tmp_path, text)


def test_memory_data_gives_what_it_was_given(tmp_path: Path) -> None:
    found = net(
        tmp_path,
        'layer { name: "d" type: "MemoryData" top: "data" top: "label" '
        "memory_data_param { batch_size: 2 channels: 1 height: 2 width: 3 } }",
    )
    data = np.arange(24, dtype=np.float32).reshape(4, 1, 2, 3)
    found.set_input_arrays(data, np.arange(4, dtype=np.float32))
    for place in (0, 2, 0):
        found.forward()
        np.testing.assert_array_equal(found.blobs["data"].data, data[place : place + 2])
    with pytest.raises(RuntimeError, match="multiple of batch size"):
        found.set_input_arrays(data[:3].copy(), np.arange(3, dtype=np.float32))
    with pytest.raises(RuntimeError, match="float32"):
        found.set_input_arrays(data.astype(np.float64), np.arange(4, dtype=np.float32))


def test_dummy_data_draws_anew_but_for_constants(tmp_path: Path) -> None:
    caffe.set_random_seed(3)
    found = net(
        tmp_path,
        'layer { name: "d" type: "DummyData" top: "a" top: "b" dummy_data_param { shape { dim: 500 } '
        'data_filler { type: "gaussian" std: 2 } data_filler { type: "constant" value: 3 } } }',
    )
    first = found.forward()["a"].copy()
    found.blobs["b"].data[...] = 5
    second = found.forward()
    assert not np.array_equal(first, second["a"]) and 1.7 < second["a"].std() < 2.3
    assert (second["b"] == 5).all()
    caffe.set_random_seed(3)
    again = net(tmp_path, (tmp_path / "net.prototxt").read_text())
    np.testing.assert_array_equal(again.forward()["a"], first)


@pytest.mark.skipif(sys.platform == "win32", reason="has no FIFOs")
@pytest.mark.timeout(60)
@pytest.mark.parametrize("place", ["list", "file"])
def test_a_fifo_is_not_waited_for(place: str, tmp_path: Path) -> None:
    pytest.importorskip("h5py")
    fifo, listed = tmp_path / "fifo", tmp_path / "list.txt"
    os.mkfifo(fifo)
    listed.write_text(f"{fifo}\n")
    source = fifo if place == "list" else listed
    text = f'layer {{ name: "d" type: "HDF5Data" top: "data" hdf5_data_param {{ source: "{source}" batch_size: 2 }} }}'
    with pytest.raises(RuntimeError, match=f"'{fifo}' is no ordinary file"):
        net(tmp_path, text)
