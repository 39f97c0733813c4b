"""Small nets and weights files for the tests of load."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cases
import numpy as np
import pytest
from wire_cases import BlobProto, NetParameter

from netsurgery import NetsurgeryError
from netsurgery.formats.load import from_text

NETS = cases.FIXTURES / "conformance" / "nets"


INPUT = 'layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 2 dim: 3 dim: 5 dim: 5 } } }\n'


def relu(name: str, bottom: str, top: str = "") -> str:
    return f'layer {{ name: "{name}" type: "ReLU" bottom: "{bottom}" top: "{top or bottom}" }}\n'


def conv(name: str, bottom: str, params: str = "", more: str = "", top: str = "") -> str:
    wires = f'bottom: "{bottom}" top: "{top or name}"'
    return (
        f'layer {{ name: "{name}" type: "Convolution" {wires} '
        f"convolution_param {{ num_output: 4 kernel_size: 3 {params} }} {more} }}\n"
    )


def blob(array: np.ndarray, legacy: bool = False) -> BlobProto:
    made = BlobProto()
    if legacy:
        made.num, made.channels, made.height, made.width = (1,) * (4 - array.ndim) + array.shape
    else:
        made.shape.dim.extend(array.shape)
        made.shape.SetInParent()
    made.data.extend(array.ravel().tolist())
    return made


def caffemodel(path: Path, layers: Sequence[tuple[str, Sequence[np.ndarray]]], legacy: bool = False) -> Path:
    """A weights file of these layers, in this order."""
    net = NetParameter()
    for name, arrays in layers:
        layer = net.layer.add()
        layer.name = name
        layer.blobs.extend(blob(a, legacy) for a in arrays)
    path.write_bytes(net.SerializeToString())
    return path


def numbers(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


W, B = numbers(4, 3, 3, 3), numbers(4, seed=1)


def error_of(kind: type[NetsurgeryError], text: str, weights: Path | None = None, **options: object) -> str:
    with pytest.raises(kind) as caught:
        from_text(text, "net.prototxt", weights, **options)
    return str(caught.value)


SHARED = (
    INPUT
    + conv("a", "data", more='param { name: "w" } param { name: "b" }')
    + conv("b", "data", more='param { name: "w" } param { name: "b" }')
)
