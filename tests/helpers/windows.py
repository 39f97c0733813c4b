"""Nets of windows."""

from __future__ import annotations


def layer(name: str, type: str, bottoms: str, params: str = "") -> str:
    wires = " ".join([*(f'bottom: "{b}"' for b in bottoms.split()), f'top: "{name}"'])
    return f'layer {{ name: "{name}" type: "{type}" {wires} {params} }}\n'


def data(h: int, w: int, name: str = "data") -> str:
    return layer(name, "Input", "", f"input_param {{ shape {{ dim: 1 dim: 1 dim: {h} dim: {w} }} }}")


def window(name: str, type: str, bottom: str, params: str) -> str:
    param = "pooling_param { pool: AVE" if type == "Pooling" else "convolution_param { num_output: 1 bias_term: false"
    return layer(name, type, bottom, f"{param} {params} }}")


ALEXNET = (
    layer("data", "Input", "", "input_param { shape { dim: 1 dim: 3 dim: 227 dim: 227 } }")
    + window("conv1", "Convolution", "data", "kernel_size: 11 stride: 4")
    + window("pool1", "Pooling", "conv1", "kernel_size: 3 stride: 2")
    + window("conv2", "Convolution", "pool1", "kernel_size: 5 pad: 2")
    + window("pool2", "Pooling", "conv2", "kernel_size: 3 stride: 2")
    + window("conv3", "Convolution", "pool2", "kernel_size: 3 pad: 1")
    + window("conv4", "Convolution", "conv3", "kernel_size: 3 pad: 1")
    + window("conv5", "Convolution", "conv4", "kernel_size: 3 pad: 1")
    + window("pool5", "Pooling", "conv5", "kernel_size: 3 stride: 2")
    + layer("fc6", "InnerProduct", "pool5", "inner_product_param { num_output: 4 }")
    + layer("fc7", "InnerProduct", "fc6", "inner_product_param { num_output: 4 }")
)
