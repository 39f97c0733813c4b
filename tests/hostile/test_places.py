"""FIFOs and devices, where files are due: reading them would wait for ever. And what reaches the terminal unasked."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import cases
import numpy as np
import pytest
from PIL import Image

import netsurgery
from netsurgery import NetsurgeryError, vision
from netsurgery.formats.manifest import find_models, read_manifest
from netsurgery.formats.preprocessing import read_mean
from netsurgery.verification.feeds import image_files
from netsurgery.verification.runtimes.recorded import open_opinion
from netsurgery.verification.times import time_net
from netsurgery.vision.labels import read_labels
from netsurgery.vision.samples import samples

DIGITS = cases.FIXTURES / "digits"
pytestmark = pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no FIFOs here")

READERS: dict[str, tuple[str, Callable[[Path], object]]] = {
    "net": ("net.prototxt", netsurgery.load),
    "weights": ("net.caffemodel", netsurgery.load),
    "its weights": ("net.caffemodel", lambda path: netsurgery.load(DIGITS / "deploy.prototxt", path)),
    "NetDef": ("init_net.pb", lambda path: netsurgery.load(path, path)),
    "model": ("m.onnx", lambda path: netsurgery.verify(netsurgery.load(DIGITS / "deploy.prototxt"), path)),
    "session": ("s.onnx", netsurgery.session),
    "times": ("t.onnx", lambda path: time_net(netsurgery.load(DIGITS / "deploy.prototxt"), path)),
    "recording": ("x.npz", lambda path: open_opinion(str(path))),
    "labels": ("labels.txt", read_labels),
    "image": ("x.png", vision.read_image),
    "list": ("list.txt", lambda path: list(samples(path))),
    "table": ("list.csv", lambda path: list(samples(path))),
    "arrays": ("x.h5", lambda path: list(samples(path))),
    "manifest": ("models.toml", read_manifest),
    "mean": ("mean.npy", lambda path: read_mean(str(path))),
    "plug-in": ("own.py", netsurgery.layers.load_plugin),
}


@pytest.mark.parametrize("device", ["FIFO", "device"])
@pytest.mark.parametrize("reader", READERS)
def test_what_is_no_file_is_not_read(reader: str, device: str, tmp_path: Path) -> None:
    name, read = READERS[reader]
    path = tmp_path / name
    if device == "FIFO":
        os.mkfifo(path)
    else:
        path.symlink_to("/dev/zero")
    with pytest.raises(NetsurgeryError) as caught:
        read(path)
    assert str(caught.value).startswith(f"{path}: ")


def test_folders_are_searched_for_files_alone(tmp_path: Path) -> None:
    net = (DIGITS / "deploy.prototxt").read_bytes()
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "deploy.prototxt").write_bytes(net)
    Image.fromarray(np.zeros((4, 4, 3), np.uint8)).save(tmp_path / "a" / "one.png")
    for name in ("deploy2.prototxt", "deploy.caffemodel", "two.png"):
        os.mkfifo(tmp_path / "a" / name)
    os.mkfifo(tmp_path / "b.prototxt")
    (model,) = find_models(tmp_path)
    assert (model.prototxt, model.weights) == (tmp_path / "a" / "deploy.prototxt", None)
    assert [Path(image.path).name for image in vision.find_images([tmp_path])] == ["one.png"]
    assert [path.name for path in image_files([tmp_path / "a"])] == ["one.png"]


def test_a_folder_with_a_fifo_is_converted(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from netsurgery.cli import main

    (tmp_path / "in").mkdir()
    for name in ("deploy.prototxt", "digits.caffemodel"):
        (tmp_path / "in" / name).write_bytes((DIGITS / name).read_bytes())
    os.mkfifo(tmp_path / "in" / "other.prototxt")
    monkeypatch.setattr("sys.argv", ["netsurgery", "convert", str(tmp_path / "in"), "-o", str(tmp_path / "out")])
    with pytest.raises(SystemExit) as ended:
        main()
    assert not ended.value.code, capfd.readouterr().err
    assert [path.name for path in (tmp_path / "out").rglob("*.onnx")] == ["deploy.onnx"]


def test_warnings_of_libraries_do_not_reach_the_terminal() -> None:
    code = (
        "import sys, warnings; from netsurgery import cli; sys.argv = ['netsurgery', '--version'{}]\n"
        "try: cli.main()\nexcept SystemExit: pass\nwarnings.warn('overflow', RuntimeWarning)"
    )
    quiet, loud = (
        subprocess.run([sys.executable, "-c", code.format(more)], capture_output=True, text=True, check=True).stderr
        for more in ("", ", '--debug'")
    )
    assert "overflow" not in quiet
    assert "overflow" in loud
