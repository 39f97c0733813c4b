"""Imports point one way only."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import netsurgery

PACKAGE = Path(netsurgery.__file__).parent
RANKS = [
    {"errors"},
    {"_proto"},
    {"net"},
    {"layers"},
    {"formats", "run", "geometry"},
    {"passes", "summary"},
    {"exporters"},
    {"verify", "vision", "drawing"},
    {"pycaffe"},
    {"__init__"},
    {"cli"},
    {"__main__"},
]


def rank(part: str) -> int:
    return next(i for i, parts in enumerate(RANKS) if part in parts)


def imported(path: Path) -> set[str]:
    """The first part of every module of ours that a file imports, wherever in the file, type checking excepted."""
    parts = ("netsurgery", *path.relative_to(PACKAGE).with_suffix("").parts)
    package = parts[:-1]
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            module = (*base, *(node.module.split(".") if node.module else ()))
            names = [(*module, alias.name) for alias in node.names] if len(module) <= 1 else [module]
        elif isinstance(node, ast.Import):
            names = [tuple(alias.name.split(".")) for alias in node.names]
        else:
            continue
        found |= {name[1] if len(name) > 1 else "__init__" for name in names if name[:1] == ("netsurgery",)}
    return found


def test_imports_point_one_way() -> None:
    files = [path for path in PACKAGE.rglob("*.py") if path.name != "runner.py"]
    assert len(files) > 50
    for path in files:
        if path == PACKAGE / "__init__.py":
            continue  # re-exports everything, for type checkers
        own = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
        for other in imported(path):
            assert rank(other) <= rank(own), f"{path.relative_to(PACKAGE)} imports {other}"


def test_importing_netsurgery_is_light() -> None:
    heavy = ("numpy", "onnx", "onnxruntime", "h5py", "google.protobuf", "rich")
    code = f"import sys, netsurgery; print([m for m in {heavy} if m in sys.modules])"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert out.strip() == "[]"


def test_help_imports_neither_numpy_nor_onnx() -> None:
    code = (
        "import sys; sys.argv = ['netsurgery', '--help']\n"
        "from netsurgery.cli import main\n"
        "try: main()\nexcept SystemExit: pass\n"
        "print([m for m in ('numpy', 'onnx', 'onnxruntime', 'h5py') if m in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert out.strip().splitlines()[-1] == "[]"


def test_the_public_api_is_what_it_says() -> None:
    assert netsurgery.__all__ == sorted(netsurgery.__all__)
    for name in netsurgery.__all__:
        value = getattr(netsurgery, name)
        assert value.__doc__, name
        assert not isinstance(value, type(netsurgery)), f"{name} is a module"
