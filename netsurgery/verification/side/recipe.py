"""What stands in an environment beside netsurgery's own: real Caffe, real Caffe2. Both are too old for its Python."""

from __future__ import annotations

import platform
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent

Platform = tuple[str, str]
"""System and machine, as `platform` names them."""


def trim_nothing(folder: Path) -> int:
    return 0


@dataclass(frozen=True)
class Recipe:
    """How an environment is made, and how it is told whether it works."""

    name: str
    """The command, `netsurgery NAME`, and the name of the folder."""
    title: str
    """What it is for, in messages."""
    content: str
    """The package that brings it."""
    script: Path
    """The program that runs there and answers requests (process.py)."""
    downloads: Mapping[Platform, str]
    """Where there are wheels, and how much is downloaded."""
    elsewhere: str
    """What remains where there are none."""
    room: Callable[[Platform], int] = lambda _: 0
    """Bytes that must be free while it is made."""
    trim: Callable[[Path], int] = trim_nothing
    """Removes what is not needed from an environment; how many bytes that was."""
    pythons: tuple[str, ...] = ("3.9", "3.8")
    libc: tuple[int, int] = (2, 17)
    """The oldest glibc that its wheels for Linux run on."""

    @property
    def variable(self) -> str:
        """The environment variable that names an interpreter to use in its place."""
        return f"NETSURGERY_{self.name.upper()}_PYTHON"

    @property
    def lock(self) -> Path:
        """The versions and hashes of what is installed, as pip reads them."""
        return HERE / f"{self.name}.lock"

    @property
    def packages(self) -> tuple[str, ...]:
        """`name==version` of each."""
        lines = self.lock.read_text(encoding="utf-8").splitlines()
        return tuple(line.split()[0] for line in lines if line[:1].isalnum())

    @property
    def fix(self) -> str:
        """What to do where it is not there."""
        return f"netsurgery {self.name} install makes it; or {self.variable}=/path/to/python names one that has it"


def here() -> Platform:
    return platform.system(), platform.machine()


def packages_folder(folder: Path) -> Path:
    """site-packages of an environment."""
    (packages,) = [*folder.glob("lib/python*/site-packages"), *folder.glob("Lib/site-packages")][:1]
    return packages


def remove(paths: list[Path]) -> int:
    """Removes files and folders; how many bytes that was."""
    total = 0
    for path in paths:
        total += size_of(path)
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    return total


def size_of(path: Path) -> int:
    """The bytes of a file, or of all files below a folder."""
    return sum(p.lstat().st_size for p in (path.rglob("*") if path.is_dir() else [path]) if p.is_file())


INSTALLERS = ("pip", "setuptools", "pkg_resources")


def _trim_caffe(folder: Path) -> int:
    packages = packages_folder(folder)
    return remove([p for p in packages.iterdir() if p.name in INSTALLERS] + list(packages.glob("numpy/**/tests")))


CAFFE = Recipe(
    name="caffe",
    title="Caffe",
    content="Caffe 1.0 (kendryte-caffe)",
    script=HERE / "caffe_side.py",
    downloads={
        ("Linux", "x86_64"): "26 MB",
        ("Darwin", "x86_64"): "28 MB",
        ("Windows", "AMD64"): "20 MB",
    },
    elsewhere="a container of Linux on x86-64 (docs/caffe.md shows one), a Caffe that you built (NETSURGERY_CAFFE_PYTHON=/path/to/python), "
    "or `netsurgery record --by caffe` on another machine and `verify --against golden.npz` here",
    room=lambda _: 300_000_000,
    trim=_trim_caffe,
    libc=(2, 24),
)

_LIBRARIES = (
    "libtorch.so",
    "libtorch_cpu.so",
    "libtorch_global_deps.so",
    "libc10.so",
    "libgomp",
    "libcudart",
    "libshm",
)
"""What of torch/lib stays; the CPU library asks for libcudart."""

_GPU, _CPU = b"libtorch_cuda.so\0", b"libtorch_cpu.so\0\0"


def _trim_caffe2(folder: Path) -> int:
    """On Linux on x86-64 PyTorch comes with what only GPUs need, which goes, and so does its Python side. Where libraries ask for the
    GPU's they are made to ask for the CPU's, which is there in any case: the name of a needed library is a string of theirs, and this
    one is shorter."""
    if here() != ("Linux", "x86_64"):
        return 0
    packages = packages_folder(folder)
    torch, caffe2 = packages / "torch", packages / "caffe2" / "python"
    gone = [p for p in (torch / "lib").iterdir() if not p.name.startswith(_LIBRARIES)]
    gone += [p for p in torch.iterdir() if p.name != "lib"]
    gone += caffe2.glob("caffe2_pybind11_state_gpu*")
    gone += [p for p in packages.iterdir() if p.name in INSTALLERS]
    total = remove(gone)
    for library in (torch / "lib" / "libtorch.so", *caffe2.glob("caffe2_pybind11_state*.so")):
        data = library.read_bytes()
        library.write_bytes(data.replace(_GPU, _CPU))
    return total


CAFFE2 = Recipe(
    name="caffe2",
    title="Caffe2",
    content="PyTorch 1.10.2, the last one that holds Caffe2,",
    script=HERE / "runner.py",
    downloads={
        ("Linux", "x86_64"): "882 MB",
        ("Linux", "aarch64"): "53 MB",
        ("Darwin", "arm64"): "45 MB",
        ("Darwin", "x86_64"): "147 MB",
        ("Windows", "AMD64"): "227 MB",
    },
    elsewhere="a machine of one of these kinds, or a Caffe2 that you built (NETSURGERY_CAFFE2_PYTHON=/path/to/python)",
    room=lambda place: 4_000_000_000 if place == ("Linux", "x86_64") else 1_000_000_000,
    trim=_trim_caffe2,
)

RECIPES = {recipe.name: recipe for recipe in (CAFFE, CAFFE2)}
