"""A disk that fills, at any point: one error, and the old output is what it was."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DIGITS = ROOT / "fixtures" / "digits"
NET = (str(DIGITS / "deploy.prototxt"), str(DIGITS / "digits.caffemodel"))
POINTS = int(os.environ.get("NETSURGERY_DISK_POINTS", "50"))

LIMITED = """
import resource, signal, sys
from netsurgery.cli import main
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # a write beyond the limit fails then, as on a full disk
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv.pop(1)),) * 2)
main()
"""

COMMANDS = {
    "convert": (("convert", *NET), "convert_out.onnx"),
    "external": (("convert", *NET, "--weights", "external"), "external_out.onnx"),
    "caffe2": (("convert", *NET, "--to", "caffe2"), "caffe2_out"),
    "save_caffe": (("operate", *NET, "--rename", "ip1=fc"), "save_caffe_out.prototxt"),
    "npz": (("features", *NET, "images", "--output", "conv1", "-q"), "npz_out.npz"),
    "npy": (("features", *NET, "images", "--output", "conv1", "-q"), "npy_out.npy"),
    "h5": (("features", *NET, "images", "--output", "conv1", "-q"), "h5_out.h5"),
    "heatmap": (("heatmap", *NET, "images", "--channel", "argmax", "-q"), "heatmap_out"),
    "record": (("record", *NET), "record_out.npz"),
    "mean": (("mean", "images"), "mean_out.binaryproto"),
    "draw": (("draw", *NET), "draw_out.html"),
    "filters": (("filters", *NET, "conv1"), "filters_out.png"),
    "verify": (("verify", *NET, "model.onnx"), "verify_out.html"),
}


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("PIL")
    folder = tmp_path_factory.mktemp("disk")
    (folder / "images").mkdir()
    for i in range(8):
        shutil.copy(DIGITS / "sample_3.png", folder / "images" / f"{i}.png")
    assert run(folder, 1 << 30, "convert", *NET, "-o", "model.onnx").returncode == 0
    return folder


def run(folder: Path, limit: int, *words: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "XDG_CACHE_HOME": str(folder / "cache"), "COLUMNS": "200"}
    return subprocess.run(
        [sys.executable, "-c", LIMITED, str(limit), *words], cwd=folder, env=environment, capture_output=True, text=True
    )


def files(place: Path) -> dict[str, bytes]:
    """The outputs, those that begin as the output's name does, and what is in them."""
    there = [p for p in place.parent.iterdir() if p.name.startswith(place.stem)]
    inner = [p for folder in there if folder.is_dir() for p in folder.iterdir()]
    return {str(p): p.read_bytes() for p in (*there, *inner) if p.is_file()}


def words_of(name: str) -> tuple[list[str], str]:
    words, output = COMMANDS[name]
    return [*words, "--html" if name == "verify" else "-o", output], output


def check(here: Path, name: str, limit: int) -> bool:
    """Whether the disk was full; that the outcome was right then."""
    words, output = words_of(name)
    old = files(here / output)
    done = run(here, limit, *words, *(["--force"] if name in ("heatmap",) else []))
    if done.returncode == 0:
        return False
    place = f"{name}, a disk of {limit} bytes\n{done.stdout}\n{done.stderr}"
    assert done.returncode == 2, place
    assert "Traceback" not in done.stderr and done.stderr.count("File too large") == (8 if name == "heatmap" else 1), (
        place
    )
    new = files(here / output)
    assert new == old or name == "heatmap", place
    assert not list(here.rglob("*.part")), place
    return True


@pytest.mark.skipif(sys.platform == "win32", reason="limits of POSIX")
@pytest.mark.parametrize("name", ["external", "npy", "h5"])
def test_a_disk_that_is_full_keeps_the_old_output(here: Path, name: str) -> None:
    words, output = words_of(name)
    first = run(here, 1 << 30, *words)
    assert first.returncode == 0, first.stderr
    assert files(here / output)
    assert check(here, name, 100)


@pytest.mark.hostile
@pytest.mark.skipif(sys.platform == "win32", reason="limits of POSIX")
@pytest.mark.parametrize("name", COMMANDS)
def test_a_disk_that_fills_at_random_points_keeps_the_old_output(here: Path, name: str) -> None:
    words, output = words_of(name)
    assert run(here, 1 << 30, *words).returncode == 0
    largest = max(map(len, files(here / output).values()))
    rng = random.Random(name)
    full = sum(check(here, name, rng.randrange(1, largest + 1)) for _ in range(max(1, POINTS // len(COMMANDS))))
    assert full
