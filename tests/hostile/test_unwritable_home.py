"""A home that cannot be written, as in a container: commands go on without a cache and say so once; nobody else writes there either."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from netsurgery.files.output import temporary_name
from netsurgery.vision import cache

ROOT = Path(__file__).parents[2]
DIGITS = ROOT / "fixtures" / "digits"
NET = (str(DIGITS / "deploy.prototxt"), str(DIGITS / "digits.caffemodel"))


def run(
    folder: Path, home: Path, *words: str, program: Sequence[str] = ("-m", "netsurgery")
) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("XDG_", "ORT_"))}
    environment |= {"HOME": str(home), "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        [sys.executable, *program, *words], cwd=folder, env=environment, capture_output=True, text=True
    )


@pytest.mark.skipif(sys.platform != "linux", reason="the cache is elsewhere")
def test_a_home_that_cannot_be_written_is_said_once(tmp_path: Path) -> None:
    pytest.importorskip("PIL")
    (tmp_path / "file").touch()
    home = tmp_path / "file" / "home"
    image = str(DIGITS / "sample_3.png")
    done = run(tmp_path, home, "features", *NET, image, "--output", "ip1", "-o", "out.npz", "--raw-scale", "1", "-q")
    note = f"note: {home}/.cache/netsurgery: models are not kept: Not a directory\n"
    assert (done.returncode, done.stdout, done.stderr) == (0, "", note)
    assert sorted(os.listdir(tmp_path)) == ["file", "out.npz"]


FULL = """
import os, sys
from netsurgery.cli import main
opened = os.open


def full(path, *rest, **options):
    return opened("/dev/full", os.O_WRONLY) if "/.cache/netsurgery/" in str(path) else opened(path, *rest, **options)


os.open = full
main()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="has no /dev/full")
def test_a_cache_on_a_full_disk_is_said_once(tmp_path: Path) -> None:
    pytest.importorskip("PIL")
    image = str(DIGITS / "sample_3.png")
    words = ("features", *NET, image, "--output", "ip1", "-o", "out.npz", "--raw-scale", "1", "-q")
    done = run(tmp_path, tmp_path, *words, program=("-c", FULL))
    note = f"note: {tmp_path}/.cache/netsurgery: models are not kept: No space left on device\n"
    assert (done.returncode, done.stdout, done.stderr) == (0, "", note)
    assert [file.name for file in tmp_path.rglob("*") if file.is_file()] == ["out.npz"]


def test_nothing_but_the_cache_is_written_in_the_home(tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    assert run(tmp_path, tmp_path / "home", "convert", *NET, "-o", "out.onnx", "--verify").returncode == 0
    assert os.listdir(tmp_path / "home") == []


def test_models_that_a_dead_process_was_making_are_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(cache, "folder", lambda: tmp_path / "models")
    own = tmp_path / "models" / f"{temporary_name('other')}.part"
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    dead = tmp_path / "models" / f"{temporary_name('other')}.part".replace(f"-{os.getpid()}.", f"-{process.pid}.")
    for place in (own, dead):
        place.mkdir(parents=True)
        (place / "model.onnx").write_bytes(b"half")
    model = cache.cached_model("name", lambda path: path.write_bytes(b"whole"))
    assert model is not None and model.read_bytes() == b"whole"
    assert sorted(os.listdir(tmp_path / "models")) == sorted([own.name, "name"])
