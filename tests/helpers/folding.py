"""Nets of layers that scale channels."""

from __future__ import annotations

from typing import Any

import numpy as np
from one_layer import make, numbers

import netsurgery

Array = np.ndarray[Any, Any]


LINEAR = {
    "Convolution": (
        "convolution_param { num_output: 4 kernel_size: 3 group: 2 bias_term: false }",
        (2, 6, 8, 9),
        [(4, 3, 3, 3)],
    ),
    "Deconvolution": (
        "convolution_param { num_output: 4 kernel_size: 3 stride: 2 group: 2 }",
        (2, 6, 4, 5),
        [(6, 2, 3, 3), (4,)],
    ),
    "InnerProduct": ("inner_product_param { num_output: 4 }", (2, 3, 2, 2), [(4, 12), (4,)]),
}


def behind(linear: str, *layers: str) -> netsurgery.Net:
    """A linear layer, and layers in place behind it: each named by its type."""
    params, shape, blobs = LINEAR[linear]
    text = f'layer {{ name: "linear" type: "{linear}" bottom: "x" top: "h" {params} }}\n'
    for layer in layers:
        type, _, rest = layer.partition(" ")
        text += f'layer {{ name: "{type}" type: "{type}" bottom: "h" top: "h" {rest} }}\n'
    net = make(text, x=shape).with_weights("linear", *[numbers(*b) for b in blobs])
    for layer in net.layers[2:]:
        shapes = [w.shape for w in np_blobs(layer, net)]
        net = net.with_weights(layer.name, *[np.abs(np.asarray(numbers(*s))) + np.float32(0.5) for s in shapes])
    return net


def np_blobs(layer: netsurgery.Layer, net: netsurgery.Net) -> list[Array]:
    shapes = net.shapes()
    return [np.empty([int(n) for n in s]) for s in layer.kind.weight_shapes([shapes[b] for b in layer.bottoms])]


def nodes(net: netsurgery.Net, **options: Any) -> list[str]:
    return [n.op_type for n in netsurgery.to_onnx(net, **options).graph.node]
