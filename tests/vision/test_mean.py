"""netsurgery mean: the image that compute_image_mean would write, to the byte."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import seeing
from databases import write_database
from PIL import Image

from netsurgery.errors import NetsurgeryError, ShapeError
from netsurgery.formats.weights.caffemodel import read_binaryproto
from netsurgery.pycaffe.proto import caffe_pb2
from netsurgery.vision.datum import read_datum
from netsurgery.vision.mean import mean_figure, mean_image, means_of, to_binaryproto, write_mean
from netsurgery.vision.resize_bytes import resize_bytes
from netsurgery.vision.samples import Sample, read_pixels, samples

Array = np.ndarray[Any, Any]
Command = Callable[..., tuple[int, str, str]]


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    return lambda *words: seeing.call(monkeypatch, capsys, *words)


@pytest.fixture
def pictures(tmp_path: Path) -> tuple[Path, Array]:
    """A list of twelve pictures in folders of two classes, and their pixels, blue first."""
    rng = np.random.default_rng(3)
    lines, pixels = [], []
    for k in range(12):
        folder = tmp_path / "images" / ("cat", "dog")[k % 2]
        folder.mkdir(parents=True, exist_ok=True)
        image = rng.integers(0, 256, (9, 11, 3), dtype=np.uint8)
        Image.fromarray(image).save(folder / f"{k:02}.png")
        lines.append(f"images/{folder.name}/{k:02}.png {k % 2}")
        pixels.append(image[:, :, ::-1].transpose(2, 0, 1))
    (tmp_path / "list.txt").write_text("\n".join(lines) + "\n")
    return tmp_path / "list.txt", np.stack(pixels)


def blob(pixels: Array) -> bytes:
    """The mean by whole numbers, as a BlobProto by protobuf."""
    total = pixels.astype(np.int64).sum(axis=0)
    mean = total.astype(np.float32) / np.float32(len(pixels))
    message = caffe_pb2.BlobProto(data=mean.ravel().tolist())
    message.num, (message.channels, message.height, message.width) = 1, mean.shape
    packed: bytes = message.SerializeToString()
    return packed


def test_the_mean_is_that_of_compute_image_mean_to_the_byte(
    pictures: tuple[Path, Array], tmp_path: Path, command: Command
) -> None:
    path, pixels = pictures
    code, out, err = command("mean", path, "-o", tmp_path / "mean.binaryproto")
    assert code == 0
    assert (tmp_path / "mean.binaryproto").read_bytes() == blob(pixels)
    assert blob(pixels[:-1]) != blob(pixels)
    assert np.allclose([float(n) for n in out.split(",")], pixels.mean(axis=(0, 2, 3)), rtol=1e-5)
    assert err == "of 12 images of 3x9x11\n"


def test_a_mean_is_shown_as_it_looks(pictures: tuple[Path, Array], tmp_path: Path, command: Command) -> None:
    path, pixels = pictures
    assert command("mean", path, "--picture", tmp_path / "mean.png", "--quiet")[0] == 0
    assert (tmp_path / "mean.png").read_bytes()[:4] == b"\x89PNG"
    mean = pixels.astype(np.float64).mean(axis=0)
    (axes,) = mean_figure(mean).axes
    assert axes.get_title().endswith("(blue, green, red)")
    assert np.abs(axes.images[0].get_array() - mean[::-1].transpose(1, 2, 0)).max() <= 0.5 + 1e-3
    gray, bar = mean_figure(mean[:1]).axes
    assert gray.images[0].get_array().max() == 255 and bar.get_ylim() == pytest.approx((mean[0].min(), mean[0].max()))
    with pytest.raises(ShapeError, match="a mean of 2x9x11"):
        mean_figure(mean[:2])


def test_sums_beyond_what_float32_counts_are_added_as_caffe_adds_them() -> None:
    """One after another in float32, not in a wider type or in pairs."""
    rng = np.random.default_rng(0)
    pixels = rng.random((4000, 1, 2, 2), dtype=np.float32) * 255
    want = np.zeros((1, 2, 2), np.float32)
    for image in pixels:
        want = want + image
    want = want / np.float32(4000)
    got = mean_image(Sample(str(k), None, lambda x=x: x) for k, x in enumerate(pixels))  # type: ignore[misc]
    assert np.array_equal(got, want)
    assert not np.array_equal(got, pixels.astype(np.float64).mean(axis=0).astype(np.float32))


def test_forms_are_brought_into_each_other(pictures: tuple[Path, Array], tmp_path: Path, command: Command) -> None:
    path, pixels = pictures
    first, second, third = tmp_path / "a.binaryproto", tmp_path / "b.npy", tmp_path / "c.binaryproto"
    for source, target in ((path, first), (first, second), (second, third)):
        assert command("mean", source, "-o", target)[0] == 0
    assert np.load(second).shape == (3, 9, 11)
    assert third.read_bytes() == first.read_bytes() == blob(pixels)
    assert json.loads(command("mean", "104,117,123", "-o", third, "--json")[1])["channels"] == [104, 117, 123]
    assert read_binaryproto(third).tolist() == [[[[104.0]], [[117.0]], [[123.0]]]]
    code, _, err = command("mean", first, "-o", tmp_path / "mean.txt")
    assert code == 2 and "a file that ends in .binaryproto or .npy" in err


def test_images_of_two_sizes_are_refused_and_the_advice_works(
    pictures: tuple[Path, Array], tmp_path: Path, command: Command
) -> None:
    path, _ = pictures
    Image.new("RGB", (4, 4)).save(tmp_path / "odd.png")
    path.write_text(path.read_text() + "odd.png 1\n")
    with pytest.raises(ShapeError, match=r"odd.png is 3x4x4, the images before it 3x9x11") as caught:
        means_of(path)
    assert "--resize 256x256" in str(caught.value)
    assert command("mean", path, "--resize", "256x256", "-o", tmp_path / "mean.npy")[0] == 0
    assert np.load(tmp_path / "mean.npy").shape == (3, 256, 256)


@pytest.mark.parametrize("kind", ["lmdb", "leveldb", "hdf5", "folder", "csv", "one"])
def test_every_source_gives_the_same_pixels(kind: str, pictures: tuple[Path, Array], tmp_path: Path) -> None:
    path, pixels = pictures
    source = tmp_path / kind
    order = list(range(12))
    if kind == "folder":
        source, order = tmp_path / "images", [*range(0, 12, 2), *range(1, 12, 2)]
    elif kind == "csv":
        source = tmp_path / "list.csv"
        source.write_text("path,label\n" + path.read_text().replace(" ", ","))
    elif kind == "one":
        source, order = tmp_path / "images" / "cat" / "00.png", [0]
    elif kind == "hdf5":
        h5py = pytest.importorskip("h5py")
        source = tmp_path / "x.h5"
        with h5py.File(source, "w") as file:
            file["data"], file["label"] = pixels.astype(np.float32), np.arange(12)[:, None] % 2
    else:
        write_database(kind, source, pixels, encoded=kind == "lmdb")
    got = list(samples(source, labelled=kind != "one"))
    assert [sample.label for sample in got] == ([k % 2 for k in order] if kind != "one" else [None])
    assert np.array_equal(np.stack([sample.read() for sample in got]), pixels[order])


def test_what_cannot_be_read_is_said(tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_text("a.png\n")
    with pytest.raises(NetsurgeryError, match=r"list.txt:1: 'a.png' has no label"):
        list(samples(tmp_path / "list.txt"))
    with pytest.raises(NetsurgeryError, match="there is no image in this folder"):
        list(samples(tmp_path))
    with pytest.raises(NetsurgeryError, match="cannot be read: No such file"):
        means_of(tmp_path / "nowhere.txt")
    with pytest.raises(NetsurgeryError, match="a Datum of 3 numbers says it is 1x2x2"):
        read_datum(caffe_pb2.Datum(channels=1, height=2, width=2, data=b"abc").SerializeToString())
    with pytest.raises(NetsurgeryError, match="is no Datum"):
        read_datum(b"\x0a\xff")
    with pytest.raises(NetsurgeryError, match="there are no images"):
        mean_image([])


def test_values_make_a_blob_too(tmp_path: Path) -> None:
    write_mean(tmp_path / "mean.binaryproto", np.array([1.0, 2.0]))
    assert read_binaryproto(tmp_path / "mean.binaryproto").shape == (1, 2, 1, 1)
    assert caffe_pb2.BlobProto.FromString(to_binaryproto(np.zeros((2, 3)))).height == 2


def test_images_are_warped_as_opencv_does_to_the_last_bit() -> None:
    cv2 = pytest.importorskip("cv2")
    rng = np.random.default_rng(1)
    sizes = [(30, 40, 256, 256), (100, 100, 50, 50), (5, 7, 1, 1), (1, 1, 4, 6), (480, 640, 256, 256)]
    for h, w, height, width in [*sizes, *rng.integers(1, 60, (40, 4)).tolist()]:
        for shape in ((h, w), (h, w, 3)):
            image = rng.integers(0, 256, shape, dtype=np.uint8)
            assert np.array_equal(resize_bytes(image, (height, width)), cv2.resize(image, (width, height)))


@pytest.mark.parametrize("suffix", ["png", "bmp", "jpg"])
@pytest.mark.parametrize("gray", [False, True])
def test_files_are_read_as_opencv_does_to_the_last_bit(suffix: str, gray: bool, tmp_path: Path) -> None:
    cv2 = pytest.importorskip("cv2")
    path = tmp_path / f"x.{suffix}"
    Image.fromarray(seeing.photo(np.random.default_rng(2))).save(path)
    want = cv2.imread(str(path), 0 if gray else 1).reshape(40, 60, -1).transpose(2, 0, 1)
    assert np.array_equal(read_pixels(str(path), gray=gray), want)
