"""Reports as JUnit, JSON, HTML and Markdown; models checked in bulk; numbers recorded. From the command line, as CI uses them."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from verify_command import NET, WEIGHTS, command, files, first_blob, run_cli


def record(*arguments: object) -> Any:
    return run_cli("record", *arguments)


def test_recorded_numbers_are_held_to(folder: Path, tmp_path: Path) -> None:
    done = record(NET, WEIGHTS, "-o", tmp_path / "a.npz", "--batch", 2, "--seed", 5)
    assert done.exit_code == 0
    assert done.stderr.splitlines()[-1] == f"{tmp_path / 'a.npz'}: 1 runs of prob, computed by netsurgery.run (float64)"
    record(NET, WEIGHTS, "-o", tmp_path / "b.npz", "--batch", 2, "--seed", 5)
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()
    record(NET, WEIGHTS, "-o", tmp_path / "c.npz", "--batch", 2, "--seed", 6, "--every-blob")
    with np.load(tmp_path / "c.npz") as arrays:
        about = json.loads(str(arrays["netsurgery"]))
        assert {key for key in arrays.files if key.startswith("0/in/")} == {"0/in/data"}
        assert len([key for key in arrays.files if key.startswith("0/out/")]) > 5
        assert arrays["0/out/prob"].dtype == np.float32
    assert about["sha256"]["weights"] == hashlib.sha256(WEIGHTS.read_bytes()).hexdigest()
    assert about["seed"] == 6
    assert command(*files(folder, "good.onnx"), "--against", tmp_path / "c.npz").exit_code == 0
    bad = command(*files(folder, "bad.onnx"), "--against", tmp_path / "c.npz")
    assert bad.exit_code == 1
    assert f"DIFFERS from blob '{first_blob(folder)}'" in bad.stdout


def test_numbers_recorded_from_another_file_are_told(folder: Path, tmp_path: Path) -> None:
    record(NET, WEIGHTS, "-o", tmp_path / "a.npz", "--batch", 1)
    text = NET.read_text() + "# changed\n"
    (tmp_path / "deploy.prototxt").write_text(text)
    found = command(tmp_path / "deploy.prototxt", WEIGHTS, folder / "good.onnx", "--against", tmp_path / "a.npz")
    assert found.exit_code == 0
    assert "a.npz was recorded from another prototxt file (sha256 " in found.stdout


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"nothing", None])
def test_what_is_no_recording_is_told(content: bytes | None, folder: Path, tmp_path: Path) -> None:
    if content is None:
        np.savez(tmp_path / "a.npz", x=np.zeros(3))
    else:
        (tmp_path / "a.npz").write_bytes(content)
    found = command(*files(folder, "good.onnx"), "--against", tmp_path / "a.npz")
    assert found.exit_code == 2
    assert "a.npz: " in found.stderr
