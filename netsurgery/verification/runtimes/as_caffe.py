"""A net as files that Caffe's own readers take: those that it came from, if it is still what they say, else written anew; and what
Caffe's blobs hold once it is done."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from ...errors import NetsurgeryError
from ...files.mapped import locate
from ...formats.load import load
from ...formats.prototxt.versions import file_names
from ...formats.save import save_caffe
from ...net import Layer, Net, base_name


@dataclass(frozen=True)
class CaffeFiles:
    """The files, and the names that they have for the net's blobs: one for all versions of a blob."""

    prototxt: Path
    weights: Path | None
    names: Mapping[str, str]


@contextmanager
def caffe_files(net: Net) -> Iterator[CaffeFiles]:
    """The files for a while. Raises: NetsurgeryError if the net cannot be written as Caffe's."""
    with TemporaryDirectory(prefix="netsurgery-") as folder:
        yield files_for_caffe(net, folder)


def files_for_caffe(net: Net, folder: str) -> CaffeFiles:
    """The files, in `folder` where they must be written: changed ones, and weights of another precision than float32, which forks store
    in fields of their own. Raises: NetsurgeryError if the net cannot be written as Caffe's."""
    prototxt, weights = net.files.get("prototxt", ""), net.files.get("weights", "")
    if prototxt and weights.endswith(".caffemodel") and _unchanged(net, prototxt, weights):
        names = {top: base_name(top, layer) for layer in net.layers for top in layer.tops}
        return CaffeFiles(Path(prototxt), Path(weights), names)
    paths = Path(folder, "net.prototxt"), Path(folder, "net.caffemodel")
    has_weights = any(layer.weights for layer in net.layers)
    save_caffe(net, paths[0], paths[1] if has_weights else None)
    return CaffeFiles(paths[0], paths[1] if has_weights else None, file_names(net))


def _unchanged(net: Net, prototxt: str, weights: str) -> bool:
    if not all(locate(w) for layer in net.layers for w in layer.weights if w.size):
        return False
    try:
        original = load(prototxt, weights)
    except NetsurgeryError:
        return False
    return original.layers == net.layers and all(
        len(a.weights) == len(b.weights) and all(map(np.array_equal, a.weights, b.weights))
        for a, b in zip(original.layers, net.layers, strict=True)
    )


def last_versions(net: Net, names: Mapping[str, str]) -> dict[str, str]:
    """Blob of the net -> its name in the files, for blobs that Caffe still holds when it is done: the last version of each."""
    last = {names[top]: top for layer in net.layers for top in layer.tops}
    return {top: name for name, top in last.items()}


def overwritten(net: Net, names: Mapping[str, str]) -> dict[str, Layer]:
    """Blobs that a later layer changes without naming them, and that layer: in Caffe it works in place on memory in which they lie, too.

    Flatten, Reshape, Split, and Concat and Slice of one blob give their top the memory of their bottom.
    """
    cells: dict[str, list[str]] = {}
    changed: dict[str, Layer] = {}
    for layer in net.layers:
        for i, top in enumerate(layer.tops):
            before = layer.bottoms[i] if i < len(layer.bottoms) else ""
            in_place = bool(before) and names[before] == names[top]
            shared = before if in_place else layer.bottoms[0] if layer.kind.shares_memory else ""
            cell = cells.get(shared, [])
            if in_place and not layer.kind.is_identity:
                changed.update((blob, layer) for blob in cell if names[blob] != names[top])
            cells[top] = cell
            cell.append(top)
    return changed
