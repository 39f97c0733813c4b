"""Tensors that a model keeps in other files: only below its own folder, and nothing is looked at before that is certain."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path, PureWindowsPath

import onnx

from ...errors import NetsurgeryError, ParseError, Source

MAX_LENGTH = 255
"""Characters of a part of a path, as file systems have it."""


def tensors(graph: onnx.GraphProto) -> Iterator[onnx.TensorProto]:
    """Every tensor of a graph, those in attributes and inner graphs included."""
    yield from graph.initializer
    for sparse in graph.sparse_initializer:
        yield from (sparse.values, sparse.indices)
    for node in graph.node:
        for attribute in node.attribute:
            yield from (attribute.t, *attribute.tensors) if attribute.HasField("t") else attribute.tensors
            if attribute.HasField("g"):
                yield from tensors(attribute.g)
            for inner in attribute.graphs:
                yield from tensors(inner)


def external_ends(model: onnx.ModelProto, path: str | os.PathLike[str]) -> dict[str, int]:
    """Each file that the model at `path` points to, as it names it, and how many bytes that must have at least.

    Raises: ParseError for a place that is none, or lies outside of the model's folder. No file is touched.
    """
    source = Source(os.fspath(path))
    ends: dict[str, int] = {}
    for tensor in tensors(model.graph):
        if tensor.data_location != onnx.TensorProto.EXTERNAL:
            continue
        entry = {e.key: e.value for e in tensor.external_data}
        location = entry.get("location", "")
        if not _is_inside(location):
            raise _refusal(f"the numbers of '{tensor.name}' are said to be in '{_shown(location)}'", source)
        numbers = [entry.get(key, "0") for key in ("offset", "length")]
        if not all(n.isascii() and n.isdecimal() and len(n) < 19 for n in numbers):
            problem = f"the numbers of '{tensor.name}' are said to be at {', '.join(map(_shown, numbers))}"
            raise ParseError(problem, source=source, expected="offset and length in bytes")
        ends[location] = max(ends.get(location, 0), sum(map(int, numbers)))
    return ends


def file_of(location: str, path: str | os.PathLike[str]) -> Path:
    """The file that a model names, links followed. Raises: ParseError if a link leads out of the model's folder."""
    folder = os.path.realpath(os.path.dirname(os.path.realpath(path)))
    file = Path(os.path.realpath(os.path.join(folder, location)))
    if not file.is_relative_to(folder):
        raise _refusal(f"'{_shown(location)}', where it keeps numbers, is a link", Source(os.fspath(path)))
    return file


def _is_inside(location: str) -> bool:
    windows = PureWindowsPath(location)
    parts = windows.parts
    return (
        bool(parts)
        and not (windows.is_absolute() or windows.drive or windows.root)
        and ".." not in parts
        and all(len(part.encode("utf-8", "surrogateescape")) <= MAX_LENGTH for part in parts)
        and not any(c < " " for c in location)
    )


def _refusal(problem: str, source: Source) -> NetsurgeryError:
    return ParseError(f"{problem}, which is not looked at", source=source, expected="a file in the folder of the model")


def _shown(text: str) -> str:
    return text if len(text) <= 80 else f"{text[:77]}..."
