"""Declare another shape for an input.

data: 1x3x227x227 -> conv1 .. pool5      set_input_shape(net, "data", (1, 3, 451, 451)):      data: 1x3x451x451 -> conv1 .. pool5
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..errors import ShapeError
from ..layers.innerproduct import InnerProduct
from ..limits import show_shapes
from ..net import Net
from ..shapes import known_shapes
from ._inputs import check_shape, fitted, with_shape


def set_input_shape(net: Net, blob: str | Mapping[str, Sequence[int]], shape: Sequence[int] = ()) -> Net:
    """The net whose input `blob` is declared as `shape`; or several at once, {blob: shape}: inputs that must go together need to.

    Raises: ShapeError if a layer, or its weights, do not fit at this shape; NetsurgeryError if there is no such input.
    """
    declared = {blob: shape} if isinstance(blob, str) else dict(blob)
    new = net
    for name, sizes in declared.items():
        new = with_shape(new, name, check_shape(name, sizes))
    new = fitted(new)
    shapes = known_shapes(new)
    said = " and ".join(f"input '{name}' of {show_shapes([sizes])}" for name, sizes in declared.items())
    for layer in new.layers:
        blob_shapes = layer.blob_shapes(shapes)
        own_shapes = [w.shape for w in layer.weights]
        if blob_shapes is not None and own_shapes and show_shapes(blob_shapes) != show_shapes(own_shapes):
            raise ShapeError(
                f"would want blobs of shapes {show_shapes(blob_shapes)} with {said}",
                layer=layer,
                expected=f"{show_shapes(own_shapes)}, the weights that it has",
                fix="make the net fully convolutional first (--fully-convolutional)"
                if isinstance(layer.kind, InnerProduct)
                else "",
            )
    return new
