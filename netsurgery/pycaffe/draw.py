"""caffe.draw: the picture of a net that draw_net.py made.

Layers are boxes, blobs octagons; edges out of a layer bear its num_output.

Source: BVLC Caffe, python/caffe/draw.py.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..drawing.dot import Graph as Graphviz
from ..drawing.dot import escaped, render
from .proto import caffe_pb2

LAYER_STYLE_DEFAULT = {"shape": "record", "fillcolor": "#6495ED", "style": "filled"}
NEURON_LAYER_STYLE = {"shape": "record", "fillcolor": "#90EE90", "style": "filled"}
BLOB_STYLE = {"shape": "octagon", "fillcolor": "#E0E0E0", "style": "filled"}

_COLOURS = {"Convolution": "#FF5050", "Deconvolution": "#FF5050", "Pooling": "#FF9900", "InnerProduct": "#CC33FF"}
_LEARNING = ("Convolution", "Deconvolution", "InnerProduct")


class Graph(Graphviz):
    """What get_pydot_graph gives: pydot's verbs, as far as scripts about Caffe use them."""

    def to_string(self) -> str:
        """The graph in Graphviz' language."""
        return self.source()

    def create(self, prog: str | None = None, format: str = "ps") -> bytes:
        """The picture; format "raw" is the graph in Graphviz' language. prog is there for pydot's sake: it is dot."""
        return self.source().encode() if format == "raw" else render(self.source(), format)

    def write(self, path: str, prog: str | None = None, format: str = "raw") -> bool:
        """Writes the picture to a file."""
        Path(path).write_bytes(self.create(prog, format))
        return True

    def __getattr__(self, name: str) -> Any:
        """create_png(), write_svg(path) and their like."""
        verb, _, format = name.partition("_")
        if verb == "create" and format:
            return lambda prog=None: self.create(prog, format)
        if verb == "write" and format:
            return lambda path, prog=None: self.write(path, prog, format)
        raise AttributeError(name)


def get_pooling_types_dict() -> dict[int, str]:
    """The names of pooling methods by their numbers."""
    return {v.number: v.name for v in caffe_pb2.PoolingParameter.PoolMethod.DESCRIPTOR.values}


def get_edge_label(layer: Any) -> str:
    """What stands on the edges from a layer: its num_output, or the batch of a Data layer."""
    if layer.type == "Data":
        return f"Batch {layer.data_param.batch_size}"
    if layer.type in ("Convolution", "Deconvolution"):
        return str(layer.convolution_param.num_output)
    if layer.type == "InnerProduct":
        return str(layer.inner_product_param.num_output)
    return '""'


def get_layer_lr_mult(layer: Any) -> tuple[float, float]:
    """The learning rates of weights and bias.

    Raises: ValueError for a layer that is no Convolution, Deconvolution or InnerProduct, or with more than two.
    """
    if layer.type not in _LEARNING:
        raise ValueError(f"{layer.type} layers do not have a learning rate multiplier")
    if len(layer.param) > 2:
        raise ValueError(f"layer {layer.name} has {len(layer.param)} learning rate multipliers, not up to two")
    rates = [p.lr_mult for p in layer.param]
    weights, bias = rates + [1.0] * (2 - len(rates))
    return weights, bias


def get_layer_label(layer: Any, rankdir: str, display_lrm: bool = False) -> str:
    """What stands in a layer's box, in quotes: name, type, window, learning rates; in lines where the graph lies."""
    separator = " " if rankdir in ("TB", "BT") else r"\n"
    parts = [escaped(layer.name, record=True)]
    if layer.type == "Pooling":
        window = layer.pooling_param
        parts.append(f"(Pooling {get_pooling_types_dict()[window.pool]})")
        kernel, stride, pad = window.kernel_size, window.stride, window.pad
    else:
        parts.append(f"({escaped(layer.type, record=True)})")
        window = layer.convolution_param
        kernel, stride, pad = (
            values[0] if len(values) else default
            for values, default in ((window.kernel_size, 1), (window.stride, 1), (window.pad, 0))
        )
    if layer.type in ("Convolution", "Deconvolution", "Pooling"):
        parts += [f"kernel size: {kernel}", f"stride: {stride}", f"pad: {pad}"]
    if display_lrm and layer.type in _LEARNING and any(rates := get_layer_lr_mult(layer)):
        parts.append("lr mult: {:.1f}, {:.1f}".format(*rates))
    return f'"{separator.join(parts)}"'


def choose_color_by_layertype(layertype: str) -> str:
    """The colour of a layer's box."""
    return _COLOURS.get(layertype, LAYER_STYLE_DEFAULT["fillcolor"])


def get_pydot_graph(
    caffe_net: Any, rankdir: str, label_edges: bool = True, phase: int | None = None, display_lrm: bool = False
) -> Graph:
    """The graph of a NetParameter: of all its layers, or of those of one phase.

    rankdir: "LR", "TB" or "BT", where the net grows to.
    Raises: ValueError for a layer that has both include and exclude, if a phase is asked for.
    """
    graph = Graph(caffe_net.name or "Net", rankdir)
    for layer in caffe_net.layer:
        if phase is not None and not _is_in(layer, phase):
            continue
        in_place = len(layer.bottom) == len(layer.top) == 1 and layer.bottom[0] == layer.top[0]
        style = (
            NEURON_LAYER_STYLE
            if in_place
            else LAYER_STYLE_DEFAULT | {"fillcolor": choose_color_by_layertype(layer.type)}
        )
        node = f"{layer.name}_{layer.type}"
        graph.nodes[node] = {"label": get_layer_label(layer, rankdir, display_lrm)[1:-1], **style}
        for bottom in layer.bottom:
            graph.nodes[f"{bottom}_blob"] = {"label": escaped(bottom), **BLOB_STYLE}
            graph.edges.append((f"{bottom}_blob", node, {"label": ""}))
        for top in layer.top:
            # blobs that nobody takes stay plain, as in Caffe's pictures
            graph.nodes[f"{top}_blob"] = {"label": escaped(top)}
            label = get_edge_label(layer) if label_edges else ""
            graph.edges.append((node, f"{top}_blob", {"label": label.strip('"')}))
    return graph


def _is_in(layer: Any, phase: int) -> bool:
    if len(layer.include) and len(layer.exclude):
        raise ValueError(f"layer {layer.name} has both include and exclude specified")
    if len(layer.include):
        return any(rule.phase == phase for rule in layer.include)
    return all(rule.phase != phase for rule in layer.exclude)


def draw_net(
    caffe_net: Any, rankdir: str, ext: str = "png", phase: int | None = None, display_lrm: bool = False
) -> bytes:
    """The picture of a NetParameter in the format `ext`, laid out by Graphviz.

    Raises: NetsurgeryError without Graphviz.
    """
    return get_pydot_graph(caffe_net, rankdir, phase=phase, display_lrm=display_lrm).create(format=ext)


def draw_net_to_file(
    caffe_net: Any, filename: str, rankdir: str = "LR", phase: int | None = None, display_lrm: bool = False
) -> None:
    """Writes the picture of a NetParameter, in the format of the file's ending; .raw is Graphviz' language."""
    Path(filename).write_bytes(draw_net(caffe_net, rankdir, filename[filename.rfind(".") + 1 :], phase, display_lrm))
