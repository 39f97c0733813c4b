"""What --help shows to be typed in fixtures/ is typed here."""

from __future__ import annotations

import re
import shlex
import shutil
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import cases
import pytest
import seeing

from netsurgery.cli import COMMANDS

EXAMPLE = re.compile(r"In fixtures/(\w+): netsurgery (.+)")
TEXTS = {name: getattr(import_module(f"netsurgery.cli.{name}"), name).__doc__ or "" for name in COMMANDS}
EXAMPLES = {name: found.groups() for name, text in TEXTS.items() if (found := EXAMPLE.search(text))}
SEEING = {
    "activations", "classify", "draw", "dream", "features", "filters", "gradcam", "heatmap", "maximize", "mean",
    "operate", "patches", "saliency", "scan", "score", "time",
}  # fmt: skip
NEED_TORCH = {"dream", "gradcam", "maximize", "saliency"}


def test_every_command_has_an_example() -> None:
    assert [name for name, text in TEXTS.items() if f"netsurgery {name}" not in text] == []
    assert set(EXAMPLES) >= SEEING


@pytest.mark.parametrize("name", sorted(SEEING))
def test_examples_run(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    if name in NEED_TORCH and find_spec("torch") is None:
        pytest.skip("PyTorch is not installed (extra torch)")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    for folder in ("digits", "score"):
        shutil.copytree(cases.FIXTURES / folder, tmp_path / folder)
    folder, line = EXAMPLES[name]
    words = shlex.split(line)
    monkeypatch.chdir(tmp_path / folder)
    code, out, err = seeing.call(monkeypatch, capsys, *words)
    assert code == 0, err
    outputs = [words[i + 1] for i, word in enumerate(words) if word == "-o"]
    assert all(Path(output).exists() for output in outputs) and (outputs or out)
