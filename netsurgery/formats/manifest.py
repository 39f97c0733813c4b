"""Lists of models: a manifest in TOML, or what a folder holds.

A manifest, its paths relative to its own folder::

    [[model]]
    prototxt = "alexnet/deploy.prototxt"
    weights = "alexnet/alexnet.caffemodel"
    onnx = "out/alexnet.onnx"
    fully_convolutional = true      # any option of `netsurgery convert`, with _ for -
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..errors import ParseError, Source

VERIFY_ENTRIES = frozenset(
    {"name", "sizes", "batches", "rtol", "atol", "seed", "sha256", "against", "inputs", "images"}
)
"""Entries that `netsurgery verify` reads and `netsurgery convert` passes over."""


@dataclass(frozen=True)
class Model:
    """One model of a list: its files, the ONNX file to write or to check (None: not said), and its other entries."""

    prototxt: Path
    weights: Path | None = None
    onnx: Path | None = None
    options: Mapping[str, Any] = field(default_factory=dict)


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
    return Model(prototxt, paths["weights"], paths["onnx"], entry)


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
