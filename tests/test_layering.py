"""Imports point one way only."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from functools import cache
from graphlib import CycleError, TopologicalSorter
from importlib.util import find_spec
from pathlib import Path

import pytest

import netsurgery

PACKAGE = Path(netsurgery.__file__).parent
ROOMS = [
    ["aliases", "errors", "shown", "_proto"],
    ["limits", "options"],
    ["message"],
    ["kind", "html_table", "sources"],
    ["naming"],
    ["wiring"],
    ["net"],
    ["shapes"],
    ["layers.core"],
    ["layers.shared", "layers.caffe2"],
    ["layers"],
    ["files"],
    ["formats", "interpreter", "receptive_field"],
    ["passes", "summary", "difference"],
    ["exporters"],
    ["verification", "vision", "drawing", "catalog"],
    ["pycaffe"],
    [""],
    ["cli"],
    ["__main__"],
]
"""From the ground up: what stands in a line imports nothing of the lines below it."""
APART = ("verification.side.runner", "verification.side.caffe_side")
"""Scripts that run in an interpreter of their own."""

Module = tuple[str, ...]


def module(path: Path) -> Module:
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return parts[:-1] if parts[-1] == "__init__" else parts


FILES = {module(path): path for path in sorted(PACKAGE.rglob("*.py")) if ".".join(module(path)) not in APART}


def rank(name: Module) -> int:
    """The line of the innermost room that holds a module."""
    rooms = {room: i for i, line in enumerate(ROOMS) for room in line}
    return next(
        rooms[room] for n in range(len(name), -1, -1) if (room := ".".join(name[:n])) in rooms and (n or not name)
    )


@cache
def imports(name: Module) -> frozenset[Module]:
    """Every module of ours that a module imports, wherever in the file, type checking excepted."""
    path = FILES[name]
    package = name if path.name == "__init__.py" else name[:-1]
    tree = ast.parse(path.read_text())
    checked = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and any(getattr(x, "id", "") == "TYPE_CHECKING" for x in ast.walk(node.test))
        for inner in ast.walk(node)
    }
    targets = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and id(node) not in checked:
            base = package[: len(package) - node.level + 1] if node.level else ()
            absolute = (*base, *(node.module.split(".") if node.module else ()))
            if not node.level:
                if absolute[:1] != ("netsurgery",):
                    continue
                absolute = absolute[1:]
            targets |= {(*absolute, a.name) if (*absolute, a.name) in FILES else absolute for a in node.names}
        elif isinstance(node, ast.Import):
            targets |= {tuple(a.name.split(".")[1:]) for a in node.names if a.name.split(".")[0] == "netsurgery"}
    return frozenset(targets)


def test_imports_point_one_way() -> None:
    assert len(FILES) > 50
    for name in FILES:
        for other in imports(name):
            assert rank(other) <= rank(name), f"{'.'.join(name)} imports {'.'.join(other)}"


def test_the_page_of_the_architecture_names_every_room() -> None:
    page = (PACKAGE.parent / "docs" / "architecture.md").read_text()
    drawing = page[page.index("    aliases") : page.index("Imports point one way only")]
    lines = [[room for room in line if room not in ("_proto", "__main__")] for line in ROOMS]
    assert [sorted(re.findall(r"[\w.]+", line)) for line in drawing.split("<")] == [
        sorted(room or "__init__" for room in line) for line in lines if line
    ]
    for name, path in FILES.items():
        if len(name) == 1 and name[0] not in ("cli", "_proto", "__main__"):
            room = f"{name[0]}/" if path.name == "__init__.py" else f"{name[0]}.py"
            assert f"`{room}" in page, room


def test_no_circle_of_modules() -> None:
    graph = {name: {other for other in imports(name) if other != name} for name in FILES}
    with pytest.raises(CycleError):
        TopologicalSorter({("a",): {("b",)}, ("b",): {("a",)}}).prepare()
    TopologicalSorter(graph).prepare()  # raises CycleError, with the circle


def depth(room: str) -> int:
    """How many modules of a room stand one upon the other."""
    inside = [name for name in FILES if name[:1] == (room,)]
    graph = {
        name: {other for other in imports(name) if other in inside and other not in (name, (room,))} for name in inside
    }
    depths: dict[Module, int] = {}
    for name in TopologicalSorter(graph).static_order():
        depths[name] = 1 + max((depths[other] for other in graph[name]), default=0)
    return max(depths.values())


@pytest.mark.parametrize(("room", "most"), [("formats", 6), ("exporters", 6), ("verification", 7)])
def test_a_room_is_only_so_many_modules_deep(room: str, most: int) -> None:
    assert depth("files") > 1
    assert depth(room) <= most


def test_no_private_module_of_another_package() -> None:
    for name, path in FILES.items():
        package = name if path.name == "__init__.py" else name[:-1]
        for other in imports(name):
            private = [i for i, part in enumerate(other) if part.startswith("_") and part not in ("_proto", "__init__")]
            assert all(package[:i] == other[:i] for i in private), f"{'.'.join(name)} imports {'.'.join(other)}"


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
        if name == "to_torch" and not find_spec("torch"):
            continue
        value = getattr(netsurgery, name)
        assert value.__doc__, name
        assert isinstance(value, type(netsurgery)) == (name in ("kernels", "passes", "vision")), f"{name} is a module"
    assert dir(netsurgery) == netsurgery.__all__


def test_a_layer_type_fits_on_a_page() -> None:
    lines = {path.name: len(path.read_text().splitlines()) for path in (PACKAGE / "layers").glob("*.py")}
    del lines["__init__.py"]
    assert len(lines) > 100
    assert {name: n for name, n in lines.items() if n > 150} == {}, "what several types share goes to layers/shared"
