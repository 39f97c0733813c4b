"""Read one InnerProduct as a Convolution.

fc6 (InnerProduct): W (4096, 256 * 6 * 6), b (4096)      on (N, 256, 6, 6)   -> (N, 4096)
becomes
fc6 (Convolution):  W (4096, 256, 6, 6) on the same bytes, on (N, 256, h, w) -> (N, 4096, h - 5, w - 5)
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from numpy.typing import NDArray

from ..errors import RewriteError
from ..layers.innerproduct import InnerProduct
from ..layers.shared.matrices import unit_rows
from ..message import Message
from ..net import Layer

Array = NDArray[Any]


@dataclass
class Converter:
    """Makes Convolutions of InnerProducts; a weight that layers share stays one array."""

    _made: dict[tuple[int, tuple[int, ...], bool], Array] = field(default_factory=dict)

    def convert(self, layer: Layer, kind: InnerProduct, bottom: str, seen: tuple[int, ...]) -> Layer:
        """The Convolution that does at each position of `bottom` what the InnerProduct did on the map of shape `seen` (C, h, w)."""
        weights = layer.weights
        if kind.normalize:
            if not weights:
                raise RewriteError(
                    "normalizes its weights, which a Convolution does not do, and has none yet",
                    layer=layer,
                    expected="its weights",
                    fix="give the weights file as well, or --initialize random",
                )
            row = weights[0].shape[0 if kind.transpose else 1]
            weights = (unit_rows(weights[0], row), *weights[1:])
        if weights:
            weights = (self._kernels(kind, weights[0], seen), *weights[1:])
        params = kind.as_convolution(layer.params, seen[1:])
        return replace(layer, type="Convolution", bottoms=(bottom,), params=params, weights=weights)

    def _kernels(self, kind: InnerProduct, weight: Array, seen: tuple[int, ...]) -> Array:
        key = id(weight), seen, kind.transpose
        if key not in self._made:
            self._made[key] = kind.as_kernels(weight, seen)
        return self._made[key]


def is_transposed(layer: Layer) -> bool:
    return isinstance(layer.kind, InnerProduct) and layer.kind.transpose


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
            shape, first_shape = seen.get(other.tops[0]), seen[first.tops[0]]
            if shape != first_shape or is_transposed(other) != is_transposed(first):
                how = f"would see {shape}" if shape else "stays as it is"
                how += " and is transposed" if shape and is_transposed(other) != is_transposed(first) else ""
                raise RewriteError(
                    f"shares its weight '{name}' with {other.title}, which {how}",
                    layer=first,
                    expected=f"a weight of one shape: both see {first_shape}",
                    fix="give the two layers weights of their own: remove param { name } of one",
                )
