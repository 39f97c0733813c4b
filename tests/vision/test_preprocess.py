"""Pixels reach a net as pycaffe's Transformer, or Caffe's own data layers, would feed them."""

from __future__ import annotations

import struct
from dataclasses import replace
from pathlib import Path

import cases
import numpy as np
import onnx
import pytest
import seeing
from seeing import photo

import netsurgery
from netsurgery import vision
from netsurgery.exporters.convert import convert
from netsurgery.formats.load import from_text
from netsurgery.formats.options import Pixels, Reading
from netsurgery.formats.preprocessing import Preprocessing, from_net, read_mean, read_pixels
from netsurgery.vision.preprocess import centre_crop

RECORDED = cases.FIXTURES / "preprocessing" / "transformer.npz"


CASES = sorted({key.split("/")[0] for key in np.load(RECORDED).files} - {"oversample", "centre"})


@pytest.mark.parametrize("case", CASES)
def test_images_are_prepared_as_pycaffe_does(case: str) -> None:
    assert len(CASES) == 8
    with np.load(RECORDED) as recorded:
        image, want = recorded[f"{case}/image"], recorded[f"{case}/out"]
        raw_scale, scale, swapped = recorded[f"{case}/parameters"].tolist()
        mean = recorded.get(f"{case}/mean")
    order = "bgr" if swapped else "rgb"
    size = (want.shape[1], want.shape[2])
    done = Preprocessing(mean, scale, raw_scale, order, convention="pycaffe")
    got = vision.preprocess(image, len(want), size, done)
    assert cases.difference(got, want) == ""
    assert np.abs(got - want).max() <= 1e-6 * np.abs(want).max()
    if case.startswith("same"):
        assert np.array_equal(got, want)
    damaged = vision.preprocess(image, len(want), size, replace(done, scale=scale * 1.01))
    assert cases.difference(damaged, want) != ""


def test_crops_are_those_of_pycaffe() -> None:
    with np.load(RECORDED) as recorded:
        assert np.array_equal(vision.oversample(recorded["oversample/image"], (11, 12)), recorded["oversample/out"])
        crop = centre_crop(vision.resize(recorded["centre/image"], (16, 19)), (11, 12))
        assert np.abs(crop - recorded["centre/out"]).max() <= 1e-6


def test_pixels_of_bytes_stay_whole_numbers() -> None:
    """As Caffe's data layers feed them: 0 to 255, (pixel - mean) * scale."""
    image = np.arange(256, dtype=np.uint8).reshape(16, 16)[:, :, None].repeat(3, axis=2)
    blob = vision.preprocess(image, 3)
    assert np.array_equal(blob, image.transpose(2, 0, 1).astype(np.float32))
    mean = np.array([104.5, 117, 123], np.float32)
    blob = vision.preprocess(image, 3, None, Preprocessing(mean, 0.5))
    assert np.array_equal(blob, (image.transpose(2, 0, 1) - mean[:, None, None]) * np.float32(0.5))


def test_the_image_itself_is_left_as_it_is() -> None:
    image = np.random.default_rng(0).random((5, 6, 3)).astype(np.float32)
    before = image.copy()
    for order in ("rgb", "bgr"):
        vision.preprocess(image, 3, None, Preprocessing(np.float32(1), 2.0, 3.0, order))
        assert np.array_equal(image, before)


def test_color_becomes_gray_and_gray_becomes_color() -> None:
    image = photo(np.random.default_rng(0))
    gray = vision.preprocess(image, 1)
    want = image @ np.array([0.299, 0.587, 0.114])
    assert np.abs(gray[0] - np.floor(want)).max() <= 1  # in whole numbers, cut off, as libpng does for OpenCV
    assert (gray[0] != np.floor(want)).mean() < 0.02
    three = vision.preprocess(image[:, :, 0], 3)
    assert (
        three.shape == (3, 40, 60) and np.array_equal(three[0], image[:, :, 0]) and np.array_equal(three[0], three[2])
    )
    with pytest.raises(netsurgery.ShapeError) as refused:
        vision.preprocess(np.zeros((4, 4, 2), np.uint8), 3)
    assert str(refused.value) == "an image of 2 channels\n  expected: 3 or 1"


def test_deprocess_undoes_preprocess() -> None:
    image = photo(np.random.default_rng(1))
    for done in (
        Preprocessing(np.array([104, 117, 123]), 0.017),
        Preprocessing(np.ones((3, 4, 5)) * 99, 1.0, 1.0, "rgb"),
    ):
        back = vision.deprocess(vision.preprocess(image, 3, None, done), done)
        assert np.abs(back * 255 - image).max() < 1e-3 or done.raw_scale == 1
    blob = vision.preprocess(image / np.float32(255), 3, None, Preprocessing(None, 2.0, 1.0, "rgb"))
    assert np.abs(vision.deprocess(blob, Preprocessing(None, 2.0, 1.0, "rgb")) - image / 255).max() < 1e-6


def test_a_mean_has_the_channels_of_the_net() -> None:
    with pytest.raises(netsurgery.ShapeError) as refused:
        vision.preprocess(np.zeros((4, 4), np.uint8), 1, None, Preprocessing(np.array([1.0, 2, 3])))
    assert str(refused.value) == (
        "a mean of 3 channels\n"
        "  expected: 1: one for each channel of the input\n"
        "  fix: --mean with as many values, or the mean file of this net"
    )


def binaryproto(path: Path, mean: np.ndarray) -> Path:
    """A BlobProto, written by hand: num, channels, height, width (1 to 4), data (5, packed)."""
    head = b"".join(bytes([8 * number]) + _varint(size) for number, size in enumerate((1, *mean.shape), 1))
    data = mean.astype("<f4").tobytes()
    path.write_bytes(head + b"\x2a" + _varint(len(data)) + data)
    return path


def _varint(n: int) -> bytes:
    out = b""
    while n > 127:
        out, n = out + bytes([n & 127 | 128]), n >> 7
    return out + bytes([n])


def test_means_come_as_numbers_binaryproto_or_npy(tmp_path: Path) -> None:
    mean = np.random.default_rng(0).random((3, 4, 5)).astype(np.float32) * 255
    np.save(tmp_path / "mean.npy", mean)
    assert read_mean("104,117,123").tolist() == [104, 117, 123] and read_mean("127.5").shape == ()
    for file in (binaryproto(tmp_path / "mean.binaryproto", mean), tmp_path / "mean.npy"):
        assert np.array_equal(Preprocessing(read_mean(str(file))).mean, mean)
    with pytest.raises(netsurgery.NetsurgeryError) as missing:
        read_mean("no.binaryproto")
    assert str(missing.value) == (
        "no.binaryproto: there is no such mean file\n  expected: numbers (104,117,123), mean.binaryproto or mean.npy"
    )
    (tmp_path / "bad.npy").write_bytes(b"\x93NUMPY\x01\x00" + struct.pack("<H", 9) + b"{'descr':")
    with pytest.raises(netsurgery.WeightsError, match=r"bad\.npy: cannot be read"):
        read_mean(str(tmp_path / "bad.npy"))


TRAIN_VAL = """
layer { name: "d" type: "ImageData" top: "data" top: "label" include { phase: TEST }
  image_data_param { source: "list.txt" batch_size: 2 new_height: 20 new_width: 24 }
  transform_param { crop_size: 16 scale: 0.5 %s } }
layer { name: "conv" type: "Convolution" bottom: "data" top: "conv" convolution_param { num_output: 2 kernel_size: 3 } }
"""


def test_transform_param_says_what_is_done(tmp_path: Path) -> None:
    found = from_net(from_text(TRAIN_VAL % "mean_value: 104 mean_value: 117 mean_value: 123"))
    assert found is not None and found.mean is not None
    assert (found.mean.tolist(), found.scale, found.raw_scale, found.channel_order) == (
        [104, 117, 123],
        0.5,
        255,
        "bgr",
    )
    assert found.resize == (20, 24)
    mean = np.random.default_rng(0).random((3, 20, 24)).astype(np.float32)
    binaryproto(tmp_path / "mean.binaryproto", mean)
    (tmp_path / "train_val.prototxt").write_text(TRAIN_VAL % 'mean_file: "data/mean.binaryproto"')
    found = from_net(netsurgery.load(tmp_path / "train_val.prototxt"))  # found beside the prototxt
    assert found is not None and np.array_equal(found.mean, mean)
    (tmp_path / "mean.binaryproto").unlink()
    net = netsurgery.load(tmp_path / "train_val.prototxt")
    with pytest.raises(netsurgery.NetsurgeryError) as missing:
        from_net(net)
    assert str(missing.value) == (
        f"{tmp_path}/train_val.prototxt:2: layer 'd' (ImageData): the mean file 'data/mean.binaryproto' is not there\n"
        "  fix: give it: --mean mean.binaryproto or --mean 104,117,123"
    )
    found = read_pixels(net, Pixels(mean="1,2,3", channel_order="rgb"))
    assert found is not None and found.mean is not None
    assert (found.mean.tolist(), found.scale, found.channel_order) == ([1, 2, 3], 0.5, "rgb")
    assert from_net(seeing.digits()) is None


def test_a_model_records_what_its_input_is_expected_to_be(tmp_path: Path) -> None:
    convert(*seeing.NET, tmp_path / "plain.onnx")
    assert not any("mean" in p.key for p in onnx.load(tmp_path / "plain.onnx").metadata_props)
    (tmp_path / "train_val.prototxt").write_text(TRAIN_VAL % "mean_value: 104 mean_value: 117 mean_value: 123")
    convert(tmp_path / "train_val.prototxt", None, tmp_path / "known.onnx", Reading(initialize="random"))
    found = {p.key: p.value for p in onnx.load(tmp_path / "known.onnx").metadata_props}
    assert {
        key: found[f"netsurgery.{key}"] for key in ("mean", "scale", "raw_scale", "channel_order", "preprocessing")
    } == {
        "mean": "104,117,123",
        "scale": "0.5",
        "raw_scale": "255",
        "channel_order": "BGR",
        "preprocessing": "expected: (raw_scale * image - mean) * scale, image from 0 to 1",
    }
    (tmp_path / "train_val.prototxt").write_text(TRAIN_VAL % 'mean_file: "gone.binaryproto"')
    done = convert(tmp_path / "train_val.prototxt", None, tmp_path / "unknown.onnx", Reading(initialize="random"))
    assert done.notes[-1] == "what is done to pixels is not recorded: the mean file 'gone.binaryproto' is not there"
