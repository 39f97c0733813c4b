"""netsurgery sizes"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .options import Json, NetAndBlob, Quiet, SlidingPool, parse_size
from .printing import console, note, print_json

if TYPE_CHECKING:
    from ..formats.options import Reading
    from ..receptive_field import Geometry


def sizes(
    words: NetAndBlob,
    reading: Reading,
    positions: Annotated[
        list[int] | None,
        typer.Option(
            "--positions", "-n", min=1, help="How many positions along a side. Repeatable; default 1, 2, 4, 8."
        ),
    ] = None,
    size: Annotated[
        list[str] | None,
        typer.Option(
            metavar="HxW", help="Show this input size instead: 227 or 300x420. Repeatable.", show_default=False
        ),
    ] = None,
    input: Annotated[str | None, typer.Option(help="The input, if the blob sees several.", show_default=False)] = None,
    sliding_pool: SlidingPool = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Show which input sizes give which map: for a net with InnerProduct, once it is fully convolutional.

    Example: netsurgery sizes deploy.prototxt fc8 -n 1 -n 8
    """
    from ..files.words import split_words
    from ..passes.convolutionalize import convolutionalize
    from ..passes.cut import cut
    from ..passes.prepare import open_net
    from ..receptive_field import geometry

    net_file, weights, (blob,) = split_words(words, "BLOB")
    net = open_net(net_file, weights, reading)
    net = cut(net, [blob])
    convolutional = convolutionalize(net, sliding_pool=sliding_pool)
    for text in convolutional.notes[len(net.notes) :]:
        note(f"note: {text}", quiet)
    grid = geometry(convolutional, blob, input)
    rows = [_at(grid, parse_size(s, len(grid.declared))) for s in size or ()]
    rows = rows or [_giving(grid, n) for n in positions or (1, 2, 4, 8)]
    if as_json:
        print_json(
            {
                "blob": grid.blob,
                "input": grid.input,
                "declared": list(grid.declared),
                "stride": [float(s) if isinstance(s, Fraction) else s for s in grid.stride],
                "receptive_field": list(grid.receptive_field),
                "offset": list(grid.offset),
                "sizes": rows,
            }
        )
        return
    from rich.table import Table

    if None in grid.stride:
        note(f"blob '{blob}' has one answer for the whole image, whatever its size", quiet)
    else:
        field = _times(grid.receptive_field) if None not in grid.receptive_field else "the whole image"
        note(f"stride {_times(grid.stride)}, receptive field {field}", quiet)
    table = Table("input", "map", "same map from .. to", box=None, pad_edge=False)
    for row in rows:
        between = [f"{r[0]} .. {r[1]}" if r else "none" for r in row["range"]]
        table.add_row(
            _times(row["input"]) if row["input"] else "none",
            _times(row["map"]),
            between[0] if len(set(between)) == 1 else " x ".join(between),
        )
    console().print(table)


def _giving(grid: Geometry, positions: int) -> dict[str, Any]:
    """The input size that gives so many positions along each axis."""
    size = grid.size_for(positions)
    return _row(grid, None if None in size else size, [positions] * len(size))


def _at(grid: Geometry, size: tuple[int, ...]) -> dict[str, Any]:
    """What an input size gives."""
    return _row(grid, size, grid.output_size(*size))


def _row(grid: Geometry, size: Sequence[int | None] | None, counts: Sequence[int]) -> dict[str, Any]:
    ranges = [grid.sizes(n)[axis] for axis, n in enumerate(counts)]
    return {
        "input": size and list(size),
        "map": list(counts),
        "range": [None if r is None else [r[0], r[-1]] for r in ranges],
    }


def _times(sizes: Any) -> str:
    return "x".join("-" if n is None else str(n) for n in sizes)
