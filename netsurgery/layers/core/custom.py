"""A layer type that netsurgery does not know, handed on as a node of a domain of the user's choice."""

from __future__ import annotations

from .aliases import Arrays, Shapes, Tensors
from .builder import Op
from .dims import by_data
from .layer_type import LayerType
from .params import Params

DEFAULT_DOMAIN = "caffe"


class CustomOp(LayerType):
    """A node of the layer's type: bottoms and blobs are its inputs, in this order, the fields of its parameters its attributes.

    Its tops are taken to have as many axes as its first bottom, of sizes that only its own kernel knows.
    """

    bottoms = (0, None)
    tops = (1, None)
    any_blobs = True
    domain = DEFAULT_DOMAIN
    note = "by a kernel of your own"

    def read(self, p: Params) -> None:
        self.attributes = p.everything()

    def shapes(self, bottoms: Shapes) -> Shapes:
        rank = len(bottoms[0]) if bottoms else 4
        return [tuple(by_data(self.name, top, axis) for axis in range(rank)) for top in range(self.top_count)]

    def emit(self, op: Op, bottoms: Tensors, weights: Arrays) -> Tensors:
        blobs = [op.weight(blob, f"blob{i}") for i, blob in enumerate(weights)]
        return op.custom(self.domain, self.top_count, self.type, *bottoms, *blobs, **self.attributes)


def custom_op(domain: str = DEFAULT_DOMAIN) -> type[LayerType]:
    """The class for `load(layers={TYPE: custom_op(domain)})`: exports layers of that type as nodes of `domain`, version 1."""
    return type("CustomOp", (CustomOp,), {"domain": domain, "__doc__": CustomOp.__doc__})
