"""`import caffe` made to find this package."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Sequence
from importlib import import_module
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType

PACKAGE = __name__.rpartition(".")[0]
ALIASES = {"caffe": "", "caffe.pycaffe": ".net", "caffe._caffe": ""}
"""Modules of Caffe's whose names are other ones here."""


class _Finder(MetaPathFinder, Loader):
    """Answers `import caffe` and `import caffe.x` with this package and its modules: the same objects, under two names."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname != "caffe" and not fullname.startswith("caffe."):
            return None
        return ModuleSpec(fullname, self, is_package=fullname in ("caffe", "caffe.proto"))

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        home = PACKAGE + ALIASES.get(spec.name, spec.name.removeprefix("caffe"))
        try:
            module = import_module(home)
        except ModuleNotFoundError as error:
            if error.name != home:
                raise
            raise ModuleNotFoundError(f"No module named {spec.name!r}", name=spec.name) from None
        self._specs[spec.name] = module.__spec__
        return module

    def exec_module(self, module: ModuleType) -> None:
        """The module has run already; it keeps the spec that it was loaded by."""
        if module.__spec__ is not None:
            module.__spec__ = self._specs.pop(module.__spec__.name, module.__spec__)

    def __init__(self) -> None:
        self._specs: dict[str, ModuleSpec | None] = {}


def install(force: bool = False) -> None:
    """From here on `import caffe` gives this package. A real Caffe that is installed or already imported stays what it is, which a
    warning says, unless `force`."""
    if any(isinstance(finder, _Finder) for finder in sys.meta_path):
        return
    held = sys.modules.get("caffe")
    if held is not None and not force:
        warnings.warn("caffe is already imported: it is left alone (force=True replaces it)", stacklevel=2)
        return
    if held is None and not force and _is_real(PathFinder.find_spec("caffe")):
        warnings.warn("a real Caffe is installed: it is left alone (force=True replaces it)", stacklevel=2)
        return
    for name in [n for n in sys.modules if n == "caffe" or n.startswith("caffe.")]:
        del sys.modules[name]
    sys.meta_path.insert(0, _Finder())


def _is_real(spec: ModuleSpec | None) -> bool:
    """A folder `caffe` without code, as a script may have beside it, is no Caffe."""
    return spec is not None and spec.origin is not None
