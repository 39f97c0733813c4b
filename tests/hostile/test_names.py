"""Names that speak: with control characters, line ends, backticks, tags and turned writing. They are shown, and say nothing."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np
import pytest

import netsurgery
from netsurgery import NetsurgeryError
from netsurgery.errors import Source
from netsurgery.formats.load import from_text
from netsurgery.message import quote
from netsurgery.shown import to_json, visible
from netsurgery.verification.reports.junit import to_junit
from netsurgery.verification.reports.markdown import to_markdown
from netsurgery.verification.reports.output import to_json as report_json
from netsurgery.verification.reports.report import Report

EVIL = "y\x1b[2J\x1b]0;owned\x07\n```\n## all models agree\n\u202e<script>alert(1)</script>|\x9b31m\r"
SHOWN = "y\\x1b[2J\\x1b]0;owned\\x07\\n```\\n## all models agree\\n\\u202e<script>alert(1)</script>|\\x9b31m\\r"
CONTROL = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


def evil_text(type: str, name: str = EVIL) -> str:
    shape = "input_dim: 1 input_dim: 2 input_dim: 3 input_dim: 4"
    return f'input: "x" {shape} layer {{ name: {quote(name)} type: "{type}" bottom: "x" top: {quote(EVIL)} }}'


def evil_net() -> netsurgery.Net:
    return from_text(evil_text("ReLU"), "net.prototxt")


def evil_report() -> Report:
    """Of a net and a model that differ in a blob of that name."""
    net = evil_net()
    other = from_text(evil_text("Exp", "e"))
    report = netsurgery.verify(net, other, name=EVIL)
    assert not report.passed
    return replace(report, notes=(f"note of {EVIL}",))


def test_what_is_visible() -> None:
    assert visible(EVIL) == SHOWN
    for plain in ("", "conv1/bn", "été", "卷积", 'a"b\\c'):
        assert visible(plain) == plain
    assert visible("\udcff") == "\\udcff"


def test_errors_show_names_and_let_them_say_nothing() -> None:
    error = NetsurgeryError(f"blob '{EVIL}'", layer=EVIL, source=Source(EVIL, 3), expected=EVIL, fix=EVIL)
    assert str(error) == f"{SHOWN}:3: layer {SHOWN}: blob '{SHOWN}'\n  expected: {SHOWN}\n  fix: {SHOWN}"
    net = from_text(evil_text("N"))
    with pytest.raises(NetsurgeryError) as caught:
        netsurgery.to_onnx(net)
    assert not CONTROL.search(str(caught.value))
    assert f"layer '{SHOWN}' (N)" in str(caught.value)
    assert evil_net()[EVIL].title == f"'{SHOWN}' (ReLU)"


def test_reports_in_text_show_names() -> None:
    report = evil_report()
    lines = str(report).split("\n")
    assert not CONTROL.search(str(report))
    assert not [line for line in lines if line.startswith(("```", "##", "y\n"))]
    assert f"note: note of {SHOWN}" in lines
    assert f"first difference: net.prototxt:1: layer '{SHOWN}' (ReLU): blob '{SHOWN}': " in str(report)


def test_a_fence_is_longer_than_what_it_fences() -> None:
    text = to_markdown([evil_report()])
    assert not CONTROL.search(text)
    fences = [line for line in text.split("\n") if re.fullmatch("`{3,}", line)]
    assert fences == ["````", "````"]
    headings = [line for line in text.split("\n") if line.startswith("#")]
    assert headings == ["## netsurgery verify: the model differs"]
    assert "<script>" not in text.split("````")[0].replace("\\<script\\>", "")
    for row in text.split("\n")[2:5]:
        assert len(re.findall(r"(?<!\\)\|", row)) == 6


def test_pages_show_names() -> None:
    from netsurgery.verification.reports.html import to_html

    page = to_html([evil_report()])
    assert not CONTROL.search(page)
    assert "<script" not in page
    assert SHOWN.replace("<", "&lt;").replace(">", "&gt;") in page
    assert "<script" not in evil_report()._repr_html_()
    assert not CONTROL.search(evil_report()._repr_html_())


def test_reports_for_machines_keep_names() -> None:
    report = evil_report()
    text = report_json([report])
    assert not CONTROL.search(text)
    assert json.loads(text)["models"][0]["name"] == EVIL
    assert json.loads(to_json({"a": EVIL, "b": "\udcff\u2028"})) == {"a": EVIL, "b": "\udcff\u2028"}
    suite = ET.fromstring(to_junit([report]).decode())
    assert not [text for element in suite.iter() if CONTROL.search(text := element.text or "")]


def test_the_terminal_shows_names(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from netsurgery.cli import main

    path = tmp_path / "net.prototxt"
    (tmp_path / "other.prototxt").write_text('name: "a"\n' + evil_text("Exp"))
    path.write_text(evil_text("ReLU"))
    for words in (
        ("inspect", path),
        ("inspect", path, "--json"),
        ("diff", path, tmp_path / "other.prototxt"),
        ("convert", path, "-o", tmp_path / "m.onnx"),
        ("verify", path, tmp_path / "other.prototxt"),
        ("sizes", path, "nothing"),
        ("operate", path, "--cut", "nothing", "-o", tmp_path / "n.prototxt"),
        ("upgrade", path, tmp_path / "u.prototxt"),
    ):
        monkeypatch.setattr("sys.argv", ["netsurgery", *map(str, words)])
        try:
            main()
        except SystemExit as ended:
            assert ended.code != 3, words
        out, err = capsys.readouterr()
        assert not CONTROL.search(out + err), words
        assert out + err, words
        assert not [line for line in (out + err).split("\n") if line.startswith(("```", "## all"))], words


def test_members_of_archives_lead_nowhere(tmp_path: Path) -> None:
    """Names such as `../x` would be paths for whoever unpacks the archive."""
    import zipfile

    from netsurgery.formats.weights.tensor_files import read_tensors, write_tensors

    arrays = {
        name: np.ones(2, np.float32) for name in ("../../x:0", "/etc/x:0", "a/../b:0", "..:1", "C:\\x:0", "a/b:0")
    }
    write_tensors(tmp_path / "w.npz", arrays)
    with zipfile.ZipFile(tmp_path / "w.npz") as archive:
        for name in archive.namelist():
            assert not name.startswith("/") and ".." not in name.split("/") and "\\" not in name, name
    assert {name: array.tolist() for name, array in read_tensors(tmp_path / "w.npz").items()} == {
        name: [1, 1] for name in arrays
    }
