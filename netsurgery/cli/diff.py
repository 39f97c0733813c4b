"""netsurgery diff"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ._common import EXIT_DIFFER, IgnoreUnknown, Json, Phase, Quiet, print_json

WEIGHTS = (".caffemodel", ".h5", ".hdf5")


def diff(
    files: Annotated[
        list[Path],
        typer.Argument(
            metavar="A.prototxt [A.caffemodel] B.prototxt [B.caffemodel]", help="Two nets, with weights or without."
        ),
    ],
    training: Annotated[
        bool, typer.Option("--training", help="Compare fillers, learning rates and the like as well.")
    ] = False,
    phase: Phase = "TEST",
    ignore_unknown: IgnoreUnknown = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Compare two nets: layers, fields, wiring, weights. Exit code 1 if they differ.

    Example: netsurgery diff a.prototxt a.caffemodel b.prototxt b.caffemodel
    """
    from ..difference import diff as compare
    from ..formats.load import load

    (a, a_weights), (b, b_weights) = _pairs(files)
    found = compare(
        load(a, a_weights, phase=phase, ignore_unknown=ignore_unknown),
        load(b, b_weights, phase=phase, ignore_unknown=ignore_unknown),
        training=training,
    )
    if as_json:
        print_json(found.as_dict())
    elif not quiet:
        for line in found.lines:
            typer.echo(line)
    if found:
        raise typer.Exit(EXIT_DIFFER)


def _pairs(files: list[Path]) -> list[tuple[Path, Path | None]]:
    """Each net with its weights, told by the names: A, A's, B, B's; A, B; A's, B's alone. Raises: NetsurgeryError."""
    from ..errors import NetsurgeryError

    pairs: list[tuple[Path, Path | None]] = []
    for file in files:
        is_weights = file.name.endswith(WEIGHTS)
        if is_weights and pairs and pairs[-1][1] is None and not pairs[-1][0].name.endswith(WEIGHTS):
            pairs[-1] = pairs[-1][0], file
        else:
            pairs.append((file, None))
    if len(pairs) != 2:
        raise NetsurgeryError(
            f"{len(pairs)} net{'s' if len(pairs) != 1 else ''} given",
            expected="two: A.prototxt [A.caffemodel] B.prototxt [B.caffemodel]",
        )
    return pairs
