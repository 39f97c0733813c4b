"""Processes that are killed at random moments: every output is the old one or the new one, never a half; the next run does the rest."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DIGITS = ROOT / "fixtures" / "digits"
NET = (str(DIGITS / "deploy.prototxt"), str(DIGITS / "digits.caffemodel"))
KILLS = int(os.environ.get("NETSURGERY_KILLS", "200"))
SIGNALS = ("SIGKILL", "SIGTERM", "SIGINT")
CODES = {"SIGKILL": {-9}, "SIGTERM": {143, -15}, "SIGINT": {130, -2}}

COMMANDS = {
    "convert": ("convert", *NET, "-o", "out/model.onnx", "--weights", "external"),
    "save_caffe": ("operate", *NET, "--rename", "ip1=fc", "-o", "out/model.prototxt"),
    "caffe2": ("convert", *NET, "--to", "caffe2", "-o", "out"),
    "features": ("features", *NET, "images", "--output", "conv1", "-o", "out/features.npz", "-q"),
    "hdf5": ("features", *NET, "images", "--output", "conv1", "-o", "out/features.h5", "-q"),
    "feature files": ("features", *NET, "images", "--output", "conv1", "-o", "out", "-q"),
    "heatmap": ("heatmap", *NET, "images", "--channel", "argmax", "-o", "out", "-q"),
    "folder": ("convert", "models", "-o", "out"),
}
TOGETHER = {"convert": ("model.onnx", "model.onnx.data"), "save_caffe": ("model.prototxt", "model.caffemodel")}


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("PIL")
    folder = tmp_path_factory.mktemp("kills")
    for i in range(6):
        (folder / "images").mkdir(exist_ok=True)
        shutil.copy(DIGITS / "sample_3.png", folder / "images" / f"{i}.png")
        (folder / "models" / f"{i}").mkdir(parents=True)
        shutil.copy(NET[0], folder / "models" / f"{i}" / "deploy.prototxt")
        shutil.copy(NET[1], folder / "models" / f"{i}" / "deploy.caffemodel")
    return folder


def start(here: Path, name: str) -> subprocess.Popen[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "XDG_CACHE_HOME": str(here / "cache")}
    words = [sys.executable, "-m", "netsurgery", *COMMANDS[name]]
    pipe = subprocess.PIPE
    return subprocess.Popen(words, cwd=here, env=environment, stdout=pipe, stderr=pipe, text=True)


def run(here: Path, name: str) -> dict[str, bytes]:
    process = start(here, name)
    out, err = process.communicate()
    assert process.returncode == 0, out + err
    return outputs(here)


def outputs(here: Path) -> dict[str, bytes]:
    """What lies in the folder of results, hidden files excepted."""
    files = [p for p in (here / "out").rglob("*") if p.is_file() and not p.name.startswith(".")]
    return {str(p.relative_to(here / "out")): p.read_bytes() for p in files}


def fresh(here: Path, old: dict[str, bytes]) -> None:
    shutil.rmtree(here / "out", ignore_errors=True)
    (here / "out").mkdir()
    for name, data in old.items():
        (here / "out" / name).parent.mkdir(parents=True, exist_ok=True)
        (here / "out" / name).write_bytes(data)


def kill_at_random(here: Path, name: str, sort: str, seconds: float, rng: random.Random) -> bool:
    """Whether the process was still there to be killed: at any moment of its life, or shortly after it began to write."""
    process = start(here, name)
    began = time.monotonic()
    if rng.random() < 0.5:
        time.sleep(rng.uniform(0, seconds))
    else:
        while process.poll() is None and not list((here / "out").rglob(".*")) and time.monotonic() - began < 60:
            time.sleep(0.001)
        time.sleep(rng.uniform(0, 0.03))
    process.send_signal(getattr(signal, sort))
    _, err = process.communicate()
    codes = {1} if "init_import_site" in err else {0, *CODES[sort]}  # Python itself was still at its beginning
    assert process.returncode in codes, f"{name} {sort}: exit code {process.returncode}\n{err}"
    return process.returncode != 0


def check(here: Path, name: str, sort: str, old: dict[str, bytes], seconds: float, rng: random.Random) -> bool:
    fresh(here, old)
    new = check.results[name]  # type: ignore[attr-defined]
    dead = kill_at_random(here, name, sort, seconds, rng)
    left = outputs(here)
    for file, data in left.items():
        assert data in (old.get(file), new.get(file)), f"{name} {sort}: {file} is neither old nor new"
    pair = [left[file] for file in TOGETHER.get(name, ()) if file in left]
    known = [[source.get(file) for file in TOGETHER.get(name, ())] for source in (old, new)]
    assert len(pair) < 2 or pair in known, f"{name} {sort}: half of the old, half of the new"
    if sort != "SIGKILL":
        parts = [p for p in (here / "out").rglob(".*") if p.name.endswith(".part")]
        assert not parts, f"{name} {sort}: {parts} left"
    again = run(here, name)
    assert {k: v for k, v in again.items() if k in new} == new, f"{name} {sort}: the next run gives something else"
    assert not list((here / "out").rglob(".*.part")), f"{name} {sort}: parts of the dead process left"
    return dead


def prepared(here: Path, name: str) -> tuple[dict[str, bytes], float]:
    """The old outputs to begin with, and how long a run takes; the new ones are kept in `check.results`."""
    fresh(here, {})
    run(here, name)  # fills the cache
    fresh(here, {})
    began = time.monotonic()
    new = run(here, name)
    seconds = time.monotonic() - began
    assert new
    check.results = {**getattr(check, "results", {}), name: new}  # type: ignore[attr-defined]
    whole = name in ("convert", "save_caffe", "features", "hdf5", "caffe2")
    return (dict.fromkeys(new, b"old") if whole else {}), seconds


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
def test_a_process_that_is_killed_leaves_no_half(here: Path) -> None:
    old, seconds = prepared(here, "convert")
    for sort in SIGNALS:
        check(here, "convert", sort, old, seconds, random.Random(sort))


@pytest.mark.hostile
@pytest.mark.timeout(36000)
@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
@pytest.mark.parametrize("name", COMMANDS)
def test_processes_that_are_killed_at_random_moments_leave_no_half(here: Path, name: str) -> None:
    old, seconds = prepared(here, name)
    rng = random.Random(name)
    dead = [check(here, name, SIGNALS[i % 3], old, seconds, rng) for i in range(-(-KILLS // len(COMMANDS)))]
    print(f"{name}: {sum(dead)} of {len(dead)} processes killed before their end")
    assert any(dead)


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
@pytest.mark.parametrize(("sort", "code"), [("SIGINT", 130), ("SIGTERM", 143)])
def test_an_interruption_that_a_library_makes_an_error_of_is_none_of_ours(tmp_path: Path, sort: str, code: int) -> None:
    plugin = tmp_path / "plugin.py"
    plugin.write_text(
        "import os, signal, time\n"
        f"try:\n    os.kill(os.getpid(), signal.{sort})\n    time.sleep(60)\n"
        "except BaseException:\n    raise SystemError('returned a result with an exception set') from None\n"
    )
    words = [sys.executable, "-m", "netsurgery", "inspect", NET[0], "--plugin", str(plugin)]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (code, "", "")
