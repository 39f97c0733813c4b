"""verify --cache: what has not changed is not compared again, and whatever a report depends on makes it a new one."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from verify_command import BAD, GOOD, NET, WEIGHTS, command, files, manifest

import netsurgery
from netsurgery.verification import cache
from netsurgery.verification.cache import Store, report_of
from netsurgery.verification.files import Task, sort_files
from netsurgery.verification.options import Comparing, Inputs
from netsurgery.verification.reports.report import Report

HERE = Comparing(timeout=0)
"""In this process: one of its own takes a second to start."""


def task(folder: Path, model: str = "good.onnx", **inputs: Any) -> Task:
    return Task(model, sort_files(files(folder, model)), inputs=Inputs(batches=(1,), **inputs), comparing=HERE)


def is_kept(report: Report, kept: Path) -> bool:
    return report.notes[-1:] == (f"taken from {kept}: nothing that it depends on has changed",)


@pytest.fixture
def own(folder: Path, tmp_path: Path) -> Path:
    """A copy of the folder whose files may be changed; they were last changed long ago."""
    copy = Path(shutil.copytree(folder, tmp_path / "own"))
    for path in copy.iterdir():
        os.utime(path, (1e9, 1e9))
    return copy


@pytest.mark.parametrize("model", ["good.onnx", "bad.onnx"])
def test_the_same_report_is_given_again(model: str, own: Path, tmp_path: Path) -> None:
    first = report_of(task(own, model), tmp_path / "kept")
    again = report_of(task(own, model), tmp_path / "kept")
    assert not is_kept(first, tmp_path / "kept")
    assert is_kept(again, tmp_path / "kept")
    assert replace(again, notes=first.notes, seconds=first.seconds) == first
    assert again.verdict == {"good.onnx": "agrees", "bad.onnx": "differs"}[model]
    assert str(again) == str(replace(first, notes=again.notes))


def changed_file(path: Path, at: int = -40) -> None:
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(bytes(data))


@pytest.mark.parametrize(
    "change",
    ["weights", "net", "model", "seed", "images", "version", "code", "environment"],
)
def test_what_a_report_depends_on_makes_a_new_one(
    change: str, own: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept, options = tmp_path / "kept", {}
    if change == "images":
        shutil.copytree(cache.PACKAGE.parent / "fixtures/pixels", own / "images", dirs_exist_ok=True)
        pictures = sorted(p for p in (own / "images").rglob("*") if p.suffix in (".png", ".jpg", ".bmp"))
        options["images"] = pictures[:1]
        assert pictures
    old = report_of(task(own, **options), kept)
    assert old.cases
    if change == "weights":
        changed_file(own / WEIGHTS.name)
    elif change == "net":
        (own / NET.name).write_text((own / NET.name).read_text() + "# a remark\n")
    elif change == "model":
        shutil.copy(own / "bad.onnx", own / "good.onnx")
    elif change == "seed":
        options["seed"] = 1
    elif change == "images":
        options["images"][0].write_bytes(pictures[0].read_bytes() + b" ")
    elif change == "version":
        monkeypatch.setattr(cache, "versions", lambda: {"netsurgery": "another"})
    elif change == "code":
        monkeypatch.setattr(cache, "_code", lambda: "another")
    elif change == "environment":
        monkeypatch.setattr(cache, "installed", lambda name: "another")
    assert not is_kept(report_of(task(own, **options), kept), kept)
    assert is_kept(report_of(task(own, **options), kept), kept)


@pytest.mark.parametrize("mode", ["external", "link"])
def test_weights_beside_a_model_are_part_of_it(mode: str, own: Path, tmp_path: Path) -> None:
    net = netsurgery.load(own / NET.name, own / WEIGHTS.name)
    netsurgery.save_onnx(net, own / "beside.onnx", weights=mode)
    other = own / "other"
    other.mkdir()
    shutil.copy(own / WEIGHTS.name, other / "its.caffemodel")
    old = Task("beside", sort_files([own / NET.name, other / "its.caffemodel", own / "beside.onnx"]), comparing=HERE)
    assert report_of(old, tmp_path / "kept").passed
    location = next(
        p
        for p in own.iterdir()
        if p.suffix in (".data", ".caffemodel") and (mode == "link") == (p.name == WEIGHTS.name)
    )
    data = bytearray(location.read_bytes())
    data[len(data) // 2 : len(data) // 2 + 400] = b"\x40" * 400
    location.write_bytes(bytes(data))
    report = report_of(old, tmp_path / "kept")
    assert not is_kept(report, tmp_path / "kept")
    assert not report.passed


@pytest.mark.parametrize("damage", ["empty", "cut short", "one bit", "of another version", "no report"])
def test_damaged_entries_are_passed_over_and_replaced(damage: str, own: Path, tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    first = report_of(task(own), kept)
    (entry,) = (kept / "reports").iterdir()
    data = entry.read_bytes()
    plain = json.loads(data.partition(b"\n")[2])
    texts = {"of another version": json.dumps({**plain, "field": 1}), "no report": json.dumps([1])}
    text = texts.get(damage, "").encode()
    entry.write_bytes(
        {
            "empty": b"",
            "cut short": data[: len(data) // 2],
            "one bit": data[:-10] + bytes([data[-10] ^ 1]) + data[-9:],
        }.get(damage, hashlib.sha256(text).hexdigest().encode() + b"\n" + text)
    )
    report = report_of(task(own), kept)
    assert not is_kept(report, kept)
    assert replace(report, seconds=0, cases=()) == replace(first, seconds=0, cases=())
    assert is_kept(report_of(task(own), kept), kept)


@pytest.mark.skipif(sys.platform != "linux", reason="has no /dev/full")
def test_a_full_disk_costs_the_copy_of_a_report_alone(
    own: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept, opened = tmp_path / "kept", os.open

    def full(path: str, *rest: int) -> int:
        return opened("/dev/full", os.O_WRONLY) if str(path).startswith(str(kept)) else opened(path, *rest)

    for file in own.iterdir():
        os.utime(file, (1e9, 1e9))
    monkeypatch.setattr(os, "open", full)
    for _ in range(2):
        report = report_of(task(own), kept)
        assert report.passed
        assert report.notes[-1] == f"not kept in {kept}: cannot be written: No space left on device"
    assert not [file for file in kept.rglob("*") if file.is_file()]


def test_what_could_not_be_compared_is_not_kept(own: Path, tmp_path: Path) -> None:
    report = report_of(task(own, ranges={"nobody": (0, 1), "data": (3, 1)}), tmp_path / "kept")
    assert report.error
    assert not (tmp_path / "kept" / "reports").exists()


def test_a_file_that_has_just_changed_is_read_again(own: Path, tmp_path: Path) -> None:
    """Its time may be that of the change before; what was still for a while is known by size and time."""
    store, path = Store(tmp_path / "kept"), own / "file"
    path.write_bytes(b"old")
    assert store.file_hash(str(path)) == hashlib.sha256(b"old").hexdigest()
    stamp = path.stat()
    path.write_bytes(b"new")
    os.utime(path, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    assert store.file_hash(str(path)) == hashlib.sha256(b"new").hexdigest()
    assert not (tmp_path / "kept").exists()
    os.utime(path, (1e9, 1e9))
    store.file_hash(str(path))
    assert len(list((tmp_path / "kept" / "files").iterdir())) == 1


@pytest.mark.parametrize("jobs", [1, 2])
def test_manifests_use_it_with_jobs(jobs: int, folder: Path, tmp_path: Path) -> None:
    arguments = ["--manifest", manifest(folder, GOOD, BAD), "--jobs", jobs, "--cache", tmp_path / "kept"]
    first = command(*arguments, "--json", tmp_path / "first.json", "-q")
    again = command(*arguments, "--json", tmp_path / "again.json", "-q")
    assert (first.exit_code, again.exit_code) == (1, 1)
    old, new = (json.loads((tmp_path / name).read_text())["models"] for name in ("first.json", "again.json"))
    assert all(m["notes"][-1].startswith("taken from ") for m in new)
    assert [m["cases"] for m in new] == [m["cases"] for m in old]
    assert not any("taken from" in note for m in old for note in m["notes"])


def test_a_folder_that_cannot_be_is_told(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = command(*files(folder, "good.onnx"), "--cache", tmp_path / "file" / "kept")
    assert str(done.exception) == (
        f"{tmp_path}/file/kept/files: cannot be made: Not a directory\n  expected: a folder for reports\n  fix: another --cache DIR"
    )
