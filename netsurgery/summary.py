"""What a net is made of: layers, shapes, parameters, work, and where each layer looks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from itertools import zip_longest
from math import prod
from typing import Any

from .aliases import InputShapes
from .errors import NetsurgeryError, ShapeError
from .formats.origin import fork_fields
from .html_table import table
from .layers.core.dims import Size
from .layers.core.reach import Number
from .limits import show_shape
from .net import Layer, Net
from .receptive_field import Reaches, geometry, reaches
from .shapes import known_shapes

Shapes = dict[str, tuple[Size, ...]]


WORK = ("parameters", "multiply-accumulates", "receptive field", "stride")
"""Headings of what `work` shows."""


def to_html(net: Net) -> str:
    """For notebooks: a row for each layer, with what can be told of it."""
    rows = (
        (
            row["name"],
            row["type"] + (" (not supported)" if row["error"] else ""),
            ", ".join(f"{top} {show_sizes(shape)}" for top, shape in row["tops"].items()),
            *work(row),
        )
        for row in summarize(net, strict=False)["layers"]
    )
    return table(("layer", "type", "tops", *WORK), rows, repr(net)[1:-1])


def work(row: Mapping[str, Any]) -> tuple[str, ...]:
    """The numbers of a layer of `summarize` as text: "?" where one cannot be told, "" where there is none."""
    sees = next(iter(row["sees"].values()), None)
    field, stride = (_square(sees["receptive_field"], "all"), _square(sees["stride"], "-")) if sees else ("", "")
    return _count(row["parameters"]), _count(row["macs"]), field, stride


def show_sizes(shape: Sequence[int | None] | None) -> str:
    """A shape of `summarize` as text."""
    return "?" if shape is None else show_shape(shape)


def _count(number: int | None) -> str:
    return "?" if number is None else f"{number:,}" if number else ""


def _square(sizes: Sequence[Any], none: str) -> str:
    """One number for axes that agree."""
    shown = [none if n is None else f"{n:g}" for n in sizes]
    return shown[0] if len(set(shown)) == 1 else "x".join(shown)


def summarize(net: Net, shapes: InputShapes | None = None, *, strict: bool = True) -> dict[str, Any]:
    """The net as plain values, ready for JSON.

    Per layer: name, type, its tops with their shapes at the declared input size (or that of `shapes`, where a number is given),
    `parameters` (those that layers share count where they come first), `macs` (multiply-accumulates of its sums of products), `sees`:
    for each input with pixels stride, receptive field and offset per axis, null where it sees all, and `error` if netsurgery refuses
    it; what cannot be told is null. Also totals, the net's inputs and outputs, what it was read from (`origin`: vintage, precision of
    the weights, fields that only forks have), and notes of what was done on loading.

    Raises: ShapeError for a shape that does not fit; unless `strict` what follows from it cannot be told.
    """
    part, held = _computable(net, shapes or {}, strict)
    seen = {name: _seen(part, name, held) for name in part.inputs if len(held[name]) > 2}
    shared: set[tuple[str, int]] = set()
    rows = []
    for layer in net.layers:
        bottoms = [held.get(b) for b in layer.bottoms]
        rows.append(
            {
                "name": layer.name,
                "type": layer.type,
                "tops": {top: _listed(held.get(top)) for top in layer.tops},
                "parameters": _parameters(layer, bottoms, shared),
                "macs": _macs(layer, bottoms, [held.get(t) for t in layer.tops]),
                "sees": {
                    name: window for name, of in seen.items() for top in layer.tops[:1] if (window := of.get(top))
                },
                "error": None if layer.kind.error is None else layer.kind.error.problem,
            }
        )
    return {
        "name": net.name,
        "inputs": {name: _listed(held.get(name)) for name in net.inputs},
        "outputs": list(net.outputs),
        "layers": rows,
        "totals": {
            "layers": len(rows),
            "parameters": sum(row["parameters"] or 0 for row in rows),
            "macs": sum(row["macs"] or 0 for row in rows),
            "unsupported": sum(row["error"] is not None for row in rows),
        },
        "origin": {
            "vintage": net.origin.vintage,
            "binary": net.origin.binary,
            "weights_vintage": net.origin.weights_vintage,
            "weights_precision": list(net.origin.precision),
            "fork_fields": {path: list(layers) for path, layers in fork_fields(net).items()},
        },
        "notes": list(net.notes),
    }


def _computable(net: Net, input_shapes: InputShapes, strict: bool) -> tuple[Net, Shapes]:
    """The layers whose shapes follow, and the shapes."""
    for name in input_shapes:
        if name not in net.inputs:
            raise ShapeError(
                f"the net has no input '{name}'", source=net.source, expected=f"one of: {', '.join(net.inputs)}"
            )
    sizes = {name: _input_shape(name, shape, input_shapes.get(name)) for name, shape in net.inputs.items()}
    held = known_shapes(net, sizes, strict=strict)
    layers: list[Layer] = []
    written: set[str] = set()
    for layer in net.layers:
        if layer.kind.is_supported and written.issuperset(layer.bottoms) and held.keys() >= set(layer.tops):
            written.update(layer.tops)
            layers.append(layer)
    return net.with_layers(layers), held


def _input_shape(
    name: str, declared: tuple[int, ...] | None, shape: Sequence[int | str | None] | None
) -> tuple[int, ...] | None:
    if shape is None:
        return declared
    sizes = [
        n if isinstance(n, int) else declared[i] if declared and i < len(declared) else None
        for i, n in enumerate(shape)
    ]
    if any(n is None for n in sizes):
        raise ShapeError(f"input '{name}' was given {tuple(shape)}", expected="numbers, where the file declares none")
    return tuple(n for n in sizes if n is not None)


def _parameters(layer: Layer, bottoms: Sequence[Any], shared: set[Any]) -> int | None:
    """How many numbers the layer's blobs hold that no layer before it shares."""
    if layer.weights:
        sizes = [tuple(w.shape) for w in layer.weights]
    elif not layer.kind.is_supported or any(b is None for b in bottoms):
        return None
    else:
        sizes = [tuple(shape) for shape in layer.kind.weight_shapes(bottoms)]
    total = 0
    for shape, name in zip_longest(sizes, layer.shared_blobs[: len(sizes)], fillvalue=""):
        if not all(isinstance(n, int) for n in shape):
            return None
        if not name or name not in shared:
            total += prod(shape)
        shared.add(name)
    return total


def _macs(layer: Layer, bottoms: Sequence[Any], tops: Sequence[Any]) -> int | None:
    if not layer.kind.is_supported or any(shape is None or None in shape for shape in (*bottoms, *tops)):
        return None
    count = layer.kind.macs(bottoms, tops)
    return count if isinstance(count, int) else None


def _seen(net: Net, input: str, held: Shapes) -> dict[str, dict[str, list[Any]]]:
    """What each blob sees of an input."""
    windows: dict[str, dict[str, list[Any]]] = {}
    uneven: set[str] = set()
    for blob, seen in reaches(net, input, held).items():
        if seen is None:
            continue
        writer = net.writer(blob)
        below = [held[b] for b in writer.bottoms]
        if uneven.intersection(writer.bottoms) or (
            below and any(not r.even for reach in writer.kind.reach(below) for r in reach or ())
        ):
            uneven.add(blob)
        if isinstance(seen, NetsurgeryError):
            continue
        windows[blob] = _exact(net, input, blob) if blob in uneven else _lines(seen)
    return windows


def _lines(seen: Reaches) -> dict[str, list[Any]]:
    fields = [
        None if r.first is None or r.last is None or r.stride is None else (int(r.last - r.first) + 1, int(r.first))
        for r in seen
    ]
    return {
        "stride": [_number(r.stride) for r in seen],
        "receptive_field": [f[0] if f else None for f in fields],
        "offset": [f[1] if f else None for f in fields],
    }


def _exact(net: Net, input: str, blob: str) -> dict[str, list[Any]]:
    exact = geometry(net, blob, input)
    return {
        "stride": [_number(n) for n in exact.stride],
        "receptive_field": list(exact.receptive_field),
        "offset": list(exact.offset),
    }


def _number(n: Number | None) -> int | float | None:
    return n if n is None or isinstance(n, int) else int(n) if Fraction(n).denominator == 1 else float(n)


def _listed(shape: Sequence[object] | None) -> list[int | None] | None:
    return None if shape is None else [n if isinstance(n, int) else None for n in shape]
