"""Caffe's HDF5 snapshots: group data/<layer>, in it one dataset per blob, named 0, 1, 2 ...

A blob that a layer shares with another one is stored with its owner only: the numbers then have a hole, and the place
in `StoredLayer.blobs` holds None (missing ones at the end are just not there).

Source: BVLC/caffe src/caffe/net.cpp (ToHDF5, CopyTrainedLayersFromHDF5), src/caffe/util/hdf5.cpp
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from ...aliases import Array
from ...errors import Source, WeightsError
from ...files.boundary import package, reading
from ...files.mapped import MappedFile, identity
from ...limits import lift, limits
from .blob import MAX_AXES, MAX_COUNT, StoredBlob
from .model_file import MAX_BLOBS, MAX_LAYERS, ModelFile, StoredLayer

MAX_NESTING = 16
"""Groups within groups, which hold layers with a slash in their name."""


def read_hdf5(path: str, mapped: MappedFile) -> ModelFile:
    """The layers of a .caffemodel.h5, in the order of their names. Plain float32 datasets become views of the file.

    Raises: WeightsError if it is damaged, or h5py is not installed.
    """
    source = Source(path)
    with package("is an HDF5 file, and h5py is not installed", "netsurgery[hdf5]", source=source, error=WeightsError):
        import h5py
    with (
        reading(path, error=WeightsError, problem="cannot be read as HDF5", fix="download or copy it again"),
        h5py.File(path, "r") as file,
    ):
        data = file.get("data")
        if not isinstance(data, h5py.Group):
            raise WeightsError("has no group 'data'", source=source, expected="a .caffemodel.h5 as Caffe writes it")
        layers = []
        budget = limits().ratio * len(mapped)
        for name, datasets in _layers(data, source):
            blobs = []
            for dataset in datasets:
                if dataset is not None:
                    budget -= _check(dataset, name, budget, source)
                blobs.append(None if dataset is None else _blob(dataset, mapped))
            layers.append(StoredLayer(name, "", tuple(blobs), source))
    if identity(path) != mapped.identity:  # it was opened twice
        raise WeightsError("was replaced while it was read", source=source, fix="load it again")
    if not layers:
        raise WeightsError("holds no layers", source=source, expected="a .caffemodel.h5 as Caffe writes it")
    precisions = frozenset(blob.precision for layer in layers for blob in layer.blobs if blob)
    return ModelFile(path, "", tuple(layers), "HDF5", precisions, mapped)


def _layers(data: Any, source: Source) -> Iterator[tuple[str, list[Any]]]:
    """Name and datasets of every layer; one with a slash in its name is a group in a group."""
    import h5py

    pending = [("", data, 0)]
    groups = 0
    while pending:
        prefix, group, depth = pending.pop()
        groups += 1
        if depth > MAX_NESTING or groups + len(group) > MAX_LAYERS:
            raise WeightsError(
                f"more than {MAX_LAYERS} groups, or {MAX_NESTING} of them in each other",
                source=source,
                expected="a .caffemodel.h5 as Caffe writes it",
            )
        blobs: dict[int, Any] = {}
        inner = []
        for key in group:
            if isinstance(group.get(key, getlink=True), h5py.ExternalLink):
                raise WeightsError(f"'{prefix}{key}' is a link to another file", source=source, expected="the values")
            member = group[key]
            if isinstance(member, h5py.Group):
                inner.append((f"{prefix}{key}/", member, depth + 1))
            elif depth and isinstance(member, h5py.Dataset) and key.isascii() and key.isdigit() and len(key) < 7:
                blobs[int(key)] = member
            else:
                raise WeightsError(
                    f"'{prefix}{key}' is no blob of a layer", source=source, expected="datasets named 0, 1, 2 ..."
                )
        if blobs and max(blobs) >= MAX_BLOBS:
            raise WeightsError(f"blob {max(blobs)}", layer=f"'{prefix[:-1]}'", source=source, expected="few blobs")
        if depth and (blobs or not inner):
            yield prefix[:-1], [blobs.get(i) for i in range(max(blobs, default=-1) + 1)]
        pending.extend(reversed(inner))


def _check(dataset: Any, layer: str, budget: int, source: Source) -> int:
    """How many bytes the values of `dataset` take. Raises: WeightsError if they are no weights, or too many."""
    index = dataset.name.rsplit("/", 1)[-1]
    if dataset.dtype.kind not in "fiu" or dataset.shape is None:
        raise WeightsError(
            f"blob {index} is of type {dataset.dtype}", layer=f"'{layer}'", source=source, expected="numbers"
        )
    if dataset.is_virtual or dataset.external:
        raise WeightsError(
            f"the values of blob {index} are in another file", layer=f"'{layer}'", source=source, expected="the values"
        )
    size: int = math.prod(dataset.shape) * max(dataset.dtype.itemsize, 4)
    if len(dataset.shape) > MAX_AXES or math.prod(n for n in dataset.shape if n) > MAX_COUNT or size > budget:
        raise WeightsError(
            f"blob {index} of shape {'x'.join(map(str, dataset.shape))} is larger than the file can hold",
            layer=f"'{layer}'",
            source=source,
            expected=f"values of at most {limits().ratio} times the size of the file",
            fix=lift("ratio"),
        )
    return size


def _blob(dataset: Any, mapped: MappedFile) -> StoredBlob:
    count = math.prod(dataset.shape)
    offset = dataset.id.get_offset()
    if offset is not None and dataset.dtype == np.dtype("<f4") and 0 <= offset <= len(mapped) - 4 * count:
        return StoredBlob(np.frombuffer(mapped, "<f4", count, offset).reshape(dataset.shape))
    precision = dataset.dtype.name
    with np.errstate(over="ignore"):
        values: Array = dataset[()].astype("<f4") if dataset.shape else np.asarray(dataset[()], "<f4")
    values.flags.writeable = False
    return StoredBlob(values, False, precision if precision in ("float16", "float64") else "float32")
