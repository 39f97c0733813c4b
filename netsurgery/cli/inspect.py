"""netsurgery inspect"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..shown import visible
from .options import Json, Net, Quiet, Weights
from .printing import cell, console, note, print_json, print_notes

if TYPE_CHECKING:
    from ..formats.options import Reading


def inspect(
    prototxt: Net,
    reading: Reading,
    weights: Weights = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Show a net: layers, shapes, parameters, multiply-accumulates, receptive fields.

    Example: netsurgery inspect deploy.prototxt --input-shape data=1,3,451,451
    """
    from ..passes.prepare import open_net
    from ..summary import WORK, show_sizes, summarize, work

    net = open_net(prototxt, weights, reading)
    summary = summarize(net, reading.input_shapes)
    if as_json:
        print_json(summary)
        return
    print_notes(net, quiet)
    note(_origin(summary["origin"]), quiet)
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for column in ("layer", "type", "output"):
        table.add_column(column, overflow="fold")
    for column in WORK:
        table.add_column(column, justify="right")
    for row in summary["layers"]:
        table.add_row(
            cell(row["name"]),
            cell(row["type"]) + (" [red](unsupported)[/red]" if row["error"] else ""),
            "\n".join(map(show_sizes, row["tops"].values())),
            *work(row),
        )
    totals = summary["totals"]
    table.add_section()
    table.add_row(f"{totals['layers']} layers", "", "", f"{totals['parameters']:,}", f"{totals['macs']:,}", "", "")
    console().print(table)
    for row in summary["layers"]:
        if row["error"]:
            console().print(
                f"unsupported: {visible(row['name'])} ({visible(row['type'])}): {row['error']}", markup=False
            )


def _origin(origin: dict[str, Any]) -> str:
    text = f"read from a {origin['vintage']} {'binary' if origin['binary'] else 'prototxt'}"
    if origin["weights_vintage"]:
        kinds = " and ".join(origin["weights_precision"]) or "none"
        text += f", weights from {origin['weights_vintage']} ({kinds})"
    for path, layers in origin["fork_fields"].items():
        text += f"\nfork field {path}: {layers[0]}" + (f" and {len(layers) - 1} more" if len(layers) > 1 else "")
    return text
