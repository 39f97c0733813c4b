"""netsurgery score: what `caffe test` printed, and how converted models do on the same pixels."""

from __future__ import annotations

import json
import math
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import cases
import numpy as np
import pytest
import seeing
from databases import write_database

import netsurgery
from netsurgery.errors import NetsurgeryError, ShapeError
from netsurgery.formats.preprocessing import Preprocessing, from_net
from netsurgery.vision.accuracy import Tally, ranks
from netsurgery.vision.accuracy_figure import accuracy_figure
from netsurgery.vision.data_layer import transform
from netsurgery.vision.figures import figure_png
from netsurgery.vision.samples import read_pixels, samples
from netsurgery.vision.score import Options, score

FOLDER = cases.FIXTURES / "score"
DEPLOY, WEIGHTS = map(str, seeing.NET)
TRAIN_VAL, LIST = str(FOLDER / "train_val.prototxt"), str(FOLDER / "list.txt")
PIXELS = ("--mean", "12", "--scale", "0.00390625", "--resize", "32x32")
EXPECTED = json.loads((FOLDER / "expected.json").read_text())
Command = Callable[..., tuple[int, str, str]]


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    return lambda *words: seeing.call(monkeypatch, capsys, *words)


def scored(command: Command, *words: object) -> dict[str, Any]:
    code, out, err = command("score", *words, "--json")
    assert code == 0, err
    found: dict[str, Any] = json.loads(out)
    return found


def test_the_outputs_are_those_that_real_caffe_averages(command: Command) -> None:
    (model,) = scored(command, TRAIN_VAL, WEIGHTS, LIST)["models"]
    assert model["outputs"] == pytest.approx(EXPECTED["outputs"], rel=1e-5)
    assert model["top-1"]["accuracy"] == pytest.approx(EXPECTED["outputs"]["accuracy"], abs=1e-6)
    assert model["top-1"]["right"] == 31
    # other pixels, other numbers
    (model,) = scored(command, TRAIN_VAL, WEIGHTS, LIST, "--mean", "40")["models"]
    assert model["outputs"]["loss"] != pytest.approx(EXPECTED["outputs"]["loss"], rel=1e-2)


def test_pixels_are_those_of_real_caffes_image_layer() -> None:
    pixels = read_pixels(str(FOLDER / "images" / "digit-8" / "0.png"), gray=True)
    done = Preprocessing(mean=[12], scale=0.00390625)  # type: ignore[arg-type]
    got = transform(pixels, (1, 28, 28), done)[0, 10:14, 10:14]
    assert np.array_equal(got, np.array(EXPECTED["pixels"], np.float32))


def test_a_folder_a_table_and_a_list_score_the_same(command: Command, tmp_path: Path) -> None:
    table = tmp_path / "list.csv"
    table.write_text("path,label\n" + (FOLDER / "list.txt").read_text().replace(" ", ","))
    for source, more in ((FOLDER / "images", ()), (LIST, ()), (table, ("--root", FOLDER))):
        (model,) = scored(command, DEPLOY, WEIGHTS, source, *PIXELS, *more)["models"]
        assert (model["top-1"]["right"], model["top-5"]["right"]) == (31, 49)


def test_converted_models_are_held_beside_the_reference(command: Command, tmp_path: Path) -> None:
    net = netsurgery.load(DEPLOY, WEIGHTS)
    netsurgery.save_onnx(net, tmp_path / "same.onnx")
    name, weights = "ip2", net["ip2"].weights
    netsurgery.save_onnx(net.with_weights(name, -weights[0], weights[1]), tmp_path / "worse.onnx")
    found = scored(
        command, TRAIN_VAL, WEIGHTS, LIST, tmp_path / "same.onnx", tmp_path / "worse.onnx", "--fp16", "--int8", LIST
    )
    models = {model["name"]: model for model in found["models"]}
    assert list(models) == ["reference", "fp16", "int8", "same.onnx", "worse.onnx"]
    assert models["same.onnx"]["top-1"]["change"] == 0
    assert models["fp16"]["outputs"]["loss"] == pytest.approx(EXPECTED["outputs"]["loss"], rel=0.01)
    assert abs(models["int8"]["top-1"]["change"]) <= 0.1
    low, high = models["worse.onnx"]["top-1"]["change_interval"]
    assert high < -0.3 and models["worse.onnx"]["top-1"]["change"] < -0.5 and low < high


def test_accuracies_are_drawn_with_their_intervals(command: Command, tmp_path: Path) -> None:
    path = tmp_path / "scores.svg"
    code, _, _ = command("score", DEPLOY, WEIGHTS, LIST, *PIXELS, "--limit", 20, "--picture", path, "--quiet")
    assert code == 0 and "of 20 samples" in "".join(ET.parse(path).getroot().itertext())
    tallies = [Tally("$a$ $b$", ranks=[0, 0, 3, 9]), Tally("b", ranks=[0, 0, 0, 9])]
    (axes,) = accuracy_figure(tallies, (1, 5)).axes
    for k, drawn in zip((1, 5), axes.containers, strict=True):
        points, _, (bars,) = drawn.lines
        assert points.get_xdata().tolist() == [100 * tally.accuracy(k) for tally in tallies]
        for bar, tally in zip(bars.get_segments(), tallies, strict=True):
            assert bar[:, 0].tolist() == pytest.approx([100 * x for x in tally.interval(k)])
    figure_png(axes.figure)


def test_a_least_accuracy_fails_the_build(command: Command, tmp_path: Path) -> None:
    path = tmp_path / "junit.xml"
    code, _, err = command("score", DEPLOY, WEIGHTS, LIST, *PIXELS, "--least", "0.7", "--junit", path)
    assert code == 1
    assert err.splitlines()[-1] == "reference: top-1 is 0.6200, at least 0.7 is asked for"
    (suite,) = ET.parse(path).getroot()
    assert (suite.get("tests"), suite.get("failures")) == ("1", "1")
    assert command("score", DEPLOY, WEIGHTS, LIST, *PIXELS, "--least", "0.6", "--junit", path)[0] == 0
    assert "top-1 0.620000 of 50 samples" in path.read_text()


def test_an_interrupted_run_goes_on_from_its_record(tmp_path: Path) -> None:
    record = tmp_path / "scores.jsonl"
    loaded = netsurgery.load(TRAIN_VAL, WEIGHTS)
    net, options, done = netsurgery.deploy(loaded), Options(record=record), from_net(loaded)

    class StopError(Exception):
        pass

    def stop(count: int) -> None:
        if count == 32:
            raise StopError

    with pytest.raises(StopError):
        score(net, LIST, options, loaded=loaded, preprocessing=done, on_sample=stop)
    with open(record, "a") as file:
        file.write('{"samples": ["cut o')
    counts: list[int] = []
    (tally,) = score(net, LIST, options, loaded=loaded, preprocessing=done, on_sample=counts.append)
    assert counts == [32, 48, 50]
    assert tally.outputs == pytest.approx(EXPECTED["outputs"], rel=1e-5)
    with pytest.raises(NetsurgeryError, match="is the record of another run"):
        score(net, str(FOLDER / "images"), options, loaded=loaded, preprocessing=done)


def test_what_does_not_fit_is_refused_and_the_advice_works(command: Command, tmp_path: Path) -> None:
    text = Path(TRAIN_VAL).read_text()
    database = re.sub(r'"ImageData"|image_data_param \{.*?\}', lambda m: '"Data"' if "Image" in m[0] else "", text)
    path = tmp_path / "database.prototxt"
    path.write_text(database.replace('top: "label"', 'top: "label" data_param { batch_size: 10 }', 1))
    shape = ("--input-shape", "data=1,1,28,28")
    code, _, err = command("score", path, WEIGHTS, LIST, *shape)
    assert code == 2
    assert "an image of 32x32" in err and "fix: say it: --resize 256x256" in err
    found = scored(command, path, WEIGHTS, LIST, *shape, "--resize", "32x32")
    assert found["models"][0]["outputs"] == pytest.approx(EXPECTED["outputs"], rel=1e-5)
    (tmp_path / "wrong.txt").write_text(f"{FOLDER}/images/digit-1/0.png 11\n")
    code, _, err = command("score", DEPLOY, WEIGHTS, tmp_path / "wrong.txt", *PIXELS)
    assert code == 2 and "the label 11" in err and "0 to 10: blob 'prob' has 11 classes" in err
    code, _, err = command("score", DEPLOY, WEIGHTS, LIST, LIST, *PIXELS)
    assert code == 2 and " does not open it: " in err and "expected: an ONNX model" in err
    assert command("score", DEPLOY, WEIGHTS, os.devnull, *PIXELS)[0] == 2


def test_stored_samples_are_scored_as_they_are(command: Command, tmp_path: Path) -> None:
    h5py = pytest.importorskip("h5py")
    entries = list(samples(LIST, gray=True))
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file["data"] = np.stack([e.read() for e in entries]).astype(np.float32)
        file["label"] = np.array([e.label for e in entries], np.float32)
    (tmp_path / "files.txt").write_text("x.h5\n")
    for name in ("x.h5", "files.txt"):
        assert scored(command, DEPLOY, WEIGHTS, tmp_path / name, *PIXELS[:4])["models"][0]["top-1"]["right"] == 31


@pytest.mark.parametrize("kind", ["lmdb", "leveldb"])
def test_databases_are_scored_as_real_caffe_scores_the_list(command: Command, tmp_path: Path, kind: str) -> None:
    entries = list(samples(LIST, gray=True))
    labels = [entry.label or 0 for entry in entries]
    write_database(kind, tmp_path / kind, [entry.read() for entry in entries], encoded=False, labels=labels)
    (model,) = scored(command, TRAIN_VAL, WEIGHTS, tmp_path / kind)["models"]
    assert model["outputs"] == pytest.approx(EXPECTED["outputs"], rel=1e-5)
    assert (model["top-1"]["right"], model["top-5"]["right"]) == (31, 49)
    write_database(kind, tmp_path / "wrong", [entry.read() for entry in entries], encoded=False)
    assert scored(command, DEPLOY, WEIGHTS, tmp_path / "wrong", *PIXELS[:4])["models"][0]["top-1"]["right"] < 31


def test_pixels_as_pycaffe_makes_them_are_scored_too(command: Command) -> None:
    same = (*PIXELS[:4], "--pixels-as", "pycaffe", "--raw-scale", "255")
    assert scored(command, DEPLOY, WEIGHTS, LIST, *same, "--resize", "32x32")["models"][0]["top-1"]["right"] == 31
    assert scored(command, DEPLOY, WEIGHTS, LIST, *same)["models"][0]["top-1"]["right"] != 31


def test_a_mean_image_is_taken_away_before_the_crop() -> None:
    pixels = np.arange(36, dtype=np.uint8).reshape(1, 6, 6)
    mean = np.arange(36, dtype=np.float32).reshape(1, 6, 6) - 5
    assert (transform(pixels, (1, 3, 3), Preprocessing(mean=mean)) == 5).all()
    small = transform(pixels, (1, 4, 4), Preprocessing(mean=np.ones((1, 4, 4), np.float32)))
    assert np.array_equal(small, pixels[:, 1:5, 1:5].astype(np.float32) - 1)
    with pytest.raises(ShapeError, match="a mean image of 5x5 and images of 6x6"):
        transform(pixels, (1, 4, 4), Preprocessing(mean=np.ones((1, 5, 5), np.float32)))
    with pytest.raises(ShapeError, match="an image of 6x6"):
        transform(pixels, (1, 8, 8), Preprocessing())


def test_intervals_and_ties_are_what_they_should_be() -> None:
    tally, other = Tally("a", [0] * 8 + [3, 9]), Tally("b", [0] * 6 + [9] * 2 + [0, 9])
    assert tally.accuracy(1) == 0.8 and tally.accuracy(5) == 0.9
    # Wilson's interval of 8 of 10
    assert tally.interval(1) == pytest.approx((0.49016, 0.94331), abs=1e-5)
    change, half = other.change(tally, 1)
    assert change == pytest.approx(-0.1)
    assert half == pytest.approx(1.95996 * math.sqrt(3 - 0.1) / 10, abs=1e-5)
    scores = np.array([[1, 3, 2], [2, 2, 0], [0, math.nan, 1]], np.float32)
    # Caffe's Accuracy puts the right class behind those that score the same; NaN is never right
    assert ranks(scores, np.array([1, 0, 1])) == [0, 1, 3]
