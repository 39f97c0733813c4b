"""Pictures of filters, activations and patches are what the numbers say; kernels by hand."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import seeing
from seeing import NET, PIXELS, call, color_net, digits, photo, picture, save

import netsurgery
from netsurgery import kernels, vision
from netsurgery.formats.load import from_text
from netsurgery.vision.colormap import NAMES
from netsurgery.vision.patches import Unit
from netsurgery.vision.patches import picture as draw_patches
from netsurgery.vision.picture import captioned, grid, to_16_bits

Array = np.ndarray[Any, Any]


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def tiles(picture: Array, rows: int, columns: int, size: int, gap: int) -> list[Array]:
    """The tiles of a straight grid, row by row; whatever lies between them is paper."""
    assert picture.shape[:2] == (rows * (size + gap) + gap, columns * (size + gap) + gap)
    paper = np.ones(picture.shape[:2], bool)
    found = []
    for i in range(rows):
        for j in range(columns):
            at = tuple(slice(k * (size + gap) + gap, (k + 1) * (size + gap)) for k in (i, j))
            paper[at] = False
            found.append(picture[at])
    assert (picture[paper] == 255).all()
    return found


def test_filters_of_three_channels_are_shown_in_color() -> None:
    net = color_net()
    w = net["conv1"].weights[0]  # 4 kernels of 5 x 5
    drawn = vision.filters(net, times=3, columns=2, caption=False)
    most = np.abs(w).max()
    for tile, kernel in zip(tiles(drawn, 2, 2, 15, 3), w, strict=True):
        assert (tile == tile[::3, ::3].repeat(3, 0).repeat(3, 1)).all()  # every weight is a square
        want = (0.5 + kernel[::-1].transpose(1, 2, 0) / (2 * most)) * 255  # BGR
        assert np.abs(tile[::3, ::3] - want).max() <= 0.51
    rgb = vision.filters(net, times=3, columns=2, caption=False, channel_order="rgb")
    assert np.array_equal(rgb[:, :, ::-1], drawn) and not np.array_equal(rgb, drawn)
    zero = net.with_weights("conv1", w * 0, net["conv1"].weights[1])
    assert set(np.unique(vision.filters(zero, caption=False))) == {128, 255}


def test_other_filters_have_a_tile_for_each_channel_or_their_mean() -> None:
    net = color_net()
    w = net["conv2"].weights[0]  # 6 kernels of 4 channels
    each = tiles(vision.filters(net, "conv2", times=2, caption=False), 6, 4, 6, 2)
    most = np.abs(w).max()
    for tile, plane in zip(each, w.reshape(24, 3, 3), strict=True):
        assert np.abs(tile[::2, ::2, 0] - (0.5 + plane / (2 * most)) * 255).max() <= 0.51
    mean = tiles(vision.filters(net, "conv2", times=2, channels="mean", columns=3, caption=False), 2, 3, 6, 2)
    planes = w.mean(axis=1)
    for tile, plane in zip(mean, planes, strict=True):
        assert np.abs(tile[::2, ::2, 0] - (0.5 + plane / (2 * np.abs(planes).max())) * 255).max() <= 0.51


def test_filters_are_sorted_and_normalized_as_asked() -> None:
    net = color_net()
    w = net["conv1"].weights[0]
    order = np.argsort(-np.linalg.norm(w.reshape(4, -1), axis=1))
    by_norm = tiles(vision.filters(net, times=2, columns=4, sort="norm", caption=False), 1, 4, 10, 2)
    plain = tiles(vision.filters(net, times=2, columns=4, caption=False), 1, 4, 10, 2)
    assert order.tolist() != [0, 1, 2, 3]
    assert all(np.array_equal(by_norm[i], plain[k]) for i, k in enumerate(order))
    for tile in tiles(vision.filters(net, times=2, columns=4, normalize="each", caption=False), 1, 4, 10, 2):
        assert tile.min() == 0 or tile.max() == 255  # each reaches its own end


def test_the_command_draws_filters_with_a_caption(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "f.png"
    words = ("filters", *NET, "conv1", "-o", out, "--enlarge", "4", "--columns", "6")
    assert call(monkeypatch, capsys, *words)[0] == 0
    drawn = picture(out)
    bare = vision.filters(digits(), "conv1", times=4, columns=6, caption=False)
    assert np.array_equal(drawn[-bare.shape[0] :, : bare.shape[1]], bare)
    above = drawn[: -bare.shape[0]]
    w = digits()["conv1"].weights[0]
    said = captioned(bare, ["conv1 12x1x5x5", f"{w.min():.4g} to {w.max():.4g}"])
    assert np.array_equal(drawn, said) and (above < 100).any()  # there is ink


def test_what_has_no_kernels_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("filters", *NET, "-o", tmp_path / "f.png")
    assert call(monkeypatch, capsys, *words, "ip1") == (
        2,
        "",
        f"error: {NET[0]}:49: layer 'ip1' (InnerProduct): its weights (64x384) are no kernels\n"
        "  expected: (kernels, channels, h, w): a Convolution or Deconvolution\n",
    )
    assert "no layer 'conv3'" in call(monkeypatch, capsys, *words, "conv3")[2]
    assert "normalize is max\n  expected: all or each" in call(monkeypatch, capsys, *words, "--normalize", "max")[2]
    assert "at most 128 million pixels" in call(monkeypatch, capsys, *words, "--enlarge", "4000")[2]
    code, _, err = call(monkeypatch, capsys, *words[:-1], tmp_path / "f.jpg")
    assert (code, err) == (
        2,
        f"error: cannot tell the format of '{tmp_path}/f.jpg'\n  expected: a name that ends in .png\n",
    )
    assert not list(tmp_path.glob("f.*"))
    with pytest.raises(netsurgery.WeightsError, match="has no weights"):
        vision.filters(netsurgery.load(NET[0]))


def test_activations_are_what_the_net_computes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    image = seeing.DIGITS / "sample_3.png"
    out = tmp_path / "a.png"
    words = ("activations", *NET, image, "pool1", "-o", out, "--raw-scale", "1")
    assert call(monkeypatch, capsys, *words, "--enlarge", "2", "--columns", "4", "--no-caption")[0] == 0
    blob = vision.preprocess(vision.read_image(image), 1, (28, 28), PIXELS)[None]
    maps = netsurgery.run(digits(), {"data": blob}, ["pool1"])["pool1"][0]
    found = tiles(picture(out), 3, 4, 24, 2)
    for tile, map in zip(found, maps, strict=True):
        assert np.abs(tile[::2, ::2, 0] - (map - maps.min()) / np.ptp(maps) * 255).max() <= 0.52
    assert (
        call(monkeypatch, capsys, *words, "--sort", "max", "--enlarge", "2", "--columns", "4", "--no-caption")[0] == 0
    )
    order = np.argsort(-maps.reshape(12, -1).max(axis=1), kind="stable")
    assert all(np.array_equal(t, found[k]) for t, k in zip(tiles(picture(out), 3, 4, 24, 2), order, strict=True))


def test_activations_of_what_is_no_map_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    image = seeing.DIGITS / "sample_3.png"
    words = ("activations", *NET, image, "ip1", "-q", "-o", tmp_path / "a.png")
    assert call(monkeypatch, capsys, *words) == (
        2,
        "",
        f"error: {NET[0]}:1: blob 'ip1' (1, 64) is no map\n"
        "  expected: a blob (N, channels, h, w)\n"
        "  fix: a blob before the InnerProduct layers\n",
    )
    code, _, err = call(monkeypatch, capsys, "activations", *NET, tmp_path / "no.png", "conv1", "-q")
    assert (code, err) == (2, f"error: {tmp_path}/no.png: there is no such file\n  expected: an image\n")
    code, _, err = call(monkeypatch, capsys, *words[:4], "pool1", "--size", "4", "-q", "-o", tmp_path / "a.png")
    assert code == 2 and "the kernel" in err


def planted(rng: np.random.Generator, place: tuple[int, int] | None) -> Array:
    """Gray noise, with the same bright cross somewhere."""
    image = rng.integers(100, 130, (40, 40, 3), dtype=np.uint8)
    if place is not None:
        y, x = place
        image[y - 2 : y + 3, x] = 255
        image[y, x - 2 : x + 3] = 255
    return image


def test_patches_are_cut_where_the_unit_is_excited(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A unit that is a bright cross of 5 x 5 on dark finds crosses."""
    net = color_net()
    cross = np.full((5, 5), -1, np.float32)
    cross[2], cross[:, 2] = 1.5, 1.5
    weight = np.zeros_like(net["conv1"].weights[0])
    weight[1] = cross
    net = net.with_weights("conv1", weight, np.zeros(4, np.float32))
    rng = np.random.default_rng(0)
    places = [(12, 20), None, (22, 30), (30, 8)]
    files = [save(tmp_path / "in" / f"{i}.png", planted(rng, place)) for i, place in enumerate(places)]
    seen = []
    found = vision.patches(net, files, ["conv1:1"], top=3, size=(40, 40), report=seen.append)
    best = found[Unit("conv1", 1)]
    assert sorted(patch.image for patch in best) == [files[0], files[2], files[3]]
    assert [patch.value for patch in best] == sorted((patch.value for patch in best), reverse=True)
    for patch in best:
        y, x = places[files.index(patch.image)]  # type: ignore[misc]
        assert patch.window == (y - 2, x - 2, y + 3, x + 3) and patch.position == ((y - 2) // 2, (x - 2) // 2)
        assert np.array_equal(patch.pixels, vision.read_image(patch.image)[y - 2 : y + 3, x - 2 : x + 3])
        assert (patch.pixels[2] == 255).all() and (patch.pixels[:, 2] == 255).all() and patch.pixels[0, 0, 0] < 130
    assert len(seen) == 4 and not any(one.error for one in seen)
    shown = tiles(draw_patches(found, times=2, caption=False), 2, 2, 10, 2)[:3]
    assert all(np.array_equal(tile[::2, ::2], patch.pixels) for tile, patch in zip(shown, best, strict=True))


def test_the_command_writes_patches_and_goes_past_unreadable_images(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "bad.png").write_text("no image")
    out = tmp_path / "p.png"
    words = (
        "patches",
        *NET,
        seeing.DIGITS,
        tmp_path / "bad.png",
        "--unit",
        "pool2:3",
        "--unit",
        "prob:7",
        "-n",
        "2",
        "-o",
        out,
    )
    code, said, err = call(monkeypatch, capsys, *words, "--raw-scale", "1", "--json", "--enlarge", "3")
    assert code == 2 and "1 of" in err and "bad.png: cannot be read" in err
    found = json.loads(said)
    assert list(found) == ["pool2:3", "prob:7"] and [len(x) for x in found.values()] == [2, 2]
    first = found["prob:7"][0]
    assert Path(first["image"]).name == "sample_7.png" and first["value"] > 0.9 and first["window"] == [0, 0, 28, 28]
    top, left, bottom, right = found["pool2:3"][0]["window"]
    assert (bottom - top, right - left) == (16, 16)
    drawn = picture(out)
    image = vision.read_image(first["image"]).repeat(3, axis=0).repeat(3, axis=1)
    at = drawn.shape[0] - image.shape[0] - 3  # one row of patches of prob:7 stands last
    assert np.array_equal(drawn[at : at + 84, 3 : 3 + 84], image)


@pytest.mark.parametrize(
    ("unit", "text"),
    [
        ("conv5", "unit 'conv5'\n  expected: BLOB:CHANNEL, such as conv5:17"),
        ("conv1:12", "blob 'conv1' has no channel 12\n  expected: 0 to 11, a label (--labels)"),
        ("conv1:all", "there is no label 'all'\n  expected: 0 to 11, a label (--labels)"),
        ("conv9:1", f"{NET[0]}:1: there is no blob 'conv9'\n  fix: did you mean 'conv2'?"),
    ],
)
def test_units_that_there_are_not_are_refused(unit: str, text: str) -> None:
    with pytest.raises(netsurgery.NetsurgeryError) as refused:
        vision.patches(digits(), [], [unit])
    assert re.sub(r"'conv[12]'\?", "'conv2'?", str(refused.value)) == text


# Kernels


def filtered(net: netsurgery.Net, image: Array) -> Array:
    return netsurgery.run(net, {"data": image[None, None].astype(np.float32)}, ["y"])["y"][0]


def one_layer(outputs: int, size: int, channels: int = 1, bias: bool = False) -> netsurgery.Net:
    return netsurgery.initialize(
        from_text(
            f'input: "data" input_dim: 1 input_dim: {channels} input_dim: 12 input_dim: 14\n'
            f'layer {{ name: "conv" type: "Convolution" bottom: "data" top: "y" '
            f"convolution_param {{ num_output: {outputs} kernel_size: {size} bias_term: {str(bias).lower()} }} }}"
        )
    )


def test_a_kernel_is_a_blob_of_a_layer() -> None:
    net = one_layer(1, 3).with_weights("conv", kernels.sobel("x"))
    step = np.zeros((12, 14))
    step[:, 7:] = 1
    (got,) = filtered(net, step)
    want = np.zeros((10, 12))
    want[:, 5:7] = 4  # 1 + 2 + 1, at the edge
    assert np.array_equal(got, want)
    (down,) = filtered(net.with_weights("conv", kernels.sobel("y")), step.T[:12].repeat(2, axis=1)[:, :14])
    assert down.max() == 4 and (down >= 0).all()


def test_kernels_do_what_they_are_known_for() -> None:
    y, x = np.mgrid[:12, :14].astype(np.float32)
    ramp = 3 * x + 2 * y
    for kernel, value in (
        (kernels.sobel("x"), 3 * 8), (kernels.sobel("y"), 2 * 8), (kernels.prewitt("x"), 3 * 6), (kernels.prewitt("y"), 2 * 6),
        (kernels.laplacian(), 0), (kernels.laplacian(diagonal=True), 0), (kernels.gabor(3), 0),
    ):  # fmt: skip
        (got,) = filtered(one_layer(1, 3).with_weights("conv", kernel), ramp)
        assert np.allclose(got, value, atol=1e-4)
    (same,) = filtered(one_layer(1, 5).with_weights("conv", kernels.gaussian(5, 1.2)), ramp)
    assert np.allclose(same, ramp[2:-2, 2:-2], atol=1e-4)
    (curved,) = filtered(one_layer(1, 3).with_weights("conv", kernels.laplacian()), x**2 + y**2)
    assert np.allclose(curved, 4)
    assert np.allclose(kernels.emboss(45)[0, 0], [[0, 1, 2], [-1, 1, 1], [-2, -1, 0]], atol=1e-6)
    g = kernels.gaussian(7, 2.0)[0, 0]
    assert g.sum() == pytest.approx(1) and g[3, 3] == g.max() and g[3, 5] / g[3, 3] == pytest.approx(np.exp(-0.5))
    assert np.array_equal(kernels.sobel("x", 5)[0, 0][2], [-6, -12, 0, 12, 6])
    wave = np.cos(2 * np.pi * (np.arange(14) - 5) / 5)[None].repeat(12, axis=0)
    strength = [
        np.abs(filtered(one_layer(1, 11).with_weights("conv", kernels.gabor(11, 5, angle)), wave)).max()
        for angle in (0, 90)
    ]
    assert strength[0] > 10 * strength[1]


def test_kernels_are_fitted_to_a_layer() -> None:
    net = one_layer(4, 5, channels=3, bias=True)
    made = kernels.fit(net, "conv", kernels.identity(), kernels.gaussian(3), np.arange(18).reshape(3, 2, 3))
    net = net.with_weights("conv", *made)
    w, b = net["conv"].weights
    assert (b == 0).all() and (w[3] == 0).all() and w.shape == (4, 3, 5, 5)
    assert w[0, :, 2, 2].tolist() == pytest.approx([1 / 3] * 3) and w[0].sum() == pytest.approx(1)
    assert np.allclose(w[1, 0, 1:4, 1:4], kernels.gaussian(3)[0, 0] / 3) and (w[1, 0, 0] == 0).all()
    assert np.array_equal(w[2, :, 1:3, 1:4], np.arange(18).reshape(3, 2, 3))
    with pytest.raises(netsurgery.ShapeError) as large:
        kernels.fit(net, "conv", kernels.gaussian(7))
    assert str(large.value).endswith("a kernel of shape (1, 1, 7, 7)\n  expected: at most 5x5, of 1 or 3 channels")
    with pytest.raises(netsurgery.ShapeError, match="5 kernels"):
        kernels.fit(net, "conv", *[kernels.identity()] * 5)
    with pytest.raises(netsurgery.NetsurgeryError, match="expected: a Convolution"):
        kernels.fit(digits(), "ip1", kernels.sobel())
    for wrong in (lambda: kernels.sobel("z"), lambda: kernels.sobel(size=4), lambda: kernels.gaussian(3, 0)):
        with pytest.raises(netsurgery.NetsurgeryError):
            wrong()


# Parts of pictures


def test_colour_maps_are_the_well_known_ones() -> None:
    known = {
        "viridis": [[68, 1, 84], [33, 145, 140], [253, 231, 37]],
        "magma": [[0, 0, 4], [183, 55, 121], [252, 253, 191]],
    }
    for name, table in known.items():
        assert np.abs(vision.colours(np.array([0, 0.5, 1]), name).astype(int) - table).max() <= 1
    for name in NAMES:
        shades = vision.colours(np.linspace(0, 1, 100), name).astype(float) @ [0.299, 0.587, 0.114]
        assert (np.diff(shades) > -0.6).all()  # brightness grows all along
    assert vision.colours(np.array([np.nan, -1, 2])).tolist() == [[128] * 3, [68, 1, 84], [253, 231, 37]]
    with pytest.raises(netsurgery.NetsurgeryError) as unknown:
        vision.colours(np.zeros(1), "jet")
    assert str(unknown.value) == "there is no colour map 'jet'\n  expected: viridis or magma or gray"


def test_grids_and_numbers_of_16_bits() -> None:
    made = grid([np.full((2, 3), k, np.uint8) for k in range(3)], columns=2, gap=1)
    assert made.tolist() == [
        [255] * 9, [255, 0, 0, 0, 255, 1, 1, 1, 255], [255, 0, 0, 0, 255, 1, 1, 1, 255], [255] * 9,
        [255, 2, 2, 2, 255, 255, 255, 255, 255], [255, 2, 2, 2, 255, 255, 255, 255, 255], [255] * 9,
    ]  # fmt: skip
    assert to_16_bits(np.array([1.0, 2, 3, np.nan]), 1, 3).tolist() == [0, 32768, 65535, 0]
    assert to_16_bits(np.array([5.0, 5]), 5, 5).tolist() == [0, 0]
    with pytest.raises(netsurgery.NetsurgeryError, match="at most 128 million pixels"):
        grid([np.zeros((20000, 20000), np.uint8)])


def test_a_picture_keeps_what_it_shows(tmp_path: Path) -> None:
    image = photo(np.random.default_rng(0))
    assert np.array_equal(picture(vision.to_png(image)), image)
    sixteen = np.random.default_rng(0).integers(0, 65536, (5, 6), dtype=np.uint16)
    assert np.array_equal(picture(vision.to_png(sixteen)), sixteen)
