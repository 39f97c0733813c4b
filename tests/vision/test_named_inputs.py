"""Images that a folder or a table stands for are inputs, too; tables and records that are none end in one error."""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path

import pytest

from netsurgery import NetsurgeryError
from netsurgery.cli import main
from netsurgery.vision.accuracy import Tally
from netsurgery.vision.score_record import Record
from netsurgery.vision.windows import read_windows

DIGITS = Path(__file__).parents[2] / "fixtures" / "digits"
NET = (DIGITS / "deploy.prototxt", DIGITS / "digits.caffemodel")


@pytest.mark.parametrize("name", ["3.png", "link.png"])
def test_images_that_a_folder_or_a_table_names_are_not_overwritten(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    image = tmp_path / "images" / "3.png"
    output = image if name == image.name else tmp_path / name
    image.parent.mkdir()
    shutil.copy(DIGITS / "sample_3.png", image)
    if output != image:
        output.symlink_to(image)
    good = image.read_bytes()
    table = tmp_path / "images" / "boxes.csv"
    table.write_text("filename,ymin,xmin,ymax,xmax\n3.png,0,0,28,28\n")
    same = "" if output == image else f": it is the same file as {image}"
    error = [f"error: {output}: is read, and would be overwritten{same}\n", "  fix: another name for the output\n"]
    for words in (
        ("patches", *NET, image.parent, "--unit", "conv2:3", "-n", 1, "-o", output),
        ("classify", *NET, "--windows", table, "-o", output),
    ):
        monkeypatch.setattr(sys, "argv", ["netsurgery", *map(str, words), "-q"])
        with pytest.raises(SystemExit) as end:
            main()
        assert (end.value.code, capsys.readouterr().err.splitlines(keepends=True)[-2:]) == (2, error)
        assert image.read_bytes() == good


@pytest.mark.skipif(sys.platform == "win32", reason="has no FIFOs")
@pytest.mark.timeout(60)
def test_a_fifo_is_no_table_and_no_record(tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    for read in (lambda: read_windows(fifo), lambda: Record(fifo, {}).restore([])):
        with pytest.raises(NetsurgeryError, match=f"^{fifo}: is no ordinary file"):
            read()


@pytest.mark.parametrize(
    "batch",
    [{}, {"models": 3}, {"models": {"a": {"ranks": ["x"]}}}, {"models": {"a": {"ranks": [1], "outputs": 4}}}, []],
)
def test_a_record_of_another_form_is_named(tmp_path: Path, batch: object) -> None:
    path = tmp_path / "scores.jsonl"
    path.write_text(f"{json.dumps({'of': 'it'})}\n{json.dumps(batch)}\n")
    good = path.read_bytes()
    with pytest.raises(NetsurgeryError, match=f"^{path}: is no record of scores"):
        Record(path, {"of": "it"}).restore([Tally("a")])
    assert path.read_bytes() == good


def test_a_record_keeps_its_lines_whatever_happens(tmp_path: Path) -> None:
    path = tmp_path / "scores.jsonl"
    batch = {"samples": ["x"], "models": {"a": {"ranks": [0], "outputs": {}}}}
    whole = f"{json.dumps({'of': 'it'})}\n{json.dumps(batch)}\n"
    path.write_text(f"{whole}half")
    before = path.stat().st_ino
    with Record(path, {"of": "it"}) as record:
        assert record.restore([Tally("a")]) == 1
    assert (path.read_text(), path.stat().st_ino) == (whole, before)
