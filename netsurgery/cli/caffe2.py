"""netsurgery caffe2"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .options import Caffe2Python, Json, Only, Quiet, with_options
from .printing import EXIT_DIFFER, note, print_json
from .side import side_commands

if TYPE_CHECKING:
    from ..formats.options import Reading


def caffe2() -> None:
    """Get real Caffe2, and hold its own way to ONNX against ours.

    Example: netsurgery caffe2 install
    """


def cross_check(
    model: Annotated[Path, typer.Argument(help="A folder of init_net.pb and predict_net.pb.", show_default=False)],
    reading: Annotated[Reading, Only(("input_shape", "seed"))],
    rtol: Annotated[float, typer.Option(min=0, help="Allowed error, as a share of a blob's largest value.")] = 1e-4,
    caffe2_python: Caffe2Python = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """A third opinion: NetDefs to ONNX by Caffe2's own frontend, in onnxruntime, against the same nets in Caffe2.

    Exit code: 0 they agree, 1 they differ, 2 the frontend cannot convert the nets or they could not be run.

    Example: netsurgery caffe2 cross-check model_caffe2
    """
    from ..verification.cross_check import cross_check as run

    outcome = run(model, reading.input_shapes, seed=reading.seed, rtol=rtol)
    if as_json:
        print_json(outcome.to_json())
    else:
        for line in outcome.lines:
            note(line, quiet)
    if not outcome.passed:
        raise typer.Exit(EXIT_DIFFER)


def group() -> typer.Typer:
    """The commands of the group."""
    app = side_commands(
        "caffe2",
        "Caffe2",
        "PyTorch 1.10.2, the last one that holds Caffe2: `verify --in caffe2` runs there",
        "Downloads 882 MB on x86-64 Linux (45 to 227 MB elsewhere), of which 0.6 GB stay.",
        caffe2.__doc__,
    )
    app.command("cross-check")(with_options(cross_check))
    return app
