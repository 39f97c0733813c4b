"""Features come out as the net computes them, in every format, a row for each image; classes as pycaffe's Classifier gives them."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import cases
import numpy as np
import pytest
import seeing
from seeing import LABELS, NET, PIXELS, call, color_net, digits, photo, save

import netsurgery
from netsurgery import vision
from netsurgery.formats.preprocessing import Preprocessing

Array = np.ndarray[Any, Any]
BLOBS = ("ip1", "pool1")


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def images(tmp_path: Path) -> list[str]:
    """Twenty images of several sizes."""
    rng = np.random.default_rng(0)
    return [save(tmp_path / "in" / f"{i:02d}.png", photo(rng, 28 + i % 3, 30)) for i in range(20)]


def expected(images: list[str]) -> dict[str, Array]:
    blobs = [vision.preprocess(vision.read_image(image), 1, (28, 28), PIXELS) for image in images]
    return netsurgery.run(digits(), {"data": np.stack(blobs)}, BLOBS)


def read(path: Path) -> dict[str, Array]:
    if path.suffix == ".h5":
        h5py = pytest.importorskip("h5py")
        with h5py.File(path) as file:
            return {key: file[key].asstr()[:] if key == "images" else file[key][:] for key in file}
    with np.load(path) as file:
        return {key: file[key] for key in file.files}


@pytest.mark.parametrize("suffix", [".npz", ".h5"])
def test_features_are_a_row_for_each_image(
    suffix: str, images: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / f"features{suffix}"
    words = ("features", *NET, tmp_path / "in", "--output", "ip1", "--output", "pool1", "-o", out, "--raw-scale", "1")
    assert call(monkeypatch, capsys, *words) == (
        0,
        "",
        f"pixels are fed as gray of 0 to 1, as Caffe's data layers do\n20 of 20 images written to {out}\n",
    )
    found, want = read(out), expected(images)
    assert list(found.pop("images")) == images and set(found) == set(BLOBS)
    for blob in BLOBS:
        assert found[blob].dtype == np.float32 and cases.difference(found[blob], want[blob]) == ""
        assert cases.difference(found[blob][::-1], want[blob]) != ""
    assert [p for p in os.listdir(tmp_path) if "part" in p] == []


def test_features_of_one_blob_are_an_array(
    images: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out, bad = tmp_path / "features.npy", tmp_path / "bad.png"
    bad.write_text("no image")
    words = ("features", *NET, images[0], bad, *images[1:], "-o", out, "--raw-scale", "1")
    code, _, err = call(monkeypatch, capsys, *words, "--output", "ip1")
    assert code == 2 and err.endswith(
        "1 of 21 images failed:\n"
        f"  {bad}: cannot be read: it is no image of a format that Pillow knows, or it is damaged\n"
        "    expected: an image\n"
    )
    found = np.load(out)
    assert cases.difference(found, expected(images)["ip1"]) == ""
    assert Path(f"{out}.txt").read_text().splitlines() == images
    code, _, err = call(monkeypatch, capsys, *words, "--output", "ip1", "--output", "pool1", "-q")
    assert code == 2 and err == f"error: {out}: 2 blobs in one .npy file\n  expected: one\n  fix: write .npz or .h5\n"
    assert np.array_equal(np.load(out), found)  # what was there stays


def test_features_in_a_folder_are_not_done_twice(
    images: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "features"
    words = ("features", *NET, tmp_path / "in", "--output", "ip1", "-o", out, "--raw-scale", "1")
    assert call(monkeypatch, capsys, *words)[2].endswith(f"20 of 20 images written to {out}\n")
    want = expected(images)["ip1"]
    for i in range(20):
        assert cases.difference(read(out / f"{i:02d}.npz")["ip1"], want[i]) == ""
    (out / "07.npz").unlink()
    (out / "08.npz").write_bytes((out / "08.npz").read_bytes()[:50])
    assert call(monkeypatch, capsys, *words)[2].endswith(f"2 of 20 images written to {out}, 18 were there\n")
    assert cases.difference(read(out / "08.npz")["ip1"], want[8]) == ""


def test_features_in_memory_and_at_another_size(images: list[str]) -> None:
    found = vision.features(digits(), images, BLOBS, preprocessing=PIXELS)
    want = expected(images)
    assert all(cases.difference(found[blob], want[blob]) == "" for blob in BLOBS)
    assert vision.features(digits(), images[:2], ["pool1"], size=(40, 52), preprocessing=PIXELS)["pool1"].shape == (
        2,
        12,
        18,
        24,
    )


@pytest.mark.parametrize(
    ("blobs", "output", "text"),
    [
        (["ip3"], "f.npz", "there is no blob 'ip3'"),
        (["ip1"], "f.mat", "cannot tell the format of 'f.mat'"),
        (["ip1"], "no/such/folder.npz", "no/such/folder.npz: cannot be written"),
    ],
)
def test_features_that_cannot_be_written_are_refused(
    blobs: list[str], output: str, text: str, images: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(netsurgery.NetsurgeryError) as refused:
        list(vision.feature_files(digits(), images, blobs, output))
    assert text in str(refused.value)
    assert os.listdir(tmp_path) == ["in"]


# Classes


def test_classify_prints_a_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    image = seeing.DIGITS / "sample_3.png"
    words = ("classify", *NET, image, "--labels", LABELS, "--raw-scale", "1", "-n", "2")
    code, out, _ = call(monkeypatch, capsys, *words)
    blob = vision.preprocess(vision.read_image(image), 1, (28, 28), PIXELS)[None]
    prob = netsurgery.run(digits(), {"data": blob}, ["prob"])["prob"][0]
    first, second = np.argsort(-prob)[:2]
    assert code == 0 and first == 3
    rows = [line.split() for line in out.splitlines()]
    assert rows[0] == [str(image)] and rows[1] == ["score", "class", "label"]
    assert rows[2] == [f"{prob[first]:.4f}", "3", "3"] and rows[3][:2] == [f"{prob[second]:.4f}", str(second)]
    assert len(rows) == 4


def test_classify_prints_json_and_goes_past_unreadable_images(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    samples = [seeing.DIGITS / f"sample_{k}.png" for k in ("3", "7", "background")]
    words = ("classify", *NET, tmp_path / "gone.png", *samples, "--labels", LABELS, "--raw-scale", "1", "--json")
    code, out, err = call(monkeypatch, capsys, *words)
    gone, *found = json.loads(out)
    assert code == 2 and "there is no such file" in gone["error"] and err.startswith("1 of 4 images failed:\n")
    assert [x["classes"][0]["label"] for x in found] == ["3", "7", "background"]
    assert [len(x["classes"]) for x in found] == [5, 5, 5] and [x["image"] for x in found] == list(map(str, samples))


TRAIN_VAL = seeing.COLOR_NET.replace(
    'layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 1 dim: 3 dim: 16 dim: 16 } } }',
    'layer { name: "data" type: "Data" top: "data" top: "label" data_param { source: "lmdb" batch_size: 8 }'
    " transform_param { %s mean_value: 104 mean_value: 117 mean_value: 123 scale: 0.5 } }",
).replace(
    'type: "Softmax" bottom: "fc" top: "prob"', 'type: "SoftmaxWithLoss" bottom: "fc" bottom: "label" top: "loss"'
)


def test_a_train_val_net_says_what_is_done_to_pixels(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    image = save(tmp_path / "a.png", photo(np.random.default_rng(0)))
    done = Preprocessing(np.array([104.0, 117, 123]), 0.5, cut=True, convention="caffe")
    want = vision.classify(color_net(), vision.read_image(image), preprocessing=done)
    (tmp_path / "train_val.prototxt").write_text(TRAIN_VAL % "crop_size: 16")
    (tmp_path / "deploy.prototxt").write_text(seeing.COLOR_NET)
    netsurgery.save_caffe(color_net(), tmp_path / "saved.prototxt", tmp_path / "w.caffemodel")
    said = (
        "pixels are fed as BGR of 0 to 255, mean 104, 117, 123 subtracted, then scaled by 0.5, as Caffe's data layers do\n"
        "note: images are cropped as they are: the data layer does not say to what size (--resize HxW)\n"
    )
    words = tmp_path / "w.caffemodel", image, "-n", "3"
    for net, more in (("train_val", ()), ("deploy", ("--transform", tmp_path / "train_val.prototxt"))):
        code, out, err = call(monkeypatch, capsys, "classify", tmp_path / f"{net}.prototxt", *words, *more)
        assert code == 0 and err.endswith(said)
        assert [line.split()[0] for line in out.splitlines()[2:]] == [f"{x.score:.4f}" for x in want]
    (tmp_path / "train_val.prototxt").write_text(TRAIN_VAL % "")
    code, _, err = call(monkeypatch, capsys, "classify", tmp_path / "train_val.prototxt", *words)
    assert code == 2 and "--input-shape" in err
    more = ("--input-shape", "data=1,3,16,16")
    assert call(monkeypatch, capsys, "classify", tmp_path / "train_val.prototxt", *words, *more)[0] == 0
    code, _, err = call(
        monkeypatch,
        capsys,
        "classify",
        tmp_path / "deploy.prototxt",
        *words,
        "--transform",
        tmp_path / "deploy.prototxt",
    )
    assert code == 2 and err == (
        f"error: {tmp_path}/deploy.prototxt: no layer has a transform_param\n  expected: a train_val.prototxt\n"
    )


def test_ten_crops_are_averaged_as_pycaffe_does() -> None:
    image = photo(np.random.default_rng(0), 50, 40)
    done = Preprocessing(np.array([104.0, 117, 123]), resize=(24, 26))
    net = color_net()
    warped = vision.resize(image, (24, 26)) / np.float32(255)
    crops = [vision.preprocess(crop, 3, None, done) for crop in vision.oversample(warped, (16, 16))]
    want = netsurgery.run(net, {"data": np.stack(crops)}, ["fc"])["fc"].mean(axis=0)
    found = vision.classify(net, image, output="fc", oversample=True, top=3, preprocessing=done)
    assert [x.channel for x in found] == np.argsort(-want).tolist()
    assert [x.score for x in found] == pytest.approx(sorted(want, reverse=True), rel=1e-4)
    one = vision.classify(net, image, output="fc", top=3, preprocessing=done)
    middle = netsurgery.run(net, {"data": crops[4][None]}, ["fc"])["fc"][0]
    assert [x.score for x in one] == pytest.approx(sorted(middle, reverse=True), rel=1e-4)


def test_what_cannot_be_classified_is_refused() -> None:
    image = photo(np.random.default_rng(0))
    with pytest.raises(netsurgery.ShapeError) as map:
        vision.classify(color_net(), image, output="conv2")
    assert str(map.value) == (
        "<text>:1: blob 'conv2' (1, 6, 4, 4) is a map, not one answer for each image\n"
        "  expected: a blob (N, classes)\n"
        "  fix: netsurgery heatmap, or name another blob: --output"
    )
    with pytest.raises(netsurgery.NetsurgeryError, match="2 labels for blob 'prob' of 3 channels"):
        vision.classify(color_net(), image, labels=["a", "b"])
    with pytest.raises(netsurgery.ShapeError, match="images warped to 8x30"):
        vision.classify(color_net(), image, preprocessing=Preprocessing(resize=(8, 30)))
