"""The picture of a net that Caffe's draw_net.py made: layers as boxes, blobs as octagons, edges with shapes."""

from __future__ import annotations

from ..net import Net
from .describe import BLOB, Description
from .dot import Graph, escaped

DOTS = "72"
"""Dots per inch of pictures of pixels: letters are 14 pixels high. At Graphviz's own 96 drawing takes twice as long."""

LARGEST = "100,150"
"""Inches: pictures of pixels are made smaller than this, or Graphviz would need gigabytes for hundreds of layers."""

_FONT = {"fontname": "Helvetica"}


def to_graph(net: Net, description: Description, *, horizontal: bool = False) -> Graph:
    """The graph of a net: boxes by kind, octagons for blobs by the names of the file, so that layers in place stand
    beside the blob that they change and turn back to it; every edge from a layer to a blob that it makes bears its shape.
    """
    graph = Graph(net.name or "Net", "LR" if horizontal else "TB", {**_FONT, "nodesep": "0.2", "ranksep": "0.3"})
    beside: dict[str, list[str]] = {}
    for k, node in enumerate(description.nodes):
        key = f"layer {k}"
        lines = [node.layer.name, f"({node.layer.type})"] + [node.detail] * bool(node.detail)
        label = r"\n".join(escaped(line) for line in lines)
        graph.nodes[key] = {"label": label, "shape": "box", "style": "filled", "fillcolor": node.colour, **_FONT}
        in_place = description.nodes[node.host] is not node
        graph.edges += [(f"blob {blob.name}", key, {}) for blob in node.bottoms]
        for blob in node.tops:
            if in_place:
                beside.setdefault(f"blob {blob.name}", []).append(key)
                graph.edges.append((key, f"blob {blob.name}", {}))
                continue
            octagon = {"label": escaped(blob.name), "shape": "octagon", "style": "filled", "fillcolor": BLOB, **_FONT}
            graph.nodes.setdefault(f"blob {blob.name}", octagon)
            graph.edges.append(
                (key, f"blob {blob.name}", {"label": blob.size and f" {blob.size} ", "fontsize": "11", **_FONT})
            )
    graph.ranks = [[blob, *layers] for blob, layers in beside.items()]
    return graph
