"""The page of a net: one file of HTML that needs nothing else, with its graph, its layers and their numbers.

The graph is laid out in the browser by dagre (assets/dagre.min.js, MIT), which the page carries with its licence.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from importlib.resources import files
from typing import Any

from ..net import Net
from ..shown import visible
from .describe import Description, Node

Pictures = Mapping[str, list[tuple[str, bytes]]]
"""Of a layer, PNG files with what each shows."""


def to_page(net: Net, description: Description, pictures: Pictures, *, horizontal: bool = False) -> str:
    """The page. Nothing in it is fetched, and a name in the net cannot become code."""
    parts = files(__package__) / "assets"
    read = {name: (parts / name).read_text() for name in ("page.html", "page.css", "page.js", "dagre.min.js")}
    licence = (parts / "dagre.LICENSE.txt").read_text().strip()
    title = _escaped(net.name or net.files.get("prototxt", "") or "a net")
    totals = description.summary["totals"]
    words = f"{totals['layers']} layers, {totals['parameters']:,} parameters, {totals['macs']:,} multiply-accumulates"
    values = json.dumps(_values(description, pictures, horizontal), ensure_ascii=False, separators=(",", ":"))
    replaced = {
        "@TITLE@": title,
        "@TOTALS@": words,
        "@STYLE@": read["page.css"],
        "@DAGRE@": f"{licence}\n{read['dagre.min.js']}",
        "@SCRIPT@": read["page.js"],
        # within a script element only "</script" and "<!--" could end it
        "@NET@": values.replace("<", "\\u003c"),
    }
    page = read["page.html"]
    for mark in ("@STYLE@", "@DAGRE@", "@SCRIPT@", "@TITLE@", "@TOTALS@", "@NET@"):
        page = page.replace(mark, replaced[mark])
    return page


def _values(description: Description, pictures: Pictures, horizontal: bool) -> dict[str, Any]:
    layers = [_layer(description, node, pictures) for node in description.nodes]
    memory = sum(layer["memory"] or 0 for layer in layers)
    return {
        "horizontal": horizontal,
        "layers": layers,
        "edges": [[a, b, blob.size] for a, b, blob in description.edges],
        "totals": {**description.summary["totals"], "memory": memory},
    }


def _layer(description: Description, node: Node, pictures: Pictures) -> dict[str, Any]:
    return {
        "name": node.layer.name,
        "type": node.layer.type,
        "host": node.host,
        "colour": node.colour,
        "detail": node.detail,
        "bottoms": [{"name": b.name, "shape": b.shape} for b in node.bottoms],
        "tops": [{"name": t.name, "shape": t.shape} for t in node.tops],
        "weights": [list(w.shape) for w in node.layer.weights],
        "parameters": node.facts["parameters"],
        "macs": node.facts["macs"],
        "memory": description.memory(node),
        "sees": node.facts["sees"],
        "error": node.facts["error"],
        "source": str(node.layer.source),
        "text": node.text,
        "pictures": [
            [title, "data:image/png;base64," + base64.b64encode(png).decode()]
            for title, png in pictures.get(node.layer.name, [])
        ],
    }


def _escaped(text: str) -> str:
    return visible(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace('"', "&quot;")
