"""Each pass: a prototxt in, a prototxt out; and the text of each refusal."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from operated import DATA, FC, NET, net, refusal, values
from small_nets import small_nets, with_random_weights

from netsurgery import passes
from netsurgery.difference import diff
from netsurgery.errors import NetsurgeryError, WeightsError
from netsurgery.formats.load import from_text
from netsurgery.formats.save import save_caffe
from netsurgery.net import Net


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
