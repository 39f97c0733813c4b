"""Heatmaps equal what Caffe computed, what the definition says, and what the original net says of each window."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cases
import numpy as np
import pytest
import seeing
from heatmaps import Array
from seeing import PIXELS, canvas_module, color_net, digits, photo

import netsurgery
from netsurgery import vision
from netsurgery.formats.load import from_text
from netsurgery.formats.preprocessing import Preprocessing
from netsurgery.vision.heatmap import plan
from netsurgery.vision.heatmap_job import Options
from netsurgery.vision.model import open_model

MEMNET = cases.FIXTURES / "conformance" / "surgery" / "memnet_slim"


AS_IT_IS = Preprocessing(raw_scale=1, channel_order="rgb")


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
