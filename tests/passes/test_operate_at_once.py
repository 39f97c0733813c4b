"""What `netsurgery operate` does in one step, and what it leaves out."""

from __future__ import annotations

from pathlib import Path

import cases
import numpy as np
import pytest
from verify_command import run_cli

import netsurgery
from netsurgery import passes
from netsurgery.errors import NetsurgeryError, ShapeError
from netsurgery.formats.load import from_text
from netsurgery.formats.preprocessing import Preprocessing
from netsurgery.passes.operations import operate
from netsurgery.verification.feeds import as_ranges
from netsurgery.vision.labels import find_channel

TWO = """
input: "a" input_shape { dim: 1 dim: 2 dim: 4 dim: 4 } input: "b" input_shape { dim: 1 dim: 2 dim: 4 dim: 4 }
layer { name: "sum" type: "Eltwise" bottom: "a" bottom: "b" top: "sum" }
layer { name: "relu" type: "ReLU" bottom: "b" top: "c" }
"""


def test_shapes_of_inputs_that_go_together_are_set_at_once() -> None:
    net = from_text(TWO)
    shapes = {"a": (1, 2, 6, 5), "b": (1, 2, 6, 5)}
    assert passes.set_input_shape(net, shapes).inputs == shapes
    words = [("set_input_shape", (f"{name}=1,2,6,5",)) for name in shapes]
    assert operate(net, words).inputs == shapes
    assert operate(net, [*words, ("rename", ("c=d",)), ("set_input_shape", ("a=1,2,6,5",))]).inputs == shapes


def test_cutting_drops_the_inputs_that_nobody_reads() -> None:
    net = from_text(TWO)
    assert list(operate(net, [("cut", ("c",))]).inputs) == ["b"]
    assert operate(net, [("cut", ("c",))]).inputs == {"b": (1, 2, 4, 4)}
    assert list(operate(net, [("cut", ("sum",))]).inputs) == ["a", "b"]
    assert list(passes.cut(net, ["c"]).inputs) == ["a", "b"]
    assert list(operate(net, [("cut_from", ("b",)), ("cut", ("c",))]).inputs) == ["b"]


def test_weights_are_dumped_without_another_output(tmp_path: Path) -> None:
    digits = cases.FIXTURES / "digits"
    words = "operate", digits / "deploy.prototxt", digits / "digits.caffemodel"
    done = run_cli(*words, "--dump-weights", tmp_path / "w.npz")
    assert done.exit_code == 0, done.output
    assert [path.name for path in tmp_path.iterdir()] == ["w.npz"]
    with np.load(tmp_path / "w.npz") as arrays:
        assert len(arrays.files) == 8
    assert isinstance(run_cli(*words, "--fold").exception, NetsurgeryError)


@pytest.mark.parametrize("words", ["mean=nan", "scale=inf", "mean=1,2,nan"])
def test_numbers_that_are_none_are_refused(words: str) -> None:
    with pytest.raises(NetsurgeryError, match="--fold-preprocessing: '"):
        operate(from_text(TWO), [("fold_preprocessing", (words,))])


@pytest.mark.parametrize("pixels", [{"mean": np.float32("nan")}, {"scale": float("nan")}, {"raw_scale": float("inf")}])
def test_pixels_that_are_none_are_refused(pixels: dict[str, float]) -> None:
    with pytest.raises(NetsurgeryError, match="that is not finite"):
        Preprocessing(**pixels)  # type: ignore[arg-type]


@pytest.mark.parametrize("limits", [(float("nan"), 1), (1, 0), (0, float("inf"))])
def test_ranges_that_are_none_are_refused(limits: tuple[float, float]) -> None:
    with pytest.raises(NetsurgeryError, match="two numbers, the lower first"):
        as_ranges({"data": limits})


def test_a_class_may_be_called_by_its_number_in_wordnet() -> None:
    labels = ("n02123045 tabby, tabby cat", "n02123159 tiger cat")
    assert find_channel("n02123159", 2, labels, "prob") == 1
    assert find_channel("tabby cat", 2, labels, "prob") == 0
    with pytest.raises(NetsurgeryError, match="there is no label 'n02123160'"):
        find_channel("n02123160", 2, labels, "prob")


@pytest.mark.parametrize("words", [("--initialize", "random"), ("--initialize=random",)])
def test_weights_are_made_up_at_random_in_either_spelling(
    words: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from netsurgery.cli import main

    net = cases.FIXTURES / "digits" / "deploy.prototxt"
    command = ["netsurgery", "convert", str(net), *words, "-o", str(tmp_path / "m.onnx"), "-q"]
    monkeypatch.setattr("sys.argv", command)
    with pytest.raises(SystemExit) as ended:
        main()
    assert not ended.value.code
    want = netsurgery.to_onnx(netsurgery.initialize(netsurgery.load(net), 0, "random"))
    got = cases.session(str(tmp_path / "m.onnx")).run(None, {"data": np.ones((1, 1, 28, 28), np.float32)})
    assert np.allclose(
        got, cases.session(want.SerializeToString()).run(None, {"data": np.ones((1, 1, 28, 28), np.float32)})
    )


def test_one_shape_alone_that_does_not_go_with_the_other_is_refused() -> None:
    with pytest.raises(ShapeError):
        passes.set_input_shape(from_text(TWO), "a", (1, 2, 6, 5))
