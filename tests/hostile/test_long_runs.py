"""Long runs: memory does not grow with images, descriptors not with loads, and threads do not disturb each other."""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

import netsurgery

DIGITS = Path(__file__).parents[2] / "fixtures" / "digits"
NET = (str(DIGITS / "deploy.prototxt"), str(DIGITS / "digits.caffemodel"))
IMAGES = int(os.environ.get("NETSURGERY_IMAGES", "2000"))
LOADS = int(os.environ.get("NETSURGERY_LOADS", "1000"))

GROWTH = """
import resource, sys
import netsurgery
from netsurgery import vision

prototxt, weights, folder, count, output = sys.argv[1:]
net = netsurgery.load(prototxt, weights)
images = [f"{folder}/{i}.png" for i in range(int(count))]


def peak(images):
    done = [one.error for one in vision.feature_files(net, images, ["conv1"], output, force=True)]
    assert done == [None] * len(images)
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


before = peak(images[:20])
print(peak(images) - before)
"""


def growth(count: int, folder: Path, output: str) -> float:
    """By how many MB the peak of memory is higher after `count` images than after 20."""
    for i in range(count):
        os.symlink(DIGITS / "sample_3.png", folder / f"{i}.png")
    words = [sys.executable, "-c", GROWTH, *NET, str(folder), str(count), str(folder / output)]
    done = subprocess.run(words, capture_output=True, text=True, cwd=Path(__file__).parents[2])
    assert done.returncode == 0, done.stderr
    return float(done.stdout)


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


def load_and_use(folder: Path, count: int) -> None:
    for number in range(count):
        net = netsurgery.load(*NET)
        if number % 10 == 0:
            netsurgery.save_onnx(net, folder / "model.onnx")


def job(folder: Path, number: int) -> tuple[bytes, bytes]:
    net = netsurgery.load(*NET)
    path = folder / f"{number}" / "model.onnx"
    path.parent.mkdir()
    netsurgery.save_onnx(net, path)
    x = np.random.default_rng(0).uniform(0, 1, (2, 1, 28, 28)).astype(np.float32)
    return path.read_bytes(), netsurgery.run(net, {"data": x})["prob"].tobytes()


def test_threads_give_what_one_gives(tmp_path: Path) -> None:
    (tmp_path / "alone").mkdir()
    alone = job(tmp_path / "alone", 0)
    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(lambda number: job(tmp_path, number), range(16)))
    assert all(result == alone for result in results)


@pytest.mark.skipif(sys.platform != "linux", reason="counts the descriptors in /proc")
def test_loads_leave_no_descriptor_open(tmp_path: Path) -> None:
    load_and_use(tmp_path, 2)
    before = descriptors()
    load_and_use(tmp_path, 30)
    assert descriptors() == before


@pytest.mark.hostile
@pytest.mark.skipif(sys.platform != "linux", reason="counts the descriptors in /proc")
def test_many_loads_leave_no_descriptor_open(tmp_path: Path) -> None:
    load_and_use(tmp_path, 2)
    before = descriptors()
    load_and_use(tmp_path, LOADS)
    assert descriptors() == before


@pytest.mark.hostile
@pytest.mark.timeout(36000)
@pytest.mark.skipif(sys.platform == "win32", reason="asks POSIX for the memory")
@pytest.mark.parametrize("output", ["features.npy", "features.npz", "features.h5", "folder"])
def test_memory_does_not_grow_with_images(tmp_path: Path, output: str) -> None:
    pytest.importorskip("PIL")
    more = growth(IMAGES, tmp_path, output)
    print(f"{output}: {more:.1f} MB more after {IMAGES} images")
    assert more < 50
