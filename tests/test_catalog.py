"""What `netsurgery layers` says of each type."""

from __future__ import annotations

import re
from functools import cache

import onnx
import pytest

from netsurgery.catalog import Entry, describe, entries
from netsurgery.layers import FILES, find, names
from netsurgery.layers.core.layer_type import LayerType

WHOSE = re.compile(r"\w/\w|\bof \w|\(\w")
"""A repository, or whose file it is."""


@cache
def catalog() -> dict[str, Entry]:
    return {entry.type: entry for entry in entries()}


def test_every_type_has_an_entry_that_says_something() -> None:
    assert [name for name in catalog() if name in FILES] == [name for name in names() if name in FILES] and len(
        FILES
    ) > 100
    for entry in (catalog()[name] for name in FILES):
        assert entry.computes, entry.type
        assert entry.source, entry.type
        assert entry.origin in ("BVLC", "SSD", "fork")
        unknown = [name for name in entry.onnx if not onnx.defs.has(name)]
        assert not unknown, (entry.type, unknown)


@pytest.mark.parametrize(
    ("type", "origin", "held", "operators"),
    [
        ("Convolution", "BVLC", "numbers", {"Conv"}),
        ("Eltwise", "BVLC", "numbers", {"Sum", "Sub", "Mul"}),
        ("PriorBox", "SSD", "numbers", {"Concat"}),
        ("ChannelNorm", "fork", "numbers", {"ReduceSum", "Sqrt"}),
        ("GELU", "fork", "formula", {"Tanh"}),
        ("FlowWarp", "fork", "numbers", {"GatherElements"}),
        ("ConvLSTM", "fork", "numbers", {"Scan", "Conv"}),
        ("Split", "BVLC", "numbers", set()),
    ],
)
def test_entries(type: str, origin: str, held: str, operators: set[str]) -> None:
    entry = catalog()[type]
    assert (entry.origin, entry.held) == (origin, held)
    assert operators <= set(entry.onnx)
    assert entry.caffe2


def test_the_list_says_whose_each_layer_is() -> None:
    assert catalog()["Warp"].whose == "warp_layer.cu of PWC-Net"
    assert catalog()["ReLU"].whose == "BVLC" and catalog()["PriorBox"].whose == "SSD"
    vague = {name for name in FILES if catalog()[name].origin == "fork" and not WHOSE.search(catalog()[name].whose)}
    assert not vague, "the line Source: of these classes must say whose file it is: swish_layer.cpp of somebody/caffe"


def test_caffe2_is_said_as_it_is() -> None:
    without = {name for name, entry in catalog().items() if not entry.caffe2}
    assert {"HyperColumns"} <= without
    assert not without & {"ReLU", "Convolution", "Data", "Dropout", "ChannelNorm"}
    for name in without:
        cls = find(name)
        assert cls is not None
        assert cls.emit_caffe2 is LayerType.emit_caffe2


def test_a_layer_of_ones_own() -> None:
    class Same(LayerType):
        """y = max(x, x)

        Source: nowhere
        """

        types = ("Same",)

        def emit(self, op, bottoms, weights):  # type: ignore[no-untyped-def]
            return [op("Max", bottoms[0], bottoms[0])]

    entry = describe("Same", Same)
    assert (entry.origin, entry.onnx, entry.caffe2, entry.source) == ("your own", ("Max",), False, "nowhere")
