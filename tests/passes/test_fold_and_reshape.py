"""Each pass: a prototxt in, a prototxt out; and the text of each refusal."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from operated import CONV, DATA, FC, NET, POOL, both, net, refusal, values
from small_nets import with_random_weights

from netsurgery import passes
from netsurgery.difference import diff
from netsurgery.errors import NetsurgeryError, ShapeError
from netsurgery.formats.load import from_text

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
