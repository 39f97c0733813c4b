"""The command line: one file per command, each of which parses, calls the API and prints. Nothing is decided here.

Command files import nothing heavy at module level, so that `netsurgery --help` answers at once.
"""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from ._common import EXIT_BAD_INPUT, report_error, with_defaults
from .activations import activations
from .classify import classify
from .convert import convert
from .diff import diff
from .features import features
from .filters import filters
from .heatmap import heatmap
from .inspect import inspect
from .layers import layers
from .maximize import maximize
from .operate import Ordered, operate
from .patches import patches
from .record import record
from .sizes import sizes
from .upgrade import upgrade
from .verify import verify

app = typer.Typer(
    name="netsurgery",
    help="""Opens any Caffe model, operates on it, and hands it over as ONNX that runs at any input size, with proof.

    Example: [bold]netsurgery convert deploy.prototxt weights.caffemodel -o model.onnx[/bold]
    """,
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for command in (
    activations,
    classify,
    convert,
    diff,
    features,
    filters,
    heatmap,
    inspect,
    layers,
    maximize,
    patches,
    record,
    sizes,
    upgrade,
    verify,
):
    app.command()(command)
app.command(cls=Ordered)(operate)


def _version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        typer.echo(f"netsurgery {version('netsurgery')}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass


def main() -> None:
    """Runs the command line. Exit codes: 0 done, 1 the numbers differ, 2 refused or bad input."""
    from ..errors import NetsurgeryError

    try:
        app(with_defaults(sys.argv[1:]), prog_name="netsurgery")
    except NetsurgeryError as error:
        report_error(error)
        sys.exit(EXIT_BAD_INPUT)
    except BrokenPipeError:  # `netsurgery inspect ... | head`
        sys.stderr.close()
        sys.exit(0)
    except MemoryError:
        sys.stderr.write("error: not enough memory\n")
        sys.exit(EXIT_BAD_INPUT)
