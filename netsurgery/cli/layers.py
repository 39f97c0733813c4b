"""netsurgery layers"""

from __future__ import annotations

from ._common import Json, Plugin, console, print_json


def layers(plugin: Plugin = None, as_json: Json = False) -> None:
    """List the layer types that netsurgery knows, what they compute, and notes on variants.

    Example: netsurgery layers --json
    """
    from ..layers import find, names

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
