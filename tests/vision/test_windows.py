"""Scores of windows are those of real caffe.Detector."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import cases
import numpy as np
import pytest
import seeing

import netsurgery
from netsurgery.errors import NetsurgeryError
from netsurgery.formats.preprocessing import Preprocessing
from netsurgery.vision.windows import Scored, classify_windows, read_windows

FOLDER = cases.FIXTURES / "pycaffe" / "detector_windows"
NET = str(FOLDER / "rcnn.prototxt"), str(FOLDER / "rcnn.caffemodel")
TABLE = cases.FIXTURES / "windows" / "windows.csv"
with np.load(cases.FIXTURES / "windows" / "scores.npz") as _recorded:
    CAFFE = dict(_recorded)
CASES = {
    "plain": (0, CAFFE["mean"]),
    "context": (3, CAFFE["mean"]),
    "channels": (5, np.load(FOLDER / "mean.npy")),
    "bare": (4, None),
}


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def scored(windows: list[Any], context: int, mean: Any, net: netsurgery.Net | None = None) -> list[Scored]:
    done = Preprocessing(mean=mean, scale=0.03)
    outcomes = classify_windows(
        net or netsurgery.load(*NET), windows, context=context, beside=FOLDER, preprocessing=done
    )
    found = []
    for one in outcomes:
        assert one.error is None, one.error
        found += one.result or []
    return found


@pytest.mark.parametrize("case", sorted(CASES))
def test_scores_are_those_of_caffe_detector(case: str) -> None:
    context, mean = CASES[case]
    windows = [row for row in read_windows(TABLE) if context or min(row[1]) >= 0]
    found = scored(windows, context, mean)
    assert [one.window for one in found] == [tuple(row) for row in CAFFE[f"{case}/windows"].tolist()]
    assert [one.filename for one in found] == sorted(row[0] for row in windows)
    got, want = np.stack([one.scores for one in found]), CAFFE[case]
    assert float(np.abs(got - want).max()) <= 1e-4 * float(np.abs(want).max())
    kernel, bias = netsurgery.load(*NET)["conv1"].weights
    net = netsurgery.load(*NET).with_weights("conv1", kernel * np.float32(1.01), bias)
    damaged = np.stack([one.scores for one in scored(windows, context, mean, net)])
    assert float(np.abs(damaged - want).max()) > 1e-3 * float(np.abs(want).max())


def test_many_windows_of_one_image_go_through_in_parts() -> None:
    windows = [("desk.png", (i % 5, i % 3, 10 + i % 7, 12 + i % 4)) for i in range(70)]
    many = scored(windows, 2, None)
    assert [one.window for one in many] == [window for _, window in windows]
    alone = scored([windows[41]], 2, None)[0]
    assert np.allclose(many[41].scores, alone.scores, atol=1e-5)


def test_a_window_that_makes_no_sense_leaves_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    boxes, desk = tmp_path / "boxes.csv", FOLDER / "desk.png"
    boxes.write_text(
        f"filename,ymin,xmin,ymax,xmax\n{desk},0,0,18,18\n{desk},9,9,3,3\n{desk},2,2,12,14\n{desk},-1,0,5,5\n"
    )
    common = ("classify", *NET, "--windows", boxes, "--scale", 0.03, "--no-cache", "--json")
    code, said, _ = seeing.call(monkeypatch, capsys, *common)
    told = json.loads(said)
    assert code == 2 and [one.get("window") for one in told] == [[0, 0, 18, 18], [2, 2, 12, 14], None, None]
    assert "the window 9, 9, 3, 3 of" in told[2]["error"] and "the window -1, 0, 5, 5 of" in told[3]["error"]
    boxes.write_text(f"filename,ymin,xmin,ymax,xmax\n{desk},2,2,12,14\n")
    (alone,) = json.loads(seeing.call(monkeypatch, capsys, *common)[1])
    assert alone["classes"][0]["score"] == pytest.approx(told[1]["classes"][0]["score"], rel=1e-5)


def test_tables_and_windows_that_make_no_sense_are_refused(tmp_path: Path) -> None:
    table = tmp_path / "boxes.csv"
    for text, problem in (
        (
            "filename,ymin,xmin\n",
            f"{table}: has no column ymax, xmax\n  expected: a first line with filename,ymin,xmin,ymax,xmax",
        ),
        (
            "filename,ymin,xmin,ymax,xmax\na.png,1,2,3\n",
            f"{table}:2: 'a.png,1,2,3,None'\n  expected: a file, and four whole numbers",
        ),
        (
            "filename,ymin,xmin,ymax,xmax\na.png,1,2,3,4.5\n",
            f"{table}:2: 'a.png,1,2,3,4.5'\n  expected: a file, and four whole numbers",
        ),
        ("filename,ymin,xmin,ymax,xmax\n", f"{table}: has no windows\n  expected: one a line"),
    ):
        table.write_text(text)
        with pytest.raises(NetsurgeryError) as refused:
            read_windows(table)
        assert str(refused.value) == problem
    table.write_text("xmax,filename,ymin,xmin,ymax,more\n4.0,a.png,1,2,3,x\n")
    assert read_windows(table) == [("a.png", (1, 2, 3, 4))]
    net = netsurgery.load(*NET)
    for window, context in (((-1, 0, 5, 5), 0), ((5, 5, 5, 9), 0), ((90, 90, 99, 99), 0), ((90, 90, 99, 99), 2)):
        (one,) = classify_windows(net, [("desk.png", window)], context=context, beside=FOLDER)
        assert "with pixels of the image in between" in str(one.error)
    with pytest.raises(NetsurgeryError, match="9 pixels of context in an input of 18x18"):
        list(classify_windows(net, [("desk.png", (0, 0, 5, 5))], context=9))
    with pytest.raises(NetsurgeryError, match="fix: --pixels-as pycaffe"):
        list(classify_windows(net, [("a.png", (0, 0, 5, 5))], preprocessing=Preprocessing(convention="caffe")))


def test_the_command_writes_the_table_of_detect_py(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    boxes, out = tmp_path / "boxes.csv", tmp_path / "scores.csv"
    boxes.write_text(TABLE.read_text().replace("desk", str(FOLDER / "desk")).replace("wall", str(FOLDER / "wall")))
    common = ("classify", *NET, "--windows", boxes, "--context-pad", 4, "--scale", 0.03, "--no-cache")
    code, _, err = seeing.call(monkeypatch, capsys, *common, "-o", out)
    assert code == 0 and err.endswith(f"{out}: 8 of 8 windows\n")
    with open(out, newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["filename", "ymin", "xmin", "ymax", "xmax", *(f"class{k}" for k in range(7))]
    got = np.array([[float(row[f"class{k}"]) for k in range(7)] for row in rows])
    assert float(np.abs(got - CAFFE["bare"]).max()) <= 1e-4 * float(np.abs(CAFFE["bare"]).max())
    code, said, _ = seeing.call(monkeypatch, capsys, *common, "--json", "-n", 1)
    told = json.loads(said)
    assert [one["classes"][0]["channel"] for one in told] == CAFFE["bare"].argmax(axis=1).tolist()
    assert told[0]["window"] == [0, 0, 18, 18]
    code, said, _ = seeing.call(monkeypatch, capsys, *common)
    assert code == 0 and said.count("score") == 8
    boxes.write_text(boxes.read_text() + "gone.png,0,0,5,5\n")
    code, _, err = seeing.call(monkeypatch, capsys, *common, "-o", out)
    assert code == 2 and "gone.png" in err and err.endswith("8 of 9 windows\n")
    for words, problem in (
        ((*common, FOLDER / "desk.png"), "error: images, --oversample or --resize beside --windows\n"),
        (("classify", *NET, FOLDER / "desk.png", "-o", out), "error: --context-pad and -o are for windows\n"),
    ):
        code, _, err = seeing.call(monkeypatch, capsys, *words)
        assert code == 2 and problem in err
