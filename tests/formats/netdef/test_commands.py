"""Every command takes the two NetDefs of a net in either order, in binary and in text."""

from __future__ import annotations

import shutil
from pathlib import Path

import cases
import numpy as np
import pytest
from google.protobuf import text_format
from PIL import Image
from seeing import call

import netsurgery
from netsurgery._proto.caffe2 import new
from netsurgery.errors import ShapeError, Source
from netsurgery.exporters.caffe2.export import save_caffe2
from netsurgery.formats.netdef.wire import read_netdef
from netsurgery.verification.cross_check import shapes_to_compare
from netsurgery.verification.runtimes.caffe2 import declared_shapes

DIGITS = cases.FIXTURES / "digits"
ORDERS = [
    ("init_net.pb", "predict_net.pb"),
    ("predict_net.pb", "init_net.pb"),
    ("init_net.pb", "predict_net.pbtxt"),
    ("predict_net.pbtxt", "init_net.pb"),
    ("init_net.pbtxt", "predict_net.pbtxt"),
    ("predict_net.pb", "init_net.pbtxt"),
]
COMMANDS = [
    "convert A B -o x.onnx",
    "inspect A B",
    "operate A B --delete prob -o o.prototxt",
    "sizes A B conv1",
    "features A B img.png --output ip1 -o f.npz",
    "classify A B img.png",
    "filters A B conv1 -o f.png",
    "activations A B img.png conv1 -o a.png",
    "record A B -o r.npz",
    "diff A B deploy.prototxt digits.caffemodel",
    "diff deploy.prototxt digits.caffemodel A B",
    "verify A B m.onnx",
    "verify deploy.prototxt digits.caffemodel A B",
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("netdefs")
    for name in ("deploy.prototxt", "digits.caffemodel"):
        shutil.copy(DIGITS / name, path)
    net = netsurgery.load(path / "deploy.prototxt", path / "digits.caffemodel")
    save_caffe2(net, path)
    netsurgery.save_onnx(net, path / "m.onnx")
    for name in ("init_net", "predict_net"):
        proto = new("NetDef")
        proto.ParseFromString((path / f"{name}.pb").read_bytes())
        (path / f"{name}.pbtxt").write_text(text_format.MessageToString(proto))
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (28, 28), np.uint8)).save(path / "img.png")
    return path


@pytest.mark.parametrize("order", ORDERS, ids=" ".join)
def test_every_command_takes_them(
    order: tuple[str, str], folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(folder)
    for command in COMMANDS:
        words = [dict(zip("AB", order, strict=True)).get(word, word) for word in command.split()]
        code, out, err = call(monkeypatch, capsys, *words)
        assert code == 0, f"{command}: {out}{err}"


def test_what_upgrade_says_of_them_works(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(folder)
    assert call(monkeypatch, capsys, "upgrade", "init_net.pb", "predict_net.pb", "-o", "n.prototxt") == (
        2,
        "",
        "error: init_net.pb: is a NetDef of Caffe2's, which has no older form\n  expected: a prototxt, or a caffemodel\n"
        "  fix: netsurgery convert init_net.pb predict_net.pb -o NET.prototxt writes it as Caffe's\n",
    )
    words = "convert", "init_net.pb", "predict_net.pb", "-o", "n.prototxt"
    assert call(monkeypatch, capsys, *words)[0] == 0


def test_a_cross_check_takes_the_shapes_that_the_netdef_holds(folder: Path) -> None:
    proto = read_netdef(folder / "predict_net.pb")
    free: dict[str, tuple[int | None, ...] | None] = {"data": (None, 1, None, None)}
    source = Source("nets")
    assert shapes_to_compare(free, declared_shapes(proto), {}, source) == {"data": (1, 1, 28, 28)}
    assert shapes_to_compare(free, declared_shapes(proto), {"data": (2, 1, "H", "W")}, source) == {
        "data": (2, 1, 28, 28)
    }
    others = new("NetDef")
    with pytest.raises(ShapeError) as refused:
        shapes_to_compare({"data": None}, declared_shapes(others), {}, source)
    assert str(refused.value) == (
        "nets: the shape of input 'data' is free\n  expected: a shape to compare at\n  fix: --input-shape data=1,3,224,224"
    )
    assert shapes_to_compare({"data": None}, {}, {"data": (1, 3, 224, 224)}, source) == {"data": (1, 3, 224, 224)}
