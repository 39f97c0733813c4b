"""README and pages: what they tell people to type is typed here."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import typer

from netsurgery.cli import COMMANDS, build

ROOT = Path(__file__).resolve().parents[1]
README = ROOT / "README.md"
PAGES = [README, *sorted((ROOT / "docs").glob("*.md"))]
SHIPPED = [README, ROOT / "docs" / "index.md", ROOT / "docs" / "partial.md"]
"""Pages whose commands run on the files that the project ships."""
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)
COMMAND = re.compile(r"^ *(?:\$ |- run: )?(netsurgery [^\n|]*)", re.MULTILINE)
ERROR = re.compile(r"\d(\\\.\d+)?e\\-\d+")
"""A rounding error, which differs from machine to machine."""


def blocks(page: Path) -> list[tuple[str, str]]:
    return BLOCK.findall(page.read_text("utf-8"))


def commands(page: Path) -> list[list[str]]:
    """Every line of code of a page that calls the program, as words."""
    text = page.read_text("utf-8")
    code = [body for _, body in blocks(page)] + re.findall(r"^    netsurgery .*$", BLOCK.sub("", text), re.MULTILINE)
    lines = [line for part in code for line in COMMAND.findall(part.replace("\\\n", " "))]
    words = [shlex.split(line, comments=True)[1:] for line in lines if not line.startswith("netsurgery:")]
    return [w for w in words if w and w[0] in COMMANDS and "..." not in w]


def test_the_readme_is_short() -> None:
    assert README.stat().st_size <= 9 * 1024


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_and_options_of_the_pages_exist(page: Path) -> None:
    for words in commands(page):
        command = typer.main.get_command(build(words))
        group = command.make_context("netsurgery", list(words), resilient_parsing=True)
        inner = command.get_command(group, words[0])  # type: ignore[attr-defined]
        if words[0] == "pycaffe":
            continue  # what follows is the script's
        if hasattr(inner, "get_command"):
            inner, words = inner.get_command(group, words[1]), words[1:]
        options = {name for parameter in inner.params for name in (*parameter.opts, *parameter.secondary_opts)}
        used = [word.split("=")[0] for word in words[1:] if re.match(r"--?[a-z]", word)]
        assert not [name for name in used if name not in (*options, "-h", "--help")], f"{page.name}: {words}"


def test_commands_are_met_on_many_pages() -> None:
    assert sum(map(len, map(commands, PAGES))) > 40


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#\s]+)", page.read_text("utf-8")):
        if not target.startswith("http"):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


@pytest.mark.parametrize("page", SHIPPED, ids=lambda page: page.name)
def test_what_a_page_shows_runs_in_order(page: Path, tmp_path: Path) -> None:
    """Files are written, commands and snippets are run, and a command prints the lines that stand below it."""
    shutil.copytree(ROOT / "fixtures" / "digits", tmp_path / "fixtures" / "digits")
    count = 0
    for language, body in blocks(page):
        if language == "toml" or body.startswith("# gain.py"):
            name = body.split("\n")[0].removeprefix("# ")
            (tmp_path / name).write_text(body)
        elif language == "python":
            run([sys.executable, "-c", body], tmp_path)
            count += 1
        elif language == "console":
            for entry in re.split(r"^\$ ", body, flags=re.MULTILINE)[1:]:
                line, *shown = entry.rstrip("\n").split("\n")
                printed = run([sys.executable, "-m", *shlex.split(line)], tmp_path)
                count += 1
                for expected in shown:
                    assert re.search(ERROR.sub("[0-9.e-]+", re.escape(expected)), printed), f"{line}\n{printed}"
    assert count >= 3


def run(command: list[str], folder: Path) -> str:
    """What it prints, on one long line each."""
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=300, env={**_environment(), "COLUMNS": "400"}
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout + done.stderr


def _environment() -> dict[str, str]:
    import os

    return {**os.environ, "PYTHONPATH": str(ROOT)}
