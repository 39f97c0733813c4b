"""The environment that has Caffe2: a Python 3.8 or 3.9 of its own with PyTorch 1.10.2, the last one that holds Caffe2.

It is made in the user's data folder, off the Python that netsurgery runs in. On x86-64 Linux PyTorch comes with its GPU libraries; what
Caffe2 does not need on the CPU is removed.
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from ...errors import NetsurgeryError, Source

PINS = (
    "torch==1.10.2",
    "numpy==1.22.4",  # Caffe2 was built for NumPy 1; up to 1.22 its Python side works, too
    "protobuf==3.20.3",
    "future==1.0.0",
    "six==1.17.0",
    "onnx==1.12.0",  # for Caffe2's own way to ONNX
    "typing-extensions==4.12.2",  # which onnx needs
)
PYTHONS = ("3.9", "3.8")
RUNNER = Path(__file__).with_name("runner.py")

DOWNLOADS = {
    ("Linux", "x86_64"): "882 MB",
    ("Linux", "aarch64"): "53 MB",
    ("Darwin", "arm64"): "45 MB",
    ("Darwin", "x86_64"): "147 MB",
    ("Windows", "AMD64"): "227 MB",
}
"""The size of PyTorch 1.10.2 on PyPI."""

ROOM = 3_000_000_000
"""Bytes that must be free where it comes with GPU libraries: the download, and what it unpacks to before it is trimmed."""

PATIENCE = 300
"""Seconds that the first start may take."""

Say = Callable[[str], None]


def data_folder() -> Path:
    """Where the environment stands: netsurgery/caffe2 in the user's folder for data."""
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Application Support"
    else:
        base = Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share")
    return base / "netsurgery" / "caffe2"


def python_of(folder: Path) -> Path:
    """The interpreter of an environment."""
    return folder / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")


def installed_python() -> str | None:
    """The interpreter of the environment that `install` made, None if there is none."""
    found = python_of(data_folder())
    return str(found) if found.exists() else None


def install(
    python: str | os.PathLike[str] | None = None,
    folder: str | os.PathLike[str] | None = None,
    *,
    force: bool = False,
    say: Say = lambda text: None,
    show: bool = False,
) -> Path:
    """Makes the environment and gives its interpreter. `python` is the Python 3.8 or 3.9 to make it from (None: the first one that is
    found, or one that uv fetches), `folder` where it is put (None: the data folder), `show` lets pip's output through.

    Raises: NetsurgeryError; nothing is left behind then."""
    target = Path(folder) if folder is not None else data_folder()
    if python_of(target).exists() and not force:
        say(f"{target} is there already; --force makes it anew")
        return python_of(target)
    size = DOWNLOADS.get((platform.system(), platform.machine()))
    if size is None:
        raise NetsurgeryError(
            f"there is no PyTorch 1.10.2 for {platform.system()} {platform.machine()}",
            expected=", ".join(" ".join(pair) for pair in DOWNLOADS),
            fix="use a machine of one of these kinds",
        )
    base = os.fspath(python) if python is not None else find_python()
    uv = shutil.which("uv")
    if base is None and uv is None:
        raise NetsurgeryError(
            "no Python 3.8 or 3.9 is found",
            expected="one on the PATH, of pyenv, or named with --python; or uv, which fetches one",
            fix="pyenv install 3.9, or install uv",
        )
    if python is not None and version_of(os.fspath(python)) not in PYTHONS:
        found = version_of(os.fspath(python)) or "no Python that starts"
        raise NetsurgeryError(f"{python} is {found}", expected="Python 3.8 or 3.9: there is no Caffe2 for newer ones")
    target.parent.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(target.parent).free
    if size == "882 MB" and free < ROOM:
        raise NetsurgeryError(
            f"{free / 1e9:.1f} GB are free",
            source=Source(str(target.parent)),
            expected=f"{ROOM / 1e9:.0f} GB, for a while",
        )
    say(
        f"downloading PyTorch 1.10.2 ({size}) and {len(PINS) - 1} small packages into {target}, with {base or 'a Python 3.9 of uv'}"
    )
    building = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        _make(building, base, uv, show)
        if size == "882 MB":
            say(f"trimmed {trim(building) / 1e9:.1f} GB of what only GPUs need")
        _check(python_of(building))
        if target.exists():
            shutil.rmtree(target)
        os.replace(building, target)
    except OSError as failure:
        raise NetsurgeryError(f"cannot be made: {failure}", source=Source(str(target))) from None
    finally:
        shutil.rmtree(building, ignore_errors=True)
    return python_of(target)


def find_python() -> str | None:
    """A Python 3.9 or 3.8 of this machine, None if there is none."""
    for wanted in PYTHONS:
        for path in _candidates(wanted):
            if version_of(path) == wanted:
                return path
    return None


def _candidates(wanted: str) -> Iterator[str]:
    named = shutil.which(f"python{wanted}")
    if named:
        yield named
    root = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    yield from (str(p) for p in sorted(root.glob(f"versions/{wanted}.*/bin/python"), reverse=True))
    yield from (path for name in ("python3", "python") if (path := shutil.which(name)))
    if launcher := shutil.which("py"):
        done = subprocess.run(
            [launcher, f"-{wanted}", "-c", "import sys; print(sys.executable)"],
            capture_output=True,
            text=True,
            check=False,
        )
        yield from done.stdout.split("\n")[:1]


def version_of(python: str) -> str:
    """ "3.9", or "" for what does not start."""
    code = "import sys; print('%d.%d' % sys.version_info[:2])"
    try:
        done = subprocess.run([python, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip()


def _make(folder: Path, base: str | None, uv: str | None, show: bool) -> None:
    """With uv where it is, which also fetches a Python; else with the Python's own venv and pip."""
    python = str(python_of(folder))
    if uv is not None:
        _run([uv, "venv", "--python", base or PYTHONS[0], str(folder)], show)
        _run([uv, "pip", "install", "--python", python, "--no-deps", *PINS], show)
    elif base is not None:
        _run([base, "-m", "venv", str(folder)], show)
        _run([python, "-m", "pip", "install", "--disable-pip-version-check", "--no-deps", *PINS], show)


def _run(command: Sequence[str], show: bool) -> None:
    """Runs a command. Raises: NetsurgeryError that shows its last lines."""
    done = subprocess.run(
        command,
        stdout=sys.stderr if show else subprocess.PIPE,
        stderr=None if show else subprocess.STDOUT,
        text=True,
        env=clean_environment(),
        check=False,
    )
    if done.returncode:
        lines = [line for line in (done.stdout or "").splitlines() if line.strip()][-6:]
        raise NetsurgeryError(
            "\n".join([f"{' '.join(command[:4])} .. failed with exit code {done.returncode}", *lines]),
            fix="mend what it says, or make the environment by hand and name it with NETSURGERY_CAFFE2_PYTHON",
        )


def clean_environment() -> dict[str, str]:
    """The environment without what would lead another Python to modules of this one."""
    return {k: v for k, v in os.environ.items() if not k.startswith("PYTHON") and k != "__PYVENV_LAUNCHER__"}


def _check(python: Path) -> None:
    """Raises: NetsurgeryError unless Caffe2 starts."""
    try:
        done = subprocess.run(
            [str(python), str(RUNNER)],
            input='{"do": "probe"}\n',
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            env=clean_environment(),
            check=False,
        )
        answer, said = json.loads(done.stdout), done.stderr
    except ValueError:
        answer, said = {"error": f"exit code {done.returncode}"}, done.stderr
    except subprocess.TimeoutExpired:
        answer, said = {"error": f"no answer within {PATIENCE} s"}, ""
    if not answer.get("ok"):
        lines = [line for line in said.splitlines() if line.strip()][-6:]
        raise NetsurgeryError("\n".join([f"Caffe2 was installed and does not start: {answer['error']}", *lines]))


KEPT = ("libtorch.so", "libtorch_cpu.so", "libtorch_global_deps.so", "libc10.so", "libgomp", "libcudart", "libshm")
"""What of torch/lib stays; the CPU library asks for libcudart."""

_GPU, _CPU = b"libtorch_cuda.so\0", b"libtorch_cpu.so\0\0"


def trim(folder: Path) -> int:
    """Removes what only GPUs and the Python side of PyTorch need; how many bytes that was. Where libraries ask for the GPU's they are
    made to ask for the CPU's, which is there in any case: the name of a needed library is a string of theirs, and this one is shorter.
    """
    (packages,) = folder.glob("lib/python*/site-packages")
    torch, caffe2 = packages / "torch", packages / "caffe2" / "python"
    gone = [p for p in (torch / "lib").iterdir() if not p.name.startswith(KEPT)]
    gone += [p for p in torch.iterdir() if p.name != "lib"]
    gone += caffe2.glob("caffe2_pybind11_state_gpu*")
    gone += [p for p in packages.iterdir() if p.name in ("pip", "setuptools", "pkg_resources")]
    total = 0
    for path in gone:
        total += sum(p.stat().st_size for p in (path.rglob("*") if path.is_dir() else [path]) if p.is_file())
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()
    for library in (torch / "lib" / "libtorch.so", *caffe2.glob("caffe2_pybind11_state*.so")):
        data = library.read_bytes()
        library.write_bytes(data.replace(_GPU, _CPU))
    return total
