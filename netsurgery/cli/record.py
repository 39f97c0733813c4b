"""netsurgery record"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from .options import Net, Only, Quiet, Weights
from .printing import note

if TYPE_CHECKING:
    from ..formats.options import Reading
    from ..passes.options import Surgery
    from ..verification.options import Comparing, Inputs


def record(
    prototxt: Net,
    inputs: Inputs,
    comparing: Annotated[Comparing, Only(("output",))],
    reading: Reading,
    surgery: Surgery,
    weights: Weights = None,
    output_file: Annotated[Path, typer.Option("--output-file", "-o", help="The .npz to write.")] = Path("golden.npz"),
    by: Annotated[
        Literal["netsurgery", "caffe", "opencv"], typer.Option(help="Whose numbers to record.")
    ] = "netsurgery",
    every_blob: Annotated[bool, typer.Option("--every-blob", help="Record blobs between as well.")] = False,
    quiet: Quiet = False,
) -> None:
    """Store seeded inputs and the numbers that come out, to hold a model against later, or elsewhere.

    Example: netsurgery record deploy.prototxt weights.caffemodel -o golden.npz --by caffe
    """
    from ..verification.record import record_files

    comparing = replace(comparing, against=[by], inner=every_blob)
    done = record_files(prototxt, weights, output_file, reading, surgery, inputs, comparing)
    for text in done.notes:
        note(f"note: {text}", quiet)
    for title in done.runs:
        note(f"recorded {title}", quiet)
    note(f"{done.path}: {len(done.runs)} runs of {', '.join(done.blobs)}, computed by {done.computed_by}", quiet)
