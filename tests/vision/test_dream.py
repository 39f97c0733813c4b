"""Dreams are those of real Caffe, and what a photo must be for them."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import cases
import numpy as np
import pytest
import seeing
from PIL import Image

from netsurgery import vision
from netsurgery.errors import NetsurgeryError, ShapeError
from netsurgery.vision.ascent import moved_slope, total_variation
from netsurgery.vision.dream import zoom

pytest.importorskip("torch")

ROOT = cases.FIXTURES.parent
CANVAS = np.asarray(Image.open(seeing.DIGITS / "canvas.png").convert("L"))[20:76, 70:140]
SEVEN = np.asarray(Image.open(seeing.DIGITS / "sample_7.png").convert("L"))
LIKE_CAFFE = {"octaves": 3, "octave_scale": 1.3, "steps": 6, "rate": 2.0, "jitter": 0}


@pytest.mark.parametrize("case", ["plain", "guided"])
def test_dreams_are_those_of_real_caffe(case: str) -> None:
    guide = SEVEN if case == "guided" else None
    with np.load(cases.FIXTURES / "gradients" / "dream.npz") as recorded:
        want = recorded[case]
    net = seeing.digits()
    found = vision.dream(net, CANVAS, "conv2", guide=guide, preprocessing=seeing.PIXELS, **LIKE_CAFFE)  # type: ignore[arg-type]
    assert found.octaves == ((33, 42), (43, 54), (56, 70)) and found.value > 2 * found.start
    assert float(np.abs(found.blob - want).max()) < 1e-4
    kernel, bias = net["conv2"].weights
    damaged = net.with_weights("conv2", np.asarray(kernel) * np.linspace(1, 1.2, 24)[:, None, None, None], bias)
    other = vision.dream(damaged, CANVAS, "conv2", guide=guide, preprocessing=seeing.PIXELS, **LIKE_CAFFE)  # type: ignore[arg-type]
    assert float(np.abs(other.blob - want).max()) > 1e-2


def test_zoom_keeps_the_outermost_pixels() -> None:
    x = np.arange(12, dtype=np.float32).reshape(1, 3, 4)
    assert zoom(x, (5, 7))[0, 0].tolist() == [0, 0.5, 1, 1.5, 2, 2.5, 3]
    assert zoom(x, (5, 7))[0, :, 0].tolist() == [0, 2, 4, 6, 8]
    assert zoom(x, (3, 4)).tolist() == x.tolist()
    assert zoom(x, (1, 1)).tolist() == [[[0]]]


def test_slopes_come_back_to_where_the_image_is() -> None:
    """Of the square of each pixel the slope is twice the image, wherever it was moved."""
    x = np.arange(30, dtype=np.float32).reshape(1, 5, 6)
    for seed in range(5):
        value, slope = moved_slope(lambda y: (float((y**2).sum()), 2 * y), x, 3, np.random.default_rng(seed))
        assert np.array_equal(slope, 2 * x) and value == float((x**2).sum())


def test_the_slope_of_total_variation_is_its_derivative() -> None:
    x = np.random.default_rng(0).normal(size=(2, 4, 5))
    value, slope = total_variation(x, 0.01)
    steps = np.diff(x, axis=1)[:, :, :-1], np.diff(x, axis=2)[:, :-1]
    inner = np.sqrt(steps[0] ** 2 + steps[1] ** 2 + 1e-4).sum()
    edges = np.sqrt(np.diff(x[:, :, -1]) ** 2 + 1e-4).sum() + np.sqrt(np.diff(x[:, -1]) ** 2 + 1e-4).sum() + 2 * 0.01
    assert value == pytest.approx(inner + edges)
    for place in np.ndindex(*x.shape):
        near = x.copy()
        near[place] += 1e-6
        assert slope[place] == pytest.approx((total_variation(near, 0.01)[0] - value) / 1e-6, abs=1e-3)


def test_photos_and_blobs_that_make_no_dream_are_refused() -> None:
    net = seeing.digits()
    with pytest.raises(ShapeError, match=r"blob 'ip2' \(1, 11\) is no map"):
        vision.dream(net, CANVAS, "ip2", preprocessing=seeing.PIXELS)
    with pytest.raises(ShapeError) as refused:
        vision.dream(net, CANVAS[:20, :20], "conv2", octaves=4, preprocessing=seeing.PIXELS)
    assert str(refused.value) == (
        f"{seeing.NET[0]}:1: a photo of 20x20 makes an octave of 10x10, on which 'conv2' is no map\n"
        "  expected: a larger photo, or fewer octaves\n  fix: --octaves 1, or a blob before layers that want one size"
    )
    vision.dream(net, CANVAS[:20, :20], "conv2", octaves=1, steps=1, preprocessing=seeing.PIXELS)
    for options, text in (
        ({"octaves": 0}, "octaves is 0"),
        ({"rate": 0.0}, "a positive rate"),
        ({"octave_scale": 1.0}, "octave_scale greater"),
    ):
        with pytest.raises(NetsurgeryError, match=text):
            vision.dream(net, CANVAS, "conv2", **options)  # type: ignore[arg-type]


def test_the_command_writes_the_dream(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("dream", *seeing.NET, seeing.DIGITS / "canvas.png", "conv2", "--raw-scale", 1, "--octaves", 2)
    out = tmp_path / "dream.png"
    code, said, err = seeing.call(
        monkeypatch, capsys, *words, "--steps", 3, "--rate", 3, "--jitter", 2, "--json", "-o", out
    )
    told = json.loads(said)
    assert code == 0, err
    assert told["value"] > 1.5 * told["start"] and told["octaves"] == [[80, 200], [112, 280]]
    assert seeing.picture(out).shape == (112, 280, 3)


def test_the_page_of_style_transfer_runs(tmp_path: Path) -> None:
    (script,) = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "style.md").read_text("utf-8"), re.DOTALL)
    script = script.replace("range(80)", "range(3)").replace("(0, 79)", "(0, 2)")
    (tmp_path / "fixtures").symlink_to(cases.FIXTURES)
    command = [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(ROOT)!r})\n{script}"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300)
    first, last = (float(x) for x in re.findall(r"loss (\S+)", done.stdout))
    assert last < first, done.stderr
    assert seeing.picture(tmp_path / "style.png").shape == (112, 280)
