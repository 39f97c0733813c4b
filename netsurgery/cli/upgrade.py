"""netsurgery upgrade"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .options import InPlace, Net, Quiet, Weights
from .printing import note


def upgrade(
    prototxt: Net,
    weights: Weights = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output-file",
            "-o",
            help="What to write: NET.prototxt, with NET.caffemodel beside it if there are weights.",
            show_default=False,
        ),
    ] = None,
    in_place: InPlace = False,
    quiet: Quiet = False,
) -> None:
    """Write a net of 2013 or 2014 as Caffe writes it today, without Caffe: every phase stays, and so do comments.

    Example: netsurgery upgrade old.prototxt old.caffemodel -o new.prototxt
    """
    from ..errors import NetsurgeryError
    from ..formats.upgrade_files import upgrade_files

    if output is None or output.suffix != ".prototxt":
        raise NetsurgeryError(
            "no output given" if output is None else f"cannot tell the format of '{output}'",
            expected="-o NET.prototxt",
        )
    done = upgrade_files(prototxt, output, weights, output.with_suffix(".caffemodel"))
    for text in done.notes:
        note(f"note: {text}", quiet)
    note(", ".join(done.files), quiet)
