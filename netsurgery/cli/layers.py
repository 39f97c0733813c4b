"""netsurgery layers"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from .options import Json, Only
from .printing import console, print_json

if TYPE_CHECKING:
    from ..formats.options import Reading


def layers(reading: Annotated[Reading, Only(("plugin",))], as_json: Json = False) -> None:
    """List the layer types that netsurgery knows: whose each is, whether it is held to numbers of Caffe's or stands on a formula, the ONNX
    operators that it becomes, whether Caffe2 has it, what it computes, and notes on variants.

    Example: netsurgery layers --json
    """
    from dataclasses import asdict

    from ..catalog import entries
    from ..layers import load_plugin

    for plugin in reading.plugins:
        load_plugin(plugin)
    rows = list(entries())
    if as_json:
        print_json([asdict(row) for row in rows])
        return
    from rich.markup import escape
    from rich.table import Table

    heads = ("type", "of", "held to", "ONNX", "Caffe2", "computes", "note")
    table = Table(*heads, box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for row in rows:
        cells = (
            row.type,
            row.whose,
            row.held,
            ", ".join(row.onnx),
            "yes" if row.caffe2 else "no",
            row.computes,
            row.note,
        )
        table.add_row(*map(escape, cells))
    console().print(table)
