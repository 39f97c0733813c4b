"""A cluster whose scheduler is killed: the run ends with an error that says so, and the next one does what is left."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Self

import numpy as np
import pytest
from seeing import NET, call, photo, save

pytest.importorskip("distributed")


@pytest.fixture
def images(tmp_path: Path) -> list[str]:
    rng = np.random.default_rng(0)
    return [save(tmp_path / "in" / f"{i:03d}.png", photo(rng, 60, 90)) for i in range(40)]


class Cluster:
    """A scheduler and a worker, each a process of its own."""

    def __init__(self, folder: Path) -> None:
        file = folder / "scheduler.json"
        self.processes = [
            subprocess.Popen(
                [sys.executable, "-m", f"distributed.cli.dask_{what}", "--scheduler-file", str(file), *more],
                stderr=subprocess.DEVNULL,
                cwd=folder,
            )
            for what, more in (
                ("scheduler", ("--port", "0", "--no-dashboard", "--host", "127.0.0.1")),
                ("worker", ("--no-nanny", "--nthreads", "1", "--no-dashboard")),
            )
        ]
        self.scheduler = self.processes[0]
        while not file.exists():  # the test's own time limit ends this
            time.sleep(0.05)
        self.address = json.loads(file.read_text())["address"]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *failure: object) -> None:
        for process in self.processes:
            process.kill()
            process.wait()


def test_a_scheduler_that_is_killed_ends_the_run_and_the_next_one_goes_on(
    images: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("netsurgery.vision.cluster.PATIENCE", 3)
    folder = tmp_path / "out"
    words = ("features", *NET, *images, "--output", "ip1", "-o", folder, "--raw-scale", "1", "-q")
    with Cluster(tmp_path) as made:

        def kill() -> None:
            while not list(folder.glob("*.npz")):
                time.sleep(0.002)
            made.scheduler.kill()

        thread = threading.Thread(target=kill)
        thread.start()
        code, out, err = call(monkeypatch, capsys, *words, "--scheduler", made.address)
        thread.join()
        assert (code, out) == (2, "")
        assert err == (
            f"error: the cluster is gone\n  expected: a scheduler at {made.address}\n  fix: start it again; what is finished is kept\n"
        )
    finished = {
        file: file.stat().st_ino for file in folder.glob("*.npz")
    }  # a file that is written again is another one
    assert 0 < len(finished) < len(images)
    (tmp_path / "scheduler.json").unlink()
    monkeypatch.setattr("netsurgery.vision.cluster.PATIENCE", 30)
    with Cluster(tmp_path) as made:
        assert call(monkeypatch, capsys, *words, "--scheduler", made.address)[0] == 0
    assert len(list(folder.glob("*.npz"))) == len(images)
    assert {file: file.stat().st_ino for file in finished} == finished
