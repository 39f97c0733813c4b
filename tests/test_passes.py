"""Each pass: a prototxt in, a prototxt out; and the text of each refusal."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_nets import small_nets, with_random_weights

import netsurgery
from netsurgery import passes
from netsurgery.difference import diff
from netsurgery.errors import NetsurgeryError, RewriteError, ShapeError, WeightsError
from netsurgery.formats.load import from_text
from netsurgery.formats.save import save_caffe, to_prototxt
from netsurgery.net import Net

DATA = 'layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 1 dim: 3 dim: 6 dim: 6 } } }\n'
CONV = 'layer { name: "conv" type: "Convolution" bottom: "data" top: "conv" convolution_param { num_output: 4 kernel_size: 3 } }\n'
RELU = 'layer { name: "relu" type: "ReLU" bottom: "conv" top: "conv" }\n'
DROP = 'layer { name: "drop" type: "Dropout" bottom: "conv" top: "conv" }\n'
POOL = 'layer { name: "pool" type: "Pooling" bottom: "conv" top: "pool" pooling_param { pool: MAX kernel_size: 2 } }\n'
FC = 'layer { name: "fc" type: "InnerProduct" bottom: "pool" top: "fc" inner_product_param { num_output: 2 } }\n'
PROB = 'layer { name: "prob" type: "Softmax" bottom: "fc" top: "prob" }\n'
NET = DATA + CONV + RELU + DROP + POOL + FC + PROB


def net() -> Net:
    return with_random_weights(from_text(NET, "net.prototxt"))


def both(made: Net, text: str) -> None:
    """`made` is the net that `text` describes, apart from its weights; and it can be written and read again."""
    want = from_text(text)
    found = diff(from_text(to_prototxt(made)), want, training=True)
    assert not found.changed and not found.added and not found.removed, found.lines
    assert [x.name for x in made.layers] == [x.name for x in want.layers]
    assert made.blobs == want.blobs


def refusal(call: Callable[[], object], kind: type[NetsurgeryError] = RewriteError) -> str:
    with pytest.raises(kind) as error:
        call()
    return str(error.value)


def values(made: Net, blob: str, feeds: dict[str, np.ndarray] | None = None) -> np.ndarray:
    rng = np.random.default_rng(3)
    given = feeds or {k: rng.normal(size=s).astype(np.float32) for k, s in made.inputs.items() if s}
    return netsurgery.run(made, given, [blob])[blob]


# --- cut


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


# --- delete, insert, rename


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


@settings(max_examples=40, deadline=None)
@given(small_nets(), st.data())
def test_operations_and_their_inverses_are_the_identity(original: Net, data: st.DataObject) -> None:
    name = data.draw(st.sampled_from([x.name for x in original.layers]))
    blob = data.draw(st.sampled_from([b for b in original.blobs if "@" not in b]))
    assert not diff(original.renamed({name: "other"}).renamed({"other": name}), original)
    assert not diff(original.renamed(blobs={blob: "other"}).renamed(blobs={"other": blob}), original)
    if original[name].tops and original[name].type != "Input":
        sig = passes.insert(original, 'layer { name: "extra" type: "Sigmoid" }', after=name)
        assert diff(sig, original)
        back = sig.without("extra")
        assert not diff(back, original) and back.blobs == original.blobs
    weighted = [x for x in original.layers if x.weights]
    if weighted:
        layer = data.draw(st.sampled_from(weighted))
        other = passes.set_weights(original, layer.name, 0, layer.weights[0] + 1)
        assert diff(other, original)
        assert not diff(passes.set_weights(other, layer.name, 0, layer.weights[0]), original)
        assert not diff(passes.transplant(other, original), original)


# --- weights


def test_transplant_by_name_and_by_mapping(tmp_path: Path) -> None:
    donor = with_random_weights(from_text(NET.replace("fc", "answer")), seed=5)
    save_caffe(donor, tmp_path / "d.prototxt", tmp_path / "d.caffemodel")
    made = passes.transplant(net(), tmp_path / "d.caffemodel")
    np.testing.assert_array_equal(made["conv"].weights[0], donor["conv"].weights[0])
    np.testing.assert_array_equal(made["fc"].weights[0], net()["fc"].weights[0])
    assert made.notes[-1] == f"transplant: weights of 1 layer taken from {tmp_path / 'd.caffemodel'}: conv"
    made = passes.transplant(net(), donor, {"fc": "answer"})
    np.testing.assert_array_equal(made["fc"].weights[0], donor["answer"].weights[0])
    as_conv = NET.replace(
        FC,
        'layer { name: "fc-conv" type: "Convolution" bottom: "pool" top: "fc" convolution_param { num_output: 2 kernel_size: 3 } }\n',
    )
    made = passes.transplant(with_random_weights(from_text(as_conv), 3), net(), {"fc-conv": "fc", "conv": "conv"})
    assert made["fc-conv"].weights[0].shape == (2, 4, 3, 3)
    np.testing.assert_allclose(values(made, "prob").ravel(), values(net(), "prob").ravel(), rtol=1e-5)


def test_transplant_refusals() -> None:
    donor = with_random_weights(from_text(NET.replace("num_output: 2", "num_output: 3").replace('"net"', '"d"')), 5)
    assert refusal(lambda: passes.transplant(net(), donor, {"fc": "fd"}), WeightsError) == (
        "<net>: there is no layer 'fd' with weights\n  expected: one of: conv, fc"
    )
    assert refusal(lambda: passes.transplant(net(), donor), WeightsError) == (
        "net.prototxt:6: layer 'fc' (InnerProduct): the blobs of 'fc' in <net> have shapes 3x36, 3\n"
        "  expected: as many numbers as in 2x36, 2\n"
        "  fix: leave the layer out: map the layers to take, LAYER=LAYER_OF_THE_FILE"
    )
    other = donor.renamed({"conv": "a", "fc": "b"})
    assert refusal(lambda: passes.transplant(net(), other), WeightsError) == (
        "<net>: no layer of the net has a name that is in this file\n  fix: map layers: LAYER=LAYER_OF_THE_FILE"
    )


def test_set_weights_and_shared_parameters() -> None:
    shared = DATA + "".join(
        f'layer {{ name: "c{i}" type: "Convolution" bottom: "data" top: "c{i}" param {{ name: "w" }} param {{ name: "b" }} '
        f"convolution_param {{ num_output: 1 kernel_size: 1 }} }}\n"
        for i in (1, 2)
    )
    made = passes.set_weights(with_random_weights(from_text(shared)), "c1", 0, np.ones((1, 3, 1, 1)))
    assert made["c2"].weights[0].tolist() == [[[[1.0]], [[1.0]], [[1.0]]]]
    assert made["c1"].weights[0].dtype == np.float32


def test_set_weights_refusals() -> None:
    assert refusal(lambda: passes.set_weights(net(), "conv", 2, [1.0]), WeightsError) == (
        "net.prototxt:2: layer 'conv' (Convolution): has no blob 2\n  expected: 2 blobs: 4x3x3x3, 4"
    )
    assert refusal(lambda: passes.set_weights(net(), "conv", 1, [1.0]), WeightsError) == (
        "net.prototxt:2: layer 'conv' (Convolution): blob 1 was given the shape 1\n  expected: 4"
    )
    assert refusal(lambda: passes.set_weights(net(), "conv", 1, [1j] * 4), WeightsError) == (
        "net.prototxt:2: layer 'conv' (Convolution): blob 1 was given values of type complex128\n  expected: real numbers"
    )
    bare = from_text(NET, "net.prototxt")
    assert refusal(lambda: passes.set_weights(bare, "conv", 1, [1.0] * 4), WeightsError) == (
        "net.prototxt:2: layer 'conv' (Convolution): was given no blob 0, and has none yet\n"
        "  expected: all of its blobs: 4x3x3x3, 4"
    )


@pytest.mark.parametrize("suffix", [".npz", ".safetensors"])
def test_weights_can_be_dumped_and_loaded(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"w{suffix}"
    assert passes.dump_weights(net(), path) is not None
    blank = with_random_weights(from_text(NET), 9)
    assert diff(blank, net())
    found = diff(passes.load_weights(blank, path), net())
    assert not found and found.equal_blobs == 4
    path.write_bytes(path.read_bytes()[:100])
    assert f"{path}: cannot be read: " in refusal(lambda: passes.load_weights(net(), path), WeightsError)


def test_weight_files_refusals(tmp_path: Path) -> None:
    assert refusal(lambda: passes.dump_weights(net(), "w.bin"), NetsurgeryError) == (
        "w.bin: is neither .npz nor .safetensors\n  expected: a name that ends in one of the two"
    )
    path = tmp_path / "w.npz"
    np.savez(path, **{"other:0": np.ones(1)})
    assert refusal(lambda: passes.load_weights(net(), path), WeightsError) == (
        f"{path}: array 'other:0' is no blob of the net\n  expected: arrays named layer:number, such as conv1:0"
    )
    missing = tmp_path / "no.npz"
    assert refusal(lambda: passes.load_weights(net(), missing), WeightsError) == (
        f"{missing}: cannot be read: No such file or directory\n  expected: a .npz file of arrays"
    )


def test_safetensors_without_its_package(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    passes.dump_weights(net(), tmp_path / "w.safetensors")
    monkeypatch.setitem(sys.modules, "safetensors", None)
    assert refusal(lambda: passes.load_weights(net(), tmp_path / "w.safetensors"), NetsurgeryError) == (
        f"{tmp_path / 'w.safetensors'}: reading .safetensors needs the package safetensors\n"
        "  fix: pip install 'netsurgery[safetensors]'"
    )


# --- folds


NORM = (
    DATA
    + CONV
    + """layer { name: "bn" type: "BatchNorm" bottom: "conv" top: "conv" }
layer { name: "scale" type: "Scale" bottom: "conv" top: "conv" scale_param { bias_term: true } }
"""
)


def test_fold_scale() -> None:
    normal = with_random_weights(from_text(NORM))
    made = passes.fold_scale(normal)
    both(made, DATA + CONV.replace("kernel_size: 3", "kernel_size: 3 bias_term: true"))
    np.testing.assert_allclose(values(made, "conv"), values(normal, "conv"), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("swap", [False, True])
@pytest.mark.parametrize("first", ["conv", "grouped", "fc", "transposed"])
def test_fold_preprocessing(first: str, swap: bool) -> None:
    text = {
        "conv": NET,
        "grouped": NET.replace("num_output: 4 kernel_size: 3", "num_output: 6 kernel_size: 3 group: 3"),
        "fc": DATA + FC.replace("pool", "data"),
        "transposed": DATA + FC.replace("pool", "data").replace("num_output: 2", "num_output: 2 transpose: true"),
    }[first]
    model = with_random_weights(from_text(text, "n.prototxt"))
    if swap and first == "grouped":
        assert refusal(lambda: passes.fold_preprocessing(model, swap_channels=True)) == (
            "n.prototxt:2: layer 'conv' (Convolution): reads the input and cannot take this in\n"
            "  expected: first layers that are Convolutions or InnerProducts with weights (without groups for swapped channels)\n"
            "  fix: do the preprocessing before the net"
        )
        return
    mean = (104.0, 117.0, 123.0)
    made = passes.fold_preprocessing(model, mean=mean, scale=0.017, swap_channels=swap)
    image = np.random.default_rng(0).integers(0, 255, (1, 3, 6, 6)).astype(np.float32)
    prepared = ((image[:, ::-1] if swap else image) - np.reshape(mean, (1, 3, 1, 1))).astype(np.float32) * np.float32(
        0.017
    )
    np.testing.assert_allclose(values(made, "fc", {"data": image}), values(model, "fc", {"data": prepared}), rtol=1e-4)
    both(made, text)


def test_fold_preprocessing_refusals() -> None:
    padded = with_random_weights(from_text(NET.replace("kernel_size: 3", "kernel_size: 3 pad: 1"), "p.prototxt"))
    assert refusal(lambda: passes.fold_preprocessing(padded, mean=[100])) == (
        "p.prototxt:2: layer 'conv' (Convolution): pads its bottom with zeros, which stand for the mean; with the mean folded in they "
        "stand for black, and what is computed at the borders changes\n"
        "  expected: a first convolution without padding\n"
        "  fix: subtract the mean before the net, or accept it: inexact_borders=True (inexact-borders on the command line)"
    )
    assert passes.fold_preprocessing(padded, mean=[100], inexact_borders=True)
    image = np.random.default_rng(0).normal(size=(1, 3, 6, 6)).astype(np.float32)
    scaled = passes.fold_preprocessing(padded, scale=2, swap_channels=True)  # exact: zero stays zero
    np.testing.assert_allclose(
        values(scaled, "prob", {"data": image}), values(padded, "prob", {"data": image[:, ::-1] * 2}), rtol=1e-4
    )
    assert refusal(lambda: passes.fold_preprocessing(padded, mean=[1, 2]), ShapeError) == (
        "p.prototxt:1: 2 mean values\n  expected: 1 or 3: one for each channel"
    )
    assert refusal(lambda: passes.fold_preprocessing(padded, blob="conv")) == (
        "p.prototxt:1: 'conv' is no input of known shape with channels\n  expected: one of: data"
    )
    relu = from_text(DATA + 'layer { name: "r" type: "ReLU" bottom: "data" top: "r" }', "r.prototxt")
    assert refusal(lambda: passes.fold_preprocessing(relu, scale=2)).startswith(
        "r.prototxt:2: layer 'r' (ReLU): reads the input and cannot take this in\n"
    )
    two = from_text(DATA + DATA.replace('"data"', '"more"'), "t.prototxt")
    assert refusal(lambda: passes.fold_preprocessing(two, scale=2)) == (
        "t.prototxt:1: the net has 2 inputs\n  expected: blob=...: one of data, more"
    )


@pytest.mark.parametrize("type", ["Convolution", "Deconvolution"])
def test_unfold_groups(type: str) -> None:
    text = (NET.split(POOL)[0]).replace("num_output: 4", "num_output: 6 group: 3").replace("Convolution", type)
    grouped = with_random_weights(from_text(text, "g.prototxt"))
    made = passes.unfold_groups(grouped, ["conv"])
    both(made, text.replace(" group: 3", ""))
    np.testing.assert_allclose(values(made, "conv"), values(grouped, "conv"), rtol=1e-5, atol=1e-6)
    assert refusal(lambda: passes.unfold_groups(made, ["conv"])) == (
        f"g.prototxt:2: layer 'conv' ({type}): has no groups\n  expected: a convolution with group above 1"
    )
    assert not diff(passes.unfold_groups(made), made)


# --- shapes and outputs


def test_set_input_shape() -> None:
    whole = with_random_weights(from_text(DATA + CONV + POOL, "n.prototxt"))
    both(
        passes.set_input_shape(whole, "data", (2, 3, 9, 7)),
        (DATA + CONV + POOL).replace("dim: 1 dim: 3 dim: 6 dim: 6", "dim: 2 dim: 3 dim: 9 dim: 7"),
    )
    assert not diff(
        passes.set_input_shape(passes.set_input_shape(whole, "data", (2, 3, 9, 7)), "data", (1, 3, 6, 6)), whole
    )


def test_set_input_shape_refusals() -> None:
    assert refusal(lambda: passes.set_input_shape(net(), "data", (1, 3, 8, 8)), ShapeError) == (
        "net.prototxt:6: layer 'fc' (InnerProduct): would want blobs of shapes 2x100, 2 with input 'data' of 1x3x8x8\n"
        "  expected: 2x36, 2, the weights that it has\n"
        "  fix: make the net fully convolutional first (--fully-convolutional)"
    )
    assert refusal(lambda: passes.set_input_shape(net(), "data", (1, 0, 8, 8)), ShapeError) == (
        "input 'data' was given the shape (1, 0, 8, 8)\n  expected: whole numbers from 1 on"
    )
    assert refusal(lambda: passes.set_input_shape(net(), "conv", (1,)), NetsurgeryError) == (
        "net.prototxt:4: layer 'drop' (Dropout): 'conv' is no input\n  expected: one of: data"
    )


def test_change_num_output() -> None:
    text = NET.replace("num_output: 2", 'num_output: 2 weight_filler { type: "uniform" min: 2 max: 3 }')
    old = with_random_weights(from_text(text, "net.prototxt"))
    made = passes.change_num_output(old, "fc", 5)
    both(made, text.replace("num_output: 2", "num_output: 5"))
    weight, bias = made["fc"].weights
    assert weight.shape == (5, 36) and 2 <= weight.min() < weight.max() <= 3
    assert bias.tolist() == [0] * 5
    assert not diff(made, passes.change_num_output(old, "fc", 5))
    assert diff(made, passes.change_num_output(old, "fc", 5, seed=1))
    assert values(made, "prob").shape == (1, 5)
    bare = passes.change_num_output(from_text(NET), "conv", 8)
    assert bare["conv"].kind.num_output == 8 and not bare["conv"].weights


def test_change_num_output_refusals() -> None:
    assert refusal(lambda: passes.change_num_output(net(), "conv", 8)) == (
        "net.prototxt:6: layer 'fc' (InnerProduct): reads what layer 'conv' (Convolution) computes, and its weights fit the 4 outputs "
        "that it has\n"
        "  expected: blobs of shapes 2x72, 2, not 2x36, 2\n"
        "  fix: change the last layer with weights, or cut the net before this layer"
    )
    assert refusal(lambda: passes.change_num_output(net(), "relu", 8)) == (
        "net.prototxt:3: layer 'relu' (ReLU): has no num_output\n  expected: a layer such as Convolution or InnerProduct"
    )
    bare = from_text('input: "pool"\n' + FC, "bare.prototxt")
    unsized = bare.with_layers(replace(x, weights=net()["fc"].weights) if x.name == "fc" else x for x in bare.layers)
    assert refusal(lambda: passes.change_num_output(unsized, "fc", 8)) == (
        "bare.prototxt:2: layer 'fc' (InnerProduct): the shapes of its bottoms are not known\n"
        "  fix: declare the shapes of the inputs"
    )
    assert refusal(lambda: passes.change_num_output(net(), "fc", 0), NetsurgeryError).startswith(
        "net.prototxt:6: layer 'fc' (InnerProduct): num_output is 0\n"
    )


def test_every_pass_is_listed() -> None:
    assert passes.__all__ == sorted(passes.__all__)
    for name in passes.__all__:
        assert callable(getattr(passes, name)) and getattr(passes, name).__doc__
