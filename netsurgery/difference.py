"""What differs between two nets: layers, fields, wiring, weights."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import _proto
from .files.mapped import require_unchanged
from .layers.core.params import IRRELEVANT, IRRELEVANT_OF_LAYER
from .message import Message, Token, float32
from .net import Layer, Net, require_net

CLOSE = 1e-5
"""Weights that differ by less than this share of the blob's largest value are close: they were rounded on the way, not trained further."""

CHUNK = 1 << 20
"""Values compared at a time."""


WINDOWS = {"kernel_size": "", "stride": "1", "pad": "0", "dilation": "1"}
"""Fields with a number for each side of a window, which may have other spellings, and what they are if not set."""


@dataclass(frozen=True)
class Change:
    """A field of a layer that is not the same: `path` such as convolution_param.num_output; "" stands for "not set, no default"."""

    layer: str
    path: str
    a: str
    b: str


@dataclass(frozen=True)
class BlobChange:
    """A blob whose numbers are not the same: `largest` is the largest difference; None with other shapes, or where only one net has it."""

    layer: str
    blob: int
    a: tuple[int, ...] | None
    b: tuple[int, ...] | None
    largest: float | None = None
    is_close: bool = False


@dataclass(frozen=True, repr=False)
class Difference:
    """What `diff` found. It is true if the nets differ."""

    added: tuple[str, ...] = ()
    """Layers that only the second net has."""
    removed: tuple[str, ...] = ()
    """Layers that only the first net has."""
    changed: tuple[Change, ...] = ()
    weights: tuple[BlobChange, ...] = ()
    equal_blobs: int = 0
    """Blobs that are the same bit for bit."""
    compared_weights: bool = False
    """Whether both nets have weights."""
    weights_of: str = ""
    """"first" or "second": the only net that has weights, which were then not compared."""

    def __bool__(self) -> bool:
        return bool(self.added or self.removed or self.changed or self.weights)

    def __repr__(self) -> str:
        if not self:
            return f"<Difference: none; {self.equal_blobs} blobs equal bit for bit>"
        counts = ((self.added, "added"), (self.removed, "removed"), (self.changed, "changed"), (self.weights, "blobs"))
        return f"<Difference: {', '.join(f'{len(several)} {what}' for several, what in counts if several)}>"

    def __str__(self) -> str:
        """What `netsurgery diff` prints."""
        return "\n".join(self.lines)

    @property
    def lines(self) -> list[str]:
        """In words, a line each."""
        lines = [f"only in the first: layer {title}" for title in self.removed]
        lines += [f"only in the second: layer {title}" for title in self.added]
        lines += [f"{c.layer}: {c.path}: {c.a or 'not set'} -> {c.b or 'not set'}" for c in self.changed]
        lines += [f"{w.layer}: blob {w.blob}: {_said(w)}" for w in self.weights]
        if self.weights_of:
            lines.append(f"weights: only the {self.weights_of} net has any")
        if self.compared_weights:
            close = sum(w.is_close for w in self.weights)
            different = len(self.weights) - close
            lines.append(f"weights: {self.equal_blobs} blobs equal bit for bit, {close} close, {different} different")
        return lines or ["the nets are the same"]

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "differ": bool(self),
            "added": list(self.added),
            "removed": list(self.removed),
            "changed": [vars(c) for c in self.changed],
            "weights": [vars(w) for w in self.weights],
            "equal_blobs": self.equal_blobs,
        }


def diff(a: Net, b: Net, *, training: bool = False) -> Difference:
    """Compares two nets, layers by name. Values are those that count: a default that is written out is no change, nor is the order
    of layers; fields that cannot change what a net computes (fillers, learning rates) count only with `training`.

    Weights are equal (bit for bit), close (within 1e-5 of the blob's largest value), or different. They are compared if both nets
    have any. Another spelling of the same window (kernel_h and kernel_w for kernel_size) is no change either.
    """
    require_net(a)
    require_net(b)
    require_unchanged(array for net in (a, b) for layer in net.layers for array in layer.weights)
    left, right = _by_name(a), _by_name(b)
    pairs = [(x, right[key]) for key, x in left.items() if key in right]
    a_has, b_has = (any(x.weights for x in net.layers) for net in (a, b))
    compared = a_has and b_has
    changed = [c for x, y in pairs for c in _changes(x, y, training)]
    blobs = [w for x, y in pairs for w in _blobs(x, y)] if compared else []
    return Difference(
        tuple(y.title for key, y in right.items() if key not in left),
        tuple(x.title for key, x in left.items() if key not in right),
        tuple(changed),
        tuple(w for w in blobs if w is not None),
        sum(w is None for w in blobs),
        compared,
        "" if a_has == b_has else "first" if a_has else "second",
    )


def _by_name(net: Net) -> dict[tuple[str, int], Layer]:
    """Layers by name, and by how many of that name stand before (Caffe allows several)."""
    layers: dict[tuple[str, int], Layer] = {}
    count: Counter[str] = Counter()
    for layer in net.layers:
        layers[layer.name, count[layer.name]] = layer
        count[layer.name] += 1
    return layers


def _said(w: BlobChange) -> str:
    if w.largest is not None:
        return f"{'close' if w.is_close else 'different'}, by up to {w.largest:.3g}"
    shapes = ["x".join(map(str, s)) or "scalar" if s is not None else "missing" for s in (w.a, w.b)]
    return f"{shapes[0]} -> {shapes[1]}"


def _changes(a: Layer, b: Layer, training: bool) -> Iterator[Change]:
    left, right = (
        {"type": [x.type], "bottom": list(x.bottoms), "top": list(x.tops), **_values(x.params, training)}
        for x in (a, b)
    )
    for path in dict.fromkeys((*left, *right)):
        x, y = (side.get(path, _default(path)) for side in (left, right))
        if x != y:
            yield Change(a.name, path, ", ".join(x), ", ".join(y))


def _values(message: Message, training: bool, path: str = "") -> dict[str, list[str]]:
    """The values of every field, by path, as text. Messages of a repeated field are numbered."""
    texts: dict[str, list[str]] = {}
    counts: dict[str, int] = {}
    for f in message.fields:
        if not training and (f.name in IRRELEVANT or (not path and f.name in IRRELEVANT_OF_LAYER)):
            continue
        here = f"{path}.{f.name}" if path else f.name
        if isinstance(f.value, Message):
            counts[here] = counts.get(here, 0) + 1
            inner = here if counts[here] == 1 else f"{here}[{counts[here]}]"
            texts.update(_values(f.value, training, inner))
        else:
            texts.setdefault(here, []).append(_text(f.value))
    return _with_one_spelling(texts, path)


def _with_one_spelling(texts: dict[str, list[str]], path: str) -> dict[str, list[str]]:
    """kernel_h and kernel_w as kernel_size, one number where all sides are alike; and so on for the other sides of windows."""
    for name, default in WINDOWS.items():
        full, stem = f"{path}.{name}", f"{path}.{name.removesuffix('_size')}"
        if f"{stem}_h" in texts or f"{stem}_w" in texts:
            (h,), (w,) = (texts.pop(f"{stem}_{side}", [default]) for side in "hw")
            texts[full] = [h, w]
        if len(set(texts.get(full, ()))) == 1:
            texts[full] = texts[full][:1]
    return texts


def _default(path: str) -> list[str]:
    """What the schema says where a file does not set a field."""
    *messages, name = path.split(".")
    type = "LayerParameter"
    for message in messages:
        inner = _proto.message(type).get(message.split("[")[0])
        if inner is None or not _proto.has_message(inner.type):
            return []
        type = inner.type
    field_type = _proto.message(type).get(name)
    if field_type is not None and field_type.default is not None:
        return [_text(field_type.default)]
    return [WINDOWS[name]] if WINDOWS.get(name) else []


def _text(value: Any) -> str:
    if isinstance(value, Token):
        value = float32(float(value.text)) if value.kind == "number" and _is_number(value.text) else value.text
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return f"{value:.9g}"
    return value.decode("utf-8", "backslashreplace") if isinstance(value, bytes) else str(value)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _blobs(a: Layer, b: Layer) -> Iterator[BlobChange | None]:
    """A change for each blob, None for one that is equal."""
    for i in range(max(len(a.weights), len(b.weights))):
        x, y = (layer.weights[i] if i < len(layer.weights) else None for layer in (a, b))
        if x is None or y is None or x.shape != y.shape:
            yield BlobChange(a.name, i, None if x is None else x.shape, None if y is None else y.shape)
        else:
            yield _compared(a.name, i, x, y)


def _compared(layer: str, index: int, a: NDArray[Any], b: NDArray[Any]) -> BlobChange | None:
    flat = a.reshape(-1), b.reshape(-1)
    equal, largest, scale = True, 0.0, 0.0
    for start in range(0, a.size, CHUNK):
        x, y = (np.ascontiguousarray(side[start : start + CHUNK], np.float32) for side in flat)
        if not np.array_equal(x.view(np.uint32), y.view(np.uint32)):
            equal = False
            with np.errstate(invalid="ignore"):
                apart = np.where(x == y, 0, np.abs(x.astype(np.float64) - y))
            largest = max(largest, float(np.nan_to_num(apart, nan=np.inf).max()))
        scale = max(scale, float(np.abs(y[np.isfinite(y)]).max(initial=0)))
    return None if equal else BlobChange(layer, index, a.shape, b.shape, largest, largest <= CLOSE * scale)
