"""Net and Layer: what a Caffe model is, once read. Frozen, checked on construction; no files, no protobuf, no ONNX."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import zip_longest
from types import MappingProxyType
from typing import TYPE_CHECKING

from . import html_table
from .aliases import Array
from .errors import NetsurgeryError, RewriteError, ShapeError, Source, UnsupportedLayersError
from .kind import IDENTITY as IDENTITY
from .kind import Layer as Layer
from .limits import require_values, show_shape
from .naming import as_names as as_names
from .naming import base_name as base_name
from .naming import closest, free, renamed_version
from .options import whole_number
from .sources import Inputs as Inputs
from .sources import Origin as Origin
from .wiring import needed, readers, writers

if TYPE_CHECKING:
    from .layers.core.dims import Shape


@dataclass(frozen=True, repr=False)
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
    _writers: Mapping[str, Layer] = field(init=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "files", MappingProxyType(dict(self.files)))
        object.__setattr__(self, "_writers", writers(self.layers))

    def __repr__(self) -> str:
        numbers = sum(w.size for w in {id(w): w for layer in self.layers for w in layer.weights}.values())
        inputs = ", ".join(f"{blob} {show_shape(shape or '?')}" for blob, shape in self.inputs.items())
        count = f"{numbers:,} parameters" if numbers else "no weights"
        ends = f"inputs {inputs or 'none'}; outputs {', '.join(self.outputs) or 'none'}"
        return f"<Net '{self.name}': {len(self.layers)} layers; {count}; {ends}>"

    def _repr_html_(self) -> str:
        return html_table.of_net(self)

    @cached_property
    def inputs(self) -> Inputs:
        """Blobs that are fed from outside, in order, with their declared shapes."""
        shapes: dict[str, tuple[int, ...] | None] = {}
        for layer in self.layers:
            if layer.kind.is_input:
                shapes.update(zip(layer.tops, layer.kind.declared(len(layer.tops)), strict=True))
        return Inputs(shapes)

    @cached_property
    def outputs(self) -> tuple[str, ...]:
        """Blobs that nothing consumes, net inputs excepted, in order."""
        return tuple(b for b in self._writers if b not in self._readers and b not in self.inputs)

    @cached_property
    def blobs(self) -> tuple[str, ...]:
        """All blobs in the order in which they are written."""
        return tuple(self._writers)

    def __getitem__(self, name: str) -> Layer:
        """The layer of that name (the first one, should a name come twice, as Caffe allows; `relu#2` is the second)."""
        if layers := self._called(name):
            return layers[0]
        raise NetsurgeryError(f"there is no layer '{name}'", source=self.source, fix=closest(name, self._named))

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and bool(self._called(name))

    def _called(self, name: str) -> Sequence[Layer]:
        """The layers of a name; of `relu#2` the second one called relu."""
        layers = self._named.get(name, [])
        base, sign, number = name.rpartition("#")
        if not layers and sign and (place := whole_number(number)):
            layers = self._named.get(base, [])[place - 1 : place]
        return layers

    @cached_property
    def _named(self) -> Mapping[str, Sequence[Layer]]:
        named: dict[str, list[Layer]] = {}
        for layer in self.layers:
            named.setdefault(layer.name, []).append(layer)
        return named

    @cached_property
    def _readers(self) -> Mapping[str, Sequence[Layer]]:
        return readers(self.layers)

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
        if blob in self._writers:
            return self._writers[blob]
        raise NetsurgeryError(f"there is no blob '{blob}'", source=self.source, fix=closest(blob, self._writers))

    def readers(self, blob: str) -> tuple[Layer, ...]:
        return tuple(self._readers.get(blob, ()))

    def needed(self, blobs: Iterable[str]) -> list[Layer]:
        """The layers that these blobs are computed by, inputs among them, in order."""
        return needed(self.layers, blobs)

    def with_layers(self, layers: Iterable[Layer]) -> Net:
        """The same net of other layers: checked again."""
        return replace(self, layers=tuple(layers))

    def with_weights(self, name: str, *weights: Array) -> Net:
        """The same net in which layer `name` has these blobs. Shapes must be those of the blobs it had; parameters that it shares with
        other layers are theirs as well.

        Raises: ShapeError."""
        layer = self[name]
        if layer.weights and [w.shape for w in layer.weights] != [w.shape for w in weights]:
            raise ShapeError(
                f"blobs of shapes {[w.shape for w in weights]}",
                layer=layer,
                expected=str([w.shape for w in layer.weights]),
            )
        shared = {blob: new for blob, new in zip(layer.shared_blobs, weights, strict=False) if blob}

        def changed(x: Layer) -> Layer:
            if x is layer or shared.keys().isdisjoint(x.shared_blobs):
                return replace(x, weights=tuple(weights)) if x is layer else x
            new = [shared.get(n, w) for n, w in zip_longest(x.shared_blobs[: len(x.weights)], x.weights)]
            return replace(
                x,
                weights=tuple(
                    n.reshape(w.shape) if n.shape != w.shape else n for n, w in zip(new, x.weights, strict=True)
                ),
            )

        return self.with_layers(changed(x) for x in self.layers)

    def with_params(self, name: str, **values: object) -> Net:
        """The same net in which fields of the layer's own parameter message have these values: `with_params("conv1", stride=2)`. A list
        sets a repeated field, None leaves a field out. Weights that do not fit any more are left out, with a note.

        Raises: UnsupportedError, ParseError for a field that the layer does not have, or a value that it refuses; ShapeError if the
        layers behind it do not fit."""
        layer = self.sole(name)
        layer.kind.require_supported()
        new = replace(layer, params=layer.kind.with_values(layer.params, values))
        new.kind.require_supported()
        return self._with(layer, new)

    def _with(self, old: Layer, new: Layer) -> Net:
        """The net with a layer in place of another. Weights that still fit stay."""
        notes = self.notes
        net = self.with_layers(new if x is old else x for x in self.layers)
        if new.weights and new.kind.is_supported and new.kind is not old.kind:
            try:
                shapes = net.shapes()
            except (ShapeError, UnsupportedLayersError):
                shapes = {}
            blob_shapes = new.blob_shapes(shapes)
            if blob_shapes not in (None, [w.shape for w in new.weights]) and not new.kind.any_blobs:
                new = replace(new, weights=())
                notes = (*notes, f"layer {new.title}: its weights did not fit any more and were left out")
        return replace(
            net, layers=tuple(new if x.name == new.name and x.tops == new.tops else x for x in net.layers), notes=notes
        )

    def with_layer(self, layer: Layer, after: str | None = None) -> Net:
        """The same net with `layer` in place of the one of its name; if there is none, as a new one behind layer `after` (at the end).

        In place of another, it keeps the weights of that one if it has none and they fit, and its blobs are named as in a file: those
        that read the other's tops, in place or not, read its own. A new layer whose top is its bottom works in place: what reads that
        blob behind it reads what it makes of it. The whole net is checked at each call: where thousands of layers change, make the
        list of all and call `with_layers` once.
        """
        if after is None and layer.name in self:
            return self._replaced(self[layer.name], layer)
        at = self._place(self[after]) + 1 if after is not None else len(self.layers)
        before, behind = self.layers[:at], self.layers[at:]
        for i, blob in enumerate(layer.tops):
            if blob in layer.bottoms[i : i + 1]:
                writer = self.writer(blob)
                if blob in self.inputs or base_name(blob, writer) != blob:
                    new = free(f"{base_name(blob, writer)}@{layer.name}", self.blobs)
                    behind = tuple(x.with_blobs({blob: new}) for x in behind)
                    layer = replace(layer, tops=(*layer.tops[:i], new, *layer.tops[i + 1 :]))
                else:
                    old_version = {blob: free(f"{blob}@{writer.name}", self.blobs)}
                    before = tuple(x.with_blobs(old_version) for x in before)
                    layer = replace(layer, bottoms=tuple(old_version.get(b, b) for b in layer.bottoms))
        return self.with_layers((*before, layer, *behind))

    def _place(self, layer: Layer) -> int:
        return next(i for i, x in enumerate(self.layers) if x is layer)

    def _replaced(self, old: Layer, new: Layer) -> Net:
        before = self.layers[: self._place(old)]
        versions = {base_name(top, x): top for x in before for top in x.tops}
        written = {top for x in before for top in x.tops}
        tops = {base_name(top, old): top for top in old.tops}
        new = replace(
            new,
            bottoms=tuple(b if b in written else versions.get(b, b) for b in new.bottoms),
            tops=tuple(t if t in old.tops else tops.get(t, t) for t in new.tops),
            weights=new.weights or old.weights,
        )
        return self._with(old, new)

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
                layer=gone,
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
                    fix=closest(name, dict.fromkeys(sorted(both))),
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
            blob: of_blob.get(blob) or renamed_version(blob, layer, targets.get(id(layer), layer.name), of_blob)
            for blob, layer in writers.items()
        }
        new_layers = [layer.with_name(targets.get(id(layer), layer.name)).with_blobs(new) for layer in self.layers]
        for old, name in of_layer.items():
            if old in self and sum(layer.name == name for layer in new_layers) > 1:
                raise RewriteError(
                    f"cannot be renamed to '{name}': there is a layer of that name",
                    layer=self[old],
                    fix="choose another name, or rename the other layer as well",
                )
        return self.with_layers(new_layers)

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
        sizes = {name: tuple(shape) for name, shape in (inputs or {}).items()}
        declared = self.inputs
        for name in sizes:
            if name not in declared:
                raise ShapeError(f"the net has no input '{name}'", source=self.source, fix=closest(name, declared))
        shapes: dict[str, Shape] = {}
        for layer in self.layers:
            if layer.kind.is_input:
                for top in layer.tops:
                    shape = sizes.get(top, declared[top])
                    if shape is None:
                        raise ShapeError(
                            f"the shape of input '{top}' is not declared",
                            layer=layer,
                            expected="a shape",
                            fix=f"--input-shape {top}=1,3,224,224, or input_shapes={{'{top}': (1, 3, 224, 224)}} for load in Python",
                        )
                    require_values(shape, f"input '{top}'", layer=layer)
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
                layer=layer,
                expected=f"at most {len(tops)}",
                fix="remove the tops that the layer does not have",
            )
        for top, shape in zip(layer.tops, tops, strict=False):
            require_values(shape, f"top '{top}'", layer=layer)
        return tops[: len(layer.tops)]


def require_net(value: object) -> None:
    """Raises: NetsurgeryError for a path, or anything else, in place of a Net."""
    if isinstance(value, Net):
        return
    if isinstance(value, str | os.PathLike):
        fix = f"netsurgery.load({os.fspath(value)!r}) reads one"
        raise NetsurgeryError(f"'{os.fspath(value)}' is a path, not a Net", fix=fix)
    raise NetsurgeryError(f"a {type(value).__name__} is no Net", fix="netsurgery.load gives one")
