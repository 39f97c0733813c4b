"""Each pass: a prototxt in, a prototxt out; and the text of each refusal."""

from __future__ import annotations

from operated import CONV, DATA, DROP, FC, NET, POOL, PROB, RELU, both, net, refusal

import netsurgery
from netsurgery import passes
from netsurgery.difference import diff
from netsurgery.errors import NetsurgeryError
from netsurgery.formats.load import from_text

SIGMOID = 'layer { name: "sig" type: "Sigmoid" bottom: "fc" top: "fc" }\n'


def test_insert_in_place() -> None:
    both(passes.insert(net(), SIGMOID, after="fc"), DATA + CONV + RELU + DROP + POOL + FC + SIGMOID + PROB)
    both(passes.insert(net(), SIGMOID, before="prob"), DATA + CONV + RELU + DROP + POOL + FC + SIGMOID + PROB)


def test_insert_between_versions() -> None:
    sig = 'layer { name: "sig" type: "Sigmoid" bottom: "conv" top: "conv" }\n'
    both(passes.insert(net(), sig, after="conv"), DATA + CONV + sig + RELU + DROP + POOL + FC + PROB)
    on_input = 'layer { name: "sig" type: "Sigmoid" bottom: "data" top: "data" }\n'
    both(passes.insert(net(), on_input, after="data"), DATA + on_input + CONV + RELU + DROP + POOL + FC + PROB)


def test_insert_a_branch() -> None:
    side = 'layer { name: "side" type: "TanH" bottom: "conv" top: "side" }\n'
    both(passes.insert(net(), side, after="drop"), DATA + CONV + RELU + DROP + side + POOL + FC + PROB)


def test_insert_without_blobs_puts_it_between() -> None:
    made = passes.insert(net(), 'layer { name: "sig" type: "Sigmoid" }', after="fc")
    both(made, DATA + CONV + RELU + DROP + POOL + FC + SIGMOID + PROB)
    made = passes.insert(net(), 'layer { name: "more" type: "Pooling" pooling_param { kernel_size: 1 } }', after="pool")
    more = 'layer { name: "more" type: "Pooling" bottom: "pool" top: "more" pooling_param { kernel_size: 1 } }\n'
    both(made, DATA + CONV + RELU + DROP + POOL + more + FC.replace('bottom: "pool"', 'bottom: "more"') + PROB)
    made = passes.insert(net(), 'layer { name: "sig" type: "Sigmoid" }', before="conv")
    on_input = 'layer { name: "sig" type: "Sigmoid" bottom: "data" top: "data" }\n'
    both(made, DATA + on_input + CONV + RELU + DROP + POOL + FC + PROB)


def test_insert_refusals() -> None:
    assert refusal(lambda: passes.insert(net(), SIGMOID), NetsurgeryError) == (
        "insert takes one place\n  expected: after=... or before=..."
    )
    assert refusal(lambda: passes.insert(net(), RELU, after="fc")) == (
        "net.prototxt:1: there is a layer 'relu' already\n  fix: give the new one another name"
    )
    assert refusal(lambda: passes.insert(net(), SIGMOID, before="pool")) == (
        "<layer>:1: layer 'sig' (Sigmoid): bottom 'fc' is not written by any layer before it\n  expected: one of: data, conv"
    )
    taken = 'layer { name: "x" type: "Sigmoid" bottom: "pool" top: "prob" }'
    assert refusal(lambda: passes.insert(net(), taken, after="pool")) == (
        "<layer>:1: layer 'x' (Sigmoid): top 'prob' is already written by layer 'prob' (Softmax)\n"
        "  expected: a name of its own, or that of its bottom (in place)"
    )
    pool = 'layer { name: "x" type: "Pooling" bottom: "pool" top: "pool" pooling_param { kernel_size: 1 } }'
    assert refusal(lambda: passes.insert(net(), pool, after="pool")) == (
        "<layer>:1: layer 'x' (Pooling): top 'pool' is also its bottom\n"
        "  expected: another top: Caffe's Pooling does not work in place"
    )
    silent = from_text(NET + 'layer { name: "end" type: "Silence" bottom: "prob" }', "net.prototxt")
    assert refusal(lambda: passes.insert(silent, 'layer { name: "x" type: "Sigmoid" }', after="end")) == (
        "<layer>:1: layer 'x' (Sigmoid): cannot be put behind layer 'end' (Silence): it has no top"
    )
    clash = 'layer { name: "prob" type: "Pooling" pooling_param { kernel_size: 1 } }'
    renamed = net().renamed(layers={"prob": "softmax"})
    assert refusal(lambda: passes.insert(renamed, clash, after="pool")) == (
        "<layer>:1: layer 'prob' (Pooling): top 'prob' is already written by layer 'softmax' (Softmax)\n"
        "  fix: give the layer another name, or write its bottom and top"
    )
    assert refusal(lambda: passes.insert(net(), RELU + DROP, after="fc"), NetsurgeryError) == (
        "<layer>:1: the text holds 2 layers\n"
        '  expected: one layer: layer { name: "relu9" type: "ReLU" bottom: "fc9" top: "fc9" }'
    )


def test_layer_refuses_what_is_no_layer() -> None:
    example = 'layer { name: "relu9" type: "ReLU" bottom: "fc9" top: "fc9" }'
    assert refusal(lambda: netsurgery.layer('name: "net" ' + RELU), NetsurgeryError) == (
        f"<layer>:1: the text holds more than a layer\n  expected: one layer: {example}"
    )
    assert refusal(lambda: netsurgery.layer('layer { type: "ReLU" }'), NetsurgeryError) == (
        '<layer>:1: the layer has no name\n  expected: name: "..."'
    )
    assert netsurgery.layer('layers { name: "r" type: RELU bottom: "x" top: "x" }').type == "ReLU"
    unknown = 'layer { name: "x" type: "Sigmoit" bottom: "fc" top: "fc" }'
    assert refusal(lambda: passes.insert(net(), unknown, after="fc"), NetsurgeryError) == (
        "<layer>:1: layer 'x' (Sigmoit): layer type 'Sigmoit' is not known\n"
        "  expected: a type that `netsurgery layers` lists\n"
        "  fix: did you mean 'Sigmoid'?"
    )


def test_with_layer_replaces_appends_and_inserts() -> None:
    made = net().with_layer(netsurgery.layer('layer { name: "log" type: "Log" bottom: "prob" top: "log" }'))
    both(made, NET + 'layer { name: "log" type: "Log" bottom: "prob" top: "log" }')
    made = net().with_layer(
        netsurgery.layer(
            'layer { name: "pool" type: "Pooling" bottom: "conv" top: "pool" pooling_param { kernel_size: 2 stride: 2 } }'
        )
    )
    assert diff(net(), made).lines[:1] == ["pool: pooling_param.stride: 1 -> 2"]
    made = net().with_layer(netsurgery.layer(SIGMOID), after="fc")
    both(made, DATA + CONV + RELU + DROP + POOL + FC + SIGMOID + PROB)


def test_rename() -> None:
    made = passes.rename(net(), {"conv": "c1"})
    both(made, NET.replace('"conv"', '"c1"'))
    assert [w.shape for w in made["c1"].weights] == [w.shape for w in net()["conv"].weights]
    both(
        net().renamed(layers={"conv": "c1", "relu": "r"}),
        NET.replace('name: "conv"', 'name: "c1"').replace('name: "relu"', 'name: "r"'),
    )
    both(
        net().renamed(blobs={"conv": "c1"}),
        NET.replace('top: "conv"', 'top: "c1"').replace('bottom: "conv"', 'bottom: "c1"'),
    )


def test_rename_refusals() -> None:
    assert refusal(lambda: net().renamed({"cnov": "x"}), NetsurgeryError) == (
        "net.prototxt:1: there is no layer and no blob 'cnov'\n  fix: did you mean 'conv'?"
    )
    assert refusal(lambda: net().renamed(layers={"conv": "fc"})) == (
        "net.prototxt:2: layer 'conv' (Convolution): cannot be renamed to 'fc': there is a layer of that name\n"
        "  fix: choose another name, or rename the other layer as well"
    )
    assert refusal(lambda: net().renamed(blobs={"pool": "fc"}), NetsurgeryError) == (
        "net.prototxt:6: layer 'fc' (InnerProduct): top 'fc' is already written by layer 'pool' (Pooling)\n"
        "  expected: one writer per blob (in-place layers name the same blob as bottom and top)\n"
        "  fix: give one of the two tops another name"
    )
