"""What the cases of fixtures/ lack: ranks, edge cases and refusals of layers/convolution.py."""

from __future__ import annotations

import numpy as np
import pytest
from one_layer import agree, make, numbers, one, refusal
from small_nets import with_random_weights

import netsurgery
from netsurgery.errors import ShapeError
from netsurgery.layers.core.tiles import CACHE, THREADS, tiles


@pytest.mark.parametrize("type", ["Convolution", "Deconvolution", "DepthwiseConvolution"])
@pytest.mark.parametrize(
    ("axis", "shape"), [(0, (3, 2, 6, 7)), (1, (2, 4, 6, 7)), (2, (2, 2, 5, 7)), (3, (2, 2, 6, 8))]
)
def test_bottoms_of_a_convolution_have_one_shape(type: str, axis: int, shape: tuple[int, ...]) -> None:
    params = "convolution_param { num_output: 2 kernel_size: 3 }"
    net = make(one(type, params, ("a", "b"), ("y", "z")), a=(2, 2, 6, 7), b=shape)
    expected = (2, 2, 6, 7)[axis]
    text = (
        f"net.prototxt:3: layer 'y' ({type}): axis {axis} of bottom 1, that of bottom 0 being expected: {shape[axis]}\n"
        f"  expected: {expected}\n"
        '  fix: give each shape a layer of its own: those with the same names (param { name: "w" }) share weights'
    )
    assert refusal(lambda: net.shapes(), ShapeError) == text


def test_bottoms_of_a_convolution_have_one_rank() -> None:
    layer = one("Convolution", "convolution_param { num_output: 2 kernel_size: 3 }", ("a", "b"), ("y", "z"))
    text = "net.prototxt:3: layer 'y' (Convolution): bottom 1 has 3 axes: (2, 2, 6)\n  expected: 4 axes"
    assert refusal(lambda: make(layer, a=(2, 2, 6, 7), b=(2, 2, 6)).shapes(), ShapeError) == text


@pytest.mark.parametrize("type", ["Convolution", "Deconvolution"])
def test_bottoms_of_a_convolution_stay_free_together(type: str) -> None:
    layer = one(type, "convolution_param { num_output: 2 kernel_size: 3 }", ("a", "b"), ("y", "z"))
    net = make(layer, [numbers(2, 2, 3, 3), numbers(2)], a=(2, 2, 6, 7), b=(2, 2, 6, 7))
    for feed in agree(
        net, {"a": numbers(2, 2, 6, 7), "b": numbers(2, 2, 6, 7)}, {"a": numbers(1, 2, 9, 5), "b": numbers(1, 2, 9, 5)}
    ):
        assert feed["y"].shape == feed["z"].shape
    sizes = [
        [d.dim_param or d.dim_value for d in i.type.tensor_type.shape.dim] for i in netsurgery.to_onnx(net).graph.input
    ]
    assert sizes[0] == sizes[1]
    assert [isinstance(n, str) for n in sizes[0]] == [True, False, True, True]


@pytest.mark.parametrize(
    ("type", "shape", "params"),
    [
        ("Convolution", (2, 2, 5, 9), "num_output: 3 kernel_size: 7 stride: 3"),
        ("Convolution", (2, 2, 3, 4), "num_output: 4 group: 2 kernel_size: 3 dilation: 2 pad: 1 stride: 4"),
        ("Convolution", (1, 2, 4, 3, 3), "num_output: 3 kernel_size: 4 stride: 2"),
        ("DepthwiseConvolution", (1, 2, 5, 6), "num_output: 2 group: 2 kernel_size: 6 stride: 2"),
        ("Im2col", (2, 2, 5, 9), "kernel_size: 7 stride: 3"),
    ],
)
def test_a_kernel_may_reach_past_the_padding_by_less_than_a_stride(
    type: str, shape: tuple[int, ...], params: str
) -> None:
    """C's division rounds -2 / 3 up to 0: one position, which meets zeros outside."""
    layer = one(type, f"convolution_param {{ {params} }}")
    net = with_random_weights(make(layer, x=shape))
    wide = with_random_weights(make(layer, x=(*shape[:2], *(n + 3 for n in shape[2:]))))
    x, sizes = numbers(*shape), net.shapes()["y"]
    assert 1 in sizes[2:]
    got = agree(net, {"x": x})[0]["y"]
    padded = np.pad(x, [(0, 0), (0, 0), *[(0, 3)] * (len(shape) - 2)])
    want = netsurgery.run(wide, {"x": padded}, ["y"])["y"]
    np.testing.assert_allclose(got, want[tuple(slice(0, n) for n in sizes)], rtol=1e-5, atol=1e-5)


def test_a_kernel_that_reaches_past_the_padding_by_a_stride_has_no_position() -> None:
    net = make(one("Convolution", "convolution_param { num_output: 1 kernel_size: 7 stride: 2 }"), x=(1, 1, 5, 9))
    text = "net.prototxt:2: layer 'y' (Convolution): the kernel spans 7, the padded bottom 5\n  expected: a kernel that fits"
    assert refusal(lambda: net.shapes(), ShapeError) == text


def test_tiles_among_threads_compute_the_same() -> None:
    net = with_random_weights(
        make(one("Convolution", "convolution_param { num_output: 24 kernel_size: 5 }"), x=(2, 16, 90, 70))
    )
    feed = {"x": numbers(2, 16, 90, 70)}
    alone = netsurgery.run(net, feed)["y"]
    before = THREADS.set(3)
    try:
        together = netsurgery.run(net, feed)["y"]
    finally:
        THREADS.reset(before)
    assert np.array_equal(alone, together)
    assert len(list(tiles((2, 86, 66), CACHE // (4 * (16 * 25 + 24))))) > 1


@pytest.mark.parametrize(
    ("channels", "outputs", "group", "groups"),
    [
        (32, 32, 8, 2),
        (32, 32, 4, 2),
        (48, 48, 6, 3),
        (24, 24, 6, 6),  # no whole blocks
        (16, 32, 4, 4),  # more outputs than channels
        (48, 48, 4, 4),
        (16, 16, 16, 16),
        (8, 8, 1, 1),
    ],
)
def test_small_groups_are_joined_to_blocks_of_16_channels(channels: int, outputs: int, group: int, groups: int) -> None:
    w, b = numbers(outputs, channels // group, 3, 3) / 8, numbers(outputs)
    net = make(
        one(
            "Convolution",
            f"convolution_param {{ num_output: {outputs} kernel_size: 3 pad: 1 stride: 2 group: {group} }}",
        ),
        [w, b],
        x=(2, channels, 7, 6),
    )
    for plain, expected in ((False, groups), (True, group)):
        (node,) = netsurgery.to_onnx(net, plain=plain).graph.node
        assert [a.i for a in node.attribute if a.name == "group"] == [expected]
    agree(net, {"x": numbers(2, channels, 7, 6)}, {"x": numbers(1, channels, 9, 11)})


@pytest.mark.parametrize("size", [(9,), (4, 5, 6)])
def test_small_groups_stay_apart_where_there_are_no_blocks(size: tuple[int, ...]) -> None:
    """Of one spatial axis, or three."""
    params = "convolution_param { num_output: 16 kernel_size: 3 group: 4 bias_term: false }"
    net = make(one("Convolution", params), [numbers(16, 4, *[3] * len(size)) / 8], x=(2, 16, *size))
    (node,) = netsurgery.to_onnx(net).graph.node
    assert [a.i for a in node.attribute if a.name == "group"] == [4]
    agree(net, {"x": numbers(2, 16, *size)}, {"x": numbers(1, 16, *(n + 2 for n in size))})
