"""Pixels reach a net as pycaffe's Transformer, or Caffe's own data layers, would feed them."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from seeing import photo, save

import netsurgery
from netsurgery import vision
from netsurgery.errors import NetsurgeryError
from netsurgery.vision.images import find_images


def test_images_of_every_kind_are_read_as_rgb(tmp_path: Path) -> None:
    from PIL import Image

    image = photo(np.random.default_rng(2), 20, 30)
    read = vision.read_image
    assert np.array_equal(read(save(tmp_path / "a.png", image)), image)
    gray = image[:, :, 0]
    assert np.array_equal(read(save(tmp_path / "g.png", gray)), gray[:, :, None].repeat(3, 2))
    assert np.array_equal(read(save(tmp_path / "w.png", gray.astype(np.uint16) * 257)), gray[:, :, None].repeat(3, 2))
    clear = np.concatenate([image, gray[:, :, None]], axis=2)
    assert np.array_equal(read(save(tmp_path / "t.png", clear)), image)
    turned = Image.fromarray(image)
    exif = turned.getexif()
    exif[0x0112] = 6  # to be turned by 90 degrees
    turned.save(tmp_path / "e.png", exif=exif)
    assert np.array_equal(read(tmp_path / "e.png"), np.rot90(image, -1))


def test_what_is_no_image_is_refused(tmp_path: Path) -> None:
    (tmp_path / "text.jpg").write_text("this is no image")
    data = Path(save(tmp_path / "whole.png", photo(np.random.default_rng(0)))).read_bytes()
    (tmp_path / "half.png").write_bytes(data[: len(data) // 2])
    for name in ("text.jpg", "half.png", "missing.png"):
        with pytest.raises(netsurgery.NetsurgeryError) as refused:
            vision.read_image(tmp_path / name)
        assert str(refused.value).startswith(f"{tmp_path / name}: ") and "expected: an image" in str(refused.value)


def test_without_pillow_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(netsurgery.NetsurgeryError) as refused:
        vision.read_image("a.png")
    assert str(refused.value) == "reading images needs the package Pillow\n  fix: pip install 'netsurgery[vision]'"


def test_images_are_found_in_folders_globs_and_lists(tmp_path: Path) -> None:
    image = photo(np.random.default_rng(0), 8, 8)
    for name in ("a/x.png", "a/b/y.jpg", "a/b/x.png", "z.png", "z.jpg"):
        save(tmp_path / name, image)
    (tmp_path / "a" / "notes.md").write_text("no image")

    def find(*given: str) -> list[tuple[str, str]]:
        return [(Path(f.path).relative_to(tmp_path).as_posix(), f.name) for f in vision.find_images(given)]

    assert find(str(tmp_path / "a")) == [("a/b/x.png", "b/x"), ("a/b/y.jpg", "b/y"), ("a/x.png", "x")]
    assert find(f"{tmp_path}/z.*") == [("z.jpg", "z"), ("z.png", "z.png")]
    (tmp_path / "list.txt").write_text("a/x.png 3\n\nz.png\n")
    assert find(str(tmp_path / "list.txt"), str(tmp_path / "z.png")) == [("a/x.png", "x"), ("z.png", "z")]
    with pytest.raises(netsurgery.NetsurgeryError) as empty:
        vision.find_images([f"{tmp_path}/*.tiff"])
    assert str(empty.value) == f"{tmp_path}/*.tiff: no file matches\n  expected: a glob of images"


def test_an_empty_list_is_refused(tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_text("\n \n")
    with pytest.raises(NetsurgeryError) as empty:
        find_images([tmp_path / "list.txt"])
    assert str(empty.value) == f"{tmp_path}/list.txt: is empty\n  expected: a list of images, one a line"


def test_images_are_found_by_url(tmp_path: Path) -> None:
    fsspec = pytest.importorskip("fsspec")
    memory = fsspec.filesystem("memory")
    data = Path(save(tmp_path / "a.png", photo(np.random.default_rng(0)))).read_bytes()
    for name in ("one.png", "deep/two.png"):
        memory.pipe_file(f"/seen/{name}", data)
    found = vision.find_images(["memory://seen"])
    assert [(f.path, f.name) for f in found] == [
        ("memory:///seen/deep/two.png", "deep/two"),
        ("memory:///seen/one.png", "one"),
    ]
    assert np.array_equal(vision.read_image(found[0].path), vision.read_image(tmp_path / "a.png"))
    with pytest.raises(netsurgery.NetsurgeryError, match="there is no such file"):
        vision.read_image("memory://seen/three.png")
    with pytest.raises(netsurgery.NetsurgeryError, match="URLs of nothing:// are not read"):
        vision.read_image("nothing://seen/three.png")
