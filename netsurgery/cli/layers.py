"""netsurgery layers"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from .options import Json, Only
from .printing import console, print_json

if TYPE_CHECKING:
    from ..exporters.options import Export
    from ..formats.options import Reading


def layers(
    reading: Annotated[Reading, Only(("plugin",))],
    export: Annotated[Export, Only(("target",))],
    as_json: Json = False,
) -> None:
    """List the layer types that netsurgery knows: whose each is, whether it is held to numbers of Caffe's or stands on a formula, the ONNX
    operators that it becomes, whether Caffe2 has it, what it computes, and notes on variants.

    With --for it also says what a runtime lacks of those operators; only the forms of a layer that need them are refused.

    Example: netsurgery layers --for opencv
    """
    from dataclasses import asdict

    from ..catalog import entries
    from ..exporters.targets import find_target
    from ..layers import load_plugin

    for plugin in reading.plugins:
        load_plugin(plugin)
    rows = list(entries())
    target = find_target(export.target)
    lacks = {row.type: [name for name in row.onnx if target and name in target.lacks] for row in rows}
    if as_json:
        more = {row.type: {"lacks": lacks[row.type]} if target else {} for row in rows}
        print_json([{**asdict(row), **more[row.type]} for row in rows])
        return
    from rich.markup import escape
    from rich.table import Table

    heads = ("type", "of", "held to", "ONNX", "Caffe2", *([target.title] if target else []), "computes", "note")
    table = Table(*heads, box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for row in rows:
        cells = (
            row.type,
            row.whose,
            row.held,
            ", ".join(row.onnx),
            "yes" if row.caffe2 else "no",
            *([f"no {', '.join(lacks[row.type])}" if lacks[row.type] else "yes"] if target else []),
            row.computes,
            row.note,
        )
        table.add_row(*map(escape, cells))
    console().print(table)
    if target:
        console().print(escape(f"{target.title} {target.measured or '(by its documents)'}: {target.note}"))
        for name, reason in target.lacks.items():
            console().print(escape(f"  {name}: {reason}"))
