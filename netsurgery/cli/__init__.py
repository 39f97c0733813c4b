"""The command line: one file per command, each of which parses, calls the API and prints. Nothing is decided here.

Command files import nothing heavy at module level, so that `netsurgery --help` answers at once.
"""

from __future__ import annotations

import os
import signal
import sys
import traceback
import warnings
from collections.abc import Sequence
from importlib import import_module
from pkgutil import iter_modules
from typing import Annotated, Any, NoReturn, TextIO

import typer
from typer.core import TyperGroup

from .options import with_defaults, with_options
from .printing import EXIT_BAD_INPUT, EXIT_FAULT, EXIT_UNREAD, report_error, report_fault, usage_told

COMMANDS = tuple(sorted({module.name for module in iter_modules(__path__)} - {"options", "printing", "side"}))
"""Each is a function in the module of its name, whose `COMMAND`, if it has one, is the class of the command, and whose `group`
holds the commands of a group."""


class Group(TyperGroup):
    """All commands. Words that it refuses are told to machines, too, before Typer prints them on stderr."""

    def make_context(self, *args: Any, **options: Any) -> Any:
        with usage_told():
            return super().make_context(*args, **options)

    def invoke(self, ctx: Any) -> Any:
        with usage_told():
            return super().invoke(ctx)


def build(arguments: Sequence[str] | None = None) -> typer.Typer:
    """The command line: all of it, or as much as these arguments need. Building all options of all commands takes 0.1 s."""
    built = typer.Typer(
        name="netsurgery",
        cls=Group,
        help="""Opens any Caffe model, operates on it, and hands it over as ONNX that runs at any input size, with proof.

    Example: [bold]netsurgery convert deploy.prototxt weights.caffemodel -o model.onnx[/bold]
    """,
        no_args_is_help=True,
        rich_markup_mode="rich",
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    built.callback()(_options)
    asked = arguments[0] if arguments else ""
    for name in [asked] if asked in COMMANDS else COMMANDS:
        module = import_module(f".{name}", __name__)
        function = getattr(module, name)
        if (arguments is None or asked in COMMANDS) and hasattr(module, "group"):
            built.add_typer(module.group(), name=name)
        elif arguments is None or asked in COMMANDS:
            built.command(cls=getattr(module, "COMMAND", None))(with_options(function))
        else:  # for the list of commands
            built.command(name, help=function.__doc__)(_nothing)
    return built


def _nothing() -> None:
    pass


def _version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        typer.echo(f"netsurgery {version('netsurgery')}")
        raise typer.Exit


def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
    debug: Annotated[
        bool, typer.Option("--debug", help="Show where in the program an error comes from. Anywhere on the line.")
    ] = False,
) -> None:
    pass


def _show_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    """A warning in one line, without the place in the program."""
    sys.stderr.write(f"note: {message}\n")


def main() -> None:
    """Runs the command line. Exit codes: 0 done, 1 the numbers differ, 2 refused or bad input, 3 a fault of netsurgery's own, 130 and 143
    interrupted by SIGINT and SIGTERM, 141 nobody reads the output any more (`netsurgery inspect ... | head -1`), as SIGPIPE has it."""
    try:
        try:
            _run()
        finally:
            if sys.stdout is not None and not sys.stdout.closed:
                sys.stdout.flush()
    except BrokenPipeError:
        _end_unread()
    except SystemExit as end:
        if isinstance(end.__context__, BrokenPipeError):  # Typer and Rich end with 1, which says that numbers differ
            _end_unread()
        raise


def _end_unread() -> NoReturn:
    """Ends where nobody reads: what is still to be written goes nowhere."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):
        os.dup2(nowhere, stream.fileno())
    sys.exit(EXIT_UNREAD)


def _run() -> None:
    from ..errors import NetsurgeryError

    arguments = with_defaults(sys.argv[1:])
    foreign = arguments[:1] == ["pycaffe"]  # what a script raises is its own
    if not foreign:
        warnings.showwarning = _show_warning
    debug = "--debug" in arguments and not foreign
    if not foreign:
        arguments = [word for word in arguments if word != "--debug"]
        if not sys.warnoptions and not debug:  # they are for programmers
            warnings.simplefilter("ignore")
            warnings.filterwarnings("default", category=UserWarning, module=__package__.partition(".")[0])
        signal.signal(signal.SIGTERM, _terminate)
        if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
            signal.signal(signal.SIGINT, _interrupt)
    try:
        completing = "_NETSURGERY_COMPLETE" in os.environ
        build(None if completing else arguments)(arguments, prog_name="netsurgery")
    except NetsurgeryError as error:
        _end_if_interrupted()
        if debug:
            traceback.print_exc()
        report_error(error)
        sys.exit(EXIT_BAD_INPUT)
    except BrokenPipeError:
        raise
    except MemoryError:
        report_error(NetsurgeryError("not enough memory"))
        sys.exit(EXIT_BAD_INPUT)
    except Exception as error:
        if foreign:
            raise
        _end_if_interrupted()
        if debug:
            traceback.print_exc()
        report_fault(error)
        sys.exit(EXIT_FAULT)


_signals: list[int] = []
"""Those that came to end the process."""


def _terminate(number: int, frame: object) -> None:
    """As SIGINT does, SIGTERM lets everything clean up."""
    _signals.append(number)
    sys.exit(128 + number)


def _interrupt(number: int, frame: object) -> None:
    _signals.append(number)
    raise KeyboardInterrupt


def _end_if_interrupted() -> None:
    """Libraries in C make errors of their own of an interruption that comes while they call back."""
    if _signals:
        sys.exit(128 + _signals[0])
