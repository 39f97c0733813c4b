"""Environments beside netsurgery's own: made from pinned wheels, gone on with after a failure, removed; and a process that answers."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import zipfile
from dataclasses import replace
from pathlib import Path

import pip
import pytest

from netsurgery.errors import NetsurgeryError
from netsurgery.verification.side.install import Installer
from netsurgery.verification.side.lock import locked
from netsurgery.verification.side.opened import open_side
from netsurgery.verification.side.process import Side, SideError
from netsurgery.verification.side.pythons import find_python, version_of
from netsurgery.verification.side.recipe import CAFFE, CAFFE2, Recipe, here, packages_folder

VERSION = "%d.%d" % sys.version_info[:2]  # noqa: UP031
SCRIPT = """
import json, sys
import {module}
for line in sys.stdin:
    request = json.loads(line)
    if request["do"] == "die":
        sys.stderr.write("Check failed: 1 == 2")
        sys.stderr.flush()
        import os; os._exit(3)
    print(json.dumps({{"ok": True, "versions": {{"small": {module}.VERSION}}}}), flush=True)
"""


def wheel(folder: Path, name: str) -> tuple[Path, str]:
    """A package of one module, as a wheel; and its hash."""
    path = folder / f"{name}-1.0-py3-none-any.whl"
    info = f"{name}-1.0.dist-info"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(f"{name}.py", "VERSION = '1.0'\n")
        archive.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        archive.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr(f"{info}/RECORD", f"{name}.py,,\n{info}/METADATA,,\n{info}/WHEEL,,\n{info}/RECORD,,\n")
    return path, hashlib.sha256(path.read_bytes()).hexdigest()


class Small(Recipe):
    """An environment of two small packages, for the Python that runs the tests."""

    @property
    def lock(self) -> Path:
        return self.script.with_name("small.lock")


@pytest.fixture
def recipe(tmp_path: Path) -> Small:
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    lines = [f"{name}==1.0 --hash=sha256:{wheel(wheels, name)[1]}\n" for name in ("smallone", "smalltwo")]
    (tmp_path / "small.lock").write_text("# pins\n" + "".join(lines))
    script = tmp_path / "side.py"
    script.write_text(SCRIPT.format(module="smalltwo"))
    return Small("small", "Small", "small packages", script, {here(): "1 KB"}, "nothing", pythons=(VERSION,))


@pytest.fixture
def installer(recipe: Small, tmp_path: Path) -> Installer:
    said: list[str] = []
    made = Installer(recipe, tmp_path / "data" / "small", said.append)
    object.__setattr__(made, "said", said)
    return made


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Environments that read pip from where the tests have it: to unpack it anew takes seconds."""

    def make(self: Installer, folder: Path, base: str) -> None:
        subprocess.run([base, "-m", "venv", "--without-pip", str(folder)], check=True)
        (packages_folder(folder) / "pip.pth").write_text(str(Path(pip.__file__).parents[1]))

    monkeypatch.setattr(Installer, "_venv", make)


@pytest.mark.timeout(120)
def test_an_environment_is_made_offline_and_removed(installer: Installer, tmp_path: Path) -> None:
    python = installer.install(sys.executable, tmp_path / "wheels")
    assert python == installer.folder / "bin" / "python"
    assert not installer.wheels.exists()
    with Side(installer.recipe, str(python)) as side:
        assert side.ask({"do": "probe"}) == {"versions": {"small": "1.0"}}
    before = python.stat().st_mtime_ns
    assert installer.install(sys.executable, tmp_path / "wheels") == python
    assert installer.said[-1] == f"{installer.folder} is there already; --force makes it anew"  # type: ignore[attr-defined]
    assert python.stat().st_mtime_ns == before
    assert installer.uninstall() > 0
    assert not installer.folder.exists()
    assert installer.uninstall() == 0


@pytest.mark.usefixtures("quick")
@pytest.mark.timeout(120)
def test_what_was_downloaded_is_used_by_the_next_try(installer: Installer, tmp_path: Path) -> None:
    second = tmp_path / "wheels" / "smalltwo-1.0-py3-none-any.whl"
    content = second.read_bytes()
    second.unlink()
    with pytest.raises(
        NetsurgeryError,
        match=r"(?s)pip download .* failed with exit code 1.*smalltwo.*goes on with what was downloaded",
    ):
        installer.install(sys.executable, tmp_path / "wheels")
    assert not installer.folder.exists()
    assert [p.name for p in installer.wheels.iterdir()] == ["smallone-1.0-py3-none-any.whl"]
    assert not list(installer.folder.parent.glob(".*.part"))
    second.write_bytes(content)
    assert installer.install(sys.executable, tmp_path / "wheels").exists()


@pytest.mark.usefixtures("quick")
@pytest.mark.timeout(120)
def test_another_file_of_that_name_is_refused(installer: Installer, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "wheels" / "smalltwo-1.0-py3-none-any.whl", "a") as archive:
        archive.writestr("evil.py", "")
    with pytest.raises(NetsurgeryError, match=r"(?s)HASH|hash"):
        installer.install(sys.executable, tmp_path / "wheels")
    assert not installer.folder.exists()


def test_a_folder_that_is_not_there_is_refused(installer: Installer, tmp_path: Path) -> None:
    with pytest.raises(NetsurgeryError) as error:
        installer.install(sys.executable, tmp_path / "none")
    assert str(error.value) == (
        f"{tmp_path}/none: is no folder\n  expected: a folder of wheels\n"
        f"  fix: netsurgery small download {tmp_path}/none, on a machine that has the package index"
    )


def test_a_platform_without_wheels_is_told_what_remains(installer: Installer) -> None:
    elsewhere = replace(installer, recipe=replace(CAFFE, downloads={("Plan9", "mips"): "1 KB"}))
    with pytest.raises(NetsurgeryError) as error:
        elsewhere.install()
    assert str(error.value) == (
        f"there is no wheel of Caffe 1.0 (kendryte-caffe) for {' '.join(here())}\n"
        "  expected: Plan9 mips (Linux: glibc 2.24 or newer)\n"
        f"  fix: what remains: {CAFFE.elsewhere}"
    )
    assert "record --by caffe" in CAFFE.elsewhere
    assert "container" in CAFFE.elsewhere


def test_one_process_at_a_time(tmp_path: Path) -> None:
    path, said = tmp_path / "x.lock", list[str]()
    code = "import sys; from pathlib import Path; from netsurgery.verification.side.lock import locked\n"
    code += "with locked(Path(sys.argv[1]), print): print('in', flush=True); sys.stdin.read()"
    other = subprocess.Popen(
        [sys.executable, "-c", code, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert other.stdout is not None
    assert other.stdout.readline() == "in\n"

    def note(text: str) -> None:
        said.append(text)
        other.kill()  # however it ends, its lock goes with it

    with locked(path, note):
        assert said == [f"process {other.pid} is at it already: waiting for it"]
    other.communicate()


def test_a_process_that_dies_says_why_and_is_started_again(recipe: Small, tmp_path: Path) -> None:
    recipe.script.write_text(SCRIPT.format(module="json").replace("json.VERSION", "'2'"))
    with Side(recipe, sys.executable) as side:
        with pytest.raises(SideError, match=r"(?s)Small's process ended with exit code 3.*Check failed: 1 == 2"):
            side.ask({"do": "die"})
        assert side.ask({"do": "probe"}) == {"versions": {"small": "2"}}


def test_no_python_is_told(installer: Installer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("PATH", "HOME", "PYENV_ROOT"):
        monkeypatch.setenv(variable, str(tmp_path))
    with pytest.raises(NetsurgeryError) as error:
        replace(installer, recipe=CAFFE).install()
    assert str(error.value) == (
        "no Python 3.8 or 3.9 is found\n"
        "  expected: one on the PATH, of pyenv, or named with --python; or uv, which fetches one\n"
        "  fix: pip install uv, or pyenv install 3.9; then once more"
    )


def test_a_python_of_another_version_is_refused(installer: Installer) -> None:
    with pytest.raises(
        NetsurgeryError, match=f"{VERSION}\n  expected: Python 3.8 or 3.9: there is no Caffe for newer ones"
    ):
        replace(installer, recipe=CAFFE).install(sys.executable)
    assert find_python([VERSION]) is not None
    assert version_of("/nowhere/python") == ""


def test_every_package_is_pinned_by_hash() -> None:
    for recipe in (CAFFE, CAFFE2):
        text = recipe.lock.read_text()
        for package in recipe.packages:
            entry = text[text.index(package) :].split("\n\n")[0]
            assert "==" in package
            assert "--hash=sha256:" in entry.split("\n")[1], package


def test_without_it_the_way_to_get_it_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for variable in ("XDG_DATA_HOME", "LOCALAPPDATA", "HOME"):
        monkeypatch.setenv(variable, str(tmp_path))
    monkeypatch.delenv("NETSURGERY_CAFFE_PYTHON", raising=False)
    with pytest.raises(NetsurgeryError) as error:
        open_side(CAFFE)
    assert str(error.value) == (
        "Caffe is not there\n"
        "  expected: a Python 3.8 or 3.9 that has it: this one is too new for it, and it runs in a process of its own\n"
        "  fix: netsurgery caffe install makes it; or NETSURGERY_CAFFE_PYTHON=/path/to/python names one that has it"
    )
