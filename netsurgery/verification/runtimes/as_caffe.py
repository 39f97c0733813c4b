"""A net as files that Caffe's own readers take: those that it came from, if it is still what they say, else written anew."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from ...errors import NetsurgeryError
from ...formats.load import load
from ...formats.save import save_caffe
from ...net import Net, base_name


@contextmanager
def caffe_files(net: Net) -> Iterator[tuple[Path, Path]]:
    """(prototxt, caffemodel) of the net. Raises: NetsurgeryError if it cannot be written as Caffe's."""
    prototxt, weights = net.files.get("prototxt", ""), net.files.get("weights", "")
    if prototxt and weights.endswith(".caffemodel") and _unchanged(net, prototxt, weights):
        yield Path(prototxt), Path(weights)
        return
    with TemporaryDirectory(prefix="netsurgery-") as folder:
        paths = Path(folder, "net.prototxt"), Path(folder, "net.caffemodel")
        save_caffe(net, *paths)
        yield paths


def _unchanged(net: Net, prototxt: str, weights: str) -> bool:
    try:
        there = load(prototxt, weights)
    except NetsurgeryError:
        return False
    return there.layers == net.layers and all(
        len(a.weights) == len(b.weights) and all(map(np.array_equal, a.weights, b.weights))
        for a, b in zip(there.layers, net.layers, strict=True)
    )


def final_blobs(net: Net) -> dict[str, str]:
    """Blob of the net -> its name in Caffe, for blobs that Caffe still holds when it is done: the last version of each."""
    last: dict[str, str] = {}
    for layer in net.layers:
        for top in layer.tops:
            last[base_name(top, layer)] = top
    return {top: name for name, top in last.items()}
