"""What convolutionalize has to say of its result, for net.notes."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from ..layers.innerproduct import InnerProduct
from ..limits import show_shape
from ..net import Layer, Net
from .slide_pools import gates, whole_map

Shapes = Mapping[str, tuple[Any, ...]]

SHOWN = 4
"""How many layers a note names."""


def map_notes(
    net: Net, shapes: Shapes, seen: Mapping[str, tuple[int, ...]], left: Collection[Layer], slid: Collection[str]
) -> list[str]:
    """The notes on `net`, as it was before, of these `shapes` at the declared size. `seen`: what each converted layer sees, by its top;
    `left`: InnerProducts that stay; `slid`: tops of poolings that slide now."""
    notes = []
    if seen:
        listed = ", ".join(f"{net.writer(top).name} {show_shape(shape[1:])}" for top, shape in seen.items())
        notes.append(f"InnerProduct became Convolution, with kernel: {listed}")
    by_text: dict[str, list[Layer]] = {}
    for layer, text in _remarks(net, shapes, seen, slid):
        by_text.setdefault(text, []).append(layer)
    if left:
        notes.append(f"{_named(list(left))}: stays as it is, an InnerProduct")
    return [*notes, *(f"{_named(layers)}: {text}" for text, layers in by_text.items())]


def _remarks(net: Net, shapes: Shapes, seen: Collection[str], slid: Collection[str]) -> Iterator[tuple[Layer, str]]:
    on_the_way = set(map(id, net.needed(seen)))
    for layer in net.layers:
        bottoms = [shapes[b] for b in layer.bottoms]
        if layer.tops and layer.tops[0] in slid:
            yield layer, f"slides now, with a kernel of {show_shape(bottoms[0][2:])} and stride 1"
        elif id(layer) not in on_the_way or layer.kind.flattens or isinstance(layer.kind, InnerProduct):
            continue
        elif (pool := whole_map(layer, shapes)) and not gates(net, layer, shapes):
            stride = () if pool.global_pooling else pool.windows(len(bottoms[0])).stride
            if pool.global_pooling:
                yield (
                    layer,
                    "takes in the whole map: one answer for each image, whatever its size (--sliding-pool lets it slide)",
                )
            elif set(stride) != {1}:
                yield (
                    layer,
                    (
                        f"takes in the whole map at the declared size, and moves by {show_shape(stride)} over a larger one: one answer for "
                        "each image unless it is much larger (--sliding-pool lets it move by 1)"
                    ),
                )
            else:
                yield layer, "takes in the whole map at the declared size, and slides over a larger one"
        elif any(_sees_all(reach, shape) for reach, shape in zip(layer.kind.reach(bottoms), bottoms, strict=True)):
            yield layer, "looks at the whole map: answers depend on the whole image, not on their window of it alone"


def _sees_all(reach: Sequence[Any] | None, shape: Sequence[Any]) -> bool:
    """Whether a layer looks at all positions of a bottom that has several."""
    return reach is not None and len(shape) > 2 and set(shape[2:]) != {1} and (not reach or any(r.whole for r in reach))


def _named(layers: Sequence[Layer]) -> str:
    shown = ", ".join(layer.title for layer in layers[:SHOWN])
    return shown + (f" and {len(layers) - SHOWN} more" if len(layers) > SHOWN else "")
