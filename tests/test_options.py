"""Every option has one declaration, which commands and manifests share."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from netsurgery.cli import COMMANDS, build
from netsurgery.cli import options as command_line
from netsurgery.errors import NetsurgeryError, ParseError, Source
from netsurgery.exporters.options import Export
from netsurgery.formats.manifest import Model, read_manifest
from netsurgery.formats.options import Pixels, Reading
from netsurgery.options import from_words, options_of
from netsurgery.passes.options import Surgery
from netsurgery.verification.entries import Entries, entries_of
from netsurgery.verification.options import Comparing, Inputs

MANIFEST = command_line.classes(["Comparing", "Export", "Inputs", "Pixels", "Reading", "Surgery"])
"""The classes of options that a manifest has."""

READS_NO_NET = {"caffe", "caffe2", "layers", "mean", "pycaffe", "upgrade"}


def options(command: str) -> set[str]:
    """The options of a command, as the command line has them."""
    from typer.main import get_command

    built: Any = get_command(build([command]))
    built = built.commands[command] if hasattr(built, "commands") else built
    return {name for parameter in built.params for name in parameter.opts}


@pytest.mark.parametrize("command", [name for name in COMMANDS if name not in READS_NO_NET])
def test_every_command_that_reads_a_net_reads_it_alike(command: str) -> None:
    names = {f"--{o.name}" for o in options_of(Reading).values()}
    assert {"--plugin", "--input-shape", "--phase", "--stage", "--ignore-unknown", "--initialize"} <= names
    assert names <= options(command)


def test_every_field_that_users_set_has_an_option() -> None:
    for cls in command_line.classes().values():
        lacking = {f.name for f in fields(cls)} - options_of(cls).keys()
        assert lacking <= {"layers", "labels"}, cls


def test_the_same_key_means_the_same_kind_everywhere() -> None:
    kinds: dict[str, tuple[str, object]] = {}
    for cls in MANIFEST.values():
        for o in options_of(cls).values():
            assert kinds.setdefault(o.key, (o.name, o.kind)) == (o.name, o.kind), o.key


def entries(**said: Any) -> Entries:
    return entries_of(Model(Path("net.prototxt"), options=said, folder=Path("models")))


def test_a_manifest_takes_every_option_under_its_name() -> None:
    said: dict[str, Any] = {}
    for cls in MANIFEST.values():
        said |= {o.key: None for o in options_of(cls).values()}
    with pytest.raises(ParseError, match="is None"):
        entries(**said)  # each is known: the first value is at fault
    found = entries(
        input_shape={"data": [1, 3, "H", "W"]},
        stage="deploy",
        plugin="my.py",
        no_fold=True,
        rgb=True,
        mean=[1, 2, 3],
        size=[227, "451x300"],
        every_blob=True,
        detections="raw",
        seed=4,
        output=["fc7"],
        input={"data": "x.npy"},
    )
    assert found == Entries(
        Reading(input_shapes={"data": (1, 3, "H", "W")}, stages=("deploy",), plugins=("models/my.py",), seed=4),
        Surgery(detections="raw"),
        Pixels(mean="1.0,2.0,3.0", channel_order="rgb"),
        Export(outputs=("fc7",), fold=False),
        Inputs(sizes=(227, (451, 300)), arrays={"data": "models/x.npy"}, seed=4),
        Comparing(outputs=("fc7",), inner=True),
    )


def test_the_spellings_of_before_are_taken() -> None:
    assert entries(
        input_shapes={"data": [1, 3, 5, 5]},
        stages=["deploy"],
        raw_detections=True,
        fold=False,
        channel_order="rgb",
        sizes=[3],
        batches=[2],
        inner=True,
        outputs=["fc7"],
        inputs="all.npz",
        map={"prob": "output_0"},
        ranges={"data": [0, 1]},
    ) == entries(
        input_shape="data=1,3,5,5",
        stage="deploy",
        detections="raw",
        no_fold=True,
        bgr=False,
        size="3",
        batch=2,
        outputs_only=False,
        output="fc7",
        input="all.npz",
        names={"prob": "output_0"},
        range="data=0,1",
    )


def test_a_wrong_entry_says_where_it_stands_and_what_was_meant(tmp_path: Path) -> None:
    path = tmp_path / "models.toml"
    path.write_text(
        '[[model]]\nprototxt = "a.prototxt"\n\n[[model]]\nprototxt = "b.prototxt"\nfuly_convolutional = true\n'
    )
    first, second = read_manifest(path)
    assert entries_of(first) == Entries()
    with pytest.raises(ParseError) as caught:
        entries_of(second)
    text = str(caught.value)
    assert text.startswith(f"{path}:6: model 'b': the manifest's entry 'fuly_convolutional' is not known\n  expected: ")
    assert text.endswith("\n  fix: did you mean 'fully_convolutional'?")
    with pytest.raises(ParseError, match="says once more what another entry says"):
        entries(stage="a", stages=["b"])


def test_entries_of_a_model_stand_before_the_options_of_the_command() -> None:
    base = Entries(Reading(phase="TRAIN", level=3), export=Export(opset=18))
    found = entries_of(Model(Path("net.prototxt"), options={"phase": "TEST"}), base)
    assert (found.reading.phase, found.reading.level, found.export.opset) == ("TEST", 3, 18)


@pytest.mark.parametrize(
    ("cls", "key", "word", "text"),
    [
        (
            Reading,
            "input_shape",
            ["data=1,,3"],
            "--input-shape data=1,,3\n  expected: BLOB=N,C,H,W, such as data=1,3,224,224",
        ),
        (Reading, "input_shape", ["data=²,3"], "--input-shape data=²,3\n"),
        (Reading, "set", ["height"], "--set height\n  expected: NAME=VALUE, such as height=227"),
        (Surgery, "rename", ["fc6"], "--rename fc6\n  expected: OLD=NEW"),
        (Inputs, "size", ["3x"], "--size 3x\n  expected: HEIGHTxWIDTH"),
        (Inputs, "size", ["0"], "--size 0\n"),
        (Inputs, "range", ["data=nan,1"], "--range data=nan,1\n  expected: BLOB=LOW,HIGH, such as data=0,255"),
        (Inputs, "range", ["data=2,1"], "--range data=2,1\n"),
        (Pixels, "scale", float("nan"), "--scale nan\n  expected: a number"),
        (Pixels, "raw_scale", float("inf"), "--raw-scale inf\n"),
    ],
)
def test_a_wrong_word_is_an_error_that_shows_it(cls: type[Any], key: str, word: object, text: str) -> None:
    with pytest.raises(NetsurgeryError) as caught:
        from_words(cls, {key: word})
    assert str(caught.value).startswith(text)


def test_what_is_not_said_is_the_default() -> None:
    assert from_words(Reading, {}) == Reading()
    assert from_words(Reading, {"phase": "TRAIN", "stage": ["a", "b"]}) == Reading(phase="TRAIN", stages=("a", "b"))


def test_lines_of_a_manifest_are_found_in_tables_too(tmp_path: Path) -> None:
    path = tmp_path / "models.toml"
    path.write_text(
        '# [[model]]\n[[model]]\n"prototxt" = "a.prototxt"\nset.height = "3"\n[model.range]\ndata = [0, 1]\n'
    )
    (model,) = read_manifest(path)
    assert {key: source.line for key, source in model.sources.items()} == {"": 2, "prototxt": 3, "set": 4, "range": 5}
    assert entries_of(model).reading.settings == {"height": "3"}
    assert model.source == Source(str(path), 2)
