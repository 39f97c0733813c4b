"""netsurgery inspect and sizes: what they say of a net."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from windows import ALEXNET

import netsurgery
from netsurgery.cli import main
from netsurgery.errors import ShapeError
from netsurgery.formats.load import from_text
from netsurgery.summary import summarize

DIGITS = Path(__file__).parents[2] / "fixtures" / "digits"
NET = """name: "small"
layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 2 dim: 3 dim: 8 dim: 6 } } }
layer { name: "conv" type: "Convolution" bottom: "data" top: "conv" convolution_param { num_output: 4 kernel_size: 3 stride: 2 } }
layer { name: "relu" type: "ReLU" bottom: "conv" top: "conv" }
layer { name: "up" type: "Deconvolution" bottom: "conv" top: "up"
  convolution_param { num_output: 2 kernel_size: 4 stride: 2 bias_term: false } }
layer { name: "odd" type: "Oddity" bottom: "up" top: "odd" }
layer { name: "after" type: "ReLU" bottom: "odd" top: "after" }
layer { name: "fc" type: "InnerProduct" bottom: "conv" top: "fc"
  param { name: "w" } inner_product_param { num_output: 5 bias_term: false } }
layer { name: "twin" type: "InnerProduct" bottom: "conv" top: "twin"
  param { name: "w" } inner_product_param { num_output: 5 bias_term: false } }
layer { name: "all" type: "Softmax" bottom: "fc" top: "all" }
"""

Command = Callable[..., tuple[int, str, str]]


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    def run(*args: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["netsurgery", *map(str, args)])
        with pytest.raises(SystemExit) as end:
            main()
        return int(end.value.code or 0), *capsys.readouterr()

    return run


@pytest.fixture
def alexnet(tmp_path: Path) -> Path:
    path = tmp_path / "alexnet.prototxt"
    path.write_text(ALEXNET)
    return path


def lines(text: str) -> list[str]:
    return [line.rstrip() for line in text.splitlines()]


def test_summary_of_each_layer() -> None:
    found = summarize(from_text(NET, "small.prototxt"))
    rows = {row.pop("name"): row for row in found["layers"]}
    assert rows["conv"] == {
        "type": "Convolution",
        "tops": {"conv@conv": [2, 4, 3, 2]},
        "parameters": 4 * 3 * 9 + 4,
        "macs": 2 * 4 * 3 * 9 * 3 * 2,
        "sees": {"data": {"stride": [2, 2], "receptive_field": [3, 3], "offset": [0, 0]}},
        "error": None,
    }
    assert rows["relu"]["tops"] == {"conv": [2, 4, 3, 2]}
    assert (rows["relu"]["parameters"], rows["relu"]["macs"]) == (0, 0)
    assert rows["up"]["macs"] == 2 * 4 * 2 * 16 * 3 * 2
    assert rows["up"]["sees"] == {"data": {"stride": [1, 1], "receptive_field": [5, 5], "offset": [-2, -2]}}
    assert rows["odd"] == {
        "type": "Oddity",
        "tops": {"odd": None},
        "parameters": None,
        "macs": None,
        "sees": {},
        "error": "layer type 'Oddity' is not known",
    }
    assert (rows["after"]["tops"], rows["after"]["parameters"], rows["after"]["error"]) == ({"after": None}, None, None)
    assert (rows["fc"]["parameters"], rows["twin"]["parameters"]) == (5 * 4 * 3 * 2, 0)
    assert rows["fc"]["macs"] == rows["twin"]["macs"] == 2 * 5 * 4 * 3 * 2
    assert rows["all"]["sees"] == {
        "data": {"stride": [None, None], "receptive_field": [None, None], "offset": [None, None]}
    }
    assert found["totals"] == {
        "layers": 9,
        "parameters": 112 + 4 * 2 * 16 + 120,
        "macs": 1296 + 1536 + 2 * 240,
        "unsupported": 1,
    }
    assert (found["inputs"], found["outputs"]) == ({"data": [2, 3, 8, 6]}, ["after", "twin", "all"])


def test_summary_at_another_input_size() -> None:
    net = from_text(NET, "small.prototxt")
    rows = {row["name"]: row for row in summarize(net, {"data": [1, 3, 11, "W"]})["layers"]}
    assert rows["conv"]["tops"] == {"conv@conv": [1, 4, 5, 2]}
    with pytest.raises(ShapeError) as error:
        summarize(net, {"image": [1, 3, 8, 8]})
    assert str(error.value) == "small.prototxt:1: the net has no input 'image'\n  expected: one of: data"


def test_parameters_are_those_of_the_weights() -> None:
    net = netsurgery.load(DIGITS / "deploy.prototxt", DIGITS / "digits.caffemodel")
    assert summarize(net)["totals"]["parameters"] == sum(w.size for layer in net.layers for w in layer.weights)


def test_a_net_whose_input_has_no_shape_is_shown_all_the_same() -> None:
    text = 'layer { name: "data" type: "Input" top: "data" }\nlayer { name: "relu" type: "ReLU" bottom: "data" top: "relu" }\n'
    found = summarize(from_text(text))
    assert [row["tops"] for row in found["layers"]] == [{"data": None}, {"relu": None}]
    assert found["inputs"] == {"data": None}
    assert summarize(from_text(text), {"data": [1, 3]})["layers"][1]["tops"] == {"relu": [1, 3]}


def test_inspect_prints_a_table(command: Command, alexnet: Path) -> None:
    code, out, _ = command("inspect", alexnet)
    assert code == 0
    rows = lines(out)
    assert rows[0].split() == [
        "layer",
        "type",
        "output",
        "parameters",
        "multiply-accumulates",
        "receptive",
        "field",
        "stride",
    ]
    assert [row.split() for row in rows[1:4]] == [
        ["data", "Input", "1x3x227x227", "1", "1"],
        ["conv1", "Convolution", "1x1x55x55", "363", "1,098,075", "11", "4"],
        ["pool1", "Pooling", "1x1x27x27", "19", "8"],
    ]
    assert rows[9].split() == ["pool5", "Pooling", "1x1x6x6", "195", "32"]
    assert rows[10].split() == ["fc6", "InnerProduct", "1x4", "148", "144", "all", "-"]
    assert rows[12].split()[:2] == ["11", "layers"]


def test_inspect_shows_unsupported_layers_and_goes_on(command: Command, tmp_path: Path) -> None:
    path = tmp_path / "small.prototxt"
    path.write_text(NET)
    code, out, _ = command("inspect", path)
    assert code == 0
    rows = {row.split()[0]: row.split()[1:] for row in lines(out)}
    assert rows["odd"] == ["Oddity", "(unsupported)", "?", "?", "?"]
    assert rows["all"] == ["Softmax", "2x5", "all", "-"]
    assert lines(out)[-1] == "unsupported: odd (Oddity): layer type 'Oddity' is not known"


def test_inspect_as_json_at_another_size(command: Command, alexnet: Path) -> None:
    code, out, _ = command("inspect", alexnet, "--json", "--input-shape", "data=2,3,451,227")
    assert code == 0
    found = json.loads(out)
    assert found["layers"][1]["tops"] == {"conv1": [2, 1, 111, 55]}
    code, out, err = command("inspect", alexnet, "--input-shape", "data=2,3,9,9")
    assert (code, out) == (2, "")
    assert err.startswith("error: ")


def test_sizes_of_alexnet(command: Command, alexnet: Path) -> None:
    code, out, err = command("sizes", alexnet, "fc7")
    assert code == 0
    assert [line.split() for line in lines(out)] == [
        ["input", "map", "same", "map", "from", "..", "to"],
        ["227x227", "1x1", "199", "..", "230"],
        ["259x259", "2x2", "231", "..", "262"],
        ["323x323", "4x4", "295", "..", "326"],
        ["451x451", "8x8", "423", "..", "454"],
    ]
    assert lines(err) == [
        "note: InnerProduct became Convolution, with kernel: fc6 6x6, fc7 1x1",
        "stride 32x32, receptive field 355x355",
    ]


def test_sizes_of_given_positions_and_of_given_sizes(command: Command, alexnet: Path) -> None:
    code, out, _ = command("sizes", alexnet, "fc7", "-n", 3, "--quiet")
    assert (code, lines(out)[1].split()[:2]) == (0, ["291x291", "3x3"])
    code, out, _ = command("sizes", alexnet, "fc7", "--size", "300x420", "--json")
    assert code == 0
    assert json.loads(out) == {
        "blob": "fc7",
        "input": "data",
        "declared": [227, 227],
        "stride": [32, 32],
        "receptive_field": [355, 355],
        "offset": [-64, -64],
        "sizes": [{"input": [300, 420], "map": [4, 7], "range": [[295, 326], [391, 422]]}],
    }


def test_sizes_of_a_blob_with_one_answer_for_the_image(command: Command, tmp_path: Path) -> None:
    path = tmp_path / "net.prototxt"
    path.write_text(
        ALEXNET.split('layer { name: "fc6"')[0]
        + 'layer { name: "all" type: "Pooling" bottom: "pool5" top: "all" pooling_param { pool: AVE global_pooling: true } }\n'
    )
    code, out, err = command("sizes", path, "all", "-n", 2)
    assert code == 0
    assert lines(err) == ["blob 'all' has one answer for the whole image, whatever its size"]
    assert lines(out)[1].split() == ["none", "2x2", "none"]
    code, out, err = command("sizes", path, "all", "-n", 2, "--sliding-pool")
    assert lines(out)[1].split()[:2] == ["259x259", "2x2"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["fc9"], "error: {}:1: there is no blob 'fc9'\n  fix: did you mean 'fc7'?\n"),
        (
            ["fc7", "--size", "9x"],
            "error: --size 9x\n  expected: HEIGHTxWIDTH, such as 300x420, or one number for both\n",
        ),
        (
            ["fc7", "--input", "image"],
            "error: {}:1: blob 'fc7' sees 'data', not 'image'\n  fix: say which input: --input, or input=... in Python\n",
        ),
    ],
)
def test_sizes_refuses_what_is_not_there(command: Command, alexnet: Path, words: list[str], said: str) -> None:
    code, out, err = command("sizes", alexnet, *words, "--quiet")
    assert (code, out, err) == (2, "", said.format(alexnet))
