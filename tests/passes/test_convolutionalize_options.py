"""InnerProduct read as Convolution: the numbers of hand-converted nets in real Caffe, the old net on every window, and every refusal."""

from __future__ import annotations

import numpy as np
import pytest
from fully_convolutional import conv, data, fc, layer, net, refusal, same_at_declared_size, same_on_windows

import netsurgery
from netsurgery import convolutionalize
from netsurgery.errors import NetsurgeryError
from netsurgery.net import Net

CHAIN = (data(1, 2, 6, 6), fc("fc6", "data", 4), fc("fc7", "fc6", 3), fc("fc8", "fc7", 2, "axis: -1"))


def test_only_some_are_converted() -> None:
    before = net(*CHAIN)
    made = convolutionalize(before, only=["fc6", "fc7"])
    assert [x.type for x in made.layers] == ["Input", "Convolution", "Convolution", "InnerProduct"]
    assert made.notes == (
        "InnerProduct became Convolution, with kernel: fc6 6x6, fc7 1x1",
        "'fc8' (InnerProduct): stays as it is, an InnerProduct",
    )
    same_at_declared_size(before, made)
    assert made.shapes({"data": (1, 2, 7, 7)})["fc7"] == (1, 3, 2, 2)


def test_only_refuses_what_cannot_follow() -> None:
    assert refusal(lambda: convolutionalize(net(*CHAIN), only=["fc7"])) == (
        "net.prototxt:3: layer 'fc7' (InnerProduct): its bottom 'fc6' is a flat vector (1, 4), since 'fc6' (InnerProduct) stays as it is\n"
        "  expected: a map (N, C, h, w), or what becomes one\n"
        "  fix: convert 'fc6', too (--only)"
    )


def test_only_refuses_other_layers() -> None:
    assert refusal(lambda: convolutionalize(net(*CHAIN, layer("p", "Softmax", "fc8", "p")), only=["p"])) == (
        "net.prototxt:5: layer 'p' (Softmax): is no InnerProduct\n  expected: InnerProduct layers (--only)"
    )
    with pytest.raises(NetsurgeryError) as error:
        convolutionalize(net(*CHAIN), only=["fc9"])
    assert str(error.value) == "net.prototxt:1: there is no layer 'fc9'\n  fix: did you mean 'fc8'?"


def test_rename_gives_layer_and_blob_new_names() -> None:
    made = convolutionalize(net(*CHAIN, layer("relu", "ReLU", "fc8", "fc8")), rename={"fc8": "fc8-conv"})
    assert made.blobs == ("data", "fc6", "fc7", "fc8-conv@fc8-conv", "fc8-conv")
    assert made["fc8-conv"].type == "Convolution"


def pooled(params: str, size: int = 6) -> Net:
    return net(
        data(1, 2, size, size),
        conv("conv", "data", 3),
        layer("pool", "Pooling", "conv", "pool", f"pooling_param {{ {params} }}"),
        layer("flat", "Flatten", "pool", "flat"),
        fc("fc", "flat", 4),
    )


def test_a_global_pooling_gives_one_answer_for_each_image() -> None:
    made = convolutionalize(pooled("pool: AVE global_pooling: true"))
    assert made.notes[1:] == (
        "'pool' (Pooling): takes in the whole map: one answer for each image, whatever its size (--sliding-pool lets it slide)",
    )
    assert made.shapes({"data": (1, 2, 9, 9)})["fc"] == (1, 4, 1, 1)
    same_at_declared_size(pooled("pool: AVE global_pooling: true"), made)


@pytest.mark.parametrize("kind", ["AVE", "MAX"])
@pytest.mark.parametrize(
    "params", ["global_pooling: true", "kernel_size: 4 stride: 4", "kernel_size: 5 stride: 3", "kernel_size: 4"]
)
def test_a_sliding_pool_has_a_kernel_of_the_map_and_stride_1(kind: str, params: str) -> None:
    before = pooled(f"pool: {kind} {params}")
    made = convolutionalize(before, sliding_pool=True)
    param = made["pool"].params.last("pooling_param")
    assert {(f.name, f.value) for f in param.fields} - {("stride", 1)} == {("pool", kind), ("kernel_size", 4)}
    same_at_declared_size(before, made)
    same_on_windows(before, made, "fc")


def test_a_fixed_pooling_of_the_whole_map_is_reported() -> None:
    assert convolutionalize(pooled("pool: AVE kernel_size: 4")).notes[1:] == (
        "'pool' (Pooling): takes in the whole map at the declared size, and slides over a larger one",
    )
    assert convolutionalize(pooled("pool: AVE kernel_size: 4 stride: 4")).notes[1:] == (
        "'pool' (Pooling): takes in the whole map at the declared size, and moves by 4x4 over a larger one: one answer for each image "
        "unless it is much larger (--sliding-pool lets it move by 1)",
    )
    assert convolutionalize(pooled("pool: AVE kernel_size: 4 stride: 4"), sliding_pool=True).notes[1:] == (
        "'pool' (Pooling): slides now, with a kernel of 4x4 and stride 1",
    )


def test_a_sliding_pool_in_a_net_without_innerproduct() -> None:
    before = net(
        data(1, 2, 6, 6),
        conv("conv", "data", 3),
        layer("pool", "Pooling", "conv", "pool", "pooling_param { pool: AVE global_pooling: true }"),
        layer("prob", "Softmax", "pool", "prob"),
    )
    assert convolutionalize(before) is before
    made = convolutionalize(before, sliding_pool=True)
    same_on_windows(before, made, "prob")


SQUEEZE = (
    data(1, 2, 6, 6),
    conv("conv", "data", 3),
    layer("squeeze", "Pooling", "conv", "squeeze", "pooling_param { pool: AVE global_pooling: true }"),
    fc("fc1", "squeeze", 3),
    layer("gate", "Sigmoid", "fc1", "gate"),
    layer("excite", "Scale", "conv gate", "excite", "scale_param { axis: 0 }"),
    layer("pool", "Pooling", "excite", "pool", "pooling_param { pool: AVE global_pooling: true }"),
    fc("fc", "pool", 4),
)


def test_squeeze_and_excitation_weighs_the_map_by_the_whole_image() -> None:
    """A gate is one vector for each image at every size: it is made flat again for the Scale that wants it so."""
    before = net(*SQUEEZE)
    made = convolutionalize(before, sliding_pool=True)
    assert made["excite"].bottoms == ("conv", "gate_flat")
    assert made.notes[1:] == (
        "'squeeze' (Pooling): looks at the whole map: answers depend on the whole image, not on their window of it alone",
        "'pool' (Pooling): slides now, with a kernel of 4x4 and stride 1",
    )
    same_at_declared_size(before, made)
    image = np.random.default_rng(0).normal(size=(1, 2, 8, 8))
    got = netsurgery.run(made, {"data": image}, dtype=np.float64)
    assert got["fc"].shape == (1, 4, 3, 3)
    gated = got["conv"] * got["gate_flat"][:, :, None, None]
    np.testing.assert_allclose(got["pool"][0, :, 0, 2], gated[0, :, :4, 2:6].mean((1, 2)), rtol=1e-12)


def test_one_answer_for_each_image_may_meet_a_flat_vector() -> None:
    before = net(
        data(1, 2, 6, 6),
        data(1, 5, name="meta"),
        layer("pool", "Pooling", "data", "pool", "pooling_param { pool: MAX global_pooling: true }"),
        fc("a", "pool", 3),
        layer("cat", "Concat", "a meta", "cat"),
        fc("b", "cat", 2),
    )
    made = convolutionalize(before)
    assert made.notes[1] == "'b' (InnerProduct): stays as it is, an InnerProduct"
    same_at_declared_size(before, made)
    assert made.shapes({"data": (1, 2, 9, 9)})["b"] == (1, 2)
