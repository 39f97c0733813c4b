"""Nets in real Caffe2. These tests run where Caffe2 is: NETSURGERY_CAFFE2_PYTHON, or what `netsurgery caffe2 install` made."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import caffe2_cases
import cases
import numpy as np
import pytest
from netdefs import SAMPLES, add

import netsurgery
from netsurgery._proto.caffe2 import new
from netsurgery.errors import NetsurgeryError, UnavailableError, UnsupportedLayersError
from netsurgery.formats.load import from_text
from netsurgery.verification.check import verify
from netsurgery.verification.cross_check import cross_check
from netsurgery.verification.runtimes.caffe2 import open_nets
from netsurgery.verification.side.opened import open_side
from netsurgery.verification.side.process import Side, SideError
from netsurgery.verification.side.recipe import CAFFE2

try:
    SIDE: Side | None = open_side(CAFFE2)[0]
except UnavailableError as error:
    SIDE = None
    warnings.warn(f"NOTHING IS RUN IN CAFFE2: {error}", stacklevel=1)

needs_caffe2 = [
    pytest.mark.caffe2,
    pytest.mark.skipif(SIDE is None, reason="Caffe2 is not there: netsurgery caffe2 install"),
]
ALL = cases.find("conformance", "conformance-forks")
LENET = cases.FIXTURES / "conformance/nets/lenet"


@pytest.fixture
def side() -> Iterator[Side]:
    assert SIDE is not None
    yield SIDE


@pytest.mark.parametrize("case", [pytest.param(case, marks=needs_caffe2, id=cases.name(case)) for case in ALL])
def test_caffe2_gives_caffes_numbers(case: Path, side: Side) -> None:
    """All of BVLC's and SSD's; of forks those that have a form there, which layers without one are refused for."""
    try:
        _, _, problem = caffe2_cases.check(case, side)
    except UnsupportedLayersError as refused:
        assert "conformance-forks" in case.parts
        pytest.skip(f"refused: {', '.join(str(error.layer) for error in refused.errors)}")
    assert not problem


@pytest.mark.parametrize("rounding", [pytest.param(text, marks=needs_caffe2) for text in ("", "round_mode: FLOOR")])
@pytest.mark.parametrize("window", [(3, 2, 1), (3, 1, 1), (4, 3, 2), (2, 2, 1), (3, 2, 0)])
def test_averages_that_leave_padding_out_are_caffe2s(
    rounding: str, window: tuple[int, int, int], side: Side, tmp_path: Path
) -> None:
    k, s, p = window
    pool = f"pool: AVE_EXC_PAD kernel_size: {k} stride: {s} pad: {p} {rounding}"
    for h, w in ((9, 8), (7, 13), (10, 10)):
        net = from_text(
            f'layer {{ name: "in" type: "Input" top: "x" input_param {{ shape {{ dim: 2 dim: 3 dim: {h} dim: {w} }} }} }}\n'
            f'layer {{ name: "p" type: "Pooling" bottom: "x" top: "y" pooling_param {{ {pool} }} }}'
        )
        netsurgery.save_caffe2(net, tmp_path)
        feeds = {"x": np.random.default_rng(0).normal(size=(2, 3, h, w)).astype(np.float32)}
        theirs = caffe2_cases.ask(side, tmp_path, feeds, ["y"])["y"]
        assert not cases.difference(netsurgery.run(net, feeds)["y"], theirs)


@pytest.mark.parametrize("case", [pytest.param(LENET, marks=needs_caffe2)])
def test_a_damaged_weight_is_noticed(case: Path, side: Side) -> None:
    _, _, problem = caffe2_cases.check(case, side, cases.damaged(cases.load(case)))
    assert "ip2: off by" in problem


@pytest.mark.parametrize("name", [pytest.param(name, marks=needs_caffe2) for name in SAMPLES])
def test_nets_of_other_tools_are_read_as_caffe2_computes_them(name: str, side: Side, tmp_path: Path) -> None:
    sample = SAMPLES[name]
    init, predict = sample.save(tmp_path, packed=False)
    net = netsurgery.load(init, predict, input_shapes=sample.inputs)
    want = caffe2_cases.ask(side, tmp_path, sample.feeds(), [*net.outputs])
    got = netsurgery.run(net, sample.feeds(), net.outputs)
    for blob in net.outputs:
        assert not cases.difference(np.asarray(got[blob]), want[blob]), blob


@pytest.mark.parametrize("name", [pytest.param("input_in_place", marks=needs_caffe2)])
def test_versions_of_a_blob_are_as_in_caffe2(name: str, side: Side, tmp_path: Path) -> None:
    sample = SAMPLES[name]
    net = netsurgery.load(*sample.save(tmp_path), input_shapes=sample.inputs)
    assert net.blobs == ("x", "x@Relu", "y")
    want = caffe2_cases.ask(side, tmp_path, sample.feeds(), ["x", "y"])
    got = netsurgery.run(net, sample.feeds())
    np.testing.assert_allclose(got["x@Relu"], want["x"], atol=1e-6)


class TestInVerify:
    pytestmark = needs_caffe2

    def test_as_the_runtime_of_a_folder(self, tmp_path: Path) -> None:
        net = cases.load(LENET)
        netsurgery.save_caffe2(net, tmp_path)
        report = verify(net, tmp_path)
        assert report.passed
        assert report.runtime.startswith("Caffe2 (PyTorch 1.10")
        assert {c.blob for c in report.cases[0].comparisons} >= {
            "conv1",
            "pool1",
            "conv2",
            "ip1@ip1",
            "ip1",
            "ip2",
            "prob",
        }
        assert len(report.cases) == 3  # batches of its own choice: the size is free

    def test_a_damaged_folder_differs(self, tmp_path: Path) -> None:
        net = cases.load(LENET)
        netsurgery.save_caffe2(cases.damaged(net), tmp_path)
        report = verify(net, tmp_path, runtime="caffe2")
        assert not report.passed
        assert report.first_difference is not None
        assert report.first_difference.blob == "ip2"

    def test_as_an_opinion_at_several_sizes(self, tmp_path: Path) -> None:
        """Of a net whose operators are written for one size: it is exported anew for each."""
        net = cases.load(cases.FIXTURES / "conformance/spp/max_3")
        netsurgery.save_onnx(net, tmp_path / "spp.onnx")
        report = verify(net, tmp_path / "spp.onnx", against="caffe2")
        assert report.passed
        assert len(report.cases) > 1

    def test_a_third_opinion(self, tmp_path: Path) -> None:
        netsurgery.save_caffe2(cases.load(LENET), tmp_path)
        found = cross_check(tmp_path, {"data": (2, 1, 28, 28)})
        assert found.passed
        assert found.outputs["prob"].max_rel < 1e-5
        assert cross_check(tmp_path).shapes == {"data": cases.load(LENET).inputs["data"]}

    def test_what_the_frontend_cannot_do_is_told(self, tmp_path: Path) -> None:
        netsurgery.save_caffe2(cases.load(cases.FIXTURES / "conformance/mvn/default"), tmp_path)
        with pytest.raises(SideError, match="Caffe2: runner: "):
            cross_check(tmp_path, {"x": (2, 3, 4, 5)})


class TestFailures:
    pytestmark = needs_caffe2

    @staticmethod
    def nets(folder: Path, *operators: tuple[str, str, str, dict[str, Any]], outputs: str = "y") -> Path:
        init, predict = new("NetDef"), new("NetDef")
        init.name, predict.name = "init", "predict"
        for type_, read, written, arguments in operators:
            add(predict, type_, read, written, **arguments)
        predict.external_input.append("x")
        predict.external_output.extend(outputs.split())
        (folder / "init_net.pb").write_bytes(init.SerializeToString())
        (folder / "predict_net.pb").write_bytes(predict.SerializeToString())
        return folder

    @staticmethod
    def run(folder: Path) -> dict[str, Any]:
        return open_nets(folder).run({"x": np.ones((2, 3), np.float32)}, ["y"])

    def test_an_operator_that_fails_is_named(self, tmp_path: Path) -> None:
        folder = self.nets(tmp_path, ("Softmax", "x", "y", {"axis": 7}))
        with pytest.raises(SideError, match=r"Caffe2: predict net: .*\(operator: type 'Softmax', output 'y'\)|axis"):
            self.run(folder)

    def test_an_operator_that_is_not_there_is_named(self, tmp_path: Path) -> None:
        folder = self.nets(tmp_path, ("NoSuchOperator", "x", "y", {}))
        with pytest.raises(SideError) as failed:
            self.run(folder)
        assert str(failed.value) == f"{tmp_path}: Caffe2: operators: not in this Caffe2: NoSuchOperator"

    def test_an_input_that_is_not_given_is_named(self, tmp_path: Path) -> None:
        folder = self.nets(tmp_path, ("Relu", "x", "y", {}))
        with pytest.raises(SideError, match="neither filled in by the init net nor given: x"):
            open_nets(folder).run({}, ["y"])

    def test_a_crash_is_a_failure_and_the_next_run_works(self, tmp_path: Path, side: Side) -> None:
        folder = self.nets(tmp_path, ("Crash", "", "", {}), outputs="")
        with pytest.raises(SideError, match=r"Caffe2's process ended with (signal|exit code) \d+ and gave no answer"):
            caffe2_cases.ask(side, folder, {"x": np.ones((2, 3), np.float32)}, ["y"])
        folder = self.nets(tmp_path, ("Relu", "x", "y", {}))
        assert caffe2_cases.ask(side, folder, {"x": np.ones((2, 3), np.float32)}, ["y"])["y"].sum() == 6

    def test_no_answer_in_time_is_a_failure(self, tmp_path: Path, side: Side) -> None:
        folder = self.nets(tmp_path, ("MatMul", "x x", "y", {}))
        with (
            Side(CAFFE2, side.python, seconds=1) as hurried,
            pytest.raises(SideError, match="Caffe2 gave no answer within 1 s"),
        ):
            caffe2_cases.ask(hurried, folder, {"x": np.ones((9000, 9000), np.float32)}, ["y"])


def test_a_python_without_caffe2_is_told() -> None:
    with pytest.raises(UnavailableError) as missing:
        open_side(CAFFE2, sys.executable)
    text = str(missing.value)
    assert text.startswith(f"{sys.executable} has no Caffe2 that works: Caffe2: import: ImportError: numpy ")
    assert "netsurgery caffe2 install makes it" in text


def test_a_python_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(UnavailableError, match="cannot be started: No such file or directory"):
        open_side(CAFFE2, tmp_path / "python")


def test_a_python_that_says_something_else_is_told(tmp_path: Path) -> None:
    other = tmp_path / "python"
    other.write_text("#!/bin/sh\nread request; echo goodbye >&2; echo hello; cat >/dev/null\n")
    other.chmod(0o755)
    with pytest.raises(UnavailableError, match=r"process answered 'hello'; its last lines:\ngoodbye"):
        open_side(CAFFE2, other)


def test_no_caffe2_is_exit_code_2_never_a_pass(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    from netsurgery.cli import main

    netsurgery.save_caffe2(cases.load(LENET), tmp_path)
    monkeypatch.delenv("NETSURGERY_CAFFE2_PYTHON", raising=False)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "empty"))
    monkeypatch.setenv("HOME", str(tmp_path / "empty"))
    arguments = [
        "verify",
        str(LENET / "net.prototxt"),
        str(LENET / "net.caffemodel"),
        str(tmp_path),
        "--in",
        "caffe2",
    ]
    monkeypatch.setattr(sys, "argv", ["netsurgery", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    assert "could not be compared: Caffe2 is not there" in capsys.readouterr().err


def test_nets_that_are_not_there_are_told(tmp_path: Path) -> None:
    with pytest.raises(NetsurgeryError) as missing:
        open_nets(tmp_path)
    assert (
        str(missing.value)
        == f"{tmp_path}: there is no init_net.pb\n  expected: a folder of init_net.pb and predict_net.pb"
    )
