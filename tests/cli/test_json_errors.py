"""With --json, whatever is refused is one JSON object on stdout, and the same text as without on stderr."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from seeing import NET, call

from netsurgery.passes import prepare

REFUSED = {
    "convert --nosuch": ("NoSuchOption", "No such option: --nosuch (Possible options: --no-check)"),
    "mean --rezise 3 x": ("NoSuchOption", "No such option: --rezise (Possible options: --resize)"),
    "verify --nosuch": ("NoSuchOption", "No such option: --nosuch"),
    "convert --phase TESTS net.prototxt": ("BadParameter", "'TESTS' is not one of 'TEST', 'TRAIN'."),
    "heatmap net.prototxt x.png -o maps --level one": ("BadParameter", "Invalid value for '--level': "),
    "inspect": ("MissingParameter", "Missing argument 'NET'."),
    "maximize net.prototxt": ("MissingParameter", "Missing option '--unit'."),
    "convert --set": ("BadOptionUsage", "Option '--set' requires an argument."),
    "inspct net.prototxt": ("UsageError", "No such command 'inspct'. Did you mean 'inspect'?"),
    "caffe instal": ("UsageError", "No such command 'instal'. Did you mean 'install', 'uninstall'?"),
    "--nosuch": ("NoSuchOption", "No such option: --nosuch"),
    "inspect there_is_none.prototxt": ("NetsurgeryError", "there_is_none.prototxt: cannot be read: No such file or directory"),
}  # fmt: skip


@pytest.mark.parametrize("line", REFUSED)
def test_what_is_refused_is_one_object(
    line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    kind, text = REFUSED[line]
    command, *rest = line.split()
    code, out, err = call(monkeypatch, capsys, command, "--json", *rest)
    told = json.loads(out)
    assert (code, told.keys(), told["kind"]) == (2, {"error", "kind"}, kind)
    assert text in told["error"]
    code, out, plain = call(monkeypatch, capsys, *line.split())
    assert (code, out, plain) == (2, "", err)
    assert words(text) in words(plain) and words(told["error"]) in words(plain)


def words(text: str) -> str:
    """The text without the box that Typer draws around it, and where its lines end."""
    return "".join(text.replace("│", " ").split())


def test_so_is_a_lack_of_memory(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def fail(*args: object) -> None:
        raise MemoryError

    monkeypatch.setattr(prepare, "open_net", fail)
    code, out, err = call(monkeypatch, capsys, "inspect", *NET, "--json")
    assert (code, err) == (2, "error: not enough memory\n")
    assert json.loads(out) == {"error": "not enough memory", "kind": "NetsurgeryError"}
