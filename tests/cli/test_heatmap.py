"""Heatmaps equal what Caffe computed, what the definition says, and what the original net says of each window."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import seeing
from heatmaps import Array
from seeing import LABELS, NET, PIXELS, call, digits, photo, picture, save

from netsurgery import vision
from netsurgery.vision import cache
from netsurgery.vision.colormap import colours
from netsurgery.vision.heatmap import plan
from netsurgery.vision.heatmap_job import Options
from netsurgery.vision.model import open_model
from netsurgery.vision.overlay import BRIGHTEST, DARKEST, MAP_SHARE


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *words: object) -> Any:
    return call(monkeypatch, capsys, "heatmap", *NET, *words, "-o", tmp_path / "maps", "--raw-scale", "1")


def test_the_command_writes_map_picture_overlay_and_summary(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    canvas = seeing.DIGITS / "canvas.png"
    code, out, err = run(
        tmp_path,
        monkeypatch,
        capsys,
        canvas,
        "--channel",
        "3",
        "--labels",
        LABELS,
        "--scales",
        "112",
        "--size",
        "image",
    )
    assert (code, out) == (0, "")
    assert err == f"pixels are fed as gray of 0 to 1\n1 of 1 heatmaps written to {tmp_path}/maps\n"
    folder = tmp_path / "maps"
    assert sorted(os.listdir(folder)) == ["canvas.json", "canvas.npy", "canvas.overlay.png", "canvas.png"]
    image = vision.read_image(canvas)
    want = vision.heatmap(digits(), image, scales=[112], channel="3", preprocessing=PIXELS, size="image")
    values = np.load(folder / "canvas.npy")
    assert values.dtype == np.float32 and np.abs(values - want.values).max() < 1e-5
    summary = json.loads((folder / "canvas.json").read_text())
    assert summary["range"] == pytest.approx(list(want.range), rel=1e-4, abs=1e-9)
    assert summary["score"] == pytest.approx(want.score, rel=1e-4)
    assert {key: summary[key] for key in ("blob", "channel", "label", "size", "map", "base", "reduce", "peak")} == {
        "blob": "prob", "channel": 3, "label": "3", "size": [112, 280], "map": [112, 280], "base": [28, 28], "reduce": "mean",
        "peak": list(want.peak),
    }  # fmt: skip
    assert summary["scales"][0]["input"] == [112, 280] and summary["scales"][0]["map"] == [22, 64]

    sixteen = picture(folder / "canvas.png")
    low, high = summary["range"]
    assert sixteen.dtype == np.uint16 and sixteen.min() == 0 and sixteen.max() == 65535
    assert np.abs(low + sixteen / 65535 * (high - low) - values).max() <= (high - low) / 65535

    over = picture(folder / "canvas.overlay.png")[:, :, :3].astype(int)
    figure = want.figure(vision.read_image(seeing.DIGITS / "canvas.png"))
    axes, bar = figure.axes
    assert over.shape[:2] == tuple(int(n) for n in figure.canvas.get_width_height()[::-1])

    def colour_at(row: float, column: float) -> Array:
        x, y = axes.transData.transform((column, row))
        return over[over.shape[0] - int(y) - 1, int(x)]

    y, x = (p + 0.5 for p in summary["peak"])
    black, white = (
        np.round(255 * ((1 - MAP_SHARE) * gray + MAP_SHARE * colours(np.array(1.0)) / 255))
        for gray in (DARKEST, BRIGHTEST)
    )
    assert (colour_at(y, x) >= black - 2).all() and (colour_at(y, x) <= white + 2).all()
    dark = np.round(255 * ((1 - MAP_SHARE) * DARKEST + MAP_SHARE * colours(np.array(0.0)) / 255))
    assert np.abs(colour_at(110.5, 1.5) - dark).max() <= 2  # black, the least value
    assert axes.get_title() == "prob: channel 3" and bar.get_ylabel() == "prob"
    assert (axes.get_xlim(), axes.get_ylim()) == ((0, 280), (112, 0))
    assert bar.get_ylim() == pytest.approx(want.range)
    steps = np.diff([float(tick) for tick in bar.get_yticks()])
    assert np.allclose(steps, 0.2)  # round numbers
    left, low, right, high = bar.get_window_extent().extents
    shades = over[over.shape[0] - int(high) + 4 : over.shape[0] - int(low) - 4, int(left + right) // 2].sum(axis=1)
    assert shades[0] > shades[-1] + 150 and (np.diff(shades) <= 2).all()
    assert (over[:5, -10:] == 255).all()  # paper


def test_finished_images_are_skipped_and_broken_ones_done_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for i in range(3):
        save(tmp_path / "in" / f"{i}.png", photo(np.random.default_rng(i)))
    words = (tmp_path / "in", "--scales", "28", "--channel", "3")
    assert run(tmp_path, monkeypatch, capsys, *words)[0] == 0
    folder = tmp_path / "maps"
    before = {f: (folder / f).stat().st_mtime_ns for f in sorted(os.listdir(folder))}
    (folder / "1.json").unlink()  # as if it had been broken off: the summary comes last
    code, _, err = run(tmp_path, monkeypatch, capsys, *words)
    assert code == 0 and err.endswith(f"1 of 3 heatmaps written to {folder}, 2 were there\n")
    after = {f: (folder / f).stat().st_mtime_ns for f in sorted(os.listdir(folder))}
    assert after.keys() == before.keys()
    assert {f[0] for f in after if after[f] != before[f]} == {"1"}
    # other options, or another net, are another run
    assert run(tmp_path, monkeypatch, capsys, *words[:3], "--channel", "4")[2].endswith(
        f"3 of 3 heatmaps written to {folder}\n"
    )
    again = run(tmp_path, monkeypatch, capsys, *words[:3], "--channel", "4", "--force")
    assert again[2].endswith(f"3 of 3 heatmaps written to {folder}\n")


def test_results_are_no_images_and_images_are_not_overwritten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    image = save(tmp_path / "in" / "a.png", photo(np.random.default_rng(0)))
    before = Path(image).read_bytes()
    words = ("heatmap", *NET, "--scales", "28", "--raw-scale", "1")
    for _ in range(2):  # in the second run there are pictures below the folder
        code, _, err = call(monkeypatch, capsys, *words, tmp_path / "in", "-o", tmp_path / "in" / "maps")
        assert code == 0 and " of 1 heatmaps written" in err
    for given in (tmp_path / "in", image, tmp_path / "in" / "*.png"):
        code, _, err = call(monkeypatch, capsys, *words, given, "-o", tmp_path / "in", "-q")
        assert (code, err) == (
            2,
            f"error: {image}: lies in the folder to which results go, and might be overwritten\n"
            "  fix: choose another folder for the results (-o)\n",
        )
    assert Path(image).read_bytes() == before


def test_unreadable_images_are_reported_and_the_rest_is_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    good = save(tmp_path / "good.png", photo(np.random.default_rng(0)))
    (tmp_path / "bad.png").write_text("no image")
    code, out, err = run(
        tmp_path, monkeypatch, capsys, tmp_path / "bad.png", good, tmp_path / "gone.png", "--scales", "28", "--json"
    )
    assert code == 2
    assert [list(x)[:2] for x in json.loads(out)] == [["image", "error"], ["image", "size"], ["image", "error"]]
    assert err == (
        "2 of 3 images failed:\n"
        f"  {tmp_path}/bad.png: cannot be read: it is no image of a format that Pillow knows, or it is damaged\n"
        "    expected: an image\n"
        f"  {tmp_path}/gone.png: there is no such file\n"
        "    expected: an image\n"
    )
    assert sorted(os.listdir(tmp_path / "maps")) == ["good.json", "good.npy", "good.overlay.png", "good.png"]


def test_maps_are_written_to_urls(tmp_path: Path) -> None:
    memory = pytest.importorskip("fsspec").filesystem("memory")
    image = save(tmp_path / "a.png", photo(np.random.default_rng(0)))
    options = Options(scales=(28,), channel=3)
    for done in (False, True):
        (one,) = vision.heatmaps(digits(), [image], "memory://maps/of", options=options, preprocessing=PIXELS)
        assert one.error is None and one.skipped is done
    files = sorted(memory.ls("/maps/of", detail=False))
    assert files == [f"/maps/of/a.{end}" for end in ("json", "npy", "overlay.png", "png")]
    assert json.loads(memory.cat_file("/maps/of/a.json"))["map"] == list(np.load(memory.open("/maps/of/a.npy")).shape)


def test_the_command_names_the_smallest_scale(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    code, _, err = run(tmp_path, monkeypatch, capsys, seeing.DIGITS / "canvas.png", "--scales", "24,28")
    assert code == 2 and err.endswith(
        "error: scale 24 is too small: 'prob' has no position there\n  expected: at least 25 pixels\n  fix: --scales 25,...\n"
    )
    assert not (tmp_path / "maps").exists()


def test_the_model_is_kept_in_the_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    image = save(tmp_path / "a.png", photo(np.random.default_rng(0)))
    assert run(tmp_path, monkeypatch, capsys, image, "--scales", "28", "--no-cache", "-q")[0] == 0
    assert not cache.folder().exists()
    monkeypatch.setattr(cache, "_program", lambda: "this one")  # someone may be editing the program
    for _ in range(2):
        assert run(tmp_path, monkeypatch, capsys, image, "--scales", "28", "--force", "-q")[0] == 0
        assert [sorted(os.listdir(p)) for p in cache.folder().iterdir()] == [["model.onnx"]]
    net = digits()
    other = net.with_weights("conv1", net["conv1"].weights[0] + np.float32(1), net["conv1"].weights[1])
    assert len({cache.key(net, ["prob"]), cache.key(other, ["prob"]), cache.key(net, ["ip1"])}) == 3
    assert cache.key(net, ["prob"]) == cache.key(digits(), ["prob"])


def test_the_cache_forgets_the_longest_unused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "LIMIT", 2500)
    for number, name in enumerate("abcd"):
        path = cache.cached_model(name, lambda path: path.write_bytes(b"x" * 1000))
        os.utime(path.parent, (number, number))
    assert sorted(p.name for p in cache.folder().iterdir()) == ["c", "d"]
    with pytest.raises(ZeroDivisionError):
        cache.cached_model("e", lambda path: 1 / 0)
    assert sorted(p.name for p in cache.folder().iterdir()) == ["c", "d"]


def test_many_images_are_held_a_few_at_a_time(tmp_path: Path) -> None:
    """Images of two sizes: results come in order, runs are batched by size, and few images are under way at once."""
    from netsurgery.vision.images import ImageFile
    from netsurgery.vision.pipeline import WINDOW, Job, Sample, stream

    paths = [save(tmp_path / f"{i:02d}.png", photo(np.random.default_rng(i), 30, 30 + i % 2)) for i in range(50)]
    made, maps = plan(digits(), None, Options(scales=(30,), channel=3), PIXELS)
    model = open_model(made, [maps.blob], free=True)
    batches = []
    run_batch = model.run
    model.run = lambda x: batches.append(x.shape) or run_batch(x)  # type: ignore[method-assign, func-returns-value]
    seen = {"prepared": 0, "finished": 0, "most": 0}

    class Counting(Job[str]):
        read = staticmethod(vision.read_image)

        def done(self, image: ImageFile) -> None:
            return None

        def prepare(self, image: Array) -> Sample:
            seen["prepared"] += 1
            seen["most"] = max(seen["most"], seen["prepared"] - seen["finished"])
            return maps.prepare(image)

        def finish(self, image: ImageFile, sample: Sample) -> str:
            return image.name

    names = []
    for one in stream(Counting(), model, vision.find_images(paths)):  # type: ignore[arg-type]
        seen["finished"] += 1
        names.append(one.result)
    assert names == [f"{i:02d}" for i in range(50)]
    assert seen["most"] <= 5 * WINDOW
    assert {shape[2:] for shape in batches} == {(28, 28), (30, 30), (30, 31)}
    assert max(shape[0] for shape in batches) >= 4
    assert sum(shape[0] for shape in batches if shape[2:] == (28, 28)) == 50
