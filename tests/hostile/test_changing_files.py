"""A weights file that is cut off, written to or replaced between load and use: an error that names it, or its old numbers; never SIGBUS."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest

import netsurgery
from netsurgery.files import copy
from netsurgery.formats.weights.tensor_files import write_tensors

DIGITS = Path(__file__).parents[2] / "fixtures" / "digits"

USES = """
import os, sys
from pathlib import Path
import numpy as np
import netsurgery
from netsurgery import pycaffe
from netsurgery.formats.weights.tensor_files import write_tensors

folder, damage = Path(sys.argv[1]), sys.argv[2]
prototxt, weights = folder / "deploy.prototxt", folder / "digits.caffemodel"
good = weights.read_bytes()
x = np.zeros((1, 1, 28, 28), np.float32)


def uses(net, caffe):
    yield "link", lambda: netsurgery.save_onnx(net, folder / "out.onnx", weights="link")
    yield "embed", lambda: netsurgery.save_onnx(net, folder / "out.onnx", weights="embed")
    yield "external", lambda: netsurgery.save_onnx(net, folder / "out.onnx", weights="external")
    yield "caffe", lambda: netsurgery.save_caffe(net, folder / "out.prototxt", folder / "out.caffemodel")
    yield "caffe2", lambda: netsurgery.save_caffe2(net, folder / "caffe2")
    yield "npz", lambda: write_tensors(folder / "out.npz", {"ip1": net["ip1"].weights[0]})
    yield "safetensors", lambda: write_tensors(folder / "out.safetensors", {"ip1": net["ip1"].weights[0]})
    yield "run", lambda: netsurgery.run(net, {"data": x})
    yield "verify", lambda: netsurgery.assert_equivalent(net, folder / "before.onnx")
    yield "diff", lambda: netsurgery.diff(net, netsurgery.load(prototxt, folder / "other.caffemodel"))
    yield "pycaffe", lambda: caffe.forward(data=x)
    yield "pycaffe.save", lambda: caffe.save(folder / "out2.caffemodel")
    yield "pycaffe.save_hdf5", lambda: caffe.save_hdf5(folder / "out.h5")


for number in range(100):
    weights.write_bytes(good)
    net, caffe = netsurgery.load(prototxt, weights), pycaffe.Net(str(prototxt), str(weights), pycaffe.TEST)
    netsurgery.save_onnx(net, folder / "before.onnx")
    (folder / "other.caffemodel").write_bytes(good)
    left = list(uses(net, caffe))[number:]
    if not left:
        break
    name, use = left[0]
    if damage == "cut":
        os.truncate(weights, 4096)
    else:
        with open(weights, "r+b") as file:
            file.write(good[:4096])
        os.utime(weights, ns=(1, 1))
    try:
        use()
        print(name, "went on")
    except netsurgery.WeightsError as error:
        print(name, str(error).splitlines()[0], flush=True)
"""


@pytest.mark.parametrize(("damage", "what"), [("cut", "it has 4096 bytes"), ("write", "it was written to")])
def test_a_file_that_changes_is_named_wherever_its_weights_are_used(tmp_path: Path, damage: str, what: str) -> None:
    pytest.importorskip("h5py")
    for name in ("deploy.prototxt", "digits.caffemodel"):
        shutil.copy(DIGITS / name, tmp_path)
    words = [sys.executable, "-c", USES, str(tmp_path), damage]
    done = subprocess.run(words, capture_output=True, text=True, cwd=Path(__file__).parents[2])
    assert (done.returncode, done.stderr) == (0, "")
    lines = dict(line.split(" ", 1) for line in done.stdout.splitlines())
    assert len(lines) == 13
    error = f"{tmp_path}/digits.caffemodel: has changed since it was read: {what}"
    assert lines == dict.fromkeys(lines, error)
    left = {"deploy.prototxt", "digits.caffemodel", "before.onnx", "other.caffemodel"}
    assert {file.name for file in tmp_path.iterdir() if file.is_file()} == left


def test_a_file_that_is_cut_off_while_it_is_copied_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    weights = Path(shutil.copy(DIGITS / "digits.caffemodel", tmp_path))
    net = netsurgery.load(DIGITS / "deploy.prototxt", weights)
    size = weights.stat().st_size

    def cut(source: int, offset: int, count: int, target: int) -> int:
        os.truncate(weights, 4096)
        return 0

    monkeypatch.setattr(copy, "_copy_file_range", cut)
    with pytest.raises(netsurgery.WeightsError) as raised:
        netsurgery.save_onnx(net, tmp_path / "out.onnx")
    assert str(raised.value) == (
        f"{weights}: has changed since it was read: it has 4096 bytes\n"
        f"  expected: the {size} bytes that were there\n"
        "  fix: load it again; to replace a file that is in use, write another one and rename it"
    )
    assert os.listdir(tmp_path) == ["digits.caffemodel"]


def test_a_file_that_is_replaced_keeps_its_old_numbers_and_hash(tmp_path: Path) -> None:
    weights, prototxt = (
        Path(shutil.copy(DIGITS / name, tmp_path)) for name in ("digits.caffemodel", "deploy.prototxt")
    )
    net = netsurgery.load(prototxt, weights)
    netsurgery.save_onnx(net, tmp_path / "before.onnx")
    (tmp_path / "new").write_bytes(b"something else")
    os.replace(tmp_path / "new", weights)
    netsurgery.save_onnx(net, tmp_path / "after.onnx")
    assert (tmp_path / "after.onnx").read_bytes() == (tmp_path / "before.onnx").read_bytes()
    write_tensors(tmp_path / "ip1.npz", {"ip1": net["ip1"].weights[0]})
    with np.load(tmp_path / "ip1.npz") as arrays:
        assert np.array_equal(arrays["ip1"], net["ip1"].weights[0])


def test_the_hash_of_a_prototxt_that_was_edited_since_is_not_recorded(tmp_path: Path) -> None:
    prototxt = Path(shutil.copy(DIGITS / "deploy.prototxt", tmp_path))
    net = netsurgery.load(prototxt, DIGITS / "digits.caffemodel")
    prototxt.write_text(prototxt.read_text() + "# edited\n")
    netsurgery.save_onnx(net, tmp_path / "out.onnx")
    recorded = {prop.key for prop in onnx.load(tmp_path / "out.onnx").metadata_props}
    assert "netsurgery.weights.sha256" in recorded
    assert "netsurgery.prototxt.sha256" not in recorded
