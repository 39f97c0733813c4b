"""Lists of models: a manifest in TOML, or what a folder holds.

A manifest, its paths relative to its own folder::

    [[model]]
    prototxt = "alexnet/deploy.prototxt"
    weights = "alexnet/alexnet.caffemodel"
    onnx = "out/alexnet.onnx"
    fully_convolutional = true      # any option of `netsurgery convert`, with _ for -

    sizes = [227, "451x300"]        # what `netsurgery verify` compares at
    batches = [1, 2]
    rtol = 1e-4
    sha256 = { weights = "8f2a..", onnx = "07c1.." }
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..errors import ParseError, Source

VERIFY_ENTRIES = frozenset(
    {
        "against",
        "atol",
        "batches",
        "images",
        "inner",
        "inputs",
        "map",
        "name",
        "ranges",
        "rtol",
        "sha256",
        "shapes",
        "sizes",
    }
)
"""Entries that `netsurgery verify` reads and `netsurgery convert` passes over. Both read `outputs` and `seed`."""


@dataclass(frozen=True)
class Model:
    """One model of a list: its files, the ONNX file to write or to check (None: not said), and its other entries."""

    prototxt: Path
    weights: Path | None = None
    onnx: Path | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    folder: Path = Path()
    """What relative paths in `options` count from."""

    @property
    def name(self) -> str:
        """How reports call it: its `name`, else that of its file."""
        file = self.onnx or self.prototxt
        return str(self.options.get("name") or file.name.removesuffix(".onnx").removesuffix(".prototxt"))

    def check(self) -> dict[str, Any]:
        """The options of `netsurgery.verify` among its entries, checked, paths made whole.

        Raises: ParseError for a value that cannot be."""
        checked: dict[str, Any] = {}
        for entry, value in self.options.items():
            if entry in _CHECKS:
                expected, read = _CHECKS[entry]
                try:
                    checked[entry] = read(value, self.folder)
                except (AttributeError, TypeError, ValueError):
                    raise ParseError(
                        f"model '{self.name}': {entry} is {value!r}",
                        source=Source(str(self.folder)),
                        expected=expected,
                    ) from None
        if "map" in checked:
            checked["names"] = checked.pop("map")
        return checked


def parse_size(text: str) -> tuple[int, ...]:
    """`451x300` -> (451, 300); `227` -> (227,). Raises: ValueError."""
    sides = tuple(int(part) for part in text.lower().split("x"))
    if not all(side > 0 for side in sides):
        raise ValueError(text)
    return sides


def _whole(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ValueError(value)
    return value


def _positive(value: Any) -> int:
    if _whole(value) < 1:
        raise ValueError(value)
    return int(value)


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _size(value: Any) -> int | tuple[int, ...]:
    sides = parse_size(value) if isinstance(value, str) else tuple(_positive(n) for n in _list(value))
    return sides[0] if len(sides) == 1 else sides


def _path(value: Any, folder: Path) -> str:
    if not isinstance(value, str):
        raise TypeError(value)
    return str(folder / value)


def _tolerance(value: Any, folder: Path) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not value >= 0:
        raise ValueError(value)
    return float(value)


def _texts(value: Mapping[str, Any]) -> dict[str, str]:
    if not all(isinstance(text, str) for text in value.values()):
        raise TypeError(value)
    return dict(value)


def _inputs(value: Any, folder: Path) -> dict[str, str]:
    return {blob: _path(file, folder) for blob, file in (value.items() if isinstance(value, dict) else [("", value)])}


def _flag(value: Any, folder: Path) -> bool:
    if not isinstance(value, bool):
        raise TypeError(value)
    return value


def _ranges(value: Any, folder: Path) -> dict[str, tuple[float, float]]:
    return {blob: (float(low), float(high)) for blob, (low, high) in dict(value).items()}


def _shapes(value: Any, folder: Path) -> list[dict[str, tuple[int, ...]]]:
    return [{blob: tuple(map(_whole, sizes)) for blob, sizes in shape.items()} for shape in _list(value)]


# Entry -> what it should be, and how it is read.
_CHECKS: dict[str, tuple[str, Callable[[Any, Path], Any]]] = {
    "against": (
        '"netsurgery", "caffe", "opencv", "onnx", a path that ends in .npz, or a list of these',
        lambda v, folder: [_path(a, folder) if a.endswith(".npz") else str(a) for a in _list(v)],
    ),
    "atol": ("a number from 0 on", _tolerance),
    "batches": ("a list of positive numbers", lambda v, _: [_positive(n) for n in _list(v)]),
    "images": ("paths of images or folders", lambda v, folder: [_path(p, folder) for p in _list(v)]),
    "inner": ("true or false", _flag),
    "inputs": ('paths of arrays: { data = "x.npy" }, or one .npz', _inputs),
    "map": ('names: { prob = "output_0" }', lambda v, _: _texts(v)),
    "outputs": ("a list of blobs", lambda v, _: [str(blob) for blob in _list(v)]),
    "ranges": ("limits of pixels: { data = [0, 255] }", _ranges),
    "rtol": ("a number from 0 on", _tolerance),
    "seed": ("a whole number", lambda v, _: _whole(v)),
    "sha256": ('hashes: { weights = "..", onnx = ".." }', lambda v, _: _texts(v)),
    "shapes": ("shapes of inputs: [{ data = [1, 3, 227, 227] }]", _shapes),
    "sizes": ('sizes of images: [227, "451x300"]', lambda v, _: [_size(n) for n in _list(v)]),
}


def read_manifest(path: str | os.PathLike[str]) -> list[Model]:
    """The models of a manifest. Raises: ParseError."""
    file = Path(path)
    try:
        content = tomllib.loads(file.read_text("utf-8"))
    except OSError as error:
        raise ParseError(
            f"cannot be read: {error.strerror}", source=Source(str(path)), expected="a manifest in TOML"
        ) from None
    except UnicodeDecodeError:
        raise ParseError("is not text", source=Source(str(path)), expected="a manifest in TOML") from None
    except tomllib.TOMLDecodeError as error:
        raise ParseError(f"is not TOML: {error}", source=Source(str(path)), expected="a manifest in TOML") from None
    entries = content.get("model", [])
    if not isinstance(entries, list) or not entries or not all(isinstance(e, dict) for e in entries):
        raise ParseError("lists no models", source=Source(str(path)), expected="[[model]] entries with a prototxt each")
    return [_model(entry, number, file) for number, entry in enumerate(entries, 1)]


def _model(entry: dict[str, Any], number: int, file: Path) -> Model:
    paths: dict[str, Path | None] = {}
    for key in ("prototxt", "weights", "onnx"):
        value = entry.pop(key, None)
        if value is not None and not isinstance(value, str):
            raise ParseError(f"model {number}: {key} is {value!r}", source=Source(str(file)), expected="a path")
        paths[key] = file.parent / value if value is not None else None
    prototxt = paths["prototxt"]
    if prototxt is None:
        raise ParseError(f"model {number} has no prototxt", source=Source(str(file)), expected='prototxt = "PATH"')
    return Model(prototxt, paths["weights"], paths["onnx"], entry, file.parent)


def find_models(folder: str | os.PathLike[str]) -> list[Model]:
    """The models below a folder: every prototxt but solvers, with the caffemodel of its name, else the only one beside it. Where a
    folder has prototxts named deploy, only those count.

    Raises: ParseError if there are none.
    """
    models = []
    for here in sorted({p.parent for p in Path(folder).rglob("*.prototxt")}):
        nets = sorted(p for p in here.glob("*.prototxt") if "solver" not in p.name.lower())
        nets = [p for p in nets if "deploy" in p.name.lower()] or nets
        files = sorted(p for p in here.iterdir() if p.name.endswith((".caffemodel", ".caffemodel.h5")))
        for net in nets:
            stem = net.name.removesuffix(".prototxt").removesuffix("_deploy").removesuffix("-deploy")
            own = [f for f in files if f.name.split(".caffemodel")[0] in (stem, net.stem)]
            fitting = own or (files if len(files) == 1 else [])
            models.append(Model(net, fitting[0] if fitting else None))
    if not models:
        raise ParseError("holds no prototxt", source=Source(str(folder)), expected="a folder with models")
    return models
