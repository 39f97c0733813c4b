"""netsurgery layers"""

from __future__ import annotations

from ._common import Json, console, print_json


def layers(as_json: Json = False) -> None:
    """List the layer types that netsurgery knows, with notes.

    Example: netsurgery layers --json
    """
    from ..layers import find, names

    rows = []
    for name in names():
        cls = find(name)
        if cls is None:
            raise AssertionError(name)
        summary = (cls.__doc__ or "").strip().splitlines()[0]
        rows.append({"type": name, "computes": summary, "note": cls.note})
    if as_json:
        print_json(rows)
        return
    from rich.table import Table

    table = Table("type", "computes", "note", box=None, pad_edge=False)
    for row in rows:
        table.add_row(row["type"], row["computes"], row["note"])
    console().print(table)
