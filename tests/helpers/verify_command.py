"""The command verify on digits and on folders of nets."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import cases
import onnx
import pytest
from typer.testing import CliRunner

import netsurgery
from netsurgery.cli import build

DIGITS = cases.FIXTURES / "digits"


NET, WEIGHTS = DIGITS / "deploy.prototxt", DIGITS / "digits.caffemodel"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """good.onnx; bad.onnx, in which one Relu is missing; both from the digits net, whose files stand beside them."""
    path = tmp_path_factory.mktemp("models")
    for file in (NET, WEIGHTS):
        shutil.copy(file, path)
    net = netsurgery.load(path / NET.name, path / WEIGHTS.name)
    netsurgery.save_onnx(net, path / "good.onnx")
    model = onnx.load(path / "good.onnx")
    relu = next(node for node in model.graph.node if node.op_type == "Relu")
    relu.op_type = "Identity"
    onnx.save(model, path / "bad.onnx")
    (path / "relu").write_text(relu.output[0])
    return path


def run_cli(*arguments: object, **variables: str) -> Any:
    return CliRunner().invoke(build(), list(map(str, arguments)), env=variables)


def command(*arguments: object, **variables: str) -> Any:
    """`netsurgery verify`, in this process unless a time is said: one of its own takes a second to start."""
    here = () if {"--timeout", "--manifest"} & set(arguments) else ("--timeout", 0)
    return run_cli("verify", *arguments, *here, **{"GITHUB_STEP_SUMMARY": "", **variables})


def files(folder: Path, model: str) -> list[Path]:
    return [folder / NET.name, folder / WEIGHTS.name, folder / model]


def first_blob(folder: Path) -> str:
    return (folder / "relu").read_text()


def manifest(folder: Path, *entries: str) -> Path:
    head = f'[[model]]\nprototxt = "{NET.name}"\nweights = "{WEIGHTS.name}"\n'
    path = folder / f"models{abs(hash(entries))}.toml"
    path.write_text("\n".join(head + entry for entry in entries))
    return path


GOOD = 'name = "good"\nonnx = "good.onnx"\nbatches = [1, 3]\n'


BAD = 'name = "bad"\nonnx = "bad.onnx"\nbatches = [1]\nrtol = 1e-3\n'


def check_junit(content: bytes) -> ET.Element:
    """What both schemas in use demand (Ant's JUnit.xsd, Jenkins's junit-10.xsd): names, attributes, their types, order of children."""
    root = ET.fromstring(content)
    assert root.tag == "testsuites"
    assert not root.attrib  # Ant's knows none there
    for i, suite in enumerate(root):
        assert suite.tag == "testsuite"
        needed = {"name", "timestamp", "hostname", "tests", "failures", "errors", "time", "id", "package"}
        assert set(suite.attrib) == needed
        assert suite.attrib["id"] == str(i)
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", suite.attrib["timestamp"])
        assert suite.attrib["hostname"]
        assert suite.attrib["name"].strip()
        for number in ("tests", "failures", "errors"):
            assert re.fullmatch(r"\d+", suite.attrib[number])
        assert re.fullmatch(r"\d+(\.\d+)?", suite.attrib["time"])
        tags = [child.tag for child in suite]
        tests = tags.count("testcase")
        assert tags == ["properties", *["testcase"] * tests, "system-out", "system-err"]
        assert suite.attrib["tests"] == str(tests)
        for kind in ("failure", "error"):
            assert suite.attrib[f"{kind}s"] == str(len(suite.findall(f"testcase/{kind}")))
        for entry in suite.findall("properties/property"):
            assert set(entry.attrib) == {"name", "value"}
            assert entry.attrib["name"]
        for test in suite.findall("testcase"):
            assert set(test.attrib) == {"name", "classname", "time"}
            assert re.fullmatch(r"\d+(\.\d+)?", test.attrib["time"])
            assert len(test) <= 1
            for child in test:
                assert child.tag in ("failure", "error")
                assert set(child.attrib) == {"message", "type"}
                assert child.text
    return root
