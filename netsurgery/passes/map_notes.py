"""What convolutionalize has to say of its result, for net.notes."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from ..net import Layer, Net
from .slide_pools import whole_map

Shapes = Mapping[str, tuple[Any, ...]]


def map_notes(
    before: Net, shapes: Shapes, seen: Mapping[str, tuple[int, ...]], left: Collection[Layer], slid: Collection[str]
) -> Iterator[str]:
    """`seen`: what each converted layer sees, by its top; `left`: InnerProducts that stay; `slid`: tops of poolings that slide now;
    `shapes`: of `before`, at the declared size."""
    if seen:
        listed = ", ".join(f"{before.writer(top).name} {_times(shape[1:])}" for top, shape in seen.items())
        yield f"InnerProduct became Convolution, with kernel: {listed}"
    for layer in left:
        yield f"{layer.title} stays as it is"
    on_the_way = _ancestors(before, seen)
    for layer in before.layers:
        bottoms = [shapes[b] for b in layer.bottoms]
        if layer.tops and layer.tops[0] in slid:
            yield f"{layer.title} slides: a kernel of {_times(bottoms[0][2:])}, the whole map at the declared size, and stride 1"
        elif layer not in on_the_way or layer.type == "InnerProduct":
            continue
        elif whole_map(layer, shapes):
            if layer.kind.global_pooling:
                yield f"{layer.title} takes in the whole map: one answer for each image, whatever its size (--sliding-pool lets it slide)"
            elif set(layer.kind.windows.stride) != {1}:
                step = _times(layer.kind.windows.stride)
                yield (
                    f"{layer.title} takes in the whole map at the declared size, and moves by {step} on a larger one: one answer for "
                    "each image unless it is much larger (--sliding-pool moves it by 1)"
                )
            else:
                yield f"{layer.title} takes in the whole map at the declared size, and slides over a larger one"
        elif any(
            reach is not None
            and len(shape) > 2
            and set(shape[2:]) != {1}
            and (not reach or any(r.whole for r in reach))
            for reach, shape in zip(layer.kind.reach(bottoms), bottoms, strict=True)
        ) and layer.type not in ("Flatten", "Reshape"):
            yield f"{layer.title} looks at the whole map, so every answer depends on the whole image"


def _ancestors(net: Net, blobs: Collection[str]) -> list[Layer]:
    needed, found = set(blobs), []
    for layer in reversed(net.layers):
        if needed.intersection(layer.tops):
            needed.update(layer.bottoms)
            found.append(layer)
    return found


def _times(sizes: tuple[int, ...]) -> str:
    return "x".join(map(str, sizes))
