"""Parameters from files and into files, and shared between nets, by the rules of Caffe.

Source: BVLC/caffe src/caffe/net.cpp (CopyTrainedLayersFrom, ToProto, ToHDF5, ShareTrainedLayersWith), blob.cpp (ShapeEquals)
"""

from __future__ import annotations

import os
from importlib.util import find_spec
from typing import TYPE_CHECKING

import numpy as np

from ..errors import Source, WeightsError
from ..files.hdf5_output import hdf5_into
from ..files.mapped import MappedFile
from ..files.output import replacing
from ..formats.weights.attach import fit
from ..formats.weights.caffemodel import read_caffemodel
from ..formats.weights.write_caffemodel import write_to
from ..message import Field, Message
from ..net import Layer, Net
from .blob import Blob
from .errors import CaffeError
from .slot import Slot

if TYPE_CHECKING:
    from ..formats.weights.model_file import StoredLayer
    from .structure import Structure


def copy_from(structure: Structure, path: str) -> None:
    """Takes what the file has for layers of the net's names. Raises: WeightsError if it does not fit."""
    stored = read_caffemodel(path)
    if isinstance(stored.data, MappedFile):
        structure.files.add(stored.data)
    by_name: dict[str, Slot] = {}
    for slot in structure.slots:
        if stored.vintage == "HDF5":
            by_name[slot.name] = slot
        else:
            by_name.setdefault(slot.name, slot)
    for layer in stored.layers:
        if layer.name in by_name:
            _copy_layer(structure, by_name[layer.name], layer, path, stored.vintage == "HDF5")


def _copy_layer(structure: Structure, slot: Slot, stored: StoredLayer, path: str, hdf5: bool) -> None:
    shared = {blob for blob, _ in structure.shared}
    missing = [i for i in range(len(slot.blobs)) if i >= len(stored.blobs) or stored.blobs[i] is None]
    if hdf5:
        missing = [i for i in missing if slot.blobs[i] not in shared]
    if len(stored.blobs) > len(slot.blobs) or missing:
        raise WeightsError(
            f"has {len([b for b in stored.blobs if b])} blobs in {path}",
            layer=slot,
            expected=f"{len(slot.blobs)}",
            fix="give the weights that belong to this prototxt, or rename the layer to leave it out",
        )
    for i, (blob, entry) in enumerate(zip(slot.blobs, stored.blobs, strict=False)):
        if entry is None:
            continue
        if fit(entry.array.shape, entry.legacy, blob.sizes) is None:
            raise WeightsError(
                f"blob {i} has shape {list(entry.array.shape)} in {path}",
                layer=slot,
                expected=f"{list(blob.sizes)}",
                fix="rename the layer to leave it out, or give the weights that belong to this prototxt",
            )
        blob.data_memory.put(np.asarray(entry.array, np.float32).reshape(-1), adopt=True)


def share_with(structure: Structure, other: Structure) -> None:
    """Parameters of layers of the same name become those of `other`. Raises: CaffeError for another number or shape."""
    mine: dict[str, Slot] = {}
    for slot in structure.slots:
        mine.setdefault(slot.name, slot)
    for source in other.slots:
        target = mine.get(source.name)
        if target is None:
            continue
        if [blob.sizes for blob in target.blobs] != [blob.sizes for blob in source.blobs]:
            raise CaffeError(
                f"cannot share its parameters of shapes {[b.sizes for b in source.blobs]}",
                layer=target,
                expected=str([blob.sizes for blob in target.blobs]),
            )
        for blob, owner in zip(target.blobs, source.blobs, strict=True):
            blob.share_data(owner)


def save(structure: Structure, filename: str | os.PathLike[str]) -> None:
    """A caffemodel of all layers, those that were put in included, as Caffe writes it."""
    names: dict[str, str] = {}
    layers = []
    versions: dict[str, str] = {}
    for number, slot in enumerate(structure.slots):
        bottoms = [versions.get(b, b) for b in slot.bottom_names]
        tops = []
        for top in slot.top_names:
            versions[top] = f"{top}@{number}" if top in names else top
            names[versions[top]] = top
            tops.append(versions[top])
        weights = tuple(_kept(blob) for blob in slot.blobs)
        layers.append(Layer(slot.name, slot.type, tuple(bottoms), tuple(tops), _complete(slot), weights, slot.source))
    net = Net(tuple(layers), structure.name)
    with replacing(filename) as out:
        write_to(out, net, names, source=Source(os.fspath(filename)))


def _complete(slot: Slot) -> Message:
    """The layer's parameters with what Caffe adds when it makes the net: the phase; that BatchNorm's statistics do not learn."""
    specs = list(slot.params.all("param"))
    if slot.type == "BatchNorm":
        specs += [Message("ParamSpec", (Field("lr_mult", 0.0),))] * (len(slot.blobs) - len(specs))
    own = slot.params.without("param", "phase")
    return own.with_fields(Field("phase", slot.phase), *(Field("param", spec) for spec in specs))


def _kept(blob: Blob) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    return blob.read_data()


def save_hdf5(structure: Structure, filename: str | os.PathLike[str]) -> None:
    """Group data/<layer> for every layer, in it a dataset for each blob that no other layer owns.

    Raises: WeightsError if h5py is not installed."""
    if find_spec("h5py") is None:
        raise WeightsError("HDF5 needs h5py, which is not installed", fix="pip install 'netsurgery[hdf5]'")
    shared = {blob for blob, _ in structure.shared}
    structure.require_files()
    with replacing(filename) as out, hdf5_into(out) as (file, _):
        data = file.create_group("data")
        for slot in structure.slots:
            group = data.require_group(slot.name)
            for i, blob in enumerate(slot.blobs):
                if blob not in shared:
                    group.create_dataset(str(i), data=blob.read_data())
