"""Inputs of a net: made, and their shapes found from what the net says."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from math import prod

from ..errors import NetsurgeryError, RewriteError, ShapeError, Source
from ..layers import make_layer
from ..layers.core.dims import Shape, numbers
from ..layers.innerproduct import InnerProduct
from ..message import Field, Message
from ..net import Layer, Net
from ..shapes import known_shapes
from ._data_words import told


def make_input(name: str, tops: Mapping[str, Sequence[int] | None], source: Source = Source()) -> Layer:
    """An Input layer of these tops and shapes (all of them, or none)."""
    shapes = [
        Field("shape", Message("BlobShape", tuple(Field("dim", int(n)) for n in shape)))
        for shape in tops.values()
        if shape is not None
    ]
    params = Message("LayerParameter", (Field("input_param", Message("InputParameter", tuple(shapes))),))
    return make_layer(name, "Input", (), tuple(tops), params if shapes else Message("LayerParameter"), source=source)


def check_shape(blob: str, shape: Sequence[int]) -> tuple[int, ...]:
    """Raises: ShapeError for a size that is no positive number."""
    if not all(isinstance(n, int) and n > 0 for n in shape):
        raise ShapeError(f"input '{blob}' was given the shape {tuple(shape)}", expected="whole numbers from 1 on")
    return tuple(shape)


USUAL = (224, 227, 299, 300, 321, 384, 416, 448, 512, 608)
"""Heights and widths that published nets take."""
SMALL = (28, 32, 36, 40, 48, 60, 64, 96, 100, 112, 128, 144, 160, 192, 256)
"""Others, to advise where none of the usual ones fits."""


def with_data_shapes(
    net: Net, data: Mapping[str, Layer], input_shapes: Mapping[str, tuple[int, ...]]
) -> tuple[Net, dict[str, str]]:
    """The net whose inputs, each in place of a top of a data layer, have shapes: those given, else what the data layers say, of one item;
    of as many as they read at once where the layers fit with no other number. And from what each shape follows.

    Raises: RewriteError for an input whose shape does not follow.
    """
    for whole in (False, True):
        try:
            candidate, why = _sized(net, data, input_shapes, whole)
            known_shapes(candidate)
            return candidate, why
        except ShapeError:
            continue
    return _sized(net, data, input_shapes, False)  # what does not fit is said by whoever uses the net


def _sized(
    net: Net, data: Mapping[str, Layer], input_shapes: Mapping[str, tuple[int, ...]], whole: bool
) -> tuple[Net, dict[str, str]]:
    why: dict[str, str] = {}
    late: dict[str, tuple[int, ...]] = {}
    for top, layer in data.items():
        shape, reason = (input_shapes[top], "as given") if top in input_shapes else _find_shape(layer, top, net, whole)
        if reason:
            net, why[top] = with_shape(net, top, shape), reason
        else:
            late[top] = shape
    for top in list(late):
        if asked := _asked_shape(net, top):
            net, why[top] = with_shape(net, top, asked[0]), asked[1]
            del late[top]
    if late:
        raise _undecided(late, data)
    return net, why


def _undecided(advised: Mapping[str, Sequence[int]], data: Mapping[str, Layer]) -> RewriteError:
    """The error of inputs whose shapes do not follow, with shapes that would do."""
    first, *others = advised
    options = " ".join(f"--input-shape {top}={','.join(map(str, shape))}" for top, shape in advised.items())
    shapes = ", ".join(f"'{top}': {tuple(shape)}" for top, shape in advised.items())
    return RewriteError(
        f"the shape of input '{first}' does not follow" + "".join(f", nor that of '{top}'" for top in others),
        layer=data[first],
        expected="crop_size or another size in its parameters, and channels that the first weights want",
        fix=f"{options}, or input_shapes={{{shapes}}} in Python",
    )


def _asked_shape(net: Net, top: str) -> tuple[tuple[int, ...], str] | None:
    """The shape that a layer asks for which reads the blob beside others, and that it is so."""
    shapes = known_shapes(net)
    for layer in net.readers(top):
        asked = layer.kind.bottom_shape(layer.bottoms.index(top), [shapes.get(b) for b in layer.bottoms])
        if asked is not None and all(isinstance(n, int) for n in asked):
            return numbers(asked), f"as '{layer.name}' asks"
    return None


def _find_shape(data: Layer, top: str, net: Net, whole: bool) -> tuple[tuple[int, ...], str]:
    """The shape of the input that takes the place of a data layer's top, one item or the whole batch, and from what it follows: "" where
    it does not, and is one that would do.
    """
    index = data.tops.index(top)
    says = told(data)
    items, why = (says.items, ", as many items as it reads at once") if whole and says.items > 1 else (1, "")
    image = says.image if any(says.image) else data.kind.image_size
    declared = data.kind.declared(len(data.tops))[index]
    if declared is not None and image is None:
        return declared, "as declared"
    if declared is not None and index:
        return (items, *declared[1:]), f"as its parameters say{why}"
    if index == 1 and says.labels:
        return (items, says.labels), f"as its parameters say{why}"
    if index == 0:
        (stated, height, width), frames = image or (0, 0, 0), data.kind.frames
        for channels, which in _channels(stated, net) if height and width else ():
            if _fits(net, top, shape := (items, channels, *frames, height, width)):
                return shape, f"{which}{why}"
        if not (height and width) and (vector := _vector(net, top)):
            return (items, vector), f"as the weights of '{net.readers(top)[0].name}' want"
        if not (height and width):
            shapes = _fitting(net, top, items, stated, frames, USUAL)
            if len(shapes) == 1:
                return shapes[0], f"of the usual sizes the only one that its layers fit{why}"
            if shapes := shapes or _fitting(net, top, items, stated, frames, SMALL):
                return shapes[0], ""
    return (1, 3, *data.kind.frames, *USUAL[:1] * 2), ""


def _fitting(
    net: Net, top: str, items: int, stated: int, frames: tuple[int, ...], sizes: Sequence[int]
) -> list[tuple[int, ...]]:
    """Shapes, one for each height and width, with which the layers and weights of the net fit."""
    for depth in dict.fromkeys([n for n, _ in _channels(stated, net)] or [stated or 3]):
        shapes = [(items, depth, *frames, n, n) for n in sizes]
        if fitting := [shape for shape in shapes if _stands(net, top, shape)]:
            return fitting
    return []


def _channels(stated: int, net: Net) -> Iterator[tuple[int, str]]:
    """Numbers of channels to try, and where each comes from."""
    if stated:
        yield stated, "as its parameters say"
    for layer in net.layers:
        if layer.weights and layer.weights[0].ndim:
            shape = layer.weights[0].shape
            group = layer.params.last("convolution_param", Message()).last("group", 1)
            for n in dict.fromkeys([shape[1] * group if len(shape) > 1 else shape[0], shape[0]]):
                yield n, f"the size as its parameters say, the channels as the weights of '{layer.name}' want"
            return


def _vector(net: Net, top: str) -> int | None:
    """How many values the InnerProducts take that alone read the blob."""
    readers = net.readers(top)
    for layer in readers:
        if not isinstance(layer.kind, InnerProduct) or not layer.weights or layer.kind.from_axis != 1:
            return None
    sizes = {layer.weights[0].size // layer.kind.num_output for layer in readers}
    return sizes.pop() if len(sizes) == 1 else None


def with_shape(net: Net, top: str, shape: Sequence[int]) -> Net:
    """The net whose input has this declared shape; the Input layer's other tops keep theirs.

    Raises: NetsurgeryError if it has no such input."""
    old = net.writer(top)
    if top not in net.inputs or old.type != "Input":
        inputs = [name for name in net.inputs if net.writer(name).type == "Input"]
        shown = ",".join(map(str, shape))
        raise NetsurgeryError(
            f"'{top}' is what a data layer reads" if top in net.inputs else f"'{top}' is no input",
            layer=old,
            expected=f"one of: {', '.join(inputs)}" if inputs else "an input",
            fix=f"--input-shape {top}={shown} makes it an input of that shape" if top in net.inputs else "",
        )
    shapes = dict(zip(old.tops, old.kind.declared(len(old.tops)), strict=True))
    new = make_input(old.name, {**shapes, top: tuple(shape)}, old.source)
    return net.with_layers(new if layer is old else layer for layer in net.layers)  # others may have its name


def _fits(net: Net, top: str, shape: Sequence[int]) -> bool:
    """Whether the weights of the net fit when the input has this shape."""
    try:
        return all(same for _, _, same in _weights(with_shape(net, top, shape)))
    except ShapeError:
        return False


def _stands(net: Net, top: str, shape: Sequence[int]) -> bool:
    """Whether the layers and the weights of the net fit when the input has this shape."""
    try:
        known_shapes(with_shape(net, top, shape))
    except ShapeError:
        return False
    return _fits(net, top, shape)


def _weights(net: Net) -> Iterator[tuple[Layer, list[Shape], bool]]:
    """Each layer with weights whose bottoms are known: the shapes that it wants, and whether its weights are these, ones in front aside."""
    shapes = known_shapes(net) if any(layer.weights for layer in net.layers) else {}
    for layer in net.layers:
        expected = layer.blob_shapes(shapes) if layer.weights else None
        if expected is not None:
            own = [w.shape for w in layer.weights]
            yield layer, expected, [_core(w) for w in expected] == [_core(f) for f in own]


def _core(shape: Shape) -> Shape:
    shape = tuple(shape)
    while shape and shape[0] == 1:
        shape = shape[1:]
    return shape


def fitted(net: Net) -> Net:
    """The net with weights in the shapes that their layers want: legacy ones could not be told while an input had no shape."""
    for layer, shapes, same in list(_weights(net)):
        if same and [w.shape for w in layer.weights] != shapes:
            arrays = tuple(
                w.reshape(numbers(s)) if w.size == prod(numbers(s)) else w
                for w, s in zip(layer.weights, shapes, strict=True)
            )
            net = net.with_layers(replace(x, weights=arrays) if x is layer else x for x in net.layers)
    return net
