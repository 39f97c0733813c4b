"""The shapes of a net's blobs, as far as they follow from what it says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .errors import ShapeError
from .net import Net

Shape = tuple[Any, ...]


def known_shapes(
    net: Net, inputs: Mapping[str, Shape | None] | None = None, *, strict: bool = True
) -> dict[str, Shape]:
    """Shapes at the declared sizes, or where `inputs` have these: without blobs behind refused layers and inputs of undeclared shape.

    Raises: ShapeError if shapes do not fit; unless `strict` what follows from such a layer is left out.
    """
    shapes: dict[str, Shape] = {}
    declared = {**net.inputs, **(inputs or {})}
    for layer in net.layers:
        if not layer.kind.is_supported:
            continue
        if layer.kind.is_input:
            shapes.update((top, shape) for top in layer.tops if (shape := declared[top]) is not None)
        elif all(b in shapes for b in layer.bottoms):
            try:
                tops = Net.layer_shapes(layer, [shapes[b] for b in layer.bottoms])
            except ShapeError:
                if strict:
                    raise
                continue
            shapes.update(zip(layer.tops, (tuple(t) for t in tops), strict=True))
    return shapes
