"""Nets that are saved, and loaded again."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from pathlib import Path

from google.protobuf import text_format
from wire_cases import NetParameter

import netsurgery
from netsurgery.errors import Source
from netsurgery.files.output import replacing
from netsurgery.formats.save import save_caffe
from netsurgery.formats.weights.write_caffemodel import write_to
from netsurgery.net import Net


def write_caffemodel(path: str | os.PathLike[str], net: Net, names: Mapping[str, str] | None = None) -> None:
    """The layers of a net as a caffemodel, whole or not at all."""
    with replacing(path) as out:
        write_to(out, net, names or {}, source=Source(os.fspath(path)))


def caffe_accepts(text: str) -> str:
    """ "" if Caffe would wire the net up, else why not: protobuf's own parser, then what InsertSplits and AppendTop check.

    Source: insert_splits.cpp, net.cpp
    """
    net = text_format.Parse(text, NetParameter())
    written: dict[str, tuple[int, int]] = {}
    source: dict[tuple[int, int], tuple[int, int]] = {}
    uses: dict[tuple[int, int], int] = {}
    for i, layer in enumerate(net.layer):
        for j, bottom in enumerate(layer.bottom):
            if bottom not in written:
                return f"unknown bottom {bottom}"
            source[i, j] = written[bottom]
            uses[written[bottom]] = uses.get(written[bottom], 0) + 1
        for j, top in enumerate(layer.top):
            written[top] = i, j
    made: set[str] = set()
    for i, layer in enumerate(net.layer):
        bottoms = [b if uses[source[i, j]] == 1 else f"{b}_split" for j, b in enumerate(layer.bottom)]
        for j, top in enumerate(layer.top):
            in_place = j < len(bottoms) and bottoms[j] == top
            if not in_place and top in made:
                return f"top {top} produced by multiple sources"
            made.add(top)
    return ""


def again(net: Net, weights: bool = True) -> Net:
    """Saved, checked as Caffe checks it, and loaded."""
    with tempfile.TemporaryDirectory() as folder:
        prototxt, caffemodel = Path(folder) / "net.prototxt", Path(folder) / "net.caffemodel"
        save_caffe(net, prototxt, caffemodel if weights else None)
        assert caffe_accepts(prototxt.read_text()) == ""
        return netsurgery.load(prototxt, caffemodel if weights else None)


IN_PLACE = """name: "small net"

# --- the input

# where it starts
layer {
    name: 'data' type: "Input" top: "data"   # four sizes
    input_param { shape { dim: 1 dim: 2 dim: 3 dim: 3 } }
}
layer { name: "conv" type: "Convolution" bottom: "data" top: "conv" convolution_param { num_output: 2 kernel_size: 2 } }
layer { name: "relu" type: "ReLU" bottom: "conv" top: "conv" }
layer { name: "drop" type: "Dropout" bottom: "conv" top: "conv" }
layer { name: "fc" type: "InnerProduct" bottom: "conv" top: "fc"  # the answer
  inner_product_param { num_output: 2 }
}
"""
