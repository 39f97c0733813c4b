"""Insert a layer from prototxt text.

fc8 -> prob                         insert(net, 'layer { name: "scale8" type: "Power" power_param { scale: 0.5 } }', after="fc8"):

fc8@fc8 -> scale8 -> fc8 -> prob
"""

from __future__ import annotations

from dataclasses import replace

from ..errors import NetsurgeryError, RewriteError
from ..formats.layer_text import layer as read_layer
from ..formats.prototxt.versions import file_names, with_plain_names
from ..net import Layer, Net


def insert(net: Net, layer: Layer | str, *, after: str | None = None, before: str | None = None) -> Net:
    """The net with one more layer, behind layer `after` or in front of layer `before`, its blobs named as in the file at that place.

    A layer whose top is its bottom works in place: what reads that blob further down reads what it makes of it. A layer without
    bottom and top is put between: it works in place, where its type can, on the first top of `after` or the first bottom of `before`,
    else what read that blob reads the new layer's top, named as the layer. Any other layer only adds blobs.

    Raises: RewriteError for a name that is taken, a place that does not fit, or a layer that does not work in place; ParseError and
    UnsupportedError for what is wrong with the text.
    """
    new = read_layer(layer) if isinstance(layer, str) else layer
    if new.bottoms or new.tops:
        new.kind.require_supported()
    if (after is None) == (before is None):
        raise NetsurgeryError("insert takes one place", expected="after=... or before=...")
    if new.name in net:
        raise RewriteError(
            f"there is a layer '{new.name}' already", source=net.source, fix="give the new one another name"
        )
    place = net[after if after is not None else before or ""]
    at = net.layers.index(place) + (after is not None)
    names = file_names(net)
    if not new.bottoms and not new.tops:
        return _between(net, new, place, at, after is not None)
    current = {names[top]: top for layer in net.layers[:at] for top in layer.tops}
    for bottom in new.bottoms:
        if bottom not in current:
            raise RewriteError(
                f"bottom '{bottom}' is not written by any layer before it",
                layer=new,
                expected=f"one of: {', '.join(list(current)[-8:])}",
            )
    bottoms = tuple(current[b] for b in new.bottoms)
    tops = []
    moved: dict[str, str] = {}
    for i, top in enumerate(new.tops):
        if top in new.bottoms[i : i + 1]:
            if not new.kind.in_place:
                raise RewriteError(
                    f"top '{top}' is also its bottom",
                    layer=new,
                    expected=f"another top: Caffe's {new.type} does not work in place",
                )
            tops.append(f"{top}@{new.name}")
            moved[current[top]] = tops[-1]
        elif top in current or top in names.values():
            raise RewriteError(
                f"top '{top}' is already written by layer {net.writer(_any(names, top)).title}",
                layer=new,
                expected="a name of its own, or that of its bottom (in place)",
            )
        else:
            tops.append(top)
    behind = (layer.with_blobs(moved) for layer in net.layers[at:])
    return with_plain_names(
        net.with_layers((*net.layers[:at], replace(new, bottoms=bottoms, tops=tuple(tops)), *behind))
    )


def _any(names: dict[str, str], name: str) -> str:
    return next(blob for blob, plain in names.items() if plain == name)


def _between(net: Net, new: Layer, place: Layer, at: int, after: bool) -> Net:
    blobs = place.tops if after else place.bottoms
    if not blobs:
        raise RewriteError(
            f"cannot be put {'behind' if after else 'in front of'} layer {place.title}: it has no {'top' if after else 'bottom'}",
            layer=new,
            source=new.source,
        )
    blob = blobs[0]
    names = file_names(net)
    middle = replace(new, bottoms=(blob,), tops=(new.name,))
    middle.kind.require_supported()
    top = f"{names[blob]}@{new.name}" if middle.kind.in_place else new.name
    if not middle.kind.in_place and top in names.values():
        raise RewriteError(
            f"top '{top}' is already written by layer {net.writer(_any(names, top)).title}",
            layer=new,
            fix="give the layer another name, or write its bottom and top",
        )
    middle = replace(middle, tops=(top,))
    before = net.layers[:at]
    behind = [layer.with_blobs({blob: top}) for layer in net.layers[at:]]
    return with_plain_names(net.with_layers((*before, middle, *behind)))
