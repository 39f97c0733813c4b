"""netsurgery caffe"""

from __future__ import annotations

import typer

from .side import side_commands


def caffe() -> None:
    """Get real Caffe: `verify --against caffe`, `record --by caffe` and `convert --against caffe` ask it.

    Example: netsurgery caffe install
    """


def group() -> typer.Typer:
    """The commands of the group."""
    return side_commands(
        "caffe",
        "Caffe",
        "pycaffe of Caffe 1.0, a wheel of the package index for Linux, macOS and Windows on x86-64",
        "Downloads some 26 MB; 90 MB stay.",
        caffe.__doc__,
    )
