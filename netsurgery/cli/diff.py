"""netsurgery diff"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..shown import visible
from .options import Json, Quiet
from .printing import EXIT_DIFFER, print_json

if TYPE_CHECKING:
    from ..formats.options import Reading


def diff(
    files: Annotated[
        list[Path],
        typer.Argument(
            metavar="A.prototxt [A.caffemodel] B.prototxt [B.caffemodel]", help="Two nets, with weights or without."
        ),
    ],
    reading: Reading,
    training: Annotated[
        bool, typer.Option("--training", help="Compare fillers, learning rates and the like as well.")
    ] = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Compare two nets: layers, fields, wiring, weights. Exit code 1 if they differ.

    Example: netsurgery diff a.prototxt a.caffemodel b.prototxt b.caffemodel
    """
    from ..difference import diff as compare
    from ..files.words import pair_files
    from ..passes.prepare import open_net

    (a, a_weights), (b, b_weights) = pair_files(files)
    difference = compare(open_net(a, a_weights, reading), open_net(b, b_weights, reading), training=training)
    if as_json:
        print_json(difference.as_dict())
    elif not quiet:
        for line in difference.lines:
            typer.echo(visible(line))
    if difference:
        raise typer.Exit(EXIT_DIFFER)
