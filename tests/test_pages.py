"""Every command and snippet of docs/ is run, in the order of its page, among files of the names that the pages use."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import page_files
import pytest
import seeing

from netsurgery.cli import COMMANDS
from netsurgery.errors import NetsurgeryError

DOCS = Path(__file__).resolve().parents[1] / "docs"
PAGES = [page for page in sorted(DOCS.glob("*.md")) if page.name not in ("index.md", "changelog.md")]
"""index.md is held word for word in test_docs.py."""
ELSEWHERE = re.compile(
    r"s3://|tcp://|--manifest|^caffe2? |--(in|against|runtime) caffe|--by caffe|^pycaffe |--(in|to) (?!caffe2|onnxruntime)|\.\.\."
)
"""Needs what a machine may not have, or files that only their owner has; the options of such commands are held in test_docs.py."""
STEP = re.compile(
    r"^```python\n(.*?)^```|^ *(?:\$ )?(netsurgery (?:[^\n\\]|\\\n)*|cd [^\n]*)$", re.MULTILINE | re.DOTALL
)
BY_TORCH = ("dream", "gradcam", "maximize", "saliency")
EXTRAS = ("torch", "openvino", "coremltools", "onnx2torch", "MNN", "tract", "tensorrt", "pnnx", "ncnn", "cv2", "tvm")
"""What a snippet may need that is not installed everywhere."""
BEFORE = {
    "recurrent.md": """
session = netsurgery.session("captioner.onnx")
words, cont = np.zeros((3, 1, 1, 4), np.float32), np.ones((1, 1), np.float32)
""",
    "surgery.md": """
image_451x451 = np.zeros((1, 3, 451, 451), np.float32)
net = netsurgery.load("deploy.prototxt", "memnet.caffemodel")
kernels, bias = net.layers[1].weights
""",
}
"""What a snippet takes from its reader."""
USUAL = """
import numpy as np, onnxruntime, netsurgery
from netsurgery import vision
net = netsurgery.load("deploy.prototxt", "weights.caffemodel")
pixels = vision.Preprocessing(mean=[104, 117, 123])
"""


def steps(page: Path) -> Iterator[tuple[str, str, str]]:
    """Snippets ("python", text) and commands ("netsurgery", words) in their order, with the folder that a `cd` above them in the same
    block leads to."""
    text, folder, end = page.read_text("utf-8"), "", 0
    for match in STEP.finditer(text):
        if "\n\n" in text[end : match.start()] or "```" in text[end : match.start()]:
            folder = ""
        end = match.end()
        if match[1]:
            yield "python", match[1], folder
            continue
        name, _, words = match[2].replace("\\\n", " ").partition(" ")
        if name == "cd":
            folder = words
        else:
            yield name, words, folder


def test_pages_have_commands_and_snippets() -> None:
    found = [(kind, folder) for page in PAGES for kind, _, folder in steps(page)]
    assert sum(kind == "netsurgery" for kind, _ in found) > 40
    assert sum(kind == "python" for kind, _ in found) > 5
    assert sum(folder != "" for _, folder in found) >= 2


@pytest.mark.parametrize("page", [p for p in PAGES if any(steps(p))], ids=lambda page: page.name)
def test_what_a_page_says_can_be_done(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    page_files.lay_out(tmp_path, page.name)
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    exec(USUAL, names)
    for kind, text, folder in steps(page):
        monkeypatch.chdir(tmp_path / folder)
        if text.startswith("# gain.py"):
            Path("gain.py").write_text(text)
        elif kind == "python":
            exec(BEFORE.get(page.name, ""), names)
            try:
                exec(text, names)
            except (ModuleNotFoundError, NetsurgeryError) as error:
                said = str(error).lower()
                assert any(module.lower() in said for module in EXTRAS if find_spec(module) is None), error
        else:
            words = shlex.split(text, comments=True)
            lacking = words and words[0] in BY_TORCH and find_spec("torch") is None
            if words and words[0] in COMMANDS and not lacking and not ELSEWHERE.search(" ".join(words)):
                code, _, err = seeing.call(monkeypatch, capsys, *words)
                assert code == 0, f"{page.name}: netsurgery {text}\n{err}"
