"""Keep what computes some blobs, or what follows from some.

data -> conv1 -> conv2 -> prob          cut(net, ["conv1"]):            data -> conv1
          \\-> aux                       cut(net, start=["conv1"]):      conv1 (Input) -> conv2 -> prob, conv1 -> aux
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from ..errors import RewriteError
from ..formats.prototxt.versions import with_plain_names
from ..net import Layer, Net, as_names, base_name, require_net
from ..shapes import known_shapes
from ._inputs import check_shape, make_input


def cut(
    net: Net,
    blobs: Iterable[str] = (),
    *,
    start: Iterable[str] = (),
    shapes: Mapping[str, Sequence[int]] | None = None,
    keep_inputs: bool = True,
) -> Net:
    """The net without the layers that none of `blobs` (all outputs) needs. Inputs stay, used or not, unless `keep_inputs` is False.

    Blobs in `start` become inputs, in the shapes that they have (or `shapes`); what does not follow from them goes, and so do inputs
    that are no longer used.

    Raises: NetsurgeryError for a blob that the net does not have; RewriteError if the shape of a blob in `start` does not follow, or
    nothing is left.
    """
    require_net(net)
    blobs, start = as_names(blobs), as_names(start)
    starts = list(dict.fromkeys(start))
    ends = list(dict.fromkeys(blobs))
    for blob in (*starts, *ends):
        net.writer(blob)
    if not starts:
        ends = ends or list(net.outputs)
        return net.with_layers(_needed(net, set(ends), set(), inputs=keep_inputs))
    behind = set(starts)
    for layer in net.layers:
        if behind.intersection(layer.bottoms):
            behind.update(layer.tops)
    targets = set(ends) or {blob for blob in net.outputs if blob in behind}
    layers = _needed(net, targets, set(starts), inputs=False)
    if not layers:
        raise RewriteError(
            f"nothing is left of the net behind '{starts[0]}'",
            source=net.source,
            expected="a blob that other layers read",
            fix="cut at a blob further up",
        )
    for layer in layers:
        both = [blob for blob in starts if blob in layer.tops]
        if both:
            other = next(top for top in layer.tops if top not in starts)
            raise RewriteError(
                f"writes '{both[0]}', which is to be an input, and '{other}', which is still needed",
                layer=layer,
                fix=f"make '{other}' an input as well",
            )
    blob_shapes = {**known_shapes(net), **(shapes or {})}
    names = {layer.name for layer in layers}
    inputs = [_input(net, blob, blob_shapes.get(blob), names) for blob in starts]
    return with_plain_names(net.with_layers((*inputs, *layers)))


def _needed(net: Net, targets: set[str], starts: set[str], *, inputs: bool) -> list[Layer]:
    """The layers that `wanted` needs when the blobs in `given` are there."""
    needed = targets - starts
    layers = []
    for layer in reversed(net.layers):
        if needed.intersection(layer.tops) or (inputs and layer.kind.is_input):
            needed.update(b for b in layer.bottoms if b not in starts)
            layers.append(layer if inputs else _read_part(layer, needed))
    return layers[::-1]


def _read_part(layer: Layer, needed: set[str]) -> Layer:
    """An Input layer without the tops that nobody needs."""
    tops = [top for top in layer.tops if top in needed]
    if layer.type != "Input" or len(tops) == len(layer.tops):
        return layer
    shapes = dict(zip(layer.tops, layer.kind.declared(len(layer.tops)), strict=True))
    return make_input(layer.name, {top: shapes[top] for top in tops}, layer.source)


def _input(net: Net, blob: str, shape: Sequence[int | None] | None, taken: set[str]) -> Layer:
    writer = net.writer(blob)
    sizes = [n for n in shape or () if isinstance(n, int)]
    if shape is None or len(sizes) != len(shape):
        raise RewriteError(
            f"the shape of '{blob}' does not follow from the net's inputs",
            layer=writer,
            expected="a blob whose shape is known at the declared input size",
            fix=f"shapes={{'{blob}': (1, ...)}} in Python",
        )
    name = base_name(blob, writer)
    while name in taken:
        name += "_input"
    taken.add(name)
    return make_input(name, {blob: check_shape(blob, sizes)})
