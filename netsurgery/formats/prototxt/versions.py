"""Blob names of a file and of a Net: in-place layers make several versions of one blob, of which a Net names each.

    conv1 -> relu1 (in place) -> conv1      is in a Net      conv1@conv1 -> relu1 -> conv1

A net input keeps its name and its later versions are `data@layer`; of any other blob the last version has the plain name.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Mapping, Sequence
from dataclasses import replace

from ...errors import NetsurgeryError
from ...message import Field, Message
from ...naming import free
from ...net import Layer, Net, base_name


def name_versions(layers: Sequence[Message]) -> tuple[list[list[str]], list[list[str]], list[str]]:
    """Blob names with one writer each, from those of a file: the bottoms and tops of every layer, and the blob that it works on in
    place ("" if none).

    Raises: NetsurgeryError if two layers write a blob, neither in place.
    """
    count: dict[str, int] = {}
    inputs: set[str] = set()
    bottoms: list[list[tuple[str, int]]] = []
    tops: list[list[tuple[str, int]]] = []
    in_place: list[str] = []
    writers: dict[tuple[str, int], str] = {}
    for layer in layers:
        names = layer.all("bottom")
        read = [(b, count.get(b, 1) - 1) for b in names]
        written = []
        doubled = ""
        for i, top in enumerate(layer.all("top")):
            at_once = i < len(names) and names[i] == top
            doubled = top if at_once else doubled
            if top in count and not at_once:
                first = writers[top, 0]
                raise NetsurgeryError(
                    f"top '{top}' is already written by layer '{first}'",
                    layer=f"'{layer.last('name', '')}' ({layer.last('type', '')})",
                    source=layer.source,
                    expected="one writer per blob (in-place layers name the same blob as bottom and top)",
                    fix="give one of the two tops another name",
                )
            count[top] = count.get(top, 0) + 1
            written.append((top, count[top] - 1))
            writers[top, count[top] - 1] = str(layer.last("name", ""))
            if not names:
                inputs.add(top)
        bottoms.append(read)
        tops.append(written)
        in_place.append(doubled)
    taken = set(count)
    marks: dict[str, int] = {}
    spelled: dict[tuple[str, int], str] = {}
    for (blob, version), writer in writers.items():
        plain = version == (0 if blob in inputs else count[blob] - 1)
        name = blob if plain else free(f"{blob}@{writer}", taken, marks)
        taken.add(name)
        spelled[blob, version] = name
    return (
        [[spelled.get(b, b[0]) for b in read] for read in bottoms],
        [[spelled[t] for t in written] for written in tops],
        in_place,
    )


class Memory:
    """Which blobs lie in the same memory in Caffe: versions made in place, and tops of layers that only give another shape or name.

    Layers are added in order. Source: ShareData in split_layer.cpp, reshape_layer.cpp, flatten_layer.cpp, slice_layer.cpp
    """

    def __init__(self, layers: Sequence[Layer]) -> None:
        self._last = {blob: i for i, layer in enumerate(layers) for blob in layer.bottoms}
        self._cells: dict[str, deque[str]] = {}
        self._at = -1

    def add(self, layer: Layer, in_place: Mapping[str, str]) -> None:
        """The next layer; `in_place` are its tops that lie where a bottom lies, with that bottom."""
        self._at += 1
        for top in layer.tops:
            shared = in_place.get(top, layer.bottoms[0] if layer.kind.shares_memory else "")
            self._cells[top] = cell = self._cells.get(shared, deque())
            cell.append(top)

    def overwritten(self, layer: Layer, bottom: str) -> str:
        """The first other blob that the next layer, in place on `bottom`, would change for those that read it after that; "" if none."""
        if layer.kind.is_identity:
            return ""
        cell = self._cells.get(bottom, deque())
        while cell and not self._is_needed(
            cell[0]
        ):  # nor will it ever be: a chain in place is not walked again and again
            cell.popleft()
        return next((blob for blob in cell if blob != bottom and self._is_needed(blob)), "")

    def _is_needed(self, blob: str) -> bool:
        """Whether a layer behind the next one reads it, or nobody does: it is an output then."""
        behind = self._at + 2
        return self._last.get(blob, behind) >= behind


def without_splits(layers: Sequence[Layer], notes: list[str]) -> tuple[Layer, ...]:
    """The layers of a binary net without the Split layers that Caffe puts in where several layers read a blob.

    Source: insert_splits.cpp
    """
    moved: dict[str, str] = {}
    rest = []
    for layer in layers:
        layer = layer.with_blobs(moved)
        own = [f"{layer.name}_{i}" for i in range(len(layer.tops))]
        if layer.type == "Split" and layer.name.endswith("_split") and [*layer.tops] == own and len(layer.bottoms) == 1:
            moved.update(dict.fromkeys(layer.tops, layer.bottoms[0]))
        else:
            rest.append(layer)
    if len(rest) < len(layers):
        notes.append(f"{len(layers) - len(rest)} Split layers that Caffe put in left out")
    return tuple(rest)


def file_names(net: Net) -> dict[str, str]:
    """The name in a file of every blob of the net: one for all versions that layers may make in place in Caffe.

    Caffe wants the version before to have no other reader than the layer in place, and no loss weight: it puts a Split behind a blob
    that is used twice, and the layer would no longer be in place. Nor may anything read the same memory later under another name.
    Where this does not hold, the later version has the plain name, and the earlier one that of its writer behind it.

    Source: insert_splits.cpp, net.cpp (AppendTop)
    """
    uses = Counter(blob for layer in net.layers for blob in layer.bottoms)
    writer = {top: layer for layer in net.layers for top in layer.tops}
    base = {blob: base_name(blob, layer) for blob, layer in writer.items()}
    memory = Memory(net.layers)
    chains: list[list[str]] = []
    chain_of: dict[str, list[str]] = {}
    for layer in net.layers:
        in_place: dict[str, str] = {}
        for i, top in enumerate(layer.tops):
            before = layer.bottoms[i] if i < len(layer.bottoms) else ""
            follows = before and layer.kind.in_place and base[top] == base[before]
            alone = uses[before] == 1 and not _has_loss(writer[before], before) if follows else False
            if alone and not memory.overwritten(layer, before):
                chain_of[top] = chain_of[before]
                in_place[top] = before
            else:
                chains.append([])
                chain_of[top] = chains[-1]
            chain_of[top].append(top)
        memory.add(layer, in_place)
    return _named(chains, base, {top: layer.name for top, layer in writer.items()})


def layer_message(layer: Layer, names: Mapping[str, str]) -> Message:
    """The whole LayerParameter of a layer, blobs under the names of a file where they have others there."""
    return Message(
        "LayerParameter",
        (
            Field("name", layer.name),
            Field("type", layer.type),
            *(Field("bottom", names.get(blob, blob)) for blob in layer.bottoms),
            *(Field("top", names.get(blob, blob)) for blob in layer.tops),
            *layer.params.fields,
        ),
    )


def _named(chains: Sequence[Sequence[str]], base: Mapping[str, str], writers: Mapping[str, str]) -> dict[str, str]:
    """A name for each chain of versions: their plain name for the chain that has it in the net, else for the last one."""
    taken: set[str] = set()
    marks: dict[str, int] = {}
    names: dict[str, str] = {}
    left: list[Sequence[str]] = []
    for chain in chains:
        if base[chain[0]] in chain:
            taken.add(base[chain[0]])
            names.update((blob, base[blob]) for blob in chain)
        else:
            left.append(chain)
    for chain in reversed(left):
        plain = base[chain[0]]
        name = plain if plain not in taken else free(f"{plain}_{writers[chain[-1]]}", taken, marks, "_")
        taken.add(name)
        names.update((blob, name) for blob in chain)
    return names


def _has_loss(layer: Layer, top: str) -> bool:
    weights = layer.params.all("loss_weight")
    i = layer.tops.index(top)
    return i < len(weights) and bool(weights[i])


def with_plain_names(net: Net) -> Net:
    """The net with its blobs named as if it had been read from the file that it would be written to."""
    names = file_names(net)
    files = [
        Message(
            "LayerParameter",
            (
                Field("name", layer.name),
                *(Field("bottom", names[b]) for b in layer.bottoms),
                *(Field("top", names[t]) for t in layer.tops),
            ),
        )
        for layer in net.layers
    ]
    bottoms, tops, _ = name_versions(files)
    return net.with_layers(
        replace(layer, bottoms=tuple(b), tops=tuple(t)) for layer, b, t in zip(net.layers, bottoms, tops, strict=True)
    )
