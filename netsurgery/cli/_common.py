"""What commands share: option types, output, progress, exit codes."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from ..errors import NetsurgeryError
    from ..net import Net

EXIT_DIFFER = 1
EXIT_BAD_INPUT = 2

Prototxt = Annotated[Path, typer.Argument(help="The net: deploy.prototxt, of any vintage.", show_default=False)]
OptionalWeights = Annotated[
    Path | None, typer.Argument(help="Its weights: .caffemodel or .caffemodel.h5.", show_default=False)
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON, for machines.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing but errors.")]
InputShapes = Annotated[
    list[str] | None,
    typer.Option(
        "--input-shape",
        metavar="BLOB=N,C,H,W",
        help="The shape of an input; a name instead of a number leaves that axis dynamic. Repeatable.",
        show_default=False,
    ),
]
Phase = Annotated[str, typer.Option(help="TEST or TRAIN: which layers count.")]
Stage = Annotated[
    list[str] | None, typer.Option("--stage", help="A stage for include/exclude rules. Repeatable.", show_default=False)
]
Settings = Annotated[
    list[str] | None,
    typer.Option(
        "--set", metavar="NAME=VALUE", help="Fills a placeholder of a template. Repeatable.", show_default=False
    ),
]
IgnoreUnknown = Annotated[
    bool, typer.Option("--ignore-unknown", help="Pass over fields of unknown meaning, and list them.")
]


def _name_caffe2(python: Path | None) -> Path | None:
    if python is not None:  # processes that compare other models must find it, too
        os.environ["NETSURGERY_CAFFE2_PYTHON"] = str(python)
    return python


Caffe2Python = Annotated[
    Path | None,
    typer.Option(
        "--caffe2-python",
        metavar="PYTHON",
        callback=_name_caffe2,
        help="The Python that has Caffe2, in place of what `netsurgery caffe2 install` made.",
        show_default=False,
    ),
]


def _load_plugins(paths: list[Path] | None) -> list[Path] | None:
    if paths:
        from ..layers import load_plugin

        for path in paths:
            load_plugin(path)
    return paths


Plugin = Annotated[
    list[Path] | None,
    typer.Option(
        "--plugin",
        metavar="LAYERS.PY",
        help="A Python file that registers layer types of your own. Repeatable.",
        show_default=False,
        callback=_load_plugins,
    ),
]


def parse_shapes(given: Sequence[str] | None) -> dict[str, list[int | str]]:
    """`data=1,3,H,W` -> {"data": [1, 3, "H", "W"]}. Raises: NetsurgeryError."""
    from ..errors import NetsurgeryError

    shapes: dict[str, list[int | str]] = {}
    for text in given or ():
        blob, sign, sizes = text.partition("=")
        parts = [part.strip() for part in sizes.split(",")]
        if not sign or not blob or not all(part.isdigit() or part.isidentifier() for part in parts):
            raise NetsurgeryError(
                f"--input-shape {text}", expected="BLOB=N,C,H,W, such as data=1,3,224,224 or data=1,3,H,W"
            )
        shapes[blob] = [int(part) if part.isdigit() else part for part in parts]
    return shapes


def parse_settings(given: Sequence[str] | None) -> dict[str, str] | None:
    """`height=227` -> {"height": "227"}. Raises: NetsurgeryError."""
    from ..errors import NetsurgeryError

    if not given:
        return None
    for text in given:
        if "=" not in text:
            raise NetsurgeryError(f"--set {text}", expected="NAME=VALUE, such as height=227")
    return dict(text.split("=", 1) for text in given)


def parse_size(text: str, axes: int) -> tuple[int, ...]:
    """`300x420` -> (300, 420); `227` -> (227, 227). Raises: NetsurgeryError."""
    from ..errors import NetsurgeryError

    parts = text.lower().split("x")
    if len(parts) not in (1, axes) or not all(part.isdigit() and int(part) for part in parts):
        raise NetsurgeryError(f"--size {text}", expected="HEIGHTxWIDTH, such as 300x420, or one number for both")
    return tuple(int(part) for part in parts) * (axes if len(parts) == 1 else 1)


def with_defaults(arguments: Sequence[str]) -> list[str]:
    """The arguments with a value for options that may go without one, which Typer does not know."""
    return ["--initialize=fillers" if argument == "--initialize" else argument for argument in arguments]


def print_json(value: Any) -> None:
    sys.stdout.write(json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def console() -> Console:
    """Where results go: stdout, as wide as the terminal, or as needed in a pipe."""
    from rich.console import Console

    return Console(highlight=False, soft_wrap=not sys.stdout.isatty(), width=None if sys.stdout.isatty() else 200)


def note(text: str, quiet: bool = False) -> None:
    """A line for the person at the terminal, on stderr."""
    if not quiet:
        sys.stderr.write(text + "\n")


def print_notes(net: Net, quiet: bool = False) -> None:
    """What was done to the net on the way in."""
    for text in net.notes:
        note(f"note: {text}", quiet)


def report_error(error: NetsurgeryError) -> None:
    """The error on stderr; also as JSON on stdout where `--json` was asked for."""
    sys.stderr.write(f"error: {error}\n")
    if "--json" in sys.argv:
        print_json({"error": str(error), "kind": type(error).__name__})


@contextmanager
def progress(quiet: bool = False) -> Iterator[Any]:
    """A rich progress bar on stderr, shown only on a terminal."""
    from rich.console import Console
    from rich.progress import Progress

    hidden = quiet or not sys.stderr.isatty()
    bar = Progress(console=Console(stderr=True, quiet=hidden), transient=True, disable=hidden)
    with bar:
        yield bar


def track(items: Sequence[Any], what: str, quiet: bool = False) -> Iterable[Any]:
    """The items, with a progress bar."""
    with progress(quiet) as bar:
        yield from bar.track(items, description=what)
