"""A Python of a version that side environments need: found on this machine, or got with uv or pyenv."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from ...errors import NetsurgeryError

Say = Callable[[str], None]
Run = Callable[[Sequence[str]], None]


def python_of(folder: Path) -> Path:
    """The interpreter of an environment."""
    return folder / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")


def clean_environment() -> dict[str, str]:
    """The environment without what would lead another Python to modules of this one. pip goes on with a broken download where it can."""
    variables = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON") and k != "__PYVENV_LAUNCHER__"}
    return {"PIP_RESUME_RETRIES": "5", "PIP_DISABLE_PIP_VERSION_CHECK": "1", **variables}


def version_of(python: str | os.PathLike[str]) -> str:
    """ "3.9", or "" for what does not start."""
    return _said([os.fspath(python), "-c", "import sys; print('%d.%d' % sys.version_info[:2])"])


def find_python(versions: Sequence[str]) -> str | None:
    """A Python of the first of these versions that this machine has, None if there is none."""
    for version in versions:
        for path in _candidates(version):
            if version_of(path) == version:
                return path
    return None


def _candidates(version: str) -> Iterator[str]:
    if named := shutil.which(f"python{version}"):
        yield named
    root = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    yield from (str(p) for p in sorted(root.glob(f"versions/{version}.*/bin/python"), reverse=True))
    yield from (path for name in ("python3", "python") if (path := shutil.which(name)))
    if launcher := shutil.which("py"):
        yield _said([launcher, f"-{version}", "-c", "import sys; print(sys.executable)"])
    if uv := shutil.which("uv"):
        yield _said([uv, "python", "find", "--no-python-downloads", version])


def get_python(versions: Sequence[str], run: Run, say: Say) -> str:
    """The first version, got with uv, or built by pyenv. Raises: NetsurgeryError where neither is there."""
    version = versions[0]
    if uv := shutil.which("uv"):
        say(f"no Python {version} is here: uv fetches one (some 30 MB)")
        run([uv, "python", "install", version])
        return _said([uv, "python", "find", version])
    if pyenv := shutil.which("pyenv"):
        say(f"no Python {version} is here: pyenv builds one, which takes some minutes")
        run([pyenv, "install", "--skip-existing", version])
        if path := find_python(versions):
            return path
    raise NetsurgeryError(
        f"no Python {' or '.join(reversed(versions))} is found",
        expected="one on the PATH, of pyenv, or named with --python; or uv, which fetches one",
        fix=f"pip install uv, or pyenv install {version}; then once more",
    )


def _said(command: Sequence[str]) -> str:
    """The first line that a command prints, "" if it fails."""
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            env=clean_environment(),
            stdin=subprocess.DEVNULL,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip().partition("\n")[0] if done.returncode == 0 else ""
