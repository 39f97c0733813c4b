"""What a picture of a net says of each layer: its kind, its window, its shapes, its work, its prototxt."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..errors import UnsupportedError
from ..formats.prototxt.versions import file_names, layer_message
from ..formats.save import write_layer
from ..message import Message
from ..net import Layer, Net
from ..summary import summarize

COLOURS = {"Convolution": "#FF5050", "Deconvolution": "#FF5050", "Pooling": "#FF9900", "InnerProduct": "#CC33FF"}
"""Caffe's own, by layer type; IN_PLACE and OTHER for the rest."""
IN_PLACE, OTHER, BLOB = "#90EE90", "#6495ED", "#E0E0E0"

Shape = tuple[int | None, ...] | None


@dataclass(frozen=True)
class Blob:
    """A bottom or top: what the file calls it, and its shape (None: not known)."""

    name: str
    shape: Shape

    @property
    def size(self) -> str:
        """1x3x227x227, or "" where nothing is known."""
        return "" if self.shape is None else "x".join("?" if n is None else str(n) for n in self.shape) or "scalar"


@dataclass(frozen=True)
class Node:
    """A layer as it is drawn.

    host: the number of the layer whose blob it changes in place, its own number otherwise. facts: its row of `summarize`.
    """

    layer: Layer
    bottoms: tuple[Blob, ...]
    tops: tuple[Blob, ...]
    host: int
    detail: str
    colour: str
    text: str
    facts: Mapping[str, Any]


@dataclass(frozen=True)
class Description:
    """A net as it is drawn: its layers, which of them feeds which by which blob, and totals.

    edges: (from, to, blob) by numbers of layers, without those that work in place.
    """

    nodes: tuple[Node, ...]
    edges: tuple[tuple[int, int, Blob], ...]
    summary: Mapping[str, Any]

    def memory(self, node: Node) -> int | None:
        """Bytes of a layer's tops in float32; 0 in place."""
        sizes = [_product(top.shape) for top in node.tops]
        if self.nodes[node.host] is not node:
            return 0
        return None if None in sizes else 4 * sum(size or 0 for size in sizes)


def describe(net: Net, shapes: Mapping[str, Sequence[int | str | None]] | None = None) -> Description:
    """The net as it is drawn, with shapes at the declared input size, or at that of `shapes`.

    Raises: ShapeError for a shape that does not fit.
    """
    summary = summarize(net, shapes)
    names = file_names(net)
    sizes: dict[str, Shape] = {
        top: None if shape is None else tuple(_number(n) for n in shape)
        for row in summary["layers"]
        for top, shape in row["tops"].items()
    }
    nodes: list[Node] = []
    writers: dict[str, int] = {}
    edges = []
    for k, (layer, facts) in enumerate(zip(net.layers, summary["layers"], strict=True)):
        bottoms = tuple(Blob(names.get(b, b), sizes.get(b)) for b in layer.bottoms)
        tops = tuple(Blob(names.get(t, t), sizes.get(t)) for t in layer.tops)
        in_place = len(bottoms) == len(tops) == 1 and bottoms[0].name == tops[0].name
        host = nodes[writers[layer.bottoms[0]]].host if in_place else k
        if not in_place:
            edges += [(nodes[writers[b]].host, k, blob) for b, blob in zip(layer.bottoms, bottoms, strict=True)]
        writers.update(dict.fromkeys(layer.tops, k))
        colour = COLOURS.get(layer.type, IN_PLACE if in_place else OTHER)
        nodes.append(Node(layer, bottoms, tops, host, detail(layer), colour, _text(layer, names), facts))
    return Description(tuple(nodes), tuple(edges), summary)


def detail(layer: Layer) -> str:
    """The window of a layer in short: "96 11x11 s4 p2 g2 d2", what is 1 or 0 left out; of Pooling the method as well."""
    params = layer.params
    own = next((f.value for f in params.fields if isinstance(f.value, Message) and _is_window(f.value)), None)
    if own is None:
        return ""
    parts = []
    if own.has("num_output"):
        parts.append(str(own.last("num_output")))
    if layer.type == "Pooling":
        parts.append("global " * bool(own.last("global_pooling", False)) + str(own.last("pool", "MAX")))
    kernel, stride, pad, dilation = (_sides(own, *names) for names in _SIDES)
    if kernel:
        parts.append("x".join(map(str, kernel * 2 if len(kernel) == 1 else kernel)))
    for letter, sides, neutral in (("s", stride, 1), ("p", pad, 0), ("d", dilation, 1)):
        if any(n != neutral for n in sides):
            parts.append(letter + "x".join(map(str, sides)))
    if own.last("group", 1) != 1:
        parts.append(f"g{own.last('group')}")
    return " ".join(parts)


_SIDES = (
    ("kernel_size", "kernel_h", "kernel_w"),
    ("stride", "stride_h", "stride_w"),
    ("pad", "pad_h", "pad_w"),
    ("dilation", "", ""),
)


def _is_window(message: Message) -> bool:
    return any(message.has(name) for name in ("kernel_size", "kernel_h", "num_output", "global_pooling"))


def _sides(message: Message, both: str, down: str, across: str) -> list[int]:
    """One number if the sides agree."""
    if message.has(down) or message.has(across):
        sides = [message.last(down, 0), message.last(across, 0)]
    else:
        sides = message.all(both)
    return sides[:1] if len(set(sides)) == 1 else sides


def _text(layer: Layer, names: Mapping[str, str]) -> str:
    try:
        return write_layer(layer_message(layer, names), layer.params.text).strip("\n")
    except UnsupportedError as error:
        return f"# {error}"


def _number(size: Any) -> int | None:
    """None for what depends on the data."""
    return size if isinstance(size, int) else None


def _product(shape: Shape) -> int | None:
    if shape is None:
        return None
    total = 1
    for n in shape:
        if n is None:
            return None
        total *= n
    return total
