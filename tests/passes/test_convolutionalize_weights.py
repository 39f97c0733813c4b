"""The weights of an InnerProduct that is read as Convolution are the ones that it had."""

from __future__ import annotations

import cases
import numpy as np
from fully_convolutional import SHARED, conv, data, fc, net, same_at_declared_size, same_on_windows

import netsurgery
from netsurgery import convolutionalize
from netsurgery.formats.load import from_text


def test_weights_are_the_same_bytes() -> None:
    before = net(data(1, 2, 6, 6), fc("a", "data", 3), fc("b", "a", 2))
    made = convolutionalize(before)
    for name, shape in (("a", (3, 2, 6, 6)), ("b", (2, 3, 1, 1))):
        assert made[name].weights[0].shape == shape
        assert np.shares_memory(made[name].weights[0], before[name].weights[0])
        assert made[name].weights[1] is before[name].weights[1]


def test_weights_from_a_file_still_point_into_it() -> None:
    case = next(c for c in cases.find("conformance/surgery") if c.name == "lenet")
    before = cases.load(case)
    for ours, old in zip(convolutionalize(before).layers, before.layers, strict=True):
        for new, stored in zip(ours.weights, old.weights, strict=True):
            assert np.shares_memory(new, stored)
            assert not new.flags.writeable


def test_transposed_weights_are_copied() -> None:
    before = net(data(1, 2, 5, 5), fc("fc", "data", 3, "transpose: true"))
    made = convolutionalize(before)
    assert not np.shares_memory(made["fc"].weights[0], before["fc"].weights[0])
    same_at_declared_size(before, made)
    same_on_windows(before, made, "fc")


def test_shared_weights_stay_one_array() -> None:
    before = net(
        data(1, 2, 6, 6),
        conv("one", "data", 2, 2),
        conv("two", "data", 2, 2),
        fc("p", "one", 3, params=SHARED),
        fc("q", "two", 3, params=SHARED),
    )
    shared = before.with_weights("q", *before["p"].weights)
    made = convolutionalize(shared)
    assert made["p"].weights[0] is made["q"].weights[0]
    assert np.shares_memory(made["p"].weights[0], before["p"].weights[0])
    assert [i.name for i in netsurgery.to_onnx(made).graph.initializer].count("p.weight") == 1


def test_a_net_without_weights_is_converted_too() -> None:
    made = convolutionalize(from_text(data(1, 2, 6, 6) + fc("fc", "data", 3)))
    assert made["fc"].weights == ()
    assert made.shapes({"data": (1, 2, 8, 8)})["fc"] == (1, 3, 3, 3)
