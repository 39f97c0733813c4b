"""The command line as people use it: real processes or the real application, exit codes, files left and not left."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import cases
import numpy as np
import pytest
from typer.testing import CliRunner

from netsurgery.cli import COMMANDS, build, main
from netsurgery.cli.options import with_defaults

DIGITS = cases.FIXTURES / "digits"


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the digits net, to work in."""
    shutil.copy(DIGITS / "deploy.prototxt", tmp_path)
    shutil.copy(DIGITS / "digits.caffemodel", tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def call(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    """Exit code, stdout and stderr of `netsurgery words...`."""
    monkeypatch.setattr(sys, "argv", ["netsurgery", *words])
    with pytest.raises(SystemExit) as ended:
        main()
    out = capsys.readouterr()
    return int(ended.value.code or 0), out.out, out.err


def edit(here: Path, old: str, new: str) -> None:
    text = (here / "deploy.prototxt").read_text()
    assert old in text
    (here / "deploy.prototxt").write_text(text.replace(old, new, 1))


def test_the_commands_of_the_readme_run_from_another_folder(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "netsurgery", "convert", DIGITS / "deploy.prototxt", DIGITS / "digits.caffemodel"]
    done = subprocess.run([*command, "-o", "digits.onnx"], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout == ""
    assert done.stderr == (
        "digits.onnx: data (data_n, 1, 28, 28) -> prob\n"
        "note: layer 'ip1' (InnerProduct) ties axis 2 of data to 28 and axis 3 of data to 28; --fully-convolutional frees it\n"
    )
    (prob,) = cases.session(str(tmp_path / "digits.onnx")).run(None, {"data": np.zeros((3, 1, 28, 28), np.float32)})
    assert prob.argmax(1).tolist() == [10, 10, 10]


def test_the_same_input_gives_the_same_bytes(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("convert", "deploy.prototxt", "digits.caffemodel", "-q", "-o")
    assert call(monkeypatch, capsys, *words, "a.onnx") == (0, "", "")
    assert call(monkeypatch, capsys, *words, "b.onnx") == (0, "", "")
    assert (here / "a.onnx").read_bytes() == (here / "b.onnx").read_bytes()


def test_convert_tells_machines_what_it_wrote(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, err = call(
        monkeypatch,
        capsys,
        "convert",
        "deploy.prototxt",
        "digits.caffemodel",
        "--fully-convolutional",
        "--json",
        "-o",
        "m.onnx",
    )
    assert (code, err) == (0, "")
    told = json.loads(out)
    assert told["inputs"] == {"data": ["data_n", 1, "data_h", "data_w"]}
    assert told["outputs"] == ["prob"]
    assert not any(axis["freed_by_surgery"] for axis in told["tied"])


BAD = {
    "missing": (
        ["no.prototxt"],
        "error: no.prototxt: cannot be read: No such file or directory\n  expected: a prototxt file\n",
    ),
    "empty": (["empty"], "error: empty: the file is empty\n  expected: a prototxt: protobuf text\n"),
    "empty weights": (["deploy.prototxt", "empty"], "error: empty: the file is empty\n"),
    "folder as weights": (["deploy.prototxt", "folder"], "error: folder: "),
    "swapped": (
        ["digits.caffemodel", "deploy.prototxt"],
        "error: digits.caffemodel: this is a file of weights, and deploy.prototxt the net\n"
        "  expected: the net first, then its weights\n  fix: netsurgery convert deploy.prototxt digits.caffemodel\n",
    ),
    "no format": (
        ["deploy.prototxt", "digits.caffemodel", "-o", "x.foo"],
        "error: cannot tell the format of 'x.foo'\n  expected: a name that ends in .onnx or .prototxt",
    ),
    "no weights": (
        ["deploy.prototxt"],
        "error: deploy.prototxt:9: layer 'conv1' (Convolution): has no weights\n",
    ),
    "opset": (["deploy.prototxt", "digits.caffemodel", "--opset", "9"], "error: opset 9\n  expected: 17 to "),
    "shape": (
        ["deploy.prototxt", "digits.caffemodel", "--input-shape", "data=1,,3"],
        "error: --input-shape data=1,,3\n  expected: BLOB=N,C,H,W, such as data=1,3,224,224 or data=1,3,H,W\n",
    ),
    "unwritable": (
        ["deploy.prototxt", "digits.caffemodel", "-o", "no/where.onnx"],
        "error: no/where.onnx: cannot be written: ",
    ),
}


@pytest.mark.parametrize("words, said", BAD.values(), ids=BAD)
def test_bad_input_is_an_error_of_code_2_and_leaves_nothing(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], words: list[str], said: str
) -> None:
    (here / "empty").touch()
    (here / "folder").mkdir()
    before = sorted(here.iterdir())
    code, out, err = call(monkeypatch, capsys, "convert", *words)
    assert (code, out) == (2, "")
    assert err.startswith(said)
    assert sorted(here.iterdir()) == before


EDITS = {
    "typo": (
        "num_output: 12",
        "num_outptu: 12",
        "deploy.prototxt:14: layer 'conv1' (Convolution): field 'num_outptu: 12' is not known in ConvolutionParameter\n"
        "  expected: a field that is known and used\n  fix: did you mean 'num_output'?\n",
    ),
    "unknown bottom": (
        'bottom: "pool1"',
        'bottom: "pol1"',
        "deploy.prototxt:29: layer 'conv2' (Convolution): bottom 'pol1' is not written by any layer before it\n"
        "  expected: one of: data, conv1@conv1, conv1, pool1\n  fix: did you mean 'pool1'?\n",
    ),
    "syntax": (
        "num_output: 12",
        "num_output: 12 20",
        "deploy.prototxt:14: column 38: expected a field name, found '20'\n",
    ),
    "another shape": (
        "num_output: 64",
        "num_output: 32",
        "deploy.prototxt:49: layer 'ip1' (InnerProduct): blob 0 has shape 64x384 in digits.caffemodel\n"
        "  expected: 32x384\n  fix: give the weights that belong to this prototxt\n",
    ),
    "without its weights": (
        'name: "ip1"',
        'name: "fc"',
        "deploy.prototxt:49: layer 'fc' (InnerProduct): has no weights in digits.caffemodel\n",
    ),
    "two writers": (
        'top: "ip2"',
        'top: "pool1"',
        "deploy.prototxt:62: layer 'ip2' (InnerProduct): top 'pool1' is already written by layer 'pool1'\n",
    ),
    "absurd sizes": (
        "dim: 28 dim: 28",
        "dim: 28000000 dim: 28000000",
        "deploy.prototxt:9: layer 'conv1' (Convolution): top 'conv1@conv1' of shape 1x12x27999996x27999996\n",
    ),
    "other sizes": (
        "dim: 28 dim: 28",
        "dim: 2800 dim: 2800",
        "deploy.prototxt:49: layer 'ip1' (InnerProduct): blob 0 has shape",
    ),
}


@pytest.mark.parametrize("old, new, said", EDITS.values(), ids=EDITS)
def test_a_bad_net_is_an_error_that_names_file_line_and_layer(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], old: str, new: str, said: str
) -> None:
    edit(here, old, new)
    (here / "out.onnx").write_bytes(b"precious")
    code, out, err = call(monkeypatch, capsys, "convert", "deploy.prototxt", "digits.caffemodel", "-o", "out.onnx")
    assert (code, out) == (2, "")
    assert err.startswith(f"error: {said}")
    assert (here / "out.onnx").read_bytes() == b"precious"


def test_all_unsupported_layers_are_listed_at_once(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    edit(here, 'type: "ReLU"', 'type: "Convolutoin"')
    edit(here, 'type: "Softmax"', 'type: "Wavelet"')
    code, out, err = call(monkeypatch, capsys, "convert", "deploy.prototxt", "digits.caffemodel", "--json")
    assert code == 2
    assert json.loads(out)["kind"] == "UnsupportedLayersError"
    assert err == (
        "error: 2 layers cannot be exported:\n"
        "deploy.prototxt:16: layer 'relu1' (Convolutoin): layer type 'Convolutoin' is not known\n"
        "  expected: a type that `netsurgery layers` lists\n  fix: did you mean 'Convolution'?\n"
        "deploy.prototxt:69: layer 'prob' (Wavelet): layer type 'Wavelet' is not known\n"
        "  expected: a type that `netsurgery layers` lists\n"
        "  fix: register a layer of your own (README: Your own layer), or hand it on: --as-custom-op Wavelet\n"
    )


def test_a_truncated_caffemodel_gives_an_error_or_the_same_weights(here: Path) -> None:
    import netsurgery

    whole = (here / "digits.caffemodel").read_bytes()
    want = netsurgery.load("deploy.prototxt", "digits.caffemodel")
    for length in {*range(0, len(whole), 997), *range(len(whole) - 40, len(whole))}:
        (here / "cut.caffemodel").write_bytes(whole[:length])
        try:
            got = netsurgery.load("deploy.prototxt", "cut.caffemodel")
        except netsurgery.NetsurgeryError:
            continue
        for a, b in zip(want.layers, got.layers, strict=True):
            assert all(np.array_equal(x, y) for x, y in zip(a.weights, b.weights, strict=True))


def test_a_folder_is_converted_whole_resumed_and_reported(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("one", "two"):
        (here / "zoo" / name).mkdir(parents=True)
        for file in ("deploy.prototxt", "digits.caffemodel"):
            shutil.copy(here / file, here / "zoo" / name)
    (here / "zoo" / "two" / "deploy.prototxt").write_text('layer { name: "x" type: "Wavelet" top: "y" }')
    words = ("convert", "zoo", "-o", "out", "--json")
    code, out, _ = call(monkeypatch, capsys, *words)
    assert code == 2
    assert json.loads(out)["count"] == {"converted": 1, "refused": 1}
    assert (here / "out" / "one" / "deploy.onnx").exists()
    assert not (here / "out" / "two" / "deploy.onnx").exists()
    shutil.rmtree(here / "zoo" / "two")
    code, out, _ = call(monkeypatch, capsys, *words)
    assert (code, json.loads(out)["count"]) == (0, {"up to date": 1})


def test_a_manifest_names_models_and_options(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    entry = '[[model]]\nprototxt = "deploy.prototxt"\nweights = "digits.caffemodel"\nonnx = "out/map.onnx"\n'
    (here / "models.toml").write_text(f"{entry}fully_convolutional = true\nsizes = [28, 56]\n")
    code, _, err = call(monkeypatch, capsys, "convert", "--manifest", "models.toml")
    assert (code, err) == (0, "converted: out/map.onnx\n1 converted\n")
    (prob,) = cases.session(str(here / "out" / "map.onnx")).run(None, {"data": np.zeros((1, 1, 36, 40), np.float32)})
    assert prob.shape == (1, 11, 3, 4)
    (here / "models.toml").write_text(f"{entry}fuly_convolutional = true\n")
    code, _, err = call(monkeypatch, capsys, "convert", "--manifest", "models.toml", "--force")
    assert code == 2
    assert "the manifest's entry 'fuly_convolutional' is not known" in err


def test_every_command_teaches_with_an_example() -> None:
    listed = CliRunner().invoke(build(), ["--help"])
    assert listed.exit_code == 0
    quick = CliRunner().invoke(build(["--help"]), ["--help"])
    lines = [sorted(shown.output.splitlines()) for shown in (quick, listed)]  # Typer puts groups last
    assert lines[0] == lines[1], "the list of commands is made without their options"
    for name in COMMANDS:
        assert name in listed.output
        shown = CliRunner().invoke(build(), [name, "--help"], env={"COLUMNS": "200"})
        assert shown.exit_code == 0, name
        assert "Example" in shown.output and f"netsurgery {name}" in shown.output, name


def test_version() -> None:
    shown = CliRunner().invoke(build(), ["--version"])
    assert shown.output.startswith("netsurgery ")


def test_what_an_option_was_called_once_is_still_understood() -> None:
    words = ["verify", "--runtime", "netsurgery", "--runtime=caffe2", "--runtimes", "runtime"]
    assert with_defaults(words) == ["verify", "--in", "netsurgery", "--in=caffe2", "--runtimes", "runtime"]
