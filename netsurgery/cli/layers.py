"""netsurgery layers"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from .options import Json, Only
from .printing import console, print_json

if TYPE_CHECKING:
    from ..formats.options import Reading


def layers(reading: Annotated[Reading, Only(("plugin",))], as_json: Json = False) -> None:
    """List the layer types that netsurgery knows, what they compute, and notes on variants.

    Example: netsurgery layers --json
    """
    from ..layers import find, load_plugin, names

    for plugin in reading.plugins:
        load_plugin(plugin)

    rows = []
    for name in names():
        cls = find(name)
        if cls is None:
            raise AssertionError(name)
        paragraph = (cls.__doc__ or "").strip().split("\n\n")[0]
        rows.append({"type": name, "computes": " ".join(paragraph.split()), "note": cls.note})
    if as_json:
        print_json(rows)
        return
    from rich.markup import escape
    from rich.table import Table

    table = Table("type", "computes", "note", box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for row in rows:
        table.add_row(*map(escape, row.values()))
    console().print(table)
