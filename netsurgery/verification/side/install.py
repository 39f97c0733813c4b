"""Side environments: made in the user's folder for data, off the Python that netsurgery runs in, and removed again.

netsurgery/caffe             the environment
netsurgery/caffe.wheels      what was downloaded, until the environment stands: the next try goes on from there
netsurgery/caffe.lock        held while one of them is changed
"""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from ...errors import Lines, NetsurgeryError, Source, visible
from .lock import locked
from .process import Side, SideError
from .pythons import Say, clean_environment, find_python, get_python, python_of, version_of
from .recipe import Recipe, here, remove, size_of

PATIENCE = 300.0
"""Seconds that the first start may take."""


def data_folder(recipe: Recipe) -> Path:
    """Where an environment stands: netsurgery/NAME in the user's folder for data."""
    from platformdirs import user_data_path

    return user_data_path("netsurgery", appauthor=False) / recipe.name


def installed_python(recipe: Recipe) -> str | None:
    """The interpreter of the environment that `install` made, None if there is none."""
    path = python_of(data_folder(recipe))
    return str(path) if path.exists() else None


@dataclass(frozen=True)
class Installer:
    """One environment, and how much is said while it is made."""

    recipe: Recipe
    folder: Path
    say: Say = lambda text: None
    show: bool = False
    """Whether the output of pip, uv and pyenv is let through."""

    @property
    def python(self) -> Path:
        return python_of(self.folder)

    @property
    def wheels(self) -> Path:
        return self.folder.with_name(f"{self.folder.name}.wheels")

    def install(self, python: str | None = None, offline: Path | None = None, force: bool = False) -> Path:
        """Makes the environment and gives its interpreter: from `python` (None: one that is found, or that uv or pyenv get), with wheels
        from the package index or from the folder `offline`.

        Raises: NetsurgeryError; the environment is then what it was before."""
        target = self.python
        with self._locked():
            if target.exists() and not force:
                self.say(f"{self.folder} is there already; --force makes it anew")
                return target
            self._require_wheels()
            base = self._base(python, offline)
            building = self.folder.with_name(f".{self.folder.name}.{os.getpid()}.part")
            try:
                self._require_room(self.folder.parent)
                self._make(building, base, offline)
                if freed := self.recipe.trim(building):
                    self.say(f"trimmed {_bytes(freed)} that nothing here needs")
                self._probe(python_of(building))
                if self.folder.exists():
                    shutil.rmtree(self.folder)
                os.replace(building, self.folder)
            except OSError as failure:
                raise NetsurgeryError(f"cannot be made: {failure}", source=Source(str(self.folder))) from None
            finally:
                shutil.rmtree(building, ignore_errors=True)
            shutil.rmtree(self.wheels, ignore_errors=True)
        return target

    def uninstall(self) -> int:
        """Removes the environment and what was downloaded for it; how many bytes that was. Raises: NetsurgeryError."""
        with self._locked():
            try:
                return remove([p for p in (self.folder, self.wheels) if p.exists()])
            except OSError as failure:
                raise NetsurgeryError(f"cannot be removed: {failure}", source=Source(str(self.folder))) from None

    def download(self, folder: Path, python: str | None = None) -> int:
        """Puts the wheels for this platform into a folder, for `offline` on another machine; how many there are.

        Raises: NetsurgeryError."""
        self._require_wheels()
        base = self._base(python, None)
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="netsurgery-") as scratch:
            self._venv(Path(scratch) / "env", base)
            self._fetch(python_of(Path(scratch) / "env"), folder, None)
        return len(list(folder.glob("*.whl")))

    def _locked(self) -> AbstractContextManager[None]:
        return locked(self.folder.with_name(f"{self.folder.name}.lock"), self.say)

    def _require_wheels(self) -> None:
        """Raises: NetsurgeryError on a platform that has none."""
        recipe, place = self.recipe, here()
        libc, version = platform.libc_ver()
        old = place[0] == "Linux" and (libc != "glibc" or tuple(map(int, version.split(".")[:2])) < recipe.libc)
        if place in recipe.downloads and not old:
            return
        what = f" with {libc or 'a C library that is not glibc'} {version}".rstrip() if old else ""
        raise NetsurgeryError(
            f"there is no wheel of {recipe.content} for {' '.join(place)}{what}",
            expected=", ".join(" ".join(pair) for pair in recipe.downloads)
            + (f" (Linux: glibc {recipe.libc[0]}.{recipe.libc[1]} or newer)"),
            fix=f"what remains: {recipe.elsewhere}",
        )

    def _base(self, python: str | None, offline: Path | None) -> str:
        versions = self.recipe.pythons
        if offline is not None and not offline.is_dir():
            raise NetsurgeryError(
                "is no folder",
                source=Source(str(offline)),
                expected="a folder of wheels",
                fix=f"netsurgery {self.recipe.name} download {offline}, on a machine that has the package index",
            )
        if python is None:
            return find_python(versions) or get_python(versions, self._run, self.say)
        if (version := version_of(python)) not in versions:
            raise NetsurgeryError(
                f"{python} is {version or 'no Python that starts'}",
                expected=f"Python {' or '.join(reversed(versions))}: there is no {self.recipe.title} for newer ones",
            )
        return python

    def _require_room(self, folder: Path) -> None:
        needed, free = self.recipe.room(here()), shutil.disk_usage(folder).free
        if free < needed:
            raise NetsurgeryError(
                f"{_bytes(free)} are free", source=Source(str(folder)), expected=f"{_bytes(needed)}, for a while"
            )

    def _make(self, building: Path, base: str, offline: Path | None) -> None:
        packages = self.recipe.packages
        size = f"downloading {self.recipe.downloads[here()]}" if offline is None else f"from {offline}, offline"
        self.say(
            f"{self.recipe.content} and {len(packages) - 1} packages that it needs, into {self.folder}, with {base}: {size}"
        )
        self._venv(building, base)
        python = python_of(building)
        self.wheels.mkdir(parents=True, exist_ok=True)
        self._fetch(python, self.wheels, offline)
        self._pip(python, "install", self.recipe.lock, *_offline(self.wheels))

    def _venv(self, folder: Path, base: str) -> None:
        uv = shutil.which("uv")
        try:
            self._run([base, "-m", "venv", str(folder)])
        except NetsurgeryError:  # Debian's Python comes without what venv needs
            if uv is None:
                raise
            shutil.rmtree(folder, ignore_errors=True)
            self._run([uv, "venv", "--seed", "--python", base, str(folder)])

    def _fetch(self, python: Path, folder: Path, offline: Path | None) -> None:
        """One package after another, so that what is there stays there when a later one fails."""
        where = _offline(offline) if offline is not None else []
        for requirement in _requirements(self.recipe.lock):
            with tempfile.TemporaryDirectory(prefix="netsurgery-") as scratch:
                one = Path(scratch, "one.lock")
                one.write_text(requirement, encoding="utf-8")
                self._pip(python, "download", one, *where, "--only-binary", ":all:", "-d", str(folder))

    def _pip(self, python: Path, command: str, lock: Path, *words: str) -> None:
        """What a lock file names, and nothing else."""
        self._run([str(python), "-m", "pip", command, "--no-deps", "--require-hashes", "-r", str(lock), *words])

    def _run(self, command: Sequence[str]) -> None:
        """Runs a command. Raises: NetsurgeryError that shows its last lines."""
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=sys.stderr if self.show else subprocess.PIPE,
            stderr=None if self.show else subprocess.STDOUT,
            text=True,
            env=clean_environment(),
            check=False,
        )
        if done.returncode:
            lines = [line for line in (done.stdout or "").splitlines() if line.strip()][-6:]
            raise NetsurgeryError(
                Lines(
                    "\n".join(
                        map(visible, [f"{' '.join(command[:4])} .. failed with exit code {done.returncode}", *lines])
                    )
                ),
                fix="mend what it says and run this again, which goes on with what was downloaded; or make the environment by hand and "
                f"name it with {self.recipe.variable}",
            )

    def _probe(self, python: Path) -> None:
        """Raises: NetsurgeryError unless it answers."""
        with Side(self.recipe, str(python), PATIENCE) as side:
            try:
                side.ask({"do": "probe"})
            except SideError as error:
                raise NetsurgeryError(
                    f"{self.recipe.title} was installed and does not start: {error.problem}"
                ) from None


def _offline(folder: Path) -> list[str]:
    return ["--no-index", "--find-links", str(folder)]


def _requirements(lock: Path) -> list[str]:
    """Each package of a lock file with its hashes."""
    entries: list[str] = []
    for line in lock.read_text(encoding="utf-8").splitlines(keepends=True):
        if line[:1].isalnum():
            entries.append(line)
        elif entries:
            entries[-1] += line
    return entries


def _bytes(count: int) -> str:
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.0f} MB"


__all__ = ["Installer", "data_folder", "installed_python", "size_of"]
