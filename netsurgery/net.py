"""Net and Layer: what a Caffe model is, once read. Frozen, checked on construction; no files, no protobuf, no ONNX."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from .errors import NetsurgeryError, RewriteError, ShapeError, Source, UnsupportedLayersError
from .kind import Kind
from .message import Message

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .layers.core.dims import Shape

    Array = NDArray[Any]

IDENTITY = ("name", "type", "bottom", "top", "blobs")
"""Fields of LayerParameter that Layer holds itself."""


@dataclass(frozen=True)
class Layer:
    """One layer: `bottoms` and `tops` are blob names of which each has one writer (see Net).

    `params` is its LayerParameter message (V2, whatever the vintage) without name, type, bottom, top and blobs; `weights` are its blobs
    in Caffe's shapes, () without a caffemodel; `kind` is what the layer type's file reads from `params` (a LayerType of layers/, or
    Refused): it is read anew when they change, so that `dataclasses.replace(layer, params=...)` is a layer that fits together.
    """

    name: str
    type: str
    bottoms: tuple[str, ...] = ()
    tops: tuple[str, ...] = ()
    params: Message = Message("LayerParameter")
    weights: tuple[Array, ...] = field(default=(), compare=False)
    source: Source = field(default=Source(), compare=False)
    kind: Kind = field(default=Kind(), compare=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "kind", self.kind.for_layer(self))

    @property
    def statement(self) -> tuple[object, ...]:
        """What its kind is read from."""
        return self.name, self.type, self.params, len(self.bottoms), len(self.tops)

    @property
    def title(self) -> str:
        """How errors name it: 'fc6' (InnerProduct)."""
        return f"'{self.name}' ({self.type})"

    def with_name(self, name: str) -> Layer:
        """The same layer under another name."""
        return self if name == self.name else replace(self, name=name)

    def with_blobs(self, names: Mapping[str, str]) -> Layer:
        """The same layer with bottoms and tops renamed: {old: new}."""
        return replace(
            self,
            bottoms=tuple(names.get(b, b) for b in self.bottoms),
            tops=tuple(names.get(t, t) for t in self.tops),
        )


def base_name(blob: str, writer: Layer) -> str:
    """The name without the version: `conv1@relu1`, written by relu1, is a version of `conv1`."""
    return (blob.rstrip("'").removesuffix(f"@{writer.name}") or blob) if "@" in blob else blob


def _renamed_version(blob: str, writer: Layer, name: str, blobs: Mapping[str, str]) -> str:
    """`conv1@relu1` when its blob and its writer are renamed, the latter to `name`."""
    base = base_name(blob, writer)
    if base == blob:
        return blob
    quotes = blob[len(blob.rstrip("'")) :]
    return f"{blobs.get(base, base)}@{name}{quotes}"


def _free(name: str, taken: Sequence[str]) -> str:
    while name in taken:
        name += "'"
    return name


class Inputs(Mapping[str, "tuple[int, ...] | None"]):
    """Input blobs of a net in order, each with its declared shape (None where the file declares none)."""

    def __init__(self, shapes: Mapping[str, tuple[int, ...] | None]) -> None:
        self._shapes = dict(shapes)

    def __getitem__(self, name: str) -> tuple[int, ...] | None:
        return self._shapes[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._shapes)

    def __len__(self) -> int:
        return len(self._shapes)

    def __repr__(self) -> str:
        return f"Inputs({self._shapes})"


@dataclass(frozen=True, slots=True)
class Origin:
    """What a net was read from: how its layers were written ("V0" of 2013, "V1" of 2014, "V2"; "" for a net made in memory), whether that
    was binary, how those of the weights file were written ("HDF5", "mixed" are others), and the kinds of numbers in it ("float16")."""

    vintage: str = ""
    binary: bool = False
    weights_vintage: str = ""
    precision: tuple[str, ...] = ()


@dataclass(frozen=True)
class Net:
    """A Caffe net: layers in order, every blob written once.

    A net input keeps its name, and its later versions (layers in place on it) are `data@layer`; of any other blob the last version has
    the plain name and earlier ones are `blob@layer`, by the layer that wrote them. `notes` say what was done on the way in.

    Raises: NetsurgeryError on construction if a bottom has no writer, or a blob has two or no name.
    """

    layers: tuple[Layer, ...]
    name: str = ""
    source: Source = Source()
    notes: tuple[str, ...] = field(default=(), compare=False)
    files: Mapping[str, str] = field(default_factory=dict, compare=False)
    """Paths of the files that it came from: "prototxt", "weights"."""
    origin: Origin = field(default=Origin(), compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "files", MappingProxyType(dict(self.files)))
        written: dict[str, Layer] = {}
        for layer in self.layers:
            for blob in layer.bottoms:
                if blob not in written:
                    raise NetsurgeryError(
                        f"bottom '{blob}' is not written by any layer before it",
                        layer=layer.title,
                        source=layer.source,
                        expected=f"one of: {', '.join(list(written)[-8:]) or 'an input (the net has none)'}",
                        fix=_closest(blob, written),
                    )
            for blob in layer.tops:
                if not blob:
                    raise NetsurgeryError(
                        "a top has an empty name",
                        layer=layer.title,
                        source=layer.source,
                        expected="a name for each blob",
                        fix="name it, or take the line out",
                    )
                if blob in written:
                    raise NetsurgeryError(
                        f"top '{blob}' is already written by layer {written[blob].title}",
                        layer=layer.title,
                        source=layer.source,
                        expected="one writer per blob (in-place layers name the same blob as bottom and top)",
                        fix="give one of the two tops another name",
                    )
                written[blob] = layer

    @property
    def inputs(self) -> Inputs:
        """Blobs that are fed from outside, in order, with their declared shapes."""
        shapes: dict[str, tuple[int, ...] | None] = {}
        for layer in self.layers:
            if layer.kind.is_input:
                shapes.update(zip(layer.tops, layer.kind.declared(len(layer.tops)), strict=True))
        return Inputs(shapes)

    @property
    def outputs(self) -> tuple[str, ...]:
        """Blobs that nothing consumes, net inputs excepted, in order."""
        used = {blob for layer in self.layers for blob in layer.bottoms}
        inputs = self.inputs
        return tuple(b for layer in self.layers for b in layer.tops if b not in used and b not in inputs)

    @property
    def blobs(self) -> tuple[str, ...]:
        """All blobs in the order in which they are written."""
        return tuple(blob for layer in self.layers for blob in layer.tops)

    def __getitem__(self, name: str) -> Layer:
        """The layer of that name (the first one, should a name come twice, as Caffe allows; `relu#2` is the second)."""
        if layers := self._called(name):
            return layers[0]
        known = {layer.name: layer for layer in self.layers}
        raise NetsurgeryError(f"there is no layer '{name}'", source=self.source, fix=_closest(name, known))

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and bool(self._called(name))

    def _called(self, name: str) -> list[Layer]:
        """The layers of a name; of `relu#2` the second one called relu."""
        layers = [layer for layer in self.layers if layer.name == name]
        base, sign, number = name.rpartition("#")
        if not layers and sign and number.isdigit() and int(number):
            layers = [layer for layer in self.layers if layer.name == base][int(number) - 1 : int(number)]
        return layers

    def sole(self, name: str) -> Layer:
        """The one layer of that name. Raises: NetsurgeryError if there is none, RewriteError if there are several."""
        layers = self._called(name)
        if len(layers) > 1:
            which = ", ".join(f"{name}#{i} ({layer.type})" for i, layer in enumerate(layers, 1))
            raise RewriteError(
                f"{len(layers)} layers are called '{name}'", source=layers[1].source, fix=f"say which: {which}"
            )
        return layers[0] if layers else self[name]

    def writer(self, blob: str) -> Layer:
        """The layer that writes `blob`. Raises: NetsurgeryError if there is none."""
        for layer in self.layers:
            if blob in layer.tops:
                return layer
        raise NetsurgeryError(
            f"there is no blob '{blob}'", source=self.source, fix=_closest(blob, dict.fromkeys(self.blobs))
        )

    def readers(self, blob: str) -> tuple[Layer, ...]:
        return tuple(layer for layer in self.layers if blob in layer.bottoms)

    def with_layers(self, layers: Iterable[Layer]) -> Net:
        """The same net of other layers: checked again."""
        return replace(self, layers=tuple(layers))

    def with_weights(self, name: str, *weights: Array) -> Net:
        """The same net in which layer `name` has these blobs. Shapes must be those of the blobs it had.

        Raises: ShapeError."""
        layer = self[name]
        if layer.weights and [w.shape for w in layer.weights] != [w.shape for w in weights]:
            raise ShapeError(
                f"blobs of shapes {[w.shape for w in weights]}",
                layer=layer.title,
                source=layer.source,
                expected=str([w.shape for w in layer.weights]),
            )
        return self.with_layers(replace(x, weights=tuple(weights)) if x is layer else x for x in self.layers)

    def with_layer(self, layer: Layer, after: str | None = None) -> Net:
        """The same net with `layer` in place of the one of its name; if there is none, as a new one behind layer `after` (at the end).

        A layer whose top is its bottom works in place: what reads that blob behind it reads what it makes of it.
        """
        if after is None and layer.name in self:
            old = self[layer.name]
            return self.with_layers(layer if x is old else x for x in self.layers)
        at = self.layers.index(self[after]) + 1 if after is not None else len(self.layers)
        before, behind = self.layers[:at], self.layers[at:]
        for i, blob in enumerate(layer.tops):
            if blob in layer.bottoms[i : i + 1]:
                writer = self.writer(blob)
                if blob in self.inputs or base_name(blob, writer) != blob:
                    new = _free(f"{base_name(blob, writer)}@{layer.name}", self.blobs)
                    behind = tuple(x.with_blobs({blob: new}) for x in behind)
                    layer = replace(layer, tops=(*layer.tops[:i], new, *layer.tops[i + 1 :]))
                else:
                    old_version = {blob: _free(f"{blob}@{writer.name}", self.blobs)}
                    before = tuple(x.with_blobs(old_version) for x in before)
                    layer = replace(layer, bottoms=tuple(old_version.get(b, b) for b in layer.bottoms))
        return self.with_layers((*before, layer, *behind))

    def without(self, *names: str) -> Net:
        """The same net without these layers: what read a layer's tops reads its bottom.

        Raises: RewriteError for a layer of which others read the tops and which has no or several bottoms.
        """
        net = self
        for name in names:
            net = net._spliced(net.sole(name))
        return net

    def _spliced(self, gone: Layer) -> Net:
        layers = [layer for layer in self.layers if layer is not gone]
        readers = [layer for layer in layers if any(b in gone.tops for b in layer.bottoms)]
        if not readers and len(gone.bottoms) != 1:
            return self.with_layers(layers)
        if len(gone.bottoms) != 1:
            raise RewriteError(
                f"cannot be deleted: layer {readers[0].title} reads it, and would not know what to read instead",
                layer=gone.title,
                source=gone.source,
                expected=f"a layer of one bottom, not {len(gone.bottoms)}",
                fix="delete the layers that read it first, or cut the net",
            )
        (bottom,) = gone.bottoms
        moved = dict.fromkeys(gone.tops, bottom)
        for top in gone.tops:  # the last version of a blob has the plain name
            if base_name(bottom, self.writer(bottom)) == top != bottom and bottom not in self.inputs:
                moved = {**dict.fromkeys(gone.tops, top), bottom: top}
        return self.with_layers(layer.with_blobs(moved) for layer in layers)

    def renamed(
        self,
        names: Mapping[str, str] | None = None,
        *,
        layers: Mapping[str, str] | None = None,
        blobs: Mapping[str, str] | None = None,
    ) -> Net:
        """The same net with other names: {old: new} for layers, blobs, or (`names`) both at once. Versions follow: `conv1@relu1` is
        renamed with blob `conv1` and with layer `relu1`.

        Raises: NetsurgeryError for a name that there is not; RewriteError if two layers would have one name.
        """
        both = {*self.blobs, *(layer.name for layer in self.layers)}
        for name in names or {}:
            if name not in both and name not in self:
                raise NetsurgeryError(
                    f"there is no layer and no blob '{name}'",
                    source=self.source,
                    fix=_closest(name, dict.fromkeys(sorted(both))),
                )
        writers = {blob: layer for layer in self.layers for blob in layer.tops}
        plain = {base_name(blob, layer) for blob, layer in writers.items()}
        targets = {id(self.sole(old)): name for old, name in {**(names or {}), **(layers or {})}.items() if old in self}
        for name in layers or {}:
            _ = self[name]
        for name in blobs or {}:
            if name not in plain:
                self.writer(name)
        of_layer, of_blob = {**(names or {}), **(layers or {})}, {**(names or {}), **(blobs or {})}
        new = {
            blob: of_blob.get(blob) or _renamed_version(blob, layer, targets.get(id(layer), layer.name), of_blob)
            for blob, layer in writers.items()
        }
        made = [layer.with_name(targets.get(id(layer), layer.name)).with_blobs(new) for layer in self.layers]
        for old, name in of_layer.items():
            if old in self and sum(layer.name == name for layer in made) > 1:
                raise RewriteError(
                    f"cannot be renamed to '{name}': there is a layer of that name",
                    layer=self[old].title,
                    source=self[old].source,
                    fix="choose another name, or rename the other layer as well",
                )
        return self.with_layers(made)

    def require_supported(self, what: str = "used") -> None:
        """Raises: UnsupportedLayersError that lists every layer that netsurgery refuses."""
        errors = [layer.kind.error for layer in self.layers if layer.kind.error is not None]
        if errors:
            raise UnsupportedLayersError(errors, what)

    def shapes(self, inputs: Mapping[str, Sequence[int]] | None = None) -> dict[str, Shape]:
        """The shape of every blob when the inputs have these shapes (those not given: as declared); a size that the data
        decide is no number.

        Raises: ShapeError, UnsupportedLayersError."""
        self.require_supported()
        given = {name: tuple(shape) for name, shape in (inputs or {}).items()}
        declared = self.inputs
        for name in given:
            if name not in declared:
                raise ShapeError(f"the net has no input '{name}'", source=self.source, fix=_closest(name, declared))
        shapes: dict[str, Shape] = {}
        for layer in self.layers:
            if layer.kind.is_input:
                for top in layer.tops:
                    shape = given.get(top, declared[top])
                    if shape is None:
                        raise ShapeError(
                            f"the shape of input '{top}' is not declared",
                            layer=layer.title,
                            source=layer.source,
                            expected="a shape",
                            fix=f"--input-shape {top}=1,3,224,224, or input_shapes={{'{top}': (1, 3, 224, 224)}} for load in Python",
                        )
                    shapes[top] = shape
            else:
                tops = self.layer_shapes(layer, [shapes[b] for b in layer.bottoms])
                shapes.update(zip(layer.tops, (tuple(t) for t in tops), strict=True))
        return shapes

    @staticmethod
    def layer_shapes(layer: Layer, bottoms: Sequence[Shape]) -> Sequence[Shape]:
        """The shapes of the layer's tops, by its own rule; unused automatic tops (a loss without a top) are cut off."""
        tops = layer.kind.shapes(bottoms)
        if len(tops) < len(layer.tops):
            raise ShapeError(
                f"{len(layer.tops)} tops",
                layer=layer.title,
                source=layer.source,
                expected=f"at most {len(tops)}",
                fix="remove the tops that the layer does not have",
            )
        return tops[: len(layer.tops)]


def _closest(name: str, known: Mapping[str, object]) -> str:
    from difflib import get_close_matches

    near = get_close_matches(name, list(known), n=1)
    return f"did you mean '{near[0]}'?" if near else ""
