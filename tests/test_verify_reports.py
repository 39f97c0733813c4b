"""Reports as JUnit, JSON, HTML and Markdown; models checked in bulk; numbers recorded. From the command line, as CI uses them."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import browser
import cases
import numpy as np
import onnx
import pytest
from typer.testing import CliRunner

import netsurgery
from netsurgery.cli import build
from netsurgery.errors import NetsurgeryError
from netsurgery.verification.compare import Measure, Tolerance
from netsurgery.verification.reports.html import to_html
from netsurgery.verification.reports.junit import to_junit
from netsurgery.verification.reports.report import Case, Comparison, Report

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
    return run_cli("verify", *arguments, **{"GITHUB_STEP_SUMMARY": "", **variables})


def files(folder: Path, model: str) -> list[Path]:
    return [folder / NET.name, folder / WEIGHTS.name, folder / model]


def first_blob(folder: Path) -> str:
    return (folder / "relu").read_text()


# The command line


def test_exit_codes(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    good = command(*files(folder, "good.onnx"))
    assert good.exit_code == 0
    assert good.stdout.splitlines()[-1].startswith("good.onnx: agrees (worst relative error ")
    bad = command(*files(folder, "bad.onnx"))
    assert bad.exit_code == 1
    blob = first_blob(folder)
    layer = netsurgery.load(NET).writer(blob)
    assert bad.stdout.splitlines()[-1] == f"bad.onnx: DIFFERS from blob '{blob}' of layer {layer.title} on"
    assert (
        f"first difference: {folder / NET.name}:{layer.source.line}: layer {layer.title}: blob '{blob}': off by "
        in bad.stdout
    )
    missing = command(*files(folder, "missing.onnx"))
    assert missing.exit_code == 2
    assert missing.stderr.startswith("error: missing.onnx could not be compared: ")
    assert missing.stdout == ""
    monkeypatch.setattr(sys, "argv", ["netsurgery"])
    for arguments in ([], [NET], [NET, WEIGHTS], [NET, WEIGHTS, "a.onnx", "b"], ["--manifest", "m.toml", NET]):
        assert isinstance(command(*arguments).exception, NetsurgeryError)


def test_every_blob_is_printed_on_request(folder: Path) -> None:
    shown = command(*files(folder, "good.onnx"), "--verbose", "--batch", 2).stdout
    net = netsurgery.load(NET)
    graph = onnx.load(folder / "good.onnx").graph
    for blob in net.blobs:
        if blob in {name for node in graph.node for name in node.output}:
            assert re.search(rf"^    {re.escape(blob)} +'.*ok$", shown, re.MULTILINE), blob


def test_a_second_net_takes_the_place_of_the_model(folder: Path) -> None:
    net = netsurgery.load(NET, WEIGHTS)
    last = [layer for layer in net.layers if layer.weights][-1]
    other = net.with_weights(last.name, *(w + np.float32(0.1) for w in last.weights))
    netsurgery.save_caffe(other, folder / "other.prototxt", folder / "other.caffemodel")
    assert command(NET, WEIGHTS, NET, WEIGHTS).exit_code == 0
    found = command(NET, WEIGHTS, folder / "other.prototxt", folder / "other.caffemodel")
    assert found.exit_code == 1
    assert f"of layer {last.title} on" in found.stdout


def test_convert_verifies_what_it_wrote(folder: Path, tmp_path: Path) -> None:
    done = run_cli("convert", NET, WEIGHTS, "-o", tmp_path / "m.onnx", "--verify")
    assert done.exit_code == 0
    assert done.stdout.splitlines()[-1].startswith("m.onnx: agrees")
    options = "--verify", "--fully-convolutional", "--json"
    done = run_cli("convert", NET, WEIGHTS, "-o", tmp_path / "f.onnx", *options)
    assert done.exit_code == 0
    assert json.loads(done.stdout)["verify"]["passed"] is True


def test_convert_keeps_what_differs_and_says_so(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from netsurgery.layers.relu import ReLU

    monkeypatch.setattr(ReLU, "emit", lambda self, op, bottoms, weights: [op("LeakyRelu", bottoms[0], alpha=0.5)])
    done = run_cli("convert", NET, WEIGHTS, "-o", tmp_path / "m.onnx", "--verify")
    assert done.exit_code == 1
    assert (tmp_path / "m.onnx").exists()
    assert f"note: {tmp_path / 'm.onnx'} was written, and is kept; differs" in done.stderr
    assert "DIFFERS from blob" in done.stdout


# Other opinions


@pytest.mark.parametrize("whom", ["caffe", "opencv"])
def test_an_opinion_that_is_not_there_is_no_agreement(whom: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cv2", None)  # not importable
    monkeypatch.setenv("NETSURGERY_CAFFE_PYTHON", "/nowhere/python")
    found = command(*files(folder, "good.onnx"), "--against", "netsurgery", "--against", whom)
    assert found.exit_code == 2
    assert f"could not be compared: {whom} is not there: " in found.stderr


def test_opencv_and_onnx_agree_on_digits(folder: Path) -> None:
    pytest.importorskip("cv2")
    found = command(*files(folder, "good.onnx"), "--against", "opencv", "--against", "onnx", "--batch", 2)
    assert found.exit_code == 0, found.stdout + found.stderr
    assert "against OpenCV 4" in found.stdout
    assert "against onnx.ReferenceEvaluator" in found.stdout
    assert "(advisory)" in found.stdout
    assert command(*files(folder, "bad.onnx"), "--against", "opencv").exit_code == 1


def test_an_advisory_opinion_decides_nothing_beside_others() -> None:
    """onnx.ReferenceEvaluator errs in LRN over several items: alone it decides, beside netsurgery it does not."""
    case = cases.FIXTURES / "conformance" / "lrn" / "across_default"
    net = cases.load(case)
    model = netsurgery.to_onnx(net)
    alone = netsurgery.verify(net, model, against="onnx")
    both = netsurgery.verify(net, model, against=["netsurgery", "onnx"])
    assert both.passed
    assert [c.advisory for c in both.cases] == [False] * 3 + [True] * 3
    if alone.passed:
        pytest.skip("this onnx computes LRN right")
    assert alone.first_difference is not None


CAFFE = os.environ.get("NETSURGERY_CAFFE_PYTHON", "")


@pytest.mark.skipif(not CAFFE, reason="NETSURGERY_CAFFE_PYTHON names no Python that has Caffe")
def test_real_caffe_agrees_and_disagrees(folder: Path, tmp_path: Path) -> None:
    found = command(*files(folder, "good.onnx"), "--against", "caffe", "--batch", 2, NETSURGERY_CAFFE_PYTHON=CAFFE)
    assert found.exit_code == 0, found.stdout + found.stderr
    assert command(*files(folder, "bad.onnx"), "--against", "caffe", NETSURGERY_CAFFE_PYTHON=CAFFE).exit_code == 1
    (tmp_path / "bad.caffemodel").write_bytes(b"")
    from netsurgery.verification.runtimes.caffe import SideError, ask

    request = {
        "prototxt": str(NET),
        "weights": str(tmp_path / "bad.caffemodel"),
        "feeds": "",
        "values": "",
        "blobs": [],
    }
    with pytest.raises(SideError, match="Caffe ended with "):
        ask(CAFFE, request)


# Recorded numbers


def record(*arguments: object) -> Any:
    return run_cli("record", *arguments)


def test_recorded_numbers_are_held_to(folder: Path, tmp_path: Path) -> None:
    done = record(NET, WEIGHTS, "-o", tmp_path / "a.npz", "--batch", 2, "--seed", 5)
    assert done.exit_code == 0
    assert done.stderr.splitlines()[-1] == f"{tmp_path / 'a.npz'}: 1 runs of prob, computed by netsurgery.run (float64)"
    record(NET, WEIGHTS, "-o", tmp_path / "b.npz", "--batch", 2, "--seed", 5)
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()
    record(NET, WEIGHTS, "-o", tmp_path / "c.npz", "--batch", 2, "--seed", 6, "--every-blob")
    with np.load(tmp_path / "c.npz") as arrays:
        about = json.loads(str(arrays["netsurgery"]))
        assert {key for key in arrays.files if key.startswith("0/in/")} == {"0/in/data"}
        assert len([key for key in arrays.files if key.startswith("0/out/")]) > 5
        assert arrays["0/out/prob"].dtype == np.float32
    assert about["sha256"]["weights"] == hashlib.sha256(WEIGHTS.read_bytes()).hexdigest()
    assert about["seed"] == 6
    assert command(*files(folder, "good.onnx"), "--against", tmp_path / "c.npz").exit_code == 0
    bad = command(*files(folder, "bad.onnx"), "--against", tmp_path / "c.npz")
    assert bad.exit_code == 1
    assert f"DIFFERS from blob '{first_blob(folder)}'" in bad.stdout


def test_numbers_recorded_from_another_file_are_told(folder: Path, tmp_path: Path) -> None:
    record(NET, WEIGHTS, "-o", tmp_path / "a.npz", "--batch", 1)
    text = NET.read_text() + "# changed\n"
    (tmp_path / "deploy.prototxt").write_text(text)
    found = command(tmp_path / "deploy.prototxt", WEIGHTS, folder / "good.onnx", "--against", tmp_path / "a.npz")
    assert found.exit_code == 0
    assert "a.npz was recorded from another prototxt file (sha256 " in found.stdout


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"nothing", None])
def test_what_is_no_recording_is_told(content: bytes | None, folder: Path, tmp_path: Path) -> None:
    if content is None:
        np.savez(tmp_path / "a.npz", x=np.zeros(3))
    else:
        (tmp_path / "a.npz").write_bytes(content)
    found = command(*files(folder, "good.onnx"), "--against", tmp_path / "a.npz")
    assert found.exit_code == 2
    assert "a.npz: " in found.stderr


# Manifests


def manifest(folder: Path, *entries: str) -> Path:
    head = f'[[model]]\nprototxt = "{NET.name}"\nweights = "{WEIGHTS.name}"\n'
    path = folder / f"models{abs(hash(entries))}.toml"
    path.write_text("\n".join(head + entry for entry in entries))
    return path


GOOD = 'name = "good"\nonnx = "good.onnx"\nbatches = [1, 3]\n'
BAD = 'name = "bad"\nonnx = "bad.onnx"\nbatches = [1]\nrtol = 1e-3\n'
LOST = 'name = "lost"\nonnx = "nowhere.onnx"\n'


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_manifest_is_worked_through(jobs: int, folder: Path, tmp_path: Path) -> None:
    outputs = ["--junit", tmp_path / "r.xml", "--json", tmp_path / "r.json", "--html", tmp_path / "r.html"]
    done = command("--manifest", manifest(folder, GOOD), "--jobs", jobs, *outputs, "-q")
    assert done.exit_code == 0, done.output
    summary = tmp_path / "summary.md"
    done = command(
        "--manifest", manifest(folder, GOOD, BAD, LOST), "--jobs", jobs, *outputs, GITHUB_STEP_SUMMARY=str(summary)
    )
    assert done.exit_code == 1
    found = json.loads((tmp_path / "r.json").read_text())
    assert found["verdict"] == "1 of 3 models agrees, 1 differs, 1 could not be compared"
    assert found["passed"] is False
    assert [(m["name"], m["verdict"]) for m in found["models"]] == [
        ("good", "agrees"),
        ("bad", "differs"),
        ("lost", "could not be compared"),
    ]
    assert found["models"][1]["rtol"] == 1e-3
    assert found["models"][1]["first_difference"]["blob"] == first_blob(folder)
    assert [case["inputs"].split(",")[0] for case in found["models"][0]["cases"]] == [
        "data 1x1x28x28",
        "data 3x1x28x28",
    ]
    assert "[3/3] " in done.stderr
    text = summary.read_text()
    assert "## netsurgery verify: 1 of 3 models agrees, 1 differs, 1 could not be compared" in text
    assert "| good | ✅ agrees |" in text
    assert "| bad | ❌ differs | " in text
    check_junit((tmp_path / "r.xml").read_bytes())
    assert "1 of 3 models agrees" in (tmp_path / "r.html").read_text()


def test_pinned_hashes(folder: Path) -> None:
    right = hashlib.sha256((folder / "good.onnx").read_bytes()).hexdigest()
    array = np.zeros((1, 1, 28, 28), np.float32)
    np.save(folder / "x.npy", array)
    pin = hashlib.sha256((folder / "x.npy").read_bytes()).hexdigest()
    entry = f'onnx = "good.onnx"\ninputs = {{ data = "x.npy" }}\nsha256 = {{ onnx = "{right}", "x.npy" = "{pin}" }}\n'
    assert command("--manifest", manifest(folder, entry)).exit_code == 0
    done = command("--manifest", manifest(folder, entry.replace(pin, "0" * 64)))
    assert done.exit_code == 2
    assert f"x.npy: is not the file that is pinned: its sha256 is {pin}" in done.stderr
    for name in ("prototxt", "weights", "onnx", "missing.npy"):
        done = command("--manifest", manifest(folder, f'onnx = "good.onnx"\nsha256 = {{ "{name}" = "{"1" * 64}" }}\n'))
        assert done.exit_code == 2


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ('sizes = ["x"]', """model 'good': sizes is ['x']\n  expected: sizes of images: [227, "451x300"]"""),
        ("batches = [0]", "model 'good': batches is [0]\n  expected: a list of positive numbers"),
        ("rtol = -1", "model 'good': rtol is -1\n  expected: a number from 0 on"),
        ("against = 3", "model 'good': against is 3\n  expected: "),
        ("sha256 = { onnx = 3 }", "model 'good': sha256 is {'onnx': 3}"),
        ("ranges = { data = 3 }", "model 'good': ranges is {'data': 3}"),
        ("shapes = [3]", "model 'good': shapes is [3]"),
        ("seed = true", "model 'good': seed is True"),
        ("inner = 1", "model 'good': inner is 1"),
        ("batch = [1]", "the manifest's entry 'batch' is not known"),
    ],
)
def test_what_a_manifest_cannot_say(entry: str, message: str, folder: Path) -> None:
    done = command("--manifest", manifest(folder, GOOD.replace("batches = [1, 3]\n", "") + entry + "\n"))
    assert done.exit_code == 2
    assert message in done.stderr


def test_a_process_that_dies_takes_nothing_with_it(folder: Path, tmp_path: Path) -> None:
    """One model kills its process: the others are still compared, and it is reported."""
    plugin = tmp_path / "killer.py"
    plugin.write_text(
        "import os, netsurgery\n"
        "from netsurgery.layers.core.layer_type import LayerType\n"
        "@netsurgery.register\n"
        "class Killer(LayerType):\n"
        '    types = ("Killer",)\n'
        "    def forward(self, bottoms, weights):\n"
        "        os._exit(9)\n"
        "    def emit(self, op, bottoms, weights):\n"
        '        return [op("Neg", bottoms[0])]\n'
    )
    (folder / "killer.prototxt").write_text(
        'layer { name: "x" type: "Input" top: "x" input_param { shape { dim: 1 dim: 3 } } }\n'
        'layer { name: "k" type: "Killer" bottom: "x" top: "k" }\n'
    )
    (folder / "relu.prototxt").write_text((folder / "killer.prototxt").read_text().replace("Killer", "ReLU"))
    netsurgery.save_onnx(netsurgery.load(folder / "relu.prototxt"), folder / "killer.onnx")
    path = manifest(folder, GOOD, GOOD.replace("good", "again", 1))
    path.write_text(path.read_text() + '[[model]]\nprototxt = "killer.prototxt"\nonnx = "killer.onnx"\n')
    arguments = ["netsurgery", "verify", "--manifest", str(path), "-j", "2", "--plugin", str(plugin), "--json", "-"]
    script = f"import sys; sys.argv = {arguments}\nfrom netsurgery.cli import main\nif __name__ == '__main__': main()\n"
    (tmp_path / "run.py").write_text(script)
    done = subprocess.run(
        [sys.executable, tmp_path / "run.py"], capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 2, done.stderr
    found = json.loads(done.stdout)
    assert [m["verdict"] for m in found["models"]] == ["agrees", "agrees", "could not be compared"]
    assert found["models"][2]["error"] == "its process died: out of memory, or a crash of the runtime"


# Files


def made_report(**options: Any) -> Report:
    """A report with everything that is hard to write down."""
    names = ["data<1>", 'conv"&"', "pool|\x00", "ünïcode"]
    measures = [
        Measure((1, 2), True, 0.0, 0.0, (0, 0), 1.0, 1.0),
        Measure((1, 2), False, 0.5, 0.25, (0, 1), 1.0, 1.5, 0.5, 3.0),
        Measure((), False, float("inf"), float("inf"), (), float("nan"), 1.0, problem="1 where the reference has nan"),
        Measure((1,), True, 1e-30, 1e-30, (0,), 1.0, 1.0, 1.0, 600.0),
    ]
    compared = tuple(
        Comparison(name, f"'{name}' (Layer)", netsurgery.load(NET).layers[1].source, m)
        for name, m in zip(names, measures, strict=True)
    )
    case = Case("data 1x2 <&>", "netsurgery.run (float64)", compared, {"fold<ed>": "because & so"})
    return Report("a <model> & \x01 more", "m.onnx", "n.prototxt", Tolerance(), (case,), "onnxruntime", **options)


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


def test_junit_says_what_differs_first(folder: Path, tmp_path: Path) -> None:
    command(*files(folder, "bad.onnx"), "--junit", tmp_path / "r.xml")
    root = check_junit((tmp_path / "r.xml").read_bytes())
    failures = root.findall("testsuite/testcase/failure")
    assert len(failures) == 3
    blob = first_blob(folder)
    layer = netsurgery.load(NET).writer(blob)
    for failure in failures:
        assert failure.attrib["message"].startswith(f"{blob} ({layer.title}): off by ")
        assert f"{NET.name}:{layer.source.line}: layer {layer.title}" in str(failure.text)
    command(*files(folder, "nowhere.onnx"), "--junit", tmp_path / "r.xml")
    root = check_junit((tmp_path / "r.xml").read_bytes())
    (error,) = root.findall("testsuite/testcase/error")
    assert "nowhere.onnx: cannot be opened" in error.attrib["message"]


def test_junit_holds_any_name() -> None:
    root = check_junit(to_junit([made_report(), made_report(error="bad \x07 <thing>\nand more")]))
    assert root[0].attrib["name"] == "a <model> & ? more"
    assert root[0].find("testcase/failure") is not None
    assert root[1].find("testcase/error") is not None


class Page(HTMLParser):
    """What a page refers to, and whether its tags are balanced."""

    VOID = ("meta", "link", "br")

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.links: list[str] = []
        self.ids: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.links += [str(found[key]) for key in ("href", "src", "data", "action") if found.get(key)]
        self.ids += [str(found["id"])] if "id" in found else []
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        pass

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def test_the_page_is_one_file_without_references() -> None:
    text = to_html([made_report(), made_report(error="<script>alert(1)</script>")])
    page = Page()
    page.feed(text)
    assert page.open == []
    assert all(link.startswith("#") or link == "data:," for link in page.links)
    assert {link[1:] for link in page.links if link.startswith("#")} <= set(page.ids)
    assert "<script" not in text
    assert "http" not in re.sub("http-equiv", "", text)
    assert "0 of 2 models agree, 1 differs, 1 could not be compared" in page.text
    assert 'conv"&"' in page.text


needs_browser = pytest.mark.skipif(browser.CHROMIUM is None, reason="no chromium here")


@needs_browser
def test_the_page_in_a_real_browser(folder: Path, tmp_path: Path) -> None:
    """The verdict is there, the console is silent, and no request leaves the page."""
    path = tmp_path / "report.html"
    command("--manifest", manifest(folder, GOOD, BAD), "--html", path)
    found = browser.visit(path, "document.querySelectorAll('circle').length")
    assert "1 of 2 models agrees, 1 differs" in found.text
    assert f"First difference: {first_blob(folder)}" in found.text
    assert found.value > 10
    assert found.requests == [path.as_uri()]
    assert found.complaints == []
    assert len(found.picture) > 10_000
    # A page that asks for more, or complains, is noticed so:
    noisy = tmp_path / "noisy.html"
    more = '<img src="http://pictures.example/x.png"><script>console.log("here")</script></body>'
    noisy.write_text(re.sub("<meta http-equiv[^>]*>", "", path.read_text()).replace("</body>", more))
    found = browser.visit(noisy)
    assert found.requests == [noisy.as_uri(), "http://pictures.example/x.png"]
    assert "here" in found.complaints


@needs_browser
def test_the_page_fits_a_phone(folder: Path, tmp_path: Path) -> None:
    """At 390 pixels nothing sticks out of the page, and what is read first is large enough to be."""
    path = tmp_path / "report.html"
    command("--manifest", manifest(folder, GOOD, BAD), "--html", path)
    width = "document.documentElement.scrollWidth"
    assert browser.visit(path, width, 390, 844).value == 390
    wide = tmp_path / "wide.html"
    wide.write_text(path.read_text().replace("</body>", '<div style="width: 500px">wide</div></body>'))
    assert browser.visit(wide, width, 390, 844).value > 390
