"""Inputs of a net: made, and their shapes found from what the net says."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from math import prod

from ..errors import NetsurgeryError, RewriteError, ShapeError, Source
from ..formats.weights.attach import known_shapes
from ..layers import make_layer
from ..layers.core.dims import Shape, numbers
from ..layers.innerproduct import InnerProduct
from ..message import Field, Message
from ..net import Layer, Net


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


def find_shape(data: Layer, top: str, net: Net) -> tuple[tuple[int, ...], str]:
    """The shape of the input that takes the place of a data layer's top, one item, and from what it follows.

    Raises: RewriteError if it does not follow.
    """
    index = data.tops.index(top)
    image = data.kind.image_size
    declared = data.kind.declared(len(data.tops))[index]
    if declared is not None and image is None:
        return declared, "as declared"
    if declared is not None and index:
        return (1, *declared[1:]), "as its parameters say"
    if index == 0:
        stated, height, width = image or (0, 0, 0)
        if height and width:
            for channels, why in _channels(stated, net):
                if _fits(net, top, (1, channels, height, width)):
                    return (1, channels, height, width), why
        elif vector := _vector(net, top):
            return (1, vector), f"as the weights of '{net.readers(top)[0].name}' want"
    raise RewriteError(
        f"the shape of input '{top}' does not follow",
        layer=data,
        expected="crop_size or another size in its parameters, and channels that the first weights want",
        fix=f"--input-shape {top}=1,3,224,224, or input_shapes={{'{top}': (1, 3, 224, 224)}} in Python",
    )


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
        raise NetsurgeryError(f"'{top}' is no input", layer=old, expected=f"one of: {', '.join(net.inputs) or 'none'}")
    shapes = dict(zip(old.tops, old.kind.declared(len(old.tops)), strict=True))
    return net.with_layer(make_input(old.name, {**shapes, top: tuple(shape)}, old.source))


def _fits(net: Net, top: str, shape: Sequence[int]) -> bool:
    """Whether the weights of the net fit when the input has this shape."""
    try:
        return all(same for _, _, same in _weights(with_shape(net, top, shape)))
    except ShapeError:
        return False


def _weights(net: Net) -> Iterator[tuple[Layer, list[Shape], bool]]:
    """Each layer with weights whose bottoms are known: the shapes that it wants, and whether its weights are these, ones in front aside."""
    shapes = known_shapes(net) if any(layer.weights for layer in net.layers) else {}
    for layer in net.layers:
        if layer.weights and layer.kind.is_supported and all(b in shapes for b in layer.bottoms):
            wanted = [tuple(w) for w in layer.kind.weight_shapes([shapes[b] for b in layer.bottoms])]
            found = [w.shape for w in layer.weights]
            yield layer, wanted, [_core(w) for w in wanted] == [_core(f) for f in found]


def _core(shape: Shape) -> Shape:
    shape = tuple(shape)
    while shape and shape[0] == 1:
        shape = shape[1:]
    return shape


def fitted(net: Net) -> Net:
    """The net with weights in the shapes that their layers want: legacy ones could not be told while an input had no shape."""
    for layer, wanted, same in list(_weights(net)):
        if same and [w.shape for w in layer.weights] != wanted:
            arrays = tuple(
                w.reshape(numbers(s)) if w.size == prod(numbers(s)) else w
                for w, s in zip(layer.weights, wanted, strict=True)
            )
            net = net.with_layers(replace(x, weights=arrays) if x is layer else x for x in net.layers)
    return net
