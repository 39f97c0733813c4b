"""A prototxt made into the layers of a running net: read, filtered by phase, split, wired, with parameters and flags."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from weakref import WeakSet

from ..files.boundary import read_file
from ..files.mapped import MappedFile
from ..formats.prototxt.characters import MAX_BYTES
from ..formats.prototxt.phases import filter_net
from ..formats.prototxt.text import parse
from ..formats.prototxt.typed import resolve
from ..formats.prototxt.upgrade import upgrade
from ..message import Message
from .blob import Blob
from .errors import CaffeError
from .need_backward import mark
from .op_table import make_op
from .slot import Slot
from .splits import insert_splits

PHASES = {0: "TRAIN", 1: "TEST"}
AUTOMATIC = "(automatic)"
"""How Caffe calls the top of a loss for which the file names none."""


@dataclass
class Structure:
    """The layers of a net in order, its blobs with their names, and which of them are fed and left over."""

    name: str = ""
    slots: list[Slot] = field(default_factory=list)
    blobs: list[Blob] = field(default_factory=list)
    blob_names: list[str] = field(default_factory=list)
    losses: list[float] = field(default_factory=list)
    inputs: list[int] = field(default_factory=list)
    outputs: list[int] = field(default_factory=list)
    owners: dict[str, tuple[Slot, int]] = field(default_factory=dict)
    """The first blob of each name by which parameters are shared."""
    shared: list[tuple[Blob, Blob]] = field(default_factory=list)
    """Parameters that are those of another layer: (parameter, owner)."""
    files: WeakSet[MappedFile] = field(default_factory=WeakSet)
    """The weights files in which parameters still lie."""

    def require_files(self) -> None:
        """Raises: WeightsError if one of them has changed since it was read."""
        for file in self.files:
            file.require_unchanged()


def open_file(path: str | os.PathLike[str]) -> str:
    """The path. Raises: CaffeError if there is no such file."""
    name = os.fspath(path)
    if not os.path.isfile(name) or not os.access(name, os.R_OK):
        raise CaffeError(f"Could not open file {name}", expected="a file that is there")
    return name


def read_structure(path: str, phase: int, level: int, stages: Sequence[str]) -> Structure:
    """Raises: NetsurgeryError for a file that cannot be read, a layer that is refused, or shapes that do not fit."""
    if phase not in PHASES:
        raise CaffeError(f"phase {phase}", expected="caffe.TRAIN or caffe.TEST")
    message = resolve(parse(read_file(path, MAX_BYTES + 1), path), "NetParameter")
    return build(message, PHASES[phase], level, stages)


def build(message: Message, phase: str, level: int = 0, stages: Sequence[str] = ()) -> Structure:
    """A NetParameter of any vintage, made into layers."""
    message, _ = upgrade(message)
    message = filter_net(message, phase, level, stages)
    structure = Structure(str(message.last("name", "")))
    available: dict[str, int] = {}
    for layer in insert_splits(message.all("layer")):
        slot = Slot(layer, phase)
        structure.slots.append(slot)
        _connect(structure, slot, available)
        slot.op = make_op(slot)
        slot.op.setup()
        slot.op.reshape()
        slot.set_losses()
        slot.fill_losses()
        for blob, weight in zip(slot.tops, slot.loss_weights, strict=True):
            structure.losses[structure.blobs.index(blob)] = weight
        _share(structure, slot)
    mark(structure.slots, bool(message.last("force_backward", False)))
    structure.outputs = [available[name] for name in sorted(available)]
    for blob, owner in structure.shared:
        blob.share_data(owner)
        blob.share_diff(owner)
    return structure


def _connect(structure: Structure, slot: Slot, available: dict[str, int]) -> None:
    """Gives a layer its bottoms and tops. `available` are the blobs that nothing has read yet."""
    index = {name: i for i, name in enumerate(structure.blob_names) if name != AUTOMATIC}
    for name in slot.bottom_names:
        if name not in available:
            raise CaffeError(
                f"Unknown bottom blob '{name}'", layer=slot, expected=f"one of: {', '.join(available) or 'an input'}"
            )
        slot.bottoms.append(structure.blobs[available.pop(name)])
    for i, name in enumerate(slot.top_names):
        if name == (slot.bottom_names[i] if i < len(slot.bottom_names) else None):
            place = index[name]
        elif name in index:
            raise CaffeError(
                f"Top blob '{name}' produced by multiple sources.",
                layer=slot,
                expected="one writer per blob (in-place layers name the same blob as bottom and top)",
                fix="give one of the two tops another name",
            )
        else:
            place = index[name] = _append(structure, name)
        slot.tops.append(structure.blobs[place])
        available[name] = place
        if slot.type == "Input":
            structure.inputs.append(place)
    if slot.type.endswith("Loss") and not slot.tops:
        slot.tops.append(structure.blobs[_append(structure, AUTOMATIC)])


def _append(structure: Structure, name: str) -> int:
    structure.blobs.append(Blob())
    structure.blob_names.append(name)
    structure.losses.append(0.0)
    return len(structure.blobs) - 1


def _share(structure: Structure, slot: Slot) -> None:
    """Notes which parameters of a layer are those of an earlier one."""
    specs = slot.params.all("param")
    if len(specs) > len(slot.blobs):
        raise CaffeError(f"Too many params specified: {len(specs)}", layer=slot, expected=f"{len(slot.blobs)}")
    for i, (spec, blob) in enumerate(zip(specs, slot.blobs, strict=False)):
        name = str(spec.last("name", ""))
        if not name:
            continue
        first, k = structure.owners.setdefault(name, (slot, i))
        owner = first.blobs[k]
        if owner is blob:
            continue
        permissive = spec.last("share_mode", "STRICT") == "PERMISSIVE"
        if owner.count != blob.count if permissive else owner.sizes != blob.sizes:
            raise CaffeError(
                f"Cannot share param '{name}' owned by layer {first.title}: shape {owner.sizes}",
                layer=slot,
                expected=f"shape {blob.sizes}",
            )
        structure.shared.append((blob, owner))
