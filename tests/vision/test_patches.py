"""Pictures of filters, activations and patches are what the numbers say; kernels by hand."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
import seeing
from pictures import Array, tiles
from seeing import NET, PIXELS, call, color_net, digits, photo, picture, save

import netsurgery
from netsurgery import vision
from netsurgery.vision.patches import Unit
from netsurgery.vision.patches import picture as draw_patches


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


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
    shown = tiles(draw_patches(found, times=2), 2, 2, 10, 2)[:3]
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
    code, said, err = call(monkeypatch, capsys, *words, "--raw-scale", "1", "--json", "--enlarge", "3", "--no-caption")
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
    assert call(monkeypatch, capsys, *words, "--raw-scale", "1", "-q")[0] == 2
    assert picture(out).shape[1] > 500


def test_figures_of_patches_have_scores_files_and_the_shape_of_their_image(tmp_path: Path) -> None:
    wide = save(tmp_path / "wide.png", photo(np.random.default_rng(0), 28, 84))
    tall = save(tmp_path / "tall.png", photo(np.random.default_rng(1), 56, 28))
    found = vision.patches(digits(), [wide, tall], ["conv2:3"], preprocessing=PIXELS)
    best = found[Unit("conv2", 3)]
    assert {Path(p.image).name: p.scale for p in best} == {"wide.png": (1, 3), "tall.png": (2, 1)}
    figure = vision.patches_figure(found)
    for axes, patch in zip(figure.axes, best, strict=True):
        h, w = patch.pixels.shape[:2]
        size = axes.get_window_extent()
        assert size.width / size.height == pytest.approx(w * patch.scale[1] / (h * patch.scale[0]))
        top, left, bottom, right = patch.place
        assert (bottom - top, right - left) == (h * patch.scale[0], w * patch.scale[1])
        said = f"{patch.value:.4g}  {Path(patch.image).name}\nrows {top}-{bottom}, columns {left}-{right}"
        assert axes.get_xlabel() == said
        assert np.array_equal(axes.images[0].get_array(), patch.pixels)
    assert figure.texts[0].get_text().startswith(f"conv2:3: {best[-1].value:.4g} to {best[0].value:.4g}, sees 14x14")
    with pytest.raises(netsurgery.NetsurgeryError, match="there is no patch to show"):
        vision.patches_figure({Unit("conv2", 3): []})


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
