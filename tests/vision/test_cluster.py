"""A real Dask cluster of two worker processes does what one process does, also when a worker is killed."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cases
import numpy as np
import pytest
from seeing import LABELS, NET, PIXELS, call, digits, photo, picture, save

import netsurgery
from netsurgery import vision
from netsurgery.vision.images import ImageFile
from netsurgery.vision.pipeline import Job, Sample

distributed = pytest.importorskip("distributed")


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=":0", silence_logs=50
    ) as made:
        yield made


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def images(tmp_path: Path) -> list[str]:
    rng = np.random.default_rng(0)
    return [save(tmp_path / "in" / f"{i:03d}.png", photo(rng, 60, 90)) for i in range(40)]


def kill_one_when(cluster: Any, folder: Path, count: int, seen: dict[str, Any]) -> threading.Thread:
    """Kills a worker process once so many images are done."""

    def watch() -> None:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            done = len(list(folder.glob("*.json")))
            if done >= count:
                seen["pid"] = next(iter(cluster.workers.values())).pid
                os.kill(seen["pid"], signal.SIGKILL)
                seen["done"] = done
                return
            time.sleep(0.005)

    thread = threading.Thread(target=watch)
    thread.start()
    return thread


def test_a_worker_that_is_killed_takes_nothing_with_it(
    cluster: Any, images: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "maps"
    words = ("heatmap", *NET, "--raw-scale", "1", "--labels", LABELS, "--channel", "all", "--json")
    seen: dict[str, Any] = {}
    thread = kill_one_when(cluster, folder, 3, seen)
    urls = [f"file://{image}" for image in images]
    code, out, err = call(
        monkeypatch,
        capsys,
        *words,
        *urls,
        tmp_path / "gone.png",
        "-o",
        folder,
        "--scheduler",
        cluster.scheduler_address,
    )
    thread.join()
    assert 3 <= seen["done"] < 30, "the worker was not killed in mid-run"
    assert code == 2 and err.startswith("1 of 41 images failed:\n") and "gone.png: there is no such file" in err
    results = json.loads(out)
    assert [x["image"] for x in results] == [*urls, str(tmp_path / "gone.png")]  # each once, in order
    names = [f"{i:03d}" for i in range(40)]
    assert sorted(os.listdir(folder)) == sorted(
        f"{n}{end}" for n in names for end in (".json", ".npy", ".overlay.png", ".png")
    )
    for name in names[::13]:
        want = vision.heatmap(digits(), str(tmp_path / "in" / f"{name}.png"), channel="all", preprocessing=PIXELS)
        assert cases.difference(np.load(folder / f"{name}.npy"), want.values) == ""
        assert picture(folder / f"{name}.overlay.png").ndim == 3
    again = call(monkeypatch, capsys, *words[:-1], *urls, "-o", folder, "--scheduler", cluster.scheduler_address)
    assert again[0] == 0 and again[2].endswith(f"0 of 40 heatmaps written to {folder}, 40 were there\n")


def test_the_other_commands_run_on_the_cluster_as_here(
    cluster: Any, images: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    files, there = images[:20], ("--scheduler", cluster.scheduler_address)
    rest = ("--raw-scale", "1", "-q")
    outputs = []
    for where in ((), there):
        code, out, _ = call(monkeypatch, capsys, "classify", *NET, *files, *rest, "--json", *where)
        outputs.append(json.loads(out))
        assert code == 0
        folder = tmp_path / f"features{len(where)}"
        assert (
            call(monkeypatch, capsys, "features", *NET, *files, "--output", "ip1", "-o", folder, *rest, *where)[0] == 0
        )
        code, out, _ = call(
            monkeypatch,
            capsys,
            "patches",
            *NET,
            *files,
            "--unit",
            "conv2:5",
            "-o",
            tmp_path / f"p{len(where)}.png",
            *rest,
            "--json",
            *where,
        )
        outputs.append(json.loads(out))
    here, patches, on_cluster, patches_there = outputs
    assert [x["image"] for x in on_cluster] == files
    for a, b in zip(here, on_cluster, strict=True):
        assert [c["channel"] for c in a["classes"][:1]] == [c["channel"] for c in b["classes"][:1]]
        assert [c["score"] for c in a["classes"]] == pytest.approx(
            [c["score"] for c in b["classes"]], rel=1e-4, abs=1e-9
        )
    assert [(p["image"], p["window"]) for p in patches["conv2:5"]] == [
        (p["image"], p["window"]) for p in patches_there["conv2:5"]
    ]
    assert np.array_equal(picture(tmp_path / "p0.png"), picture(tmp_path / "p2.png"))
    for i in range(20):
        with (
            np.load(tmp_path / "features0" / f"{i:03d}.npz") as a,
            np.load(tmp_path / "features2" / f"{i:03d}.npz") as b,
        ):
            assert cases.difference(b["ip1"], a["ip1"]) == ""


def test_results_are_written_to_urls(
    cluster: Any, images: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("features", *NET, f"file://{tmp_path}/in/00*.png", "--output", "ip1", "-o", f"file://{tmp_path}/out", "-q")
    assert call(monkeypatch, capsys, *words, "--scheduler", cluster.scheduler_address)[0] == 0
    assert sorted(os.listdir(tmp_path / "out")) == [f"00{i}.npz" for i in range(10)]


class Deadly(Job[str]):
    """Kills the worker that reads the darkest image."""

    def prepare(self, image: np.ndarray[Any, Any]) -> Sample:
        if not image.any():
            os._exit(1)
        return Sample([np.zeros((1, 1, 28, 28), np.float32)])

    def finish(self, image: ImageFile, sample: Sample) -> str:
        return image.name


@pytest.mark.slow
def test_an_image_that_kills_workers_is_given_up(
    images: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import dask

    monkeypatch.syspath_prepend(Path(__file__).parents[2])  # the workers import Deadly from this file

    from netsurgery.vision.jobs import run_job

    save(tmp_path / "in" / "dark.png", np.zeros((9, 9), np.uint8))
    found = vision.find_images([*images[:3], str(tmp_path / "in" / "dark.png"), *images[3:10]])
    with (
        dask.config.set({"distributed.scheduler.allowed-failures": 0}),
        distributed.LocalCluster(
            n_workers=1, threads_per_worker=1, processes=True, dashboard_address=":0", silence_logs=50
        ) as made,
    ):
        done = list(run_job(Deadly(), digits(), ["prob"], found, scheduler=made.scheduler_address))
    assert [one.result for one in done] == ["000", "001", "002", None, *(f"{i:03d}" for i in range(3, 10))]
    assert str(done[3].error) == f"{tmp_path}/in/dark.png: every worker that took it was lost"


def test_a_scheduler_that_is_not_there_is_named(images: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("netsurgery.vision.cluster.PATIENCE", 1)
    with pytest.raises(netsurgery.NetsurgeryError) as refused:
        list(vision.classify_files(digits(), images, scheduler="tcp://127.0.0.1:9"))
    assert str(refused.value).startswith("the scheduler tcp://127.0.0.1:9 cannot be reached: ")
    assert "expected: the address of a Dask scheduler, such as tcp://host:8786" in str(refused.value)


def test_features_of_a_cluster_go_into_one_file(
    cluster: Any, images: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("features", *NET, *images, "--output", "ip1", "--raw-scale", "1", "-q")
    for name, where in (("here.npz", ()), ("there.npz", ("--scheduler", cluster.scheduler_address))):
        assert call(monkeypatch, capsys, *words, "-o", tmp_path / name, *where)[0] == 0
    with np.load(tmp_path / "here.npz") as here, np.load(tmp_path / "there.npz") as there:
        assert list(there["images"]) == list(here["images"]) == images
        assert cases.difference(there["ip1"], here["ip1"]) == ""


def test_scores_are_those_of_this_machine(
    cluster: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What `caffe test` averages, ranks and changes, for the reference and a converted model beside it."""
    folder = cases.FIXTURES / "score"
    net = digits()
    netsurgery.save_onnx(net.with_weights("ip2", *(-w for w in net["ip2"].weights)), tmp_path / "worse.onnx")
    words = ("score", folder / "train_val.prototxt", NET[1], folder / "list.txt", tmp_path / "worse.onnx", "--json")
    there = ("--scheduler", cluster.scheduler_address)
    said = [call(monkeypatch, capsys, *words, *where) for where in ((), there)]
    assert [code for code, _, _ in said] == [0, 0], said[1][2]
    here, far = (json.loads(out)["models"] for _, out, _ in said)
    assert [model["name"] for model in far] == ["reference", "worse.onnx"]
    assert far[0]["top-1"]["right"] == here[0]["top-1"]["right"] == 31
    assert far[1]["top-1"] == here[1]["top-1"] and far[1]["top-1"]["change"] < -0.5
    assert far[0]["outputs"] == pytest.approx(here[0]["outputs"], rel=1e-5)
    record = tmp_path / "scores.jsonl"
    limited = ("--limit", 20, "--record", record, *there)
    assert call(monkeypatch, capsys, *words, *limited)[0] == 0
    code, out, _ = call(monkeypatch, capsys, *words, "--record", record, *there)  # goes on where it was
    assert code == 0 and json.loads(out)["models"][0]["top-1"] == here[0]["top-1"]
    (tmp_path / "list.txt").write_text(f"{folder}/images/digit-1/0.png 1\ngone.png 3\n")
    words = ("score", *NET, tmp_path / "list.txt", "--resize", "28x28", *there)
    code, _, err = call(monkeypatch, capsys, *words)
    assert code == 2 and "gone.png: there is no such file" in err
    h5py = pytest.importorskip("h5py")
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file["data"], file["label"] = np.zeros((2, 1, 28, 28), np.float32), np.zeros(2)
    code, _, err = call(monkeypatch, capsys, "score", *NET, tmp_path / "x.h5", *there)
    assert (code, err.splitlines()[-3:]) == (
        2,
        [
            "error: sample 'x.h5:0' is no image file",
            "  expected: a list, a table or a folder of images, which the workers read",
            "  fix: leave out --scheduler",
        ],
    )
