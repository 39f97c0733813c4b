"""Maps over images, their colours, and the figures around them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import seeing
from heatmaps import Array
from seeing import NET, PIXELS, call, digits

import netsurgery
from netsurgery import vision
from netsurgery.vision import picture_files
from netsurgery.vision.draughtsman import WORTH_IT, drawn
from netsurgery.vision.overlay import class_colours, classes

ROOT = Path(__file__).resolve().parents[2]

pytest.importorskip("matplotlib")


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *words: object) -> Any:
    return call(monkeypatch, capsys, "heatmap", *NET, *words, "-o", tmp_path / "maps", "--raw-scale", "1")


@pytest.mark.parametrize("ground", [0, 255])
def test_the_overlay_shows_the_map_on_dark_and_light_images(ground: int) -> None:
    values = np.linspace(0, 1, 200, dtype=np.float32)[None].repeat(160, axis=0)
    over = vision.overlay(np.full((160, 200, 3), ground, np.uint8), values)[:, :200].astype(int)
    luma = over @ np.array([0.299, 0.587, 0.114])
    assert luma[0, -1] - luma[0, 0] > 80 and (np.diff(luma[0]) > -1).all()
    steps = np.abs(np.diff(over[0, ::20], axis=0)).max(axis=1)
    assert (steps >= 10).all()  # a tenth of the range is seen


def test_the_overlay_of_classes_has_a_color_for_each_and_none_for_background() -> None:
    labels = (seeing.DIGITS / "labels.txt").read_text().split()
    canvas = vision.read_image(seeing.DIGITS / "canvas.png")
    found = vision.heatmap(digits(), canvas, scales=[112], channel="argmax", labels=labels, preprocessing=PIXELS)
    over = found.overlay(canvas)[:, :560].astype(int)
    numbers = found.at((112, 280)).repeat(2, axis=0).repeat(2, axis=1)
    gray = canvas.repeat(2, axis=0).repeat(2, axis=1)
    bare = numbers == 10
    assert np.abs(over - gray)[bare].max() <= 1 and 0.9 < bare.mean() < 1
    tints = {int(k): (over - gray * 0.24)[numbers == k].mean(axis=0) for k in np.unique(numbers) if k != 10}
    assert set(tints) == set(range(8))
    assert all(np.ptp(tint) > 40 for tint in tints.values())
    figure = found.figure(canvas)
    names = [text.get_text() for text in figure.legends[0].get_texts()]
    shares = np.bincount(found.values.astype(int).ravel(), minlength=11)
    assert {name.split()[0] for name in names} == {labels[k] for k in np.flatnonzero(shares)}
    assert (
        names[0] == f"background {shares[10] / shares.sum():.0%}" and figure.axes[0].get_title() == "prob: best class"
    )
    assert len({patch.get_facecolor() for patch in figure.legends[0].get_patches()}) == len(names) >= 8


def test_colours_of_classes_are_told_apart() -> None:
    """As far apart in CIE Lab, as they lie on middle gray, as red and orange at least; classes 2 and 7, 1 and 6, too."""
    flat = np.arange(16)[None].repeat(200, axis=0).repeat(20, axis=1)
    lab = to_lab(classes(np.full(flat.shape, 128, np.uint8), flat)[100, ::20][:16])
    apart = np.linalg.norm(lab[:, None] - lab[None], axis=2) + 1e9 * np.eye(16)
    assert apart[:11, :11].min() > 20 and apart.min() > 12
    assert min(apart[2, 7], apart[1, 6]) > 35
    many = class_colours(np.arange(200))
    assert len(np.unique(many, axis=0)) > 190


def to_lab(rgb: Array) -> Array:
    """CIE Lab of sRGB bytes. Source: IEC 61966-2-1, CIE 15"""
    x = rgb / 255
    linear = np.where(x <= 0.04045, x / 12.92, ((x + 0.055) / 1.055) ** 2.4)
    xyz = linear @ np.array([[0.4124, 0.2126, 0.0193], [0.3576, 0.7152, 0.1192], [0.1805, 0.0722, 0.9505]])
    f = np.cbrt(xyz / [0.9505, 1, 1.089])
    return np.stack([116 * f[:, 1] - 16, 500 * (f[:, 0] - f[:, 1]), 200 * (f[:, 1] - f[:, 2])], axis=1)


def test_top_takes_the_best_that_is_not_background(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    canvas = seeing.DIGITS / "canvas.png"
    words = (canvas, "--scales", 112, "--labels", seeing.LABELS, "--channel", "top")
    code, _, err = run(tmp_path, monkeypatch, capsys, *words)
    summary = json.loads((tmp_path / "maps" / "canvas.json").read_text())
    values = np.load(tmp_path / "maps" / "canvas.npy")
    assert code == 0 and summary["background"] == 10 and summary["channel"] != 10
    assert f"{canvas}: {summary['label']}, up to {values.max():.4g}\n" in err
    every = vision.heatmap(digits(), str(canvas), scales=[112], channel="all", preprocessing=PIXELS).values
    assert summary["channel"] == every[:10].reshape(10, -1).max(axis=1).argmax()
    assert run(tmp_path, monkeypatch, capsys, *words, "--background", "")[0] == 0
    assert json.loads((tmp_path / "maps" / "canvas.json").read_text())["channel"] == 10
    code, _, err = run(tmp_path, monkeypatch, capsys, *words, "--background", "sky")
    assert code == 2 and "there is no label 'sky'" in err


def test_without_matplotlib_the_extra_is_named_before_any_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    code, _, err = run(tmp_path, monkeypatch, capsys, seeing.DIGITS / "canvas.png", "-q")
    assert (code, err) == (
        2,
        "error: figures need matplotlib, which draws axes, bars and legends\n  fix: pip install 'netsurgery[vision]'\n",
    )
    assert not (tmp_path / "maps").exists()


def test_figures_drawn_in_another_process_are_the_same(tmp_path: Path) -> None:
    canvas = vision.read_image(seeing.DIGITS / "canvas.png")
    found = vision.heatmap(digits(), canvas, scales=[112], channel=3, preprocessing=PIXELS)
    assert drawn(vision.Heatmap.figure, found, canvas) == vision.figure_png(found.figure(canvas))
    with pytest.raises(netsurgery.NetsurgeryError, match="the process that draws figures has ended"):
        drawn(sys.exit, 3)
    assert drawn(vision.Heatmap.figure, found, canvas)[:4] == b"\x89PNG"


def test_many_images_are_drawn_in_another_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    monkeypatch.setattr(picture_files, "drawn", lambda make, *args: asked.append(make) or b"apart")
    for count, times in ((WORTH_IT - 1, 0), (WORTH_IT, WORTH_IT)):
        files = [seeing.save(tmp_path / str(count) / f"{i}.png", np.zeros((30, 30), np.uint8)) for i in range(count)]
        options = vision.Options(scales=(28,), channel=3)
        outcomes = vision.heatmaps(digits(), files, tmp_path / "maps", options=options, preprocessing=PIXELS)
        assert [one.error for one in outcomes] == [None] * count
        assert asked == [vision.Heatmap.figure] * times
        assert ((tmp_path / "maps" / "0.overlay.png").read_bytes() == b"apart") == bool(times)


def test_a_process_whose_figure_nobody_wants_ends_without_a_word() -> None:
    code = (
        "import os, pickle, subprocess, sys\n"
        "from netsurgery.vision.draughtsman import _started\n"
        "from netsurgery.vision.figures import new_figure\n"
        "process = _started()\n"
        "pickle.dump((new_figure, (2, 2)), process.stdin)\n"
        "process.stdin.close()\n"
        "process.stdout.close()\n"
        "print(process.wait())\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, timeout=120)
    assert (done.stdout, done.stderr) == ("0\n", "")
