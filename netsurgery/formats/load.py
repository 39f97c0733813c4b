"""Files -> Net: the prototxt gives the structure, the weights file the numbers."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ..errors import NetsurgeryError, ParseError, ShapeError, Source, UnsupportedError, WeightsError
from ..layers import make_layer
from ..net import Field, Layer, Message, Net, Refused
from .phases import filter_net
from .template import fill_template
from .text import parse
from .typed import resolve
from .upgrade import upgrade
from .versions import name_versions

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..layers._type import LayerType
    from .caffemodel import ModelFile, StoredBlob

    Array = NDArray[Any]

IDENTITY = ("name", "type", "bottom", "top", "blobs")
"""Fields of LayerParameter that Layer holds itself."""


def load(
    prototxt: str | os.PathLike[str],
    weights: str | os.PathLike[str] | None = None,
    *,
    phase: str = "TEST",
    level: int = 0,
    stages: Sequence[str] = (),
    settings: Mapping[str, str] | None = None,
    layers: Mapping[str, type[LayerType]] | None = None,
    ignore_unknown: bool = False,
) -> Net:
    """Reads a net: a prototxt of any vintage and, if given, the weights that belong to it.

    `phase`, `level` and `stages` select layers by their include and exclude rules, as Caffe does. `settings` fills the placeholders
    of a template. `layers` replaces layer types by others for this net. `ignore_unknown` passes over fields of unknown meaning (listed
    in `net.notes`). Layers that netsurgery does not support are kept: the error comes when they are needed.

    Raises: ParseError, WeightsError, ShapeError, NetsurgeryError.
    """
    path = os.fspath(prototxt)
    data = read_file(path)
    return from_text(
        data if settings is None else fill_template(data.decode("utf-8", "surrogateescape"), settings),
        path,
        weights,
        phase=phase,
        level=level,
        stages=stages,
        layers=layers,
        ignore_unknown=ignore_unknown,
    )


def from_text(
    text: str | bytes,
    path: str = "",
    weights: str | os.PathLike[str] | None = None,
    *,
    phase: str = "TEST",
    level: int = 0,
    stages: Sequence[str] = (),
    layers: Mapping[str, type[LayerType]] | None = None,
    ignore_unknown: bool = False,
) -> Net:
    """`load` for text in memory; `path` is what errors call it."""
    message = resolve(parse(text, path), "NetParameter")
    stored = _read_weights(weights) if weights is not None else None
    net = from_message(
        message, stored, phase=phase, level=level, stages=stages, layers=layers, ignore_unknown=ignore_unknown
    )
    files = {"prototxt": path} if path else {}
    if stored is not None:
        files["weights"] = stored.path
    return replace(net, files=files)


def read_file(path: str) -> bytes:
    """The bytes of a file. Raises: NetsurgeryError if it cannot be read."""
    try:
        with open(path, "rb") as file:
            return file.read()
    except IsADirectoryError:
        raise NetsurgeryError("this is a folder", source=Source(path), expected="a prototxt file") from None
    except OSError as error:
        raise NetsurgeryError(
            f"cannot be read: {error.strerror or error}", source=Source(path), expected="a prototxt file"
        ) from None


def _read_weights(path: str | os.PathLike[str]) -> ModelFile:
    from .caffemodel import read_caffemodel

    return read_caffemodel(path)


def from_message(
    message: Message,
    stored: ModelFile | None = None,
    *,
    phase: str = "TEST",
    level: int = 0,
    stages: Sequence[str] = (),
    layers: Mapping[str, type[LayerType]] | None = None,
    ignore_unknown: bool = False,
) -> Net:
    """A typed NetParameter of any vintage -> Net: upgraded, filtered, in-place layers resolved, weights attached."""
    message, notes = upgrade(message)
    message = filter_net(message, phase, level, stages)
    fields = [f for f in message.fields if f.name == "layer" and isinstance(f.value, Message)]
    if not fields:
        raise ParseError(
            "no layers" if not message.fields else "no layers are left in this phase",
            source=message.source,
            expected="a net: layer { ... }",
            fix=""
            if not message.fields
            else f"phase is {phase}, level {level}, stages {list(stages)}: check include and exclude",
        )
    ignored: list[str] = []
    made = _layers(fields, stored, layers, ignored if ignore_unknown else None)
    net = Net(made, str(message.last("name", "")), message.source, (*notes, *ignored))
    return attach(net, stored) if stored is not None else net


def _layers(
    fields: Sequence[Field],
    stored: ModelFile | None,
    layers: Mapping[str, type[LayerType]] | None,
    ignored: list[str] | None,
) -> tuple[Layer, ...]:
    bottoms, tops, in_place = name_versions([f.value for f in fields])
    counts = {layer.name: len(layer.blobs) for layer in stored.layers if layer.blobs} if stored else {}
    made = []
    for f, b, t, doubled in zip(fields, bottoms, tops, in_place, strict=True):
        message = f.value
        name, type = str(message.last("name", "")), str(message.last("type", ""))
        params = replace(message.without(*IDENTITY), text=message.text)
        layer = make_layer(
            name, type, b, t, params, source=f.source, layers=layers, ignored=ignored, blob_count=counts.get(name, 0)
        )
        if doubled and not layer.kind.in_place:
            error = UnsupportedError(
                f"top '{doubled}' is also its bottom",
                layer=layer.title,
                source=f.source,
                expected=f"another top: Caffe's {type} does not work in place",
            )
            layer = replace(layer, kind=Refused(error))
        made.append(layer)
    return tuple(made)


def attach(net: Net, stored: ModelFile) -> Net:
    """The net with the blobs of a weights file: matched by layer name, as Caffe does, extra layers ignored; parameters that layers
    share by `param { name }` are one array, of which the last one stored counts.

    Raises: WeightsError for a layer without its blobs, of another number or shape.
    """
    by_name: dict[str, int] = {}
    for number, stored_layer in enumerate(stored.layers):
        if stored_layer.blobs:
            by_name[stored_layer.name] = number
    shapes = known_shapes(net)
    shared = shared_names(net)
    owned: dict[str, tuple[int, Array]] = {}
    attached: list[list[Array | None]] = []
    for layer in net.layers:
        index = by_name.get(layer.name)
        blobs: Sequence[StoredBlob | None] = stored.layers[index].blobs if index is not None else ()
        wanted = wanted_shapes(layer, shapes)
        if wanted is not None and not wanted:
            blobs = ()
        if wanted is not None and blobs and len(blobs) != len(wanted):
            raise WeightsError(
                f"has {len(blobs)} blobs in {stored.path}: {show_shapes([b.array.shape for b in blobs if b])}",
                layer=layer.title,
                source=layer.source,
                expected=f"{len(wanted)}: {show_shapes(wanted)}",
                fix="give the weights that belong to this prototxt",
            )
        arrays: list[Array | None] = [None] * (len(wanted) if wanted is not None else len(blobs))
        for i, blob in enumerate(blobs):
            if blob is not None:
                arrays[i] = _fitted(layer, i, blob, None if wanted is None else wanted[i], stored.path)
        for i, array in enumerate(arrays):
            name = shared.get((layer.name, i))
            if name is not None and array is not None and index is not None and index >= owned.get(name, (-1,))[0]:
                owned[name] = (index, array)
        attached.append(arrays)
    layers = []
    for layer, arrays in zip(net.layers, attached, strict=True):
        found: list[Array] = []
        for i, array in enumerate(arrays):
            name = shared.get((layer.name, i))
            array = owned[name][1] if name in owned else array
            if array is None:
                raise WeightsError(
                    f"has no weights in {stored.path}",
                    layer=layer.title,
                    source=layer.source,
                    expected=f"blobs of shapes {show_shapes(wanted_shapes(layer, shapes) or ())} under the layer's name",
                    fix="give the weights that belong to this prototxt (layers are matched by name)",
                )
            found.append(array)
        layers.append(replace(layer, weights=tuple(found)))
    return net.with_layers(layers)


def known_shapes(net: Net) -> dict[str, tuple[Any, ...]]:
    """Shapes at the declared sizes as far as they follow: without blobs behind refused layers or inputs of undeclared shape.

    Raises: ShapeError if shapes do not fit.
    """
    shapes: dict[str, tuple[Any, ...]] = {}
    inputs = net.inputs
    for layer in net.layers:
        if isinstance(layer.kind, Refused):
            continue
        if layer.kind.is_input:
            shapes.update((top, shape) for top in layer.tops if (shape := inputs[top]) is not None)
        elif all(b in shapes for b in layer.bottoms):
            tops = Net.layer_shapes(layer, [shapes[b] for b in layer.bottoms])
            shapes.update(zip(layer.tops, (tuple(t) for t in tops), strict=True))
    return shapes


def wanted_shapes(layer: Layer, shapes: Mapping[str, tuple[Any, ...]]) -> list[tuple[Any, ...]] | None:
    """The shapes of the blobs that the layer wants; None where they do not follow."""
    if isinstance(layer.kind, Refused) or not all(b in shapes for b in layer.bottoms):
        return None
    return [tuple(w) for w in layer.kind.weight_shapes([shapes[b] for b in layer.bottoms])]


def shared_names(net: Net) -> dict[tuple[str, int], str]:
    """(layer, blob index) -> the name under which layers share the parameter."""
    shared: dict[tuple[str, int], str] = {}
    for layer in net.layers:
        for i, spec in enumerate(layer.params.all("param")):
            if isinstance(spec, Message) and (name := spec.last("name", "")):
                shared[layer.name, i] = str(name)
    return shared


def _fitted(layer: Layer, index: int, blob: StoredBlob, wanted: tuple[Any, ...] | None, path: str) -> Array:
    """The stored blob in the shape that the layer wants. A legacy blob (num, channels, height, width) has ones in front."""
    array, shape = blob.array, tuple(blob.array.shape)
    if wanted is None:
        if blob.legacy and layer.type not in {"Convolution", "Deconvolution"}:
            while shape and shape[0] == 1 and len(shape) > 1:
                shape = shape[1:]
        return array.reshape(shape)
    padded = (1,) * (4 - len(wanted)) + wanted if blob.legacy and len(wanted) <= 4 else wanted
    fits = len(shape) == len(padded) and all(
        not isinstance(w, int) or w == s for w, s in zip(padded, shape, strict=True)
    )
    if not fits:
        raise WeightsError(
            f"blob {index} has shape {show_shapes([shape])} in {path}",
            layer=layer.title,
            source=layer.source,
            expected=show_shapes([wanted]),
            fix="give the weights that belong to this prototxt",
        )
    return array.reshape(shape[len(shape) - len(wanted) :]) if blob.legacy else array


def show_shapes(shapes: Sequence[Sequence[Any]]) -> str:
    """For errors: 96x3x11x11, 96."""
    return ", ".join("x".join(str(n) if isinstance(n, int) else "?" for n in s) or "scalar" for s in shapes) or "none"


__all__ = ["ShapeError", "attach", "from_message", "from_text", "known_shapes", "load"]
