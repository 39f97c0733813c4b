"""Caffe's HDF5 snapshots: read as Caffe reads them, or refused."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from wire_cases import arrays

from netsurgery.errors import NetsurgeryError, ParseError, WeightsError
from netsurgery.files.mapped import locate
from netsurgery.formats.weights.caffemodel import read_caffemodel

h5py = pytest.importorskip("h5py")

WEIGHT = np.arange(36, dtype=np.float32).reshape(4, 1, 3, 3)
BIAS = np.array([0.5, 1, 2, 3], np.float32)


def save(path: Path, layers: dict[str, dict[str, np.ndarray]], **options: object) -> Path:
    """A snapshot as Caffe writes it."""
    with h5py.File(path, "w", **options) as file:
        for layer, blobs in layers.items():
            group = file.create_group(f"data/{layer}")
            for name, values in blobs.items():
                group.create_dataset(name, data=values)
    return path


def test_layers_and_blobs_are_read_by_name(tmp_path: Path) -> None:
    path = save(tmp_path / "a.caffemodel.h5", {"data": {}, "conv1": {"0": WEIGHT, "1": BIAS}, "ip": {"0": BIAS[:0]}})
    model = read_caffemodel(path)
    assert (model.vintage, model.precision, model.name) == ("HDF5", {"float32"}, "")
    assert [(x.name, x.type, len(x.blobs)) for x in model.layers] == [("conv1", "", 2), ("data", "", 0), ("ip", "", 1)]
    weight, bias = arrays(model.layers[0])
    assert np.array_equal(weight, WEIGHT)
    assert np.array_equal(bias, BIAS)
    assert arrays(model.layers[2])[0].shape == (0,)
    assert not weight.flags.writeable
    assert not any(blob.legacy for layer in model.layers for blob in layer.blobs if blob)
    with pytest.raises(ParseError) as caught:
        model.message()
    assert str(caught.value) == f"{path}: is an HDF5 file, which holds weights only\n  fix: give the prototxt as well"


@pytest.mark.parametrize("userblock", [0, 512, 2048])
def test_plain_values_are_views_of_the_file(tmp_path: Path, userblock: int) -> None:
    path = save(tmp_path / "a.h5", {"conv1": {"0": WEIGHT}}, userblock_size=userblock)
    (weight,) = arrays(read_caffemodel(path).layers[0])
    place = locate(weight)
    assert place is not None
    assert path.read_bytes()[place[1] :][: weight.nbytes] == WEIGHT.tobytes()


def test_other_ways_of_storing_are_converted(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        group = file.create_group("data/x")
        group.create_dataset("0", data=WEIGHT.astype(np.float64))
        group.create_dataset("1", data=WEIGHT.astype(np.float16))
        group.create_dataset("2", data=WEIGHT.astype(">f4"))
        group.create_dataset("3", data=WEIGHT.astype(np.int32))
        group.create_dataset("4", data=WEIGHT, chunks=True, compression="gzip")
        group.create_dataset("5", data=np.float32(7))
    model = read_caffemodel(path)
    assert model.precision == {"float16", "float32", "float64"}
    *stored, scalar = arrays(model.layers[0])
    for values in stored:
        assert values.dtype == np.float32
        assert np.array_equal(values, WEIGHT)
        assert not values.flags.writeable
    assert scalar.shape == ()
    assert scalar == 7


def test_shared_blobs_leave_a_hole(tmp_path: Path) -> None:
    path = save(tmp_path / "a.h5", {"a": {"0": WEIGHT, "1": BIAS}, "b": {"1": BIAS}, "c": {}})
    _, b, c = read_caffemodel(path).layers
    assert b.blobs[0] is None
    assert b.blobs[1] is not None
    assert np.array_equal(b.blobs[1].array, BIAS)
    assert c.blobs == ()


def test_a_slash_in_a_layer_name_is_a_group_in_a_group(tmp_path: Path) -> None:
    path = save(tmp_path / "a.h5", {"inc/1x1": {"0": WEIGHT}, "inc/3x3": {}, "inc/3x3/deep": {"0": BIAS}})
    assert [(x.name, len(x.blobs)) for x in read_caffemodel(path).layers] == [("inc/1x1", 1), ("inc/3x3/deep", 1)]


def refused(path: Path) -> str:
    with pytest.raises(WeightsError) as caught:
        read_caffemodel(path)
    return str(caught.value).removeprefix(f"{path}: ")


def test_other_hdf5_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        file["weights"] = WEIGHT
    assert refused(path) == "has no group 'data'\n  expected: a .caffemodel.h5 as Caffe writes it"
    with h5py.File(path, "w") as file:
        file["data"] = WEIGHT
    assert refused(path) == "has no group 'data'\n  expected: a .caffemodel.h5 as Caffe writes it"
    with h5py.File(path, "w") as file:
        file.create_group("data")
    assert refused(path) == "holds no layers\n  expected: a .caffemodel.h5 as Caffe writes it"
    with h5py.File(path, "w") as file:
        file["data/conv/kernel"] = WEIGHT
    assert refused(path) == "'conv/kernel' is no blob of a layer\n  expected: datasets named 0, 1, 2 ..."
    with h5py.File(path, "w") as file:
        file["data/conv/0"] = "text"
    assert refused(path) == "layer 'conv': blob 0 is of type object\n  expected: numbers"
    save(tmp_path / "other.h5", {"x": {"0": WEIGHT}})
    with h5py.File(path, "w") as file:
        file["data/conv"] = h5py.ExternalLink("other.h5", "data/x")
    assert refused(path) == "'conv' is a link to another file\n  expected: the values"
    with h5py.File(path, "w") as file:
        layout = h5py.VirtualLayout(shape=WEIGHT.shape, dtype=WEIGHT.dtype)
        layout[...] = h5py.VirtualSource("other.h5", "data/x/0", shape=WEIGHT.shape)
        file.create_group("data/conv").create_virtual_dataset("0", layout)
    assert refused(path) == "layer 'conv': the values of blob 0 are in another file\n  expected: the values"


def test_files_that_unpack_to_far_more_than_their_size_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        # Declared, never written: HDF5 makes zeros of it on reading.
        file.create_group("data/conv").create_dataset("0", shape=(2**20, 2**9), dtype="<f4", chunks=(1024, 512))
    tracemalloc.start()
    message = refused(path)
    assert tracemalloc.get_traced_memory()[1] < 1e7
    tracemalloc.stop()
    assert message == (
        "layer 'conv': blob 0 of shape 1048576x512 is larger than the file can hold\n"
        "  expected: values of at most 10 times the size of the file\n"
        "  fix: NETSURGERY_LIMITS=ratio=NUMBER in the environment sets another limit, NETSURGERY_LIMITS=off sets none"
    )


def test_groups_without_end_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        group = file.create_group("data/a")
        group["again"] = group
    assert refused(path) == (
        "more than 20000 groups, or 16 of them in each other\n  expected: a .caffemodel.h5 as Caffe writes it"
    )


def test_every_truncation_is_an_error(tmp_path: Path) -> None:
    data = save(tmp_path / "a.h5", {"conv": {"0": WEIGHT, "1": BIAS}}).read_bytes()
    for length in range(8, len(data), 61):
        path = tmp_path / "cut.h5"
        path.write_bytes(data[:length])
        assert refused(path).startswith("cannot be read as HDF5: ")


@settings(max_examples=150, deadline=2000, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_damaged_files_give_our_errors_only(tmp_path: Path, data: st.DataObject) -> None:
    whole = save(tmp_path / "a.h5", {"conv": {"0": WEIGHT, "1": BIAS}, "ip": {"0": BIAS}}).read_bytes()
    damaged = bytearray(whole)
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.integers(8, len(damaged) - 1))
        damaged[at] = data.draw(st.integers(0, 255))
    path = tmp_path / "damaged.h5"
    path.write_bytes(bytes(damaged))
    tracemalloc.start()
    with contextlib.suppress(NetsurgeryError):
        read_caffemodel(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 10 * len(damaged) + 1e6


def test_without_h5py_the_extra_is_named(tmp_path: Path) -> None:
    path = save(tmp_path / "a.h5", {"conv": {"0": WEIGHT}})
    script = (
        "import sys; sys.modules['h5py'] = None\n"
        "from netsurgery.formats.weights.caffemodel import read_caffemodel\n"
        "try: read_caffemodel(sys.argv[1])\n"
        "except Exception as error: print(error)"
    )
    done = subprocess.run([sys.executable, "-c", script, str(path)], capture_output=True, text=True, check=True)
    assert done.stdout == (
        f"{path}: is an HDF5 file, and h5py is not installed\n  fix: pip install 'netsurgery[hdf5]'\n"
    )
