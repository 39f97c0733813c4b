"""Reports as JUnit, JSON, HTML and Markdown; models checked in bulk; numbers recorded. From the command line, as CI uses them."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import browser
import cases
import pytest
from verify_command import BAD, GOOD, NET, check_junit, command, files, first_blob, manifest

import netsurgery
from netsurgery.verification.compare import Measure, Tolerance
from netsurgery.verification.reports.case import Case, Comparison
from netsurgery.verification.reports.html import to_html
from netsurgery.verification.reports.junit import to_junit
from netsurgery.verification.reports.report import Report


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


def test_the_page_labels_its_chart_and_keeps_every_column() -> None:
    """One line for each case within a row, axes with titles, the tolerance named; on a phone every cell says what it is."""
    from netsurgery.verification.reports.chart import chart

    net = netsurgery.load(*(cases.FIXTURES / "digits" / name for name in ("deploy.prototxt", "digits.caffemodel")))
    report = netsurgery.verify(net, netsurgery.to_onnx(net))
    drawing = chart(report)
    assert ">tolerance 0.0001</text>" in drawing
    assert ">blob</text>" in drawing
    assert ">error, as a share of the largest value</text>" in drawing
    from netsurgery.verification.reports.chart import short

    assert short("conv1") == "conv1"
    assert short("inception_4a/3x3_reduce") == "incep…/3x3_reduce"
    assert '<text class="short" x="4" y="18">conv1@conv1</text>' in drawing
    heights = re.findall(r'<circle [^>]*cy="([0-9.]+)"', drawing)
    assert len(heights) == len(set(heights)) == 30
    page = to_html([report])
    assert all(
        f'data-head="{head}"' in page
        for head in ("model", "verdict", "worst error", "first off", "by", "inputs", "time")
    )
    assert "<p>agrees with the interpreter (held to Caffe&#x27;s numbers) in 10 of 10 blobs</p>" in page
    assert "the model agrees" in page


def test_verdicts_are_coloured_for_people_only(monkeypatch: pytest.MonkeyPatch) -> None:
    from netsurgery.cli.verify import coloured

    assert coloured("a: agrees with x") == "a: agrees with x"
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert coloured("a: agrees with x").startswith("\x1b[32m")
    assert coloured("a: DIFFERS from blob").startswith("\x1b[31m")
    monkeypatch.setenv("NO_COLOR", "1")
    assert coloured("a: agrees with x") == "a: agrees with x"
