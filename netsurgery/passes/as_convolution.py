"""Read one InnerProduct as a Convolution.

fc6 (InnerProduct): W (4096, 256 * 6 * 6), b (4096)      on (N, 256, 6, 6)   -> (N, 4096)
becomes
fc6 (Convolution):  W (4096, 256, 6, 6) on the same bytes, on (N, 256, h, w) -> (N, 4096, h - 5, w - 5)
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import RewriteError
from ..layers import make_layer
from ..layers.innerproduct import InnerProduct, unit_rows
from ..message import Field, Message
from ..net import Layer

Array = NDArray[Any]

KEPT = ("num_output", "bias_term", "weight_filler", "bias_filler")
"""What the two parameter messages have in common."""


@dataclass
class Converter:
    """Makes Convolutions of InnerProducts; a weight that layers share stays one array."""

    _made: dict[tuple[int, tuple[int, ...], bool], Array] = field(default_factory=dict)

    def convert(self, layer: Layer, bottom: str, seen: tuple[int, ...]) -> Layer:
        """The Convolution that does at each position of `bottom` what the InnerProduct did on the map of shape `seen` (C, h, w)."""
        weights = layer.weights
        kind = layer.kind
        if isinstance(kind, InnerProduct) and kind.normalize:
            if not weights:
                raise RewriteError(
                    "normalizes its weights, which a Convolution does not do, and has none yet",
                    layer=layer.title,
                    source=layer.source,
                    expected="its weights",
                    fix="give the weights file as well, or --initialize random",
                )
            row = weights[0].shape[0 if kind.transpose else 1]
            weights = (unit_rows(weights[0], row), *weights[1:])
        if weights:
            weights = (self._weight(weights[0], seen, is_transposed(layer)), *weights[1:])
        return make_layer(
            layer.name,
            "Convolution",
            (bottom,),
            layer.tops,
            _params(layer.params, seen[1:]),
            source=layer.source,
            weights=weights,
        )

    def _weight(self, weight: Array, seen: tuple[int, ...], transpose: bool) -> Array:
        key = id(weight), seen, transpose
        if key not in self._made:
            rows = np.ascontiguousarray(weight.T) if transpose else weight
            self._made[key] = rows.reshape(rows.shape[0], *seen)
        return self._made[key]


def is_transposed(layer: Layer) -> bool:
    return isinstance(layer.kind, InnerProduct) and layer.kind.transpose


def _params(params: Message, kernel: tuple[int, ...]) -> Message:
    """`inner_product_param` as `convolution_param`, in the style of Caffe's models."""
    old = [f for f in params.fields if f.name == "inner_product_param"][-1]
    inner: Message = old.value
    fields = [f for f in inner.fields if f.name in KEPT[:2]]
    if len(set(kernel)) == 1:
        fields.append(Field("kernel_size", kernel[0]))
    elif len(kernel) == 2:
        fields += [Field("kernel_h", kernel[0]), Field("kernel_w", kernel[1])]
    else:
        fields += [Field("kernel_size", size) for size in kernel]
    fields += [f for f in inner.fields if f.name in KEPT[2:]]
    made = replace(old, name="convolution_param", value=Message("ConvolutionParameter", tuple(fields), inner.source))
    # a convolution_param that is there already was never read
    kept = [
        made if f is old else f
        for f in params.fields
        if f is old or f.name not in ("inner_product_param", "convolution_param")
    ]
    return replace(params, fields=tuple(kept), text="")


def require_sharing(before: Iterable[Layer], seen: Mapping[str, tuple[int, ...]]) -> None:
    """That layers which share a weight by name can go on sharing it. `seen`: what each converted layer sees, by its top.

    Raises: RewriteError where one of them would stay an InnerProduct, or see a map of another shape.
    """
    sharing: dict[str, list[Layer]] = {}
    for layer in before:
        spec = next(iter(layer.params.all("param")), None) if layer.tops else None
        if isinstance(spec, Message) and (name := spec.last("name", "")):
            sharing.setdefault(str(name), []).append(layer)
    for name, layers in sharing.items():
        first = next((layer for layer in layers if layer.tops[0] in seen), None)
        if first is None:
            continue
        for other in layers:
            shape, wanted = seen.get(other.tops[0]), seen[first.tops[0]]
            if shape != wanted or is_transposed(other) != is_transposed(first):
                how = f"would see {shape}" if shape else "stays as it is"
                how += " and is transposed" if shape and is_transposed(other) != is_transposed(first) else ""
                raise RewriteError(
                    f"shares its weight '{name}' with {other.title}, which {how}",
                    layer=first.title,
                    source=first.source,
                    expected=f"a weight of one shape: both see {wanted}",
                    fix="give the two layers weights of their own: remove param { name } of one",
                )
