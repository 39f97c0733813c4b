"""Lists of models: a manifest in TOML, or what a folder holds.

A manifest, its paths relative to its own folder::

    [[model]]
    prototxt = "alexnet/deploy.prototxt"
    weights = "alexnet/alexnet.caffemodel"
    onnx = "out/alexnet.onnx"
    fully_convolutional = true      # any option of `netsurgery convert`, with _ for -

    size = [227, "451x300"]         # and of `netsurgery verify`
    batch = [1, 2]
    rtol = 1e-4
    sha256 = { weights = "8f2a..", onnx = "07c1.." }
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..aliases import StrPath
from ..errors import ParseError, Source
from ..files.boundary import read_file, reading

MAX_BYTES = 16 << 20


@dataclass(frozen=True)
class Model:
    """One model of a list: its files, the file to write or to check (None: not said), and its other entries."""

    prototxt: Path
    weights: Path | None = None
    onnx: Path | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    sources: Mapping[str, Source] = field(default_factory=dict)
    """Where each entry stands; "" is the model itself."""

    pins: Mapping[str, str] = field(default_factory=dict)
    """The SHA-256 that files must have: "prototxt", "weights", "onnx", or a path."""

    title: str = ""
    folder: Path = Path()
    """What relative paths in `options` count from."""

    @property
    def name(self) -> str:
        """How reports call it: its `name`, else that of its file."""
        file = self.onnx or self.prototxt
        return self.title or file.name.removesuffix(".onnx").removesuffix(".prototxt")

    def hashes(self) -> Mapping[str, str]:
        """`pins`, checked. Raises: ParseError."""
        if isinstance(self.pins, dict) and all(isinstance(pin, str) for pin in self.pins.values()):
            return self.pins
        raise ParseError(
            f"model '{self.name}': sha256 is {self.pins!r}",
            source=self.sources.get("sha256", self.source),
            expected='hashes: { weights = "..", onnx = ".." }',
        )

    @property
    def source(self) -> Source:
        return self.sources.get("", Source())


def read_manifest(path: StrPath) -> list[Model]:
    """The models of a manifest. Raises: ParseError."""
    import tomllib

    file = Path(path)
    source = Source(str(path))
    expected = "a manifest in TOML"
    data = read_file(path, MAX_BYTES + 1, expected, ParseError)
    if len(data) > MAX_BYTES:
        raise ParseError(f"is larger than {MAX_BYTES} bytes", source=source, expected=expected)
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        raise ParseError("is not text", source=source, expected=expected) from None
    with reading(source, expected, problem="is not TOML"):
        content = tomllib.loads(text)
    if others := [key for key in content if key != "model"]:
        line = next((n for n, row in enumerate(text.splitlines(), 1) if others[0] in row), 0)
        problem = f"an entry '{others[0]}' beside the models"
        raise ParseError(problem, source=Source(str(path), line), expected="[[model]] entries with a prototxt each")
    entries = content.get("model", [])
    if not isinstance(entries, list) or not entries or not all(isinstance(e, dict) for e in entries):
        raise ParseError("lists no models", source=source, expected="[[model]] entries with a prototxt each")
    places = _places(text, str(path))
    places += [{}] * (len(entries) - len(places))
    return [_model(entry, number, file, places[number - 1]) for number, entry in enumerate(entries, 1)]


def _places(text: str, file: str) -> list[dict[str, Source]]:
    """Where the entries of each model stand: the lines that TOML's parser does not tell."""
    places: list[dict[str, Source]] = []
    table = ""
    for number, line in enumerate(text.splitlines(), 1):
        if header := re.match(r"\s*\[+\s*([^\[\]]+?)\s*\]", line):
            table = header[1]
            if table == "model":
                places.append({"": Source(file, number)})
            elif places and table.startswith("model."):
                places[-1].setdefault(table.split(".")[1], Source(file, number))
        elif places and table == "model" and (key := re.match(r"""\s*["']?([\w-]+)["']?\s*[.=]""", line)):
            places[-1].setdefault(key[1], Source(file, number))
    return places


def _model(entry: dict[str, Any], number: int, file: Path, places: Mapping[str, Source]) -> Model:
    def source(key: str) -> Source:
        return places.get(key, places.get("", Source(str(file))))

    paths: dict[str, Path | None] = {}
    for key in ("prototxt", "weights", "onnx"):
        value = entry.pop(key, None)
        if value is not None and not isinstance(value, str):
            raise ParseError(f"model {number}: {key} is {value!r}", source=source(key), expected="a path")
        paths[key] = file.parent / value if value is not None else None
    prototxt = paths["prototxt"]
    if prototxt is None:
        raise ParseError(f"model {number} has no prototxt", source=source(""), expected='prototxt = "PATH"')
    name, pins = entry.pop("name", ""), entry.pop("sha256", {})
    return Model(prototxt, paths["weights"], paths["onnx"], entry, places, pins, str(name), file.parent)


def find_models(folder: StrPath) -> list[Model]:
    """The models below a folder: every prototxt but solvers, with the caffemodel of its name, else the only one beside it. Where a
    folder has prototxts named deploy, only those count.

    Raises: ParseError if there are none.
    """
    models = []
    for here in sorted({p.parent for p in Path(folder).rglob("*.prototxt") if p.is_file()}):
        nets = sorted(p for p in here.glob("*.prototxt") if "solver" not in p.name.lower() and p.is_file())
        nets = [p for p in nets if "deploy" in p.name.lower()] or nets
        files = sorted(p for p in here.iterdir() if p.name.endswith((".caffemodel", ".caffemodel.h5")) and p.is_file())
        for net in nets:
            stem = net.name.removesuffix(".prototxt").removesuffix("_deploy").removesuffix("-deploy")
            own = [f for f in files if f.name.split(".caffemodel")[0] in (stem, net.stem)]
            fitting = own or (files if len(files) == 1 else [])
            models.append(Model(net, fitting[0] if fitting else None))
    if not models:
        raise ParseError("holds no prototxt", source=Source(str(folder)), expected="a folder with models")
    return models
