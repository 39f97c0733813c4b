"""The files that an ONNX model points to: whether they are there, and still what they were when the model was made."""

from __future__ import annotations

import os
from pathlib import Path

import onnx

from ...errors import ParseError, Source, WeightsError
from ...files.mapped import map_file
from ...formats.weights.hashes import sha256, structure_hash
from .external import external_ends, file_of

FIX = "put the original file back, or convert again (with --weights embed nothing can come apart)"


def check_links(model: onnx.ModelProto, path: str | os.PathLike[str], *, full: bool = True) -> None:
    """Holds the files in which the model at `path` (of which `model` need not have the numbers) keeps tensors against what it records of
    them: that they are there, hold every tensor, and, of a caffemodel, size, structure and (with `full`) SHA-256.

    Raises: WeightsError that says which file, and what is wrong with it.
    """
    source = Source(os.fspath(path))
    recorded = {prop.key: prop.value for prop in model.metadata_props}
    for location, end in external_ends(model, path).items():
        file = file_of(location, path)
        if not file.is_file():
            raise WeightsError(
                f"its weights are in {location}, which is not there", source=source, expected=str(file), fix=FIX
            )
        size = file.stat().st_size
        linked = Path(location).name == recorded.get("netsurgery.weights") and "netsurgery.weights.size" in recorded
        length = _size(recorded["netsurgery.weights.size"], source) if linked else end
        if size != length if linked else size < length:
            raise WeightsError(
                f"its weights are in {location}, which has {size} bytes",
                source=source,
                expected=f"{length} bytes, as when the model was made" if linked else f"at least {length} bytes",
                fix=FIX,
            )
        if linked:
            _check_hashes(file, location, recorded, source, full)


def _size(text: str, source: Source) -> int:
    if not text.isascii() or not text.isdecimal() or len(text) > 18:
        raise ParseError(f"records '{text[:40]}' as the size of its weights", source=source, expected="a number")
    return int(text)


def _check_hashes(file: Path, location: str, recorded: dict[str, str], source: Source, full: bool) -> None:
    mapped = map_file(file)
    hashes = {"structure_sha256": structure_hash} | ({"sha256": sha256} if full else {})
    for what, compute in hashes.items():
        digest = recorded.get(f"netsurgery.weights.{what}")
        if digest is not None and compute(mapped) != digest:
            part = "names, shapes or places of its weights are" if what == "structure_sha256" else "it is"
            raise WeightsError(
                f"its weights are in {location}, which has changed: {part} not as when the model was made",
                source=source,
                expected=f"{what} {digest}",
                fix=FIX,
            )
