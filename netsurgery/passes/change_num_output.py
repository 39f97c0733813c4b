"""Give a layer another number of outputs, with fresh weights.

fc8: num_output 1000, W (1000, 4096)      change_num_output(net, "fc8", 20):      fc8: num_output 20, W (20, 4096) by its weight_filler
"""

from __future__ import annotations

from dataclasses import replace

from ..errors import RewriteError
from ..layers.core.dims import all_numbers, numbers
from ..layers.core.fillers import draw
from ..limits import show_shapes
from ..message import Field, Message
from ..net import Layer, Net
from ..shapes import known_shapes


def change_num_output(net: Net, layer: str, num_output: int, seed: int = 0) -> Net:
    """The net whose layer (Convolution, InnerProduct and others with `num_output`) gives that many channels, its weights drawn as its
    fillers say (zeros where it has none), the same for the same seed. Without weights, only the field changes.

    Raises: RewriteError for a layer without num_output, or if a layer behind it has weights that would no longer fit.
    """
    old = net.sole(layer)
    new = _changed(old, num_output)
    changed = net.with_layers(new if x is old else x for x in net.layers)
    shapes = known_shapes(changed)
    blob_shapes = new.blob_shapes(shapes)
    if old.weights:
        if blob_shapes is None or not all(map(all_numbers, blob_shapes)):
            raise RewriteError(
                "the shapes of its bottoms are not known", layer=old, fix="declare the shapes of the inputs"
            )
        new = replace(new, weights=tuple(draw(new.kind, list(map(numbers, blob_shapes)), seed)))
        changed = net.with_layers(new if x is old else x for x in net.layers)
    for other in changed.layers:
        needs, own_shapes = other.blob_shapes(shapes), [w.shape for w in other.weights]
        if other is not new and needs is not None and own_shapes and show_shapes(needs) != show_shapes(own_shapes):
            raise RewriteError(
                f"reads what layer {old.title} computes, and its weights fit the {old.kind.num_output} outputs that it has",
                layer=other,
                expected=f"blobs of shapes {show_shapes(needs)}, not {show_shapes(own_shapes)}",
                fix="change the last layer with weights, or cut the net before this layer",
            )
    return changed


def _changed(layer: Layer, num_output: int) -> Layer:
    """The layer with the field set, its weights left out."""
    holders = [
        f for f in layer.params.fields if isinstance(f.value, Message) and f.value.has("num_output")
    ]  # fmt: skip
    if not layer.kind.num_output or len(holders) != 1:
        raise RewriteError("has no num_output", layer=layer, expected="a layer such as Convolution or InnerProduct")
    (holder,) = holders
    param = Field(holder.name, holder.value.with_fields(Field("num_output", num_output)))
    new = replace(layer, params=layer.params.with_fields(param), weights=())
    new.kind.require_supported()
    return new
