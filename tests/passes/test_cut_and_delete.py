"""Each pass: a prototxt in, a prototxt out; and the text of each refusal."""

from __future__ import annotations

import numpy as np
from operated import CONV, DATA, DROP, FC, POOL, PROB, RELU, both, net, refusal, values

import netsurgery
from netsurgery import passes
from netsurgery.errors import NetsurgeryError
from netsurgery.formats.load import from_text


def test_cut_keeps_what_computes_a_blob() -> None:
    both(passes.cut(net(), ["pool"]), DATA + CONV + RELU + DROP + POOL)


def test_cut_from_a_blob_makes_it_an_input() -> None:
    made = passes.cut(net(), start=["pool"])
    data = 'layer { name: "pool" type: "Input" top: "pool" input_param { shape { dim: 1 dim: 4 dim: 3 dim: 3 } } }\n'
    both(made, data + FC + PROB)
    want = netsurgery.run(net(), {"data": np.random.default_rng(0).normal(size=(1, 3, 6, 6)).astype(np.float32)})
    np.testing.assert_array_equal(values(made, "prob", {"pool": want["pool"]}), want["prob"])


def test_cut_from_an_earlier_version_of_a_blob() -> None:
    made = passes.cut(net(), ["pool"], start=["conv@conv"])
    data = 'layer { name: "conv" type: "Input" top: "conv" input_param { shape { dim: 1 dim: 4 dim: 4 dim: 4 } } }\n'
    both(made, data + RELU + DROP + POOL)


def test_cut_refusals() -> None:
    assert refusal(lambda: passes.cut(net(), ["pol"]), NetsurgeryError) == (
        "net.prototxt:1: there is no blob 'pol'\n  fix: did you mean 'pool'?"
    )
    assert refusal(lambda: passes.cut(net(), start=["prob"])) == (
        "net.prototxt:1: nothing is left of the net behind 'prob'\n"
        "  expected: a blob that other layers read\n"
        "  fix: cut at a blob further up"
    )
    shapeless = from_text(
        'input: "x"\n' + 'layer { name: "r" type: "ReLU" bottom: "x" top: "r" }\n' + PROB.replace("fc", "r"),
        "n.prototxt",
    )
    assert refusal(lambda: passes.cut(shapeless, start=["r"])) == (
        "n.prototxt:2: layer 'r' (ReLU): the shape of 'r' does not follow from the net's inputs\n"
        "  expected: a blob whose shape is known at the declared input size\n"
        "  fix: shapes={'r': (1, ...)} in Python"
    )
    given_shape = passes.cut(shapeless, start=["r"], shapes={"r": (1, 5)})
    assert given_shape.inputs == {"r": (1, 5)}
    sliced = (
        DATA + 'layer { name: "s" type: "Slice" bottom: "data" top: "a" top: "b" slice_param { slice_point: 1 } }\n'
    )
    sliced += (
        'layer { name: "r" type: "ReLU" bottom: "a" top: "r" }\nlayer { name: "t" type: "TanH" bottom: "b" top: "t" }\n'
    )
    sliced += 'layer { name: "c" type: "Concat" bottom: "r" bottom: "t" top: "c" }\n'
    assert refusal(lambda: passes.cut(from_text(sliced, "s.prototxt"), start=["a"])) == (
        "s.prototxt:2: layer 's' (Slice): writes 'a', which is to be an input, and 'b', which is still needed\n"
        "  fix: make 'b' an input as well"
    )


def test_delete_splices() -> None:
    both(passes.delete(net(), "drop"), DATA + CONV + RELU + POOL + FC + PROB)
    both(net().without("relu", "drop"), DATA + CONV + POOL + FC + PROB)
    both(
        net().without("pool").without("fc"), DATA + CONV + RELU + DROP + PROB.replace('bottom: "fc"', 'bottom: "conv"')
    )
    both(net().without("prob"), DATA + CONV + RELU + DROP + POOL + FC)


def test_delete_refusals() -> None:
    assert refusal(lambda: passes.delete(net(), "data")) == (
        "net.prototxt:1: layer 'data' (Input): cannot be deleted: layer 'conv' (Convolution) reads it, and would not know what to "
        "read instead\n"
        "  expected: a layer of one bottom, not 0\n"
        "  fix: delete the layers that read it first, or cut the net"
    )
    assert refusal(lambda: passes.delete(net(), "dorp"), NetsurgeryError) == (
        "net.prototxt:1: there is no layer 'dorp'\n  fix: did you mean 'drop'?"
    )
