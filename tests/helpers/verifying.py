"""Digits, and damaged copies of it, for the tests of verify."""

from __future__ import annotations

import numpy as np

import netsurgery
from netsurgery.formats.load import from_text
from netsurgery.net import Net

SMALL = """name: "small"
layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 1 dim: 3 dim: 12 dim: 10 } } }
layer { name: "conv" type: "Convolution" bottom: "data" top: "conv" convolution_param { num_output: 4 kernel_size: 3 } }
layer { name: "relu" type: "ReLU" bottom: "conv" top: "conv" }
layer { name: "pool" type: "Pooling" bottom: "conv" top: "pool" pooling_param { pool: MAX kernel_size: 2 stride: 2 } }
layer { name: "fc" type: "InnerProduct" bottom: "pool" top: "fc" inner_product_param { num_output: 7 } }
layer { name: "prob" type: "Softmax" bottom: "fc" top: "prob" }
"""


def small(text: str = SMALL, seed: int = 1) -> Net:
    return netsurgery.initialize(from_text(text, "small.prototxt"), seed, "random")


def damaged(net: Net, layer: str = "conv") -> Net:
    weights = [np.array(w) for w in net[layer].weights]
    weights[-1].flat[0] += 1  # the bias
    return net.with_weights(layer, *weights)
