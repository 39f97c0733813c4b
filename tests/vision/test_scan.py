"""Boxes are where the net says what it says of them, and on canvases of digits they are right."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cases
import numpy as np
import pytest
import seeing
from PIL import Image

import netsurgery
from netsurgery.errors import NetsurgeryError, ShapeError
from netsurgery.vision.labels import read_labels
from netsurgery.vision.scan import Detection, Scanning, scan

LABELS = read_labels(seeing.LABELS)
CANVAS = np.asarray(Image.open(seeing.DIGITS / "canvas.png").convert("L"))
MTCNN = cases.FIXTURES / "pycaffe" / "mtcnn_pyramid"


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def on_canvas(**options: Any) -> list[Detection]:
    how = Scanning(**{"labels": LABELS, "threshold": 0.9, **options})
    return scan(seeing.digits(), CANVAS, how, preprocessing=seeing.PIXELS)


def overlap(a: Detection, b: Detection) -> float:
    (l1, t1, r1, b1), (l2, t2, r2, b2) = a.box, b.box
    shared = max(0.0, min(r1, r2) - max(l1, l2)) * max(0.0, min(b1, b2) - max(t1, t2))
    return shared / ((r1 - l1) * (b1 - t1) + (r2 - l2) * (b2 - t2) - shared)


def test_a_box_has_the_score_that_the_net_gives_its_pixels() -> None:
    found = on_canvas(scales=(112,), per_class=True, overlap=1.0, threshold=0.3, background="")
    assert len(found) > 300 and {one.channel for one in found} >= {0, 3, 7, 10}
    for one in found[::29]:
        left, top, right, bottom = (round(x) for x in one.box)
        assert one.box == pytest.approx((left, top, right, bottom), abs=1e-6)
        assert (right - left, bottom - top) == (28, 28)
        window = CANVAS[top:bottom, left:right]
        scores = netsurgery.run(seeing.digits(), {"data": window[None, None] / np.float32(255)}, ["prob"])["prob"]
        assert one.score == pytest.approx(float(scores[0, one.channel]), abs=1e-5)
        assert one.label == LABELS[one.channel]


def test_recall_and_precision_on_canvases_of_digits() -> None:
    """What docs/scan.md says, on fewer canvases."""
    canvas, rng = seeing.canvas_module(), np.random.default_rng(5)
    digits, hits, total, count = canvas.held_out(), 0, 0, 0
    for _ in range(12):
        image, places = canvas.draw(*digits, rng)
        pixels = (image * 255 + 0.5).astype(np.uint8)
        found = scan(seeing.digits(), pixels, Scanning(labels=LABELS), preprocessing=seeing.PIXELS)
        total, count = total + len(places), count + len(found)
        for one in found:
            left, top, right, bottom = one.box
            at = [(top + bottom - 1) / 2, (left + right - 1) / 2]
            hits += any(digit == one.channel and max(abs(y - at[0]), abs(x - at[1])) <= 6 for digit, y, x in places)
    assert total >= 55 and hits / total >= 0.97 and hits / count >= 0.97


def test_no_two_boxes_overlap_and_the_background_is_none() -> None:
    found = on_canvas()
    assert 6 <= len(found) <= 9 and 10 not in {one.channel for one in found}
    assert [one.score for one in found] == sorted((one.score for one in found), reverse=True)
    assert max(overlap(a, b) for a in found for b in found if a is not b) <= 0.3
    more = on_canvas(overlap=0.7)
    assert max(overlap(a, b) for a in more for b in more if a is not b) > 0.3
    assert 10 in {one.channel for one in on_canvas(background="")}
    assert {one.channel for one in on_canvas(channel="7")} == {7}
    assert all(one.box[0] >= 0 and one.box[2] <= 280 and one.box[1] >= 0 and one.box[3] <= 112 for one in found)


def test_sizes_are_a_pyramid() -> None:
    sides = {one.side for one in on_canvas(threshold=0.2, overlap=1.0, smallest=20, factor=0.5, background="")}
    assert sides == {157, 78, 39}  # 112 * 28 / 20, and halves of it, down to the net's window
    assert {one.side for one in on_canvas(scales=(112, 90))} <= {112, 90}


def test_a_blob_moves_the_edges() -> None:
    net = netsurgery.load(MTCNN / "det1.prototxt", MTCNN / "det1.caffemodel")
    crowd = np.asarray(Image.open(MTCNN / "crowd.png").convert("RGB"))
    done = netsurgery.vision.Preprocessing(mean=127.5, scale=0.0078125, channel_order="rgb")
    how = {"scales": (48,), "channel": 1, "threshold": 0.6, "overlap": 1.0}
    plain = scan(net, crowd, Scanning(**how), output="prob1", preprocessing=done)  # type: ignore[arg-type]
    moved = scan(net, crowd, Scanning(**how, shift="conv4-2"), output="prob1", preprocessing=done)  # type: ignore[arg-type]
    x = ((crowd.astype(np.float32) - 127.5) * 0.0078125).transpose(2, 0, 1)[None]
    values = netsurgery.run(net, {"data": x}, ["prob1", "conv4-2"])
    assert len(plain) == len(moved) == int((values["prob1"][0, 1] >= 0.6).sum()) > 5
    for one, other in zip(plain, moved, strict=True):
        left, top, right, bottom = one.box
        assert (right - left, bottom - top) == (12, 12)
        shift = values["conv4-2"][0, :, int(top) // 2, int(left) // 2]
        edges = np.clip(np.array(one.box) + 12 * shift, 0, 48)
        assert other.box == pytest.approx(edges, abs=1e-3) and one.score == other.score


def test_what_makes_no_sense_is_refused() -> None:
    with pytest.raises(NetsurgeryError, match="overlap 2"):
        Scanning(overlap=2)
    with pytest.raises(NetsurgeryError, match="an overlap from 0 to 1, a factor between 0 and 1"):
        Scanning(factor=1)
    with pytest.raises(NetsurgeryError, match="there is no label 'cat'"):
        on_canvas(background="cat")
    with pytest.raises(ShapeError, match="moves no boxes"):
        on_canvas(shift="ip1")
    with pytest.raises(NetsurgeryError) as refused:
        on_canvas(threshold=-1.0, per_class=True, smallest=5)
    assert "windows score -1 or more\n  expected: at most 20000\n  fix: a higher --threshold" in str(refused.value)
    with pytest.raises(ShapeError, match="scale 20 is too small"):
        on_canvas(scales=(20,))


def test_the_command_writes_boxes_and_goes_on_where_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("matplotlib")
    common = ("--labels", seeing.LABELS, "--raw-scale", 1, "--threshold", 0.9, "-o", tmp_path)
    words = ("scan", *seeing.NET, seeing.DIGITS / "canvas.png", *common)
    code, said, err = seeing.call(monkeypatch, capsys, *words, "--json")
    assert code == 0, err
    (told,) = json.loads(said)
    written = json.loads((tmp_path / "canvas.json").read_text())
    assert told == written and len(told["boxes"]) >= 6
    assert [b["box"] for b in told["boxes"]] == [[round(x, 2) for x in d.box] for d in on_canvas()]
    assert seeing.picture(tmp_path / "canvas.boxes.png").shape[1] > 500
    code, _, err = seeing.call(monkeypatch, capsys, *words)
    assert (code, err.splitlines()[-1]) == (
        0,
        f"{len(told['boxes'])} boxes on 1 of 1 images, in {tmp_path}, 1 were there",
    )
    assert ", 1 were there" not in seeing.call(monkeypatch, capsys, *words, "--force")[2]
