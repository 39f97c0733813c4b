"""Pictures of filters, activations and patches are what the numbers say; kernels by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import seeing
from pictures import tiles
from seeing import NET, PIXELS, call, color_net, digits, picture

import netsurgery
from netsurgery import vision


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def test_filters_of_three_channels_are_shown_in_color() -> None:
    net = color_net()
    w = net["conv1"].weights[0]  # 4 kernels of 5 x 5
    drawn = vision.filters(net, times=3, columns=2)
    most = np.abs(w).max()
    for tile, kernel in zip(tiles(drawn, 2, 2, 15, 3), w, strict=True):
        assert (tile == tile[::3, ::3].repeat(3, 0).repeat(3, 1)).all()  # every weight is a square
        want = (0.5 + kernel[::-1].transpose(1, 2, 0) / (2 * most)) * 255  # BGR
        assert np.abs(tile[::3, ::3] - want).max() <= 0.51
    rgb = vision.filters(net, times=3, columns=2, channel_order="rgb")
    assert np.array_equal(rgb[:, :, ::-1], drawn) and not np.array_equal(rgb, drawn)
    zero = net.with_weights("conv1", w * 0, net["conv1"].weights[1])
    assert set(np.unique(vision.filters(zero))) == {128, 255}


def test_other_filters_have_a_tile_for_each_channel_or_their_mean() -> None:
    net = color_net()
    w = net["conv2"].weights[0]  # 6 kernels of 4 channels
    each = tiles(vision.filters(net, "conv2", times=2), 6, 4, 6, 2)
    most = np.abs(w).max()
    for tile, plane in zip(each, w.reshape(24, 3, 3), strict=True):
        assert np.abs(tile[::2, ::2, 0] - (0.5 + plane / (2 * most)) * 255).max() <= 0.51
    mean = tiles(vision.filters(net, "conv2", times=2, channels="mean", columns=3), 2, 3, 6, 2)
    planes = w.mean(axis=1)
    for tile, plane in zip(mean, planes, strict=True):
        assert np.abs(tile[::2, ::2, 0] - (0.5 + plane / (2 * np.abs(planes).max())) * 255).max() <= 0.51


def test_filters_are_sorted_and_normalized_as_asked() -> None:
    net = color_net()
    w = net["conv1"].weights[0]
    order = np.argsort(-np.linalg.norm(w.reshape(4, -1), axis=1))
    by_norm = tiles(vision.filters(net, times=2, columns=4, sort="norm"), 1, 4, 10, 2)
    plain = tiles(vision.filters(net, times=2, columns=4), 1, 4, 10, 2)
    assert order.tolist() != [0, 1, 2, 3]
    assert all(np.array_equal(by_norm[i], plain[k]) for i, k in enumerate(order))
    for tile in tiles(vision.filters(net, times=2, columns=4, normalize="each"), 1, 4, 10, 2):
        assert tile.min() == 0 or tile.max() == 255  # each reaches its own end


def test_the_command_draws_filters_with_numbers_and_a_bar(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "f.png"
    words = ("filters", *NET, "conv1", "-o", out, "--enlarge", "4", "--columns", "6")
    assert call(monkeypatch, capsys, *words, "--no-caption")[0] == 0
    bare = vision.filters(digits(), "conv1", times=4, columns=6)
    assert np.array_equal(picture(out), bare)
    code, _, err = call(monkeypatch, capsys, *words)
    assert (code, err) == (0, f"{out}: conv1: 12x1x5x5\n")
    drawn = picture(out)[:, :, :3]
    top, left = 65, 50
    assert np.abs(drawn[top : top + bare.shape[0], left : left + bare.shape[1]].astype(int) - bare).max() <= 1
    assert (drawn[:60] < 100).any() and (drawn[:, left + bare.shape[1] + 40 :] < 100).any()  # a title, and a bar


def test_figures_say_what_they_show() -> None:
    net = color_net()
    figure = vision.tiles_figure(vision.filter_tiles(net, "conv2", sort="norm", times=20))
    axes, bar = figure.axes
    weights = net["conv2"].weights[0]
    order = np.argsort(-np.linalg.norm(weights.reshape(6, -1), axis=1))
    assert [label.get_text() for label in axes.get_yticklabels()] == [str(k) for k in order]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["0", "1", "2", "3"]
    most = float(np.abs(weights).max())
    assert bar.get_ylim() == pytest.approx((-most, most)) and bar.get_ylabel() == "weight"
    said = [text.get_text() for text in figure.texts]
    assert said == ["conv2: 6x4x3x3", f"{weights.min():.4g} to {weights.max():.4g}"]
    maps = vision.activation_tiles(
        digits(), str(seeing.DIGITS / "sample_3.png"), "conv1", sort="max", preprocessing=PIXELS
    )
    figure = vision.tiles_figure(maps)
    assert [text.get_text() for text in figure.axes[0].texts] == [str(k) for k in maps.numbers]
    peaks = maps.values.reshape(12, -1).max(axis=1)
    assert (np.diff(peaks) <= 0).all() and maps.numbers.tolist() != list(range(12))
    assert figure.axes[1].get_ylim() == pytest.approx((maps.values.min(), maps.values.max()))
    each = vision.tiles_figure(vision.filter_tiles(net, "conv1", normalize="each"))
    assert each.axes[1].get_ylim() == (-1, 1)


def test_pictures_fill_the_page() -> None:
    for layer in ("conv1", "conv2"):
        assert max(vision.filters(digits(), layer).shape) > 900
    assert max(vision.filters(color_net(), "conv1").shape) > 900


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
    assert "'max' is not one of 'all'," in " ".join(call(monkeypatch, capsys, *words, "--normalize", "max")[2].split())
    assert "at most 128 million pixels" in call(monkeypatch, capsys, *words, "--enlarge", "4000")[2]
    code, _, err = call(monkeypatch, capsys, *words[:-1], tmp_path / "f.jpg")
    assert (code, err) == (
        2,
        f"error: cannot tell the format of '{tmp_path}/f.jpg'\n  expected: a name that ends in .png, .svg or .pdf\n",
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
