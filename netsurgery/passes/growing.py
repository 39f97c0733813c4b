"""A net that is put together layer by layer, with what each blob's shape is at the declared size and how it will grow with the image."""

from __future__ import annotations

from collections.abc import Mapping

from ..errors import NetsurgeryError
from ..layers.core.dims import Shape
from ..layers.core.reach import SAME
from ..net import Layer, Net
from ..receptive_field import Reaches, follow


class GrowingNet:
    """`layers` so far, the `shapes` of their blobs at the declared size, and where those look in each input that has pixels."""

    def __init__(self, net: Net, shapes: Mapping[str, Shape]) -> None:
        self._declared = {name: shapes[name] for name in net.inputs}
        self.layers: list[Layer] = []
        self.shapes: dict[str, Shape] = {}
        self._reaches: dict[str, dict[str, Reaches | None]] = {
            name: {} for name, shape in self._declared.items() if len(shape) > 2
        }

    def take(self, layer: Layer) -> None:
        self.layers.append(layer)
        below = [self.shapes[b] for b in layer.bottoms]
        tops = [self._declared[t] for t in layer.tops] if layer.kind.is_input else Net.layer_shapes(layer, below)
        self.shapes.update(zip(layer.tops, (tuple(shape) for shape in tops), strict=True))
        for name, held in self._reaches.items():
            try:
                seen = follow(layer, [held[b] for b in layer.bottoms], below)
            except NetsurgeryError:  # strides disagreed before: what could run at other sizes still can
                seen = None
            held.update(dict.fromkeys(layer.tops, seen))
            if name in layer.tops:
                held[name] = (SAME,) * (len(self._declared[name]) - 2)

    def declare(self, blob: str, shape: Shape) -> None:
        """Gives an input another shape at the declared size."""
        self.shapes[blob] = shape

    def _seen(self, blob: str) -> list[Reaches]:
        return [seen for held in self._reaches.values() if (seen := held[blob]) is not None]

    def one_for_all(self, blob: str) -> bool:
        """Whether a map has one position for the whole image, whatever its size: behind a global pooling."""
        return all(reach.stride is None for seen in self._seen(blob) for reach in seen)

    def has_positions(self, blob: str) -> bool:
        """Whether the axes behind the channels are positions of an image, or have size 1."""
        sizes = self.shapes[blob][2:]
        return all(
            len(seen) == len(sizes)
            and all(reach.stride is not None or n == 1 for reach, n in zip(seen, sizes, strict=True))
            for seen in self._seen(blob)
        )

    def lost_at(self, blob: str) -> Layer:
        """The layer in which the axes of a blob stopped being positions of the image."""
        at = self._writer(blob)
        while True:
            maps = [b for b in at.bottoms if len(self.shapes[b]) > 2]
            if not maps or any(self.has_positions(b) for b in maps):
                return at
            at = self._writer(maps[0])

    def grid(self, blob: str) -> tuple[str, ...] | None:
        """In what steps of pixels a map's positions lie, "none" for one that is for the whole image; None if it sees no image."""
        seen = next(iter(self._seen(blob)), None)
        return None if seen is None else tuple("none" if r.stride is None else str(r.stride) for r in seen)

    def _writer(self, blob: str) -> Layer:
        return next(layer for layer in self.layers if blob in layer.tops)
