"""Outputs: whole or not at all."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from netsurgery.errors import NetsurgeryError
from netsurgery.files.output import replacing, replacing_all


def test_outputs_appear_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "out"
    path.write_bytes(b"old")
    with pytest.raises(KeyError), replacing(path) as out:
        out.write(b"new")
        raise KeyError
    assert path.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["out"]
    with replacing(path) as out:
        out.write(b"new")
        assert path.read_bytes() == b"old"
    assert path.read_bytes() == b"new"
    assert [p.name for p in tmp_path.iterdir()] == ["out"]


@pytest.mark.skipif(sys.platform == "win32", reason="links and modes of POSIX")
def test_outputs_keep_links_and_follow_the_umask(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("real")
    (tmp_path / "real").write_bytes(b"old")
    with replacing(tmp_path / "link") as out:
        out.write(b"new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_bytes() == b"new"
    (tmp_path / "plain").touch()
    assert (tmp_path / "real").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_outputs_that_cannot_be_written_are_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    room = "\n  fix: choose a folder that exists, is writable and has room"
    path_of_a_file = "\n  expected: the path of a file"
    cases = {
        tmp_path: f"cannot be written: is a folder{path_of_a_file}",
        tmp_path / "none" / "out": f"cannot be written: No such file or directory{room}",
        tmp_path / "file" / "out": f"cannot be written: Not a directory{room}",
    }
    if os.path.exists("/dev/null"):
        cases[Path("/dev/null")] = f"cannot be written: is no ordinary file{path_of_a_file}"
    if os.path.exists("/dev/full"):
        cases[Path("/dev/full")] = f"cannot be written: is no ordinary file{path_of_a_file}"
    for path, expected in cases.items():
        with pytest.raises(NetsurgeryError) as caught, replacing(path):
            pass
        assert str(caught.value) == f"{path}: {expected}"


def test_files_that_belong_together_are_all_new_or_all_old(tmp_path: Path) -> None:
    a, b = tmp_path / "a", tmp_path / "b"
    a.write_bytes(b"old a")
    with replacing_all([a, b]) as files:
        for file in files:
            file.write(b"new")
        assert a.read_bytes() == b"old a"
        assert not b.exists()
    assert (a.read_bytes(), b.read_bytes()) == (b"new", b"new")
    with pytest.raises(KeyError), replacing_all([a, b]) as files:
        files[0].write(b"newer")
        raise KeyError
    with pytest.raises(ValueError, match="of the block"), replacing_all([a, b]):
        raise ValueError("of the block")
    # b cannot take its place at the very end: a, which could, is put back
    for in_the_way in (True, False):
        with pytest.raises(NetsurgeryError, match="cannot be written"), replacing_all([a, b]) as files:
            files[0].write(b"newest")
            if in_the_way:
                b.unlink()
                b.mkdir()
            else:
                next(tmp_path.glob(".b.*")).unlink()
        assert a.read_bytes() == b"new"
        assert sorted(p.name for p in tmp_path.iterdir()) == ["a", "b"]
        if in_the_way:
            b.rmdir()
            b.write_bytes(b"old b")
    assert b.read_bytes() == b"old b"
