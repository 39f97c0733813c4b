"""Which nodes of a model may compute with fewer bits: by the Caffe layer that they come from, and by what they do."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import onnx

from ...net import Net
from ...passes.own_names import own_names


def feature_nodes(model: onnx.ModelProto, net: Net) -> set[str]:
    """The names of the nodes that come from layers whose numbers are features. A node bears the name of its layer, or `layer/Op`."""
    layers = {layer.name: layer.kind for layer in own_names(net).layers}
    owners = {
        node.name: node.name if node.name in layers else node.name.rpartition("/")[0] for node in model.graph.node
    }
    return {name for name, owner in owners.items() if owner in layers and layers[owner].gives_features}


def element_types(model: onnx.ModelProto, small: Mapping[str, bytes]) -> dict[str, int]:
    """The element type of every value of the main graph. `small` holds the numbers of initializers that shapes may depend on."""
    whole = onnx.ModelProto()
    whole.CopyFrom(model)
    for proto in whole.graph.initializer:
        if proto.name in small:
            proto.raw_data = small[proto.name]
    graph = onnx.shape_inference.infer_shapes(whole).graph
    types = {v.name: v.type.tensor_type.elem_type for v in (*graph.input, *graph.value_info, *graph.output)}
    return types | {proto.name: proto.data_type for proto in graph.initializer}


def captured(graph: onnx.GraphProto) -> Iterable[str]:
    """What the nodes of a subgraph read from outside."""
    own = {v.name for v in graph.input} | {t.name for t in graph.initializer}
    own |= {name for node in graph.node for name in node.output}
    for node in graph.node:
        yield from (name for name in node.input if name and name not in own)
        for body in bodies(node):
            yield from (name for name in captured(body) if name not in own)
    yield from (v.name for v in graph.output if v.name not in own)


def bodies(node: onnx.NodeProto) -> list[onnx.GraphProto]:
    """The subgraphs of a node."""
    return [a.g for a in node.attribute if a.type == onnx.AttributeProto.GRAPH]
