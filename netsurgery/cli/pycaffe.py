"""netsurgery pycaffe"""

from __future__ import annotations

from typing import Annotated, Any

import typer
from typer.core import TyperCommand


class Command(TyperCommand):
    """Takes what stands behind the script as the script's own."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.context_settings = {
            **self.context_settings,
            "ignore_unknown_options": True,
            "allow_interspersed_args": False,
        }


COMMAND = Command


def pycaffe(
    script: Annotated[str, typer.Argument(metavar="SCRIPT", help="A Python script that imports caffe.")],
    arguments: Annotated[
        list[str] | None, typer.Argument(metavar="[ARGUMENT]...", help="What the script itself takes.")
    ] = None,
) -> None:
    """Run a pycaffe script without Caffe: `import caffe` in it finds netsurgery's own pycaffe.

    Example: [bold]netsurgery pycaffe demo.py --gpu 0[/bold]
    """
    from ..pycaffe.script import main

    raise typer.Exit(main([script, *(arguments or [])]))
