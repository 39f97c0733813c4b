"""Heatmaps equal what Caffe computed, what the definition says, and what the original net says of each window."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import cases
import numpy as np
import pytest
import seeing
from seeing import LABELS, NET, PIXELS, call, canvas_module, color_net, digits, photo, picture, save

import netsurgery
from netsurgery import vision
from netsurgery.formats.load import from_text
from netsurgery.formats.preprocessing import Preprocessing
from netsurgery.vision import cache
from netsurgery.vision.colormap import colours
from netsurgery.vision.heatmap import Options, plan
from netsurgery.vision.model import open_model
from netsurgery.vision.overlay import BRIGHTEST, DARKEST, MAP_SHARE

MEMNET = cases.FIXTURES / "conformance" / "surgery" / "memnet_slim"
AS_IT_IS = Preprocessing(raw_scale=1, channel_order="rgb")
Array = np.ndarray[Any, Any]


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def test_the_map_of_a_single_scale_is_what_caffe_computed() -> None:
    net, recorded = cases.load(MEMNET), cases.runs(MEMNET)
    assert [o["fc8-euclidean"].shape[2:] for _, o in recorded] == [(1, 1), (2, 2), (3, 3), (4, 4), (8, 8), (4, 7)]
    damaged = net.with_weights("conv1", net["conv1"].weights[0] * np.float32(1.001), net["conv1"].weights[1])
    for inputs, outputs in recorded:
        image = inputs["data"][0].transpose(1, 2, 0)
        side, want = min(image.shape[:2]), outputs["fc8-euclidean"][0, 0]
        found = vision.heatmap(net, image, scales=[side], preprocessing=AS_IT_IS)
        assert found.inputs == (image.shape[:2],) and found.sides == (side,)
        assert cases.difference(found.values, want) == "" and cases.difference(found.maps[0], want) == ""
        other = vision.heatmap(damaged, image, scales=[side], preprocessing=AS_IT_IS)
        assert cases.difference(other.values, want) != ""


def stretched(x: Array, size: tuple[int, int]) -> Array:
    """Bilinear, edge to edge, one axis after the other (numpy.interp)."""
    for axis, n in enumerate(size):
        places = (np.arange(n) + 0.5) * x.shape[axis] / n - 0.5
        x = np.apply_along_axis(lambda line, at: np.interp(at, np.arange(len(line)), line), axis, x, places)
    return x


def test_the_averaged_map_is_what_the_definition_says() -> None:
    """Computed here in another way, by the interpreter: receptive fields of 355 pixels from -64 on, 32 apart (227 declared)."""
    net = cases.load(MEMNET)
    image = cases.runs(MEMNET)[5][0]["data"][0].transpose(1, 2, 0)[:260]  # 260 x 420
    found = vision.heatmap(net, image, preprocessing=AS_IT_IS)
    fully = netsurgery.convolutionalize(net)
    centre = -64 + (355 - 1) / 2
    maps, sizes = [], []
    for side in (227, 259, 323, 451):
        size = (side, round(side * 420 / 260))
        blob = stretched(image, size).transpose(2, 0, 1)[None].astype(np.float32)
        maps.append(netsurgery.run(fully, {"data": blob}, ["fc8-euclidean"])["fc8-euclidean"][0, 0])
        sizes.append(size)
    assert found.inputs == tuple(sizes) and [m.shape[0] for m in maps] == [1, 2, 4, 8]
    h, w = maps[-1].shape
    total = np.zeros((h, w))
    for one, (rows, columns) in zip(maps, sizes, strict=True):
        for i in range(h):
            for j in range(w):
                y = ((centre + 32 * i + 0.5) / sizes[-1][0] * rows - 0.5 - centre) / 32
                x = ((centre + 32 * j + 0.5) / sizes[-1][1] * columns - 0.5 - centre) / 32
                line = [np.interp(x, np.arange(one.shape[1]), row) for row in one]
                total[i, j] += np.interp(y, np.arange(one.shape[0]), line)
    want = (total / 4).astype(np.float32)
    assert cases.difference(found.values, want) == ""
    assert cases.difference(found.maps[-1], want) != ""  # one scale is not their average
    greatest = vision.heatmap(net, image, preprocessing=AS_IT_IS, reduce="max")
    assert (greatest.values >= found.values).all() and (greatest.values > found.values).any()
    base = stretched(image, (227, 227)).transpose(2, 0, 1)[None].astype(np.float32)
    score = netsurgery.run(net, {"data": base}, ["fc8-euclidean"])["fc8-euclidean"]
    assert found.score == pytest.approx(float(score[0, 0]), rel=1e-4)


def test_each_position_says_what_the_original_net_says_of_its_window() -> None:
    """No padding, no clipped pooling: the window of the declared size at (4 i, 4 j)."""
    image = np.random.default_rng(0).random((40, 52, 1)).astype(np.float32)
    found = vision.heatmap(digits(), image, scales=[40], channel="all", preprocessing=PIXELS)
    windows = [image[4 * i : 4 * i + 28, 4 * j : 4 * j + 28, 0] for i in range(4) for j in range(7)]
    want = netsurgery.run(digits(), {"data": np.stack(windows)[:, None]}, ["prob"])["prob"]
    assert cases.difference(found.values, want.T.reshape(11, 4, 7)) == ""
    assert found.first == (13.5, 13.5) and found.stride == (4.0, 4.0)


def test_each_position_of_a_padded_net_says_the_same_wherever_its_whole_window_is_seen() -> None:
    """Receptive fields of 355 pixels, 32 apart: positions 2 to 5 of 8 see no border at 451, position 2 of 5 none at 355."""
    net = cases.load(MEMNET)
    image = cases.runs(MEMNET)[4][0]["data"][0].transpose(1, 2, 0)
    whole = vision.heatmap(net, image, scales=[451], preprocessing=AS_IT_IS).values
    for i, j in ((2, 2), (3, 5), (5, 4)):
        top, left = 32 * i - 64, 32 * j - 64
        part = vision.heatmap(
            net, image[top : top + 355, left : left + 355], scales=[355], preprocessing=AS_IT_IS
        ).values
        assert part.shape == (5, 5) and part[2, 2] == pytest.approx(whole[i, j], rel=1e-4)
        assert part[1, 2] != pytest.approx(whole[i, j], rel=1e-4)


def test_digits_are_found_where_they_are() -> None:
    """On 100 canvases of 5 digits that the net was not trained on."""
    canvases = canvas_module()
    held, rng = canvases.held_out(), np.random.default_rng(2024)
    made, job = plan(digits(), None, Options(scales=(128,), channel="all"), PIXELS)
    model = open_model(made, [job.blob], free=True)
    found = 0
    for _ in range(100):
        canvas, places = canvases.draw(*held, rng)
        assert len(places) == 5
        sample = job.prepare(np.round(canvas * 255).astype(np.uint8))
        sample.outputs = [model.run(x) for x in sample.inputs]
        map = job.combine(sample)
        off = []
        for digit, y, x in places:
            i, j = np.unravel_index(map.values[digit].argmax(), map.values[digit].shape)
            off.append(max(abs(map.first[0] + 4 * i - y), abs(map.first[1] + 4 * j - x)))
        found += max(off) <= 4
    assert found >= 95


def test_the_argmax_names_the_best_class_of_each_position() -> None:
    canvas = vision.read_image(seeing.DIGITS / "canvas.png")
    every = vision.heatmap(digits(), canvas, scales=[100, 112], channel="all", preprocessing=PIXELS)
    best = vision.heatmap(digits(), canvas, scales=[100, 112], channel="argmax", preprocessing=PIXELS)
    assert np.array_equal(best.values, every.values.argmax(axis=0))
    assert best.score == pytest.approx(every.score[best.best]) and best.best == every.score.argmax()
    one = vision.heatmap(digits(), canvas, scales=[100, 112], channel=7, preprocessing=PIXELS)
    assert np.array_equal(one.values, every.values[7]) and one.score == pytest.approx(every.score[7])


def test_the_map_at_the_size_of_the_image_keeps_its_places() -> None:
    canvas = vision.read_image(seeing.DIGITS / "canvas.png")  # 112 x 280, a 3 at (35, 102), a 7 at (32.5, 253.5)
    for digit, place in (("3", (35, 102)), ("7", (32.5, 253.5))):
        small = vision.heatmap(digits(), canvas, scales=[112], channel=digit, preprocessing=PIXELS)
        large = vision.heatmap(digits(), canvas, scales=[112], channel=digit, preprocessing=PIXELS, size="image")
        assert large.values.shape == (112, 280) and np.array_equal(large.values, small.at((112, 280)))
        for one in (small, large):
            assert max(abs(a - b) for a, b in zip(one.peak, place, strict=True)) <= 4
        i, j = 3, 11  # position (i, j) lies between pixels 4 i + 13 and 4 i + 14
        around = large.values[4 * i + 13 : 4 * i + 15, 4 * j + 13 : 4 * j + 15]
        assert around.min() <= small.values[i, j] + 1e-6 and around.max() >= small.values[i, j] - 1e-6
    smooth = vision.heatmap(digits(), canvas, scales=[112], channel="3", preprocessing=PIXELS, smooth=1.5)
    assert smooth.values.sum() == pytest.approx(
        vision.heatmap(digits(), canvas, scales=[112], channel="3", preprocessing=PIXELS).values.sum(), rel=1e-3
    )
    assert 0.05 < smooth.values.max() < 0.5


def test_squares_and_the_shape_of_images() -> None:
    image = photo(np.random.default_rng(0), 40, 64)
    assert vision.heatmap(color_net(), image, scales=[20]).inputs == ((20, 32),)
    assert vision.heatmap(color_net(), image.swapaxes(0, 1), scales=[20]).inputs == ((32, 20),)
    assert vision.heatmap(color_net(), image, scales=[20], square=True).inputs == ((20, 20),)
    assert vision.heatmap(color_net(), image).sides == (16, 18, 22, 30)


def test_nets_that_are_not_square_get_images_that_cover_theirs() -> None:
    net = netsurgery.initialize(from_text(seeing.COLOR_NET.replace("dim: 16 dim: 16", "dim: 16 dim: 32")), 0, "random")
    assert vision.heatmap(net, photo(np.random.default_rng(0), 40, 60)).inputs[:2] == ((21, 32), (23, 34))
    assert vision.heatmap(net, photo(np.random.default_rng(0), 40, 100)).inputs[:2] == ((16, 40), (18, 45))
    assert vision.heatmap(net, photo(np.random.default_rng(0), 40, 60), square=True).inputs[:2] == ((16, 32), (18, 34))
    with pytest.raises(netsurgery.ShapeError) as small:
        vision.heatmap(net, photo(np.random.default_rng(0), 40, 50), scales=[20])
    assert str(small.value) == (
        "scale 20 is too small: 'prob' has no position there\n  expected: at least 25 pixels\n  fix: --scales 25,..."
    )
    assert vision.heatmap(net, photo(np.random.default_rng(0), 40, 50), scales=[25]).values.shape == (6, 1)


def test_labels_name_channels() -> None:
    labels = ["n01440764 tench, Tinca tinca", "cat", "dog"]
    image = photo(np.random.default_rng(0))
    found = vision.heatmap(color_net(), image, scales=[20], channel="tinca tinca", labels=labels)
    assert (found.channel, found.label) == (0, labels[0])
    assert vision.heatmap(color_net(), image, scales=[20], channel="dog", labels=labels).channel == 2
    top = vision.heatmap(color_net(), image, scales=[20], labels=labels)
    assert top.channel == top.best and top.label == labels[top.best]


REFUSED = [
    ({"scales": [14]}, "scale 14 is too small: 'prob' has no position there\n  expected: at least 15 pixels\n  fix: --scales 15,..."),
    ({"channel": 3}, "blob 'prob' has no channel 3\n  expected: 0 to 2, a label (--labels), top, all, argmax"),
    (
        {"channel": "dgo", "labels": ["cat", "dog", "cow"]},
        "there is no label 'dgo'\n  expected: 0 to 2, a label (--labels), top, all, argmax\n  fix: did you mean 'dog'?",
    ),
    ({"labels": ["cat"]}, "1 labels for blob 'prob' of 3 channels\n  expected: one for each channel"),
    ({"reduce": "sum"}, "--reduce sum\n  expected: mean or max"),
    ({"size": "large"}, "--size large\n  expected: map or image"),
    ({"smooth": -1}, "--smooth -1\n  expected: the sigma of a Gaussian in pixels, 0 for none"),
    ({"scales": []}, "no scale is given\n  expected: --scales 227,451, or none for the net's own"),
    ({"output": "prop"}, "there is no blob 'prop'\n  fix: did you mean 'prob'?"),
]  # fmt: skip


@pytest.mark.parametrize(("options", "text"), REFUSED)
def test_what_cannot_be_mapped_is_refused(options: dict[str, Any], text: str) -> None:
    with pytest.raises(netsurgery.NetsurgeryError) as refused:
        vision.heatmap(color_net(), photo(np.random.default_rng(0)), **options)
    assert str(refused.value).removeprefix("<text>:1: ") == text


POOLED = """
layer { name: "all" type: "Pooling" bottom: "conv2" top: "all" pooling_param { pool: AVE global_pooling: true } }
layer { name: "fc" type: "InnerProduct" bottom: "all" top: "fc" inner_product_param { num_output: 3 } }
"""
LOCAL = """
layer { name: "local" type: "Local" bottom: "conv2" top: "local" local_param { num_output: 3 kernel_size: 1 } }
"""


def headed(head: str) -> netsurgery.Net:
    """The color net up to conv2, and another head."""
    body = seeing.COLOR_NET[: seeing.COLOR_NET.index('layer { name: "fc"')]
    return netsurgery.initialize(from_text(body + head), 0, "random")


def test_a_blob_without_positions_is_refused() -> None:
    net, image = headed(POOLED), photo(np.random.default_rng(0))
    with pytest.raises(netsurgery.ShapeError) as refused:
        vision.heatmap(net, image)
    assert str(refused.value) == (
        "<text>:1: blob 'fc' is no map: it has one answer for the whole image, whatever its size\n"
        "  expected: a blob whose positions look at parts of the image\n"
        "  fix: let the pooling of the whole map slide (--sliding-pool), or name a blob before it (--output)"
    )
    assert vision.heatmap(net, image, sliding_pool=True).values.shape == (8, 16)


def test_a_net_that_has_one_size_only_is_refused() -> None:
    with pytest.raises(netsurgery.ShapeError) as refused:
        vision.heatmap(headed(LOCAL), photo(np.random.default_rng(0)), scales=[16])
    assert str(refused.value) == (
        "<text>:1: input 'data' has one size only, 16 along axis 2: 'local' (Local) ties it\n"
        "  expected: a net that takes images of any size\n"
        "  fix: name a blob before that layer: --output"
    )


# Files


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

    over = picture(folder / "canvas.overlay.png")  # enlarged twice, under a title, a bar beside it
    top = over.shape[0] - 224
    assert over.shape[2] == 3 and 10 < top < 30 and over.shape[1] > 560 + 40
    map = over[top:, :560]
    y, x = (int(2 * p + 1) for p in summary["peak"])
    black, white = (
        np.round(255 * ((1 - MAP_SHARE) * gray + MAP_SHARE * colours(np.array(1.0)) / 255))
        for gray in (DARKEST, BRIGHTEST)
    )
    assert (map[y, x] >= black - 2).all() and (map[y, x] <= white + 2).all()
    dark = np.round(255 * ((1 - MAP_SHARE) * DARKEST + MAP_SHARE * colours(np.array(0.0)) / 255))
    assert np.abs(map[-1, 0] - dark).max() <= 2  # black, the least value
    bar = over[top:, 560 + 15].astype(int)  # down the middle of the bar: from the greatest value to the least
    shades = bar[12:-12].sum(axis=1)
    assert shades[0] > shades[-1] + 150 and (np.diff(shades) <= 2).all()
    assert (over[:10, -10:] == 255).all()  # paper


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
        path = cache.kept(name, lambda path: path.write_bytes(b"x" * 1000))
        os.utime(path.parent, (number, number))
    assert sorted(p.name for p in cache.folder().iterdir()) == ["c", "d"]
    with pytest.raises(ZeroDivisionError):
        cache.kept("e", lambda path: 1 / 0)
    assert sorted(p.name for p in cache.folder().iterdir()) == ["c", "d"]


def test_many_images_are_held_a_few_at_a_time(tmp_path: Path) -> None:
    """Images of two sizes: results come in order, runs are batched by size, and few images are under way at once."""
    from netsurgery.vision.images import ImageFile
    from netsurgery.vision.pipeline import WINDOW, Sample, stream

    paths = [save(tmp_path / f"{i:02d}.png", photo(np.random.default_rng(i), 30, 30 + i % 2)) for i in range(50)]
    made, maps = plan(digits(), None, Options(scales=(30,), channel=3), PIXELS)
    model = open_model(made, [maps.blob], free=True)
    batches = []
    run_batch = model.run
    model.run = lambda x: batches.append(x.shape) or run_batch(x)  # type: ignore[method-assign, func-returns-value]
    seen = {"prepared": 0, "finished": 0, "most": 0}

    class Counting:
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
