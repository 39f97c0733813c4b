"""Nets whose weights are drawn."""

from __future__ import annotations

INPUT = 'layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 2 dim: 6 dim: 9 dim: 9 } } }\n'


def conv(name: str, bottom: str, params: str, more: str = "") -> str:
    return (
        f'layer {{ name: "{name}" type: "Convolution" bottom: "{bottom}" top: "{name}" {more} '
        f"convolution_param {{ kernel_size: 3 {params} }} }}\n"
    )
