"""Which nodes of a model may compute with fewer bits: by the Caffe layer that they come from, and by what they do."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import onnx

LAYERS = frozenset(
    """AbsVal Axpy Bias CReLU Clip Concat Convolution ConvolutionDepthwise Crop CropCenter Deconvolution DepthwiseConvolution Dropout
    ELU Eltwise EnetDropout Flatten InnerProduct Maxout PReLU Padding Permute Pooling ReLU ReLU6 Reorg Reshape Scale ShuffleChannel
    Sigmoid Slice Split SpatialDropout Swish TanH Tile Transpose Upsample""".split()  # noqa: SIM905 - read as words
)
"""Layers whose numbers are features. What comes from others (normalizations, losses, boxes, regions, positions) keeps its precision:
a coordinate of 1000 pixels in float16 is half a pixel off."""


def nodes_of(model: onnx.ModelProto, layers: Mapping[str, str]) -> dict[str, str]:
    """For each node, by name, the type of the layer that it comes from. `layers` are the net's: {name: type}. A node bears the name of
    its layer, or `layer/Op`."""
    found = {}
    for node in model.graph.node:
        owner = node.name if node.name in layers else node.name.rpartition("/")[0]
        if owner in layers:
            found[node.name] = layers[owner]
    return found


def element_types(model: onnx.ModelProto, small: Mapping[str, bytes]) -> dict[str, int]:
    """The element type of every value of the main graph. `small` holds the numbers of initializers that shapes may depend on."""
    known = onnx.ModelProto()
    known.CopyFrom(model)
    for proto in known.graph.initializer:
        if proto.name in small:
            proto.raw_data = small[proto.name]
    graph = onnx.shape_inference.infer_shapes(known).graph
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
