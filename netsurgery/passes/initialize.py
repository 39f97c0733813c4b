"""Weights for a net that has none: drawn as Caffe draws them for training, or made up so that numbers stay of ordinary size."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from ..errors import NetsurgeryError, ShapeError
from ..formats.weights.attach import shared_name, shares_by_count
from ..layers.core.dims import Shape, all_numbers, numbers
from ..layers.core.fillers import Array, draw
from ..limits import show_shapes
from ..net import Layer, Net, require_net

WAYS = ("fillers", "random")


def initialize(net: Net, seed: int = 0, how: str = "fillers") -> Net:
    """The net with new weights in every layer that wants some, in place of those that it had. `net.notes` say it.

    "fillers": from the distributions that the fillers of the file name, as Caffe does before training; what has no filler is zero.
    "random": values with which activations keep an ordinary size through the depth of the net, whatever the fillers say: kernels and
    matrices N(0, 2 / fan_in), biases close to 0, scales close to 1, variances positive. The same seed gives the same weights, layer by
    layer, whatever the other layers are. Layers that share a parameter share the array.

    Raises: ShapeError if the shape of an input is not declared or shapes do not fit, UnsupportedLayersError, UnsupportedError for a
    filler that Caffe does not have.
    """
    require_net(net)
    if how not in WAYS:
        raise NetsurgeryError(f"there is no way '{how}' to initialize", expected=" or ".join(WAYS))
    shapes = net.shapes()
    shared: dict[str, Array] = {}
    layers = []
    drawn = zero = 0
    for layer in net.layers:
        blob_shapes = _blob_shapes(layer, shapes)
        if blob_shapes:
            layer = replace(layer, weights=tuple(_drawn(layer, blob_shapes, seed, how, shared)))
            drawn += 1
            zero += how == "fillers" and not any(filler.written for filler in layer.kind.fillers)
        layers.append(layer)
    note = f"weights of {drawn} layer{'s' if drawn != 1 else ''} made up ({how}, seed {seed})"
    if zero:
        note += f"; {zero} of them name no filler and got Caffe's constants, mostly 0 (--initialize=random does not)"
    return replace(net.with_layers(layers), notes=(*net.notes, note) if drawn else net.notes)


def _blob_shapes(layer: Layer, shapes: Mapping[str, Shape]) -> list[tuple[int, ...]]:
    blob_shapes = layer.blob_shapes(shapes) or []
    if not all(map(all_numbers, blob_shapes)):
        raise ShapeError(
            f"wants blobs of shapes {show_shapes(blob_shapes)}",
            layer=layer,
            expected="sizes that do not depend on the data",
        )
    return [numbers(shape) for shape in blob_shapes]


def _drawn(
    layer: Layer, blob_shapes: list[tuple[int, ...]], seed: int, how: str, shared: dict[str, Array]
) -> list[Array]:
    """Blobs for a layer; the first of the layers that share a parameter gives it to the others."""
    blobs = draw(layer.kind, blob_shapes, seed, how)
    for index, shape in enumerate(blob_shapes):
        if name := shared_name(layer, index):
            first = shared.setdefault(name, blobs[index])
            if first.shape == shape:
                blobs[index] = first
            elif first.size == blobs[index].size and shares_by_count(layer, index):
                blobs[index] = first.reshape(shape)
            else:
                raise ShapeError(
                    f"blob {index} is parameter '{name}', which another layer has with shape {show_shapes([first.shape])}",
                    layer=layer,
                    expected=show_shapes([shape]),
                )
    return blobs
