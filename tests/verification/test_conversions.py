"""Many models in one go: what is up to date, what is pinned, and what a run says at the end."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from pathlib import Path

import cases
import onnx
import pytest
from verify_command import run_cli

import netsurgery
from netsurgery.errors import NetsurgeryError
from netsurgery.exporters.options import Export
from netsurgery.formats.manifest import Model, read_manifest
from netsurgery.formats.options import Reading
from netsurgery.passes.options import Surgery
from netsurgery.verification.conversions import convert_all
from netsurgery.verification.entries import Entries

DIGITS = cases.FIXTURES / "digits"


@pytest.fixture
def here(tmp_path: Path) -> Path:
    for name in ("one", "two"):
        shutil.copy(DIGITS / "deploy.prototxt", tmp_path / f"{name}.prototxt")
        shutil.copy(DIGITS / "digits.caffemodel", tmp_path / f"{name}.caffemodel")
    return tmp_path


def models(here: Path) -> list[Model]:
    return [Model(here / f"{name}.prototxt", here / f"{name}.caffemodel") for name in ("one", "two")]


def statuses(here: Path, options: Entries = Entries()) -> list[str]:
    return [outcome.status for outcome in convert_all(models(here), here / "out", options=options)]


def test_what_is_up_to_date_is_told_by_content_not_by_time(here: Path) -> None:
    assert statuses(here) == ["converted", "converted"]
    assert statuses(here) == ["up to date", "up to date"]
    os.utime(here / "one.prototxt")
    assert statuses(here) == ["up to date", "up to date"]
    net = netsurgery.load(here / "one.prototxt", here / "one.caffemodel")
    conv = net["conv1"]
    netsurgery.save_caffe(
        net.with_weights("conv1", *(2 * w for w in conv.weights)), here / "x.prototxt", here / "x.caffemodel"
    )
    shutil.copy(here / "x.caffemodel", here / "one.caffemodel")
    os.utime(here / "one.caffemodel", (0, 0))  # replaced by an older file
    assert statuses(here) == ["converted", "up to date"]


@pytest.mark.parametrize(
    "options",
    [
        Entries(surgery=Surgery(fully_convolutional=True)),
        Entries(export=Export(opset=18)),
        Entries(export=Export(outputs=("ip1",))),
        Entries(Reading(input_shapes={"data": (2, 1, 28, 28)})),
    ],
)
def test_other_options_make_another_model(options: Entries, here: Path) -> None:
    statuses(here)
    assert statuses(here, options) == ["converted", "converted"]
    assert statuses(here, options) == ["up to date", "up to date"]
    assert statuses(here) == ["converted", "converted"]


def test_weights_beside_the_model_belong_to_it(here: Path) -> None:
    options = Entries(export=Export(weights_mode="external"))
    statuses(here, options)
    assert statuses(here, options) == ["up to date", "up to date"]
    (here / "out" / "two.onnx.data").unlink()
    assert statuses(here, options) == ["up to date", "converted"]


def test_one_output_for_two_models_is_refused(here: Path) -> None:
    path = here / "models.toml"
    entry = '[[model]]\nprototxt = "{}.prototxt"\nonnx = "out/a.onnx"\n'
    path.write_text(entry.format("one") + entry.format("two"))
    with pytest.raises(NetsurgeryError) as caught:
        list(convert_all(read_manifest(path), here))
    assert str(caught.value).startswith(f"{path}:4: model 'a' would be written over model 'a' ({path}:1): ")
    assert not (here / "out").exists()


def test_a_model_written_over_the_file_of_another_is_refused(here: Path) -> None:
    one, two = models(here)
    over = Model(two.prototxt, two.weights, one.prototxt)
    with pytest.raises(NetsurgeryError, match="is read, and would be overwritten"):
        list(convert_all([one, over], here / "out"))


def test_pins_hold_for_converting_too(here: Path) -> None:
    right = hashlib.sha256((here / "one.caffemodel").read_bytes()).hexdigest()
    path = here / "models.toml"
    entry = (
        '[[model]]\nprototxt = "one.prototxt"\nweights = "one.caffemodel"\nonnx = "a.onnx"\nsha256 = {{ {} = "{}" }}\n'
    )
    for kind, pin, status in (
        ("weights", right, "converted"),
        ("weights", "0" * 64, "refused"),
        ("onnx", "0" * 64, "refused"),
    ):
        path.write_text(entry.format(kind, pin))
        (outcome,) = convert_all(read_manifest(path), here, force=True)
        assert outcome.status == status, outcome.reason
    assert "is not the file that is pinned" in outcome.reason


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_run_says_how_many_agree_and_a_line_for_each(jobs: int, here: Path) -> None:
    (here / "three.prototxt").write_text('layer { name: "x" type: "Wavelet" top: "y" }')
    words = "convert", here, "-o", here / "out", "--verify", "--jobs", jobs
    done = run_cli(*words)
    assert done.exit_code == 2
    lines = done.stdout.splitlines()
    assert [line.split(":")[0] for line in lines[:2]] == ["one", "two"]
    assert all("agrees" in line for line in lines[:2])
    assert lines[2:] == ["2 of 2 models agree"]
    assert "2 converted" in done.stderr.replace("1 refused, ", "") and "1 refused" in done.stderr


def test_a_model_is_held_against_the_net_that_its_options_give(here: Path) -> None:
    files = here / "one.prototxt", here / "one.caffemodel"
    assert run_cli("convert", *files, "-o", here / "m.onnx", "--fully-convolutional", "-q").exit_code == 0
    record = {p.key: p.value for p in onnx.load(here / "m.onnx").metadata_props}
    assert json.loads(record["netsurgery.options"]) == {"fully_convolutional": True}
    done = run_cli("verify", *files, here / "m.onnx")
    assert done.exit_code == 0, done.output
    assert "note: the net is taken as the model was converted: --fully-convolutional" in done.stdout
    model = onnx.load(here / "m.onnx")
    for prop in model.metadata_props:
        if prop.key == "netsurgery.options":
            prop.value = '{"plugins": ["evil.py"], "fully_convolutional": true}'  # a model names no program to run
    onnx.save(model, here / "n.onnx")
    assert run_cli("verify", *files, here / "n.onnx").exit_code == 0
    for prop in model.metadata_props:
        if prop.key == "netsurgery.options":
            prop.value = "{"
    onnx.save(model, here / "n.onnx")
    done = run_cli("verify", *files, here / "n.onnx")
    assert done.exit_code == 2
    assert "its record of options cannot be read" in done.stderr
