"""The blobs of a weights file given to the layers of a net, by the rules of Caffe.

Source: src/caffe/net.cpp (CopyTrainedLayersFrom, AppendParam), src/caffe/blob.cpp (ShapeEquals)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import TYPE_CHECKING, Any

from ...aliases import Array
from ...errors import ShapeError, Source, WeightsError
from ...layers.core.dims import axis
from ...layers.core.fillers import draw
from ...limits import show_shapes
from ...message import Message
from ...net import Layer, Net
from ...shapes import known_shapes

if TYPE_CHECKING:
    from .blob import StoredBlob
    from .model_file import ModelFile, StoredLayer


WRONG_FILE = "give the weights that belong to this prototxt"


def _transplanted(layer: Layer, array: Array, shape: Sequence[Any]) -> str:
    """What to do about the same numbers as InnerProduct and Convolution hold them; "" if it is not that."""
    flat = {"Convolution", "InnerProduct"}
    same = all(isinstance(n, int) for n in shape) and prod(shape) == array.size
    if layer.type not in flat or not same or (array.ndim == 2) == (len(shape) == 2):
        return ""
    return "take them over: netsurgery operate NET.prototxt --transplant WEIGHTS.caffemodel -o NEW.prototxt"


def attach(
    net: Net, stored: ModelFile, *, initialize_missing: bool = False, seed: int = 0, partial: bool = False
) -> Net:
    """The net with the blobs of a weights file, matched by layer name: layers that only the file has are passed over, of layers that share
    a name the first counts. Parameters that layers share by `param { name }` are one array, of which the last one stored counts.

    A layer that the file lacks is filled as the prototxt says, if all of its fillers are constant or bilinear and written there; with
    `initialize_missing` in any case, by numbers drawn from `seed`. `net.notes` say it. `partial`: layers that lack theirs keep none.

    Raises: WeightsError for a layer without its blobs, of another number or shape.
    """
    return _Loader(net, stored, initialize_missing, seed, partial).run()


@dataclass(frozen=True)
class _Place:
    """Where a blob belongs: its layer's place in the net, its number, the name under which layers share it, and whether their shapes
    may then differ."""

    layer: int
    index: int
    name: str = ""
    permissive: bool = False


class _Loader:
    def __init__(self, net: Net, stored: ModelFile, initialize_missing: bool, seed: int, partial: bool) -> None:
        self.net, self.stored, self.partial = net, stored, partial
        self.initialize_missing, self.seed = initialize_missing, seed
        shapes = _shapes_for(net, stored)
        self.shapes = [_blob_shapes(layer, shapes) for layer in net.layers]
        self.blobs: list[list[Array | None]] = [[None] * len(w or ()) for w in self.shapes]
        self.shared: dict[
            str, tuple[Array, str]
        ] = {}  # parameters by the names they are shared by, each with the layer it is from
        self.owners: dict[str, tuple[tuple[Any, ...], str]] = {}  # the shape that its first layer gives a parameter
        self.lacked: list[str] = []

    def run(self) -> Net:
        names = [layer.name for layer in self.net.layers]
        if self.stored.vintage != "HDF5":  # Caffe takes the first of several layers of a name, from HDF5 the last
            names = names[::-1]
        last = len(names) - 1
        places = {n: i if self.stored.vintage == "HDF5" else last - i for i, n in enumerate(names)}
        matched = [(places[s.name], s) for s in self.stored.layers if s.blobs and s.name in places]
        for number, stored_layer in matched:
            self._load(number, stored_layer)
        if not matched and any(self.shapes):
            raise self._nothing_matches()
        layers = [
            replace(layer, weights=tuple(self._blobs(number, layer))) for number, layer in enumerate(self.net.layers)
        ]
        return replace(self.net.with_layers(layers), notes=(*self.net.notes, *self.lacked))

    def _load(self, number: int, stored: StoredLayer) -> None:
        """Takes the blobs of a layer of the file."""
        layer, shapes, blobs = self.net.layers[number], self.shapes[number], stored.blobs
        short = self.stored.vintage == "HDF5"  # what another layer owns is not stored there
        if shapes is None:
            self.blobs[number] = [None] * len(blobs)
        elif len(blobs) > len(shapes) or (len(blobs) < len(shapes) and not short):
            raise WeightsError(
                f"has {len(blobs)} blob{'s' if len(blobs) != 1 else ''} in {self.stored.path}: "
                f"{show_shapes([b.array.shape for b in blobs if b])}",
                layer=layer,
                expected=f"{len(shapes)}: {show_shapes(shapes)}",
                fix=WRONG_FILE,
            )
        for index, blob in enumerate(blobs):
            if blob is not None:
                array = self._fitted(layer, index, blob, shapes[index] if shapes is not None else None)
                self.blobs[number][index] = array
                if name := _place(layer, number, index).name:
                    self.shared[name] = array, layer.title

    def _fitted(self, layer: Layer, index: int, blob: StoredBlob, expected_shape: tuple[Any, ...] | None) -> Array:
        """The stored blob in the shape that the layer wants."""
        array = blob.array
        if expected_shape is None:
            return array
        shape = fit(array.shape, blob.legacy, expected_shape)
        if shape is None:
            raise WeightsError(
                f"blob {index} has shape {show_shapes([array.shape])} in {self.stored.path}",
                layer=layer,
                expected=show_shapes([expected_shape]),
                fix=_transplanted(layer, array, expected_shape) or WRONG_FILE,
            )
        return array if shape == array.shape else array.reshape(shape)

    def _blobs(self, number: int, layer: Layer) -> list[Array]:
        """All blobs of a layer: its own, shared ones, filled ones."""
        blobs = list(self.blobs[number])
        for index in range(len(blobs)):
            place = _place(layer, number, index)
            if place.name in self.shared:
                blobs[index] = self._shared(layer, place)
        missing = [i for i, blob in enumerate(blobs) if blob is None]
        if missing and self.partial:
            return []
        if missing:
            drawn = self._filled(layer, number, missing)
            for index in missing:
                blobs[index] = drawn[index]
                if name := _place(layer, number, index).name:
                    self.shared[name] = drawn[index], layer.title
        return [blob for blob in blobs if blob is not None]

    def _shared(self, layer: Layer, place: _Place) -> Array:
        array, other = self.shared[place.name]
        shapes = self.shapes[place.layer]
        shape = shapes[place.index] if shapes is not None else array.shape
        first, owner = self.owners.setdefault(place.name, (shape, layer.title))
        held = array.shape if owner == layer.title else first
        # Caffe holds each layer to the shape of the first, which takes what any of them brings
        if place.permissive or owner == layer.title or fit(first, False, shape) is not None:
            if (same := fit(array.shape, False, shape)) is not None:
                return array if same == array.shape else array.reshape(same)
            if all(isinstance(n, int) for n in shape) and prod(shape) == array.size:
                return array.reshape(shape)
        raise WeightsError(
            f"blob {place.index} has shape {show_shapes([held])}: it is parameter '{place.name}', which layer "
            f"{other if owner == layer.title else owner} also has",
            layer=layer,
            expected=show_shapes([shape]),
            fix="share parameters of one shape only, or set share_mode: PERMISSIVE if only the number of values is the same",
        )

    def _filled(self, layer: Layer, number: int, missing: Sequence[int]) -> list[Array]:
        """Blobs as the fillers of the prototxt say."""
        shapes = self.shapes[number]
        if shapes is None or not all(isinstance(n, int) for shape in shapes for n in shape):
            raise self._missing(layer, shapes or [], missing, False)
        fillers = [*layer.kind.fillers][: len(shapes)]
        fixed = len(fillers) == len(shapes) and all(f.written and f.is_fixed for f in fillers)
        if not (fixed or self.initialize_missing):
            raise self._missing(layer, shapes, missing, True)
        how = ", ".join(dict.fromkeys(f.type for f in fillers)) or "zeros"
        self.lacked.append(f"layer {layer.title}: not in {self.stored.path}, filled as the prototxt says ({how})")
        return draw(layer.kind, shapes, self.seed)

    def _missing(self, layer: Layer, shapes: Sequence[Any], missing: Sequence[int], can_fill: bool) -> WeightsError:
        whole = len(missing) == len(shapes)
        twin = next(x for x in self.net.layers if x.name == layer.name) is not layer
        return WeightsError(
            f"has no weights in {self.stored.path}"
            + (": another layer of its name, before it, takes them" if twin else "")
            if whole
            else f"has no blob {missing[0]} in {self.stored.path}",
            layer=layer,
            expected=f"blobs of shapes {show_shapes(shapes)} under the layer's name",
            fix=(
                "give it a name of its own, and its weights under that"
                if twin
                else f"{WRONG_FILE} (layers are matched by name)"
            )
            + (", or --initialize-missing to fill what is missing as its fillers say" if can_fill else ""),
        )

    def _nothing_matches(self) -> WeightsError:
        stored = [layer.name for layer in self.stored.layers if layer.blobs]
        net = [layer.name for layer, shapes in zip(self.net.layers, self.shapes, strict=True) if shapes]
        return WeightsError(
            f"holds weights for none of the net's layers: it has {_some(stored)}",
            source=Source(self.stored.path),
            expected=_some(net),
            fix=f"{WRONG_FILE} (layers are matched by name)",
        )


def _some(names: Sequence[str]) -> str:
    quoted = ", ".join(f"'{name}'" for name in names[:5]) or "none"
    return f"{quoted} and {len(names) - 5} more" if len(names) > 5 else quoted


def _place(layer: Layer, number: int, index: int) -> _Place:
    specs = layer.params.all("param")
    if index < len(specs) and isinstance(spec := specs[index], Message):
        return _Place(number, index, str(spec.last("name", "")), spec.last("share_mode", "STRICT") == "PERMISSIVE")
    return _Place(number, index)


def shares_by_count(layer: Layer, index: int) -> bool:
    """Whether a shared blob need only have as many values as that of the first layer that has it, not the same shape."""
    return _place(layer, 0, index).permissive


def shared_name(layer: Layer, index: int) -> str:
    """The name under which the layer shares its blob `index` with others, "" if it does not."""
    return _place(layer, 0, index).name


def fit(shape: tuple[int, ...], legacy: bool, target: Sequence[Any]) -> tuple[int, ...] | None:
    """The shape that a stored blob takes where one of shape `wanted` (sizes known or not) is due; None if it does not fit.

    A legacy blob (num, channels, height, width) has ones in front. So may others, and NVIDIA's vectors are 1 x C x 1 x 1: the values are
    the same.
    """
    sizes = tuple(shape)
    if len(target) > 4 and legacy:
        return None
    if len(target) == 1 and len(sizes) == 4 and sizes[0] == sizes[2] == sizes[3] == 1:
        sizes = sizes[1:2]
    while len(sizes) > len(target) and sizes[0] == 1:
        sizes = sizes[1:]
    sizes = (1,) * (len(target) - len(sizes)) + sizes
    fits = len(sizes) == len(target) and all(
        not isinstance(w, int) or w == s for w, s in zip(target, sizes, strict=True)
    )
    return sizes if fits else None


def _shapes_for(net: Net, stored: ModelFile) -> dict[str, tuple[Any, ...]]:
    """Known shapes; where the blobs are legacy ones, in whose time all blobs had four axes, so have inputs of undeclared shape."""
    if any(blob and blob.legacy for layer in stored.layers for blob in layer.blobs):
        try:
            return known_shapes(
                net, {n: tuple(axis(n, i) for i in range(4)) for n, shape in net.inputs.items() if shape is None}
            )
        except ShapeError:
            pass
    return known_shapes(net)


def _blob_shapes(layer: Layer, shapes: Mapping[str, tuple[Any, ...]]) -> list[tuple[Any, ...]] | None:
    """The shapes of the blobs that the layer wants; None where they do not follow, or nothing comes of the layer (a loss)."""
    return None if layer.kind.training_only or layer.kind.any_blobs else layer.blob_shapes(shapes)
