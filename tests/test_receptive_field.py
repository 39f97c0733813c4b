"""Where blobs look: AlexNet's known figures, and windows found by changing single pixels."""

from __future__ import annotations

from fractions import Fraction

import pytest
from windows import ALEXNET, data, layer, window

from netsurgery import convolutionalize, geometry
from netsurgery.errors import NetsurgeryError, ShapeError
from netsurgery.formats.load import from_text
from netsurgery.net import Net


def alexnet() -> Net:
    return from_text(ALEXNET, "alexnet.prototxt")


def test_alexnet_moves_by_32_pixels() -> None:
    found = geometry(convolutionalize(alexnet()), "fc7")
    assert (found.blob, found.input, found.declared, found.positions) == ("fc7", "data", (227, 227), (1, 1))
    assert (found.stride, found.receptive_field, found.offset) == ((32, 32), (355, 355), (-64, -64))
    assert [found.output_size(n, n)[0] for n in (227, 259, 323, 451)] == [1, 2, 4, 8]
    assert found.output_size(300, 420) == (4, 7)
    assert [found.size_for(n)[0] for n in (1, 2, 4, 8)] == [227, 259, 323, 451]
    assert found.sizes(1) == (range(199, 231),) * 2
    assert found.sizes(2) == (range(231, 263),) * 2
    assert found.sizes(8) == (range(423, 455),) * 2


def test_alexnet_layer_by_layer() -> None:
    fields = {
        blob: geometry(alexnet(), blob) for blob in ("data", "conv1", "pool1", "conv2", "pool2", "conv5", "pool5")
    }
    assert {blob: (g.receptive_field[0], g.stride[0], g.offset[0]) for blob, g in fields.items()} == {
        "data": (1, 1, 0),
        "conv1": (11, 4, 0),
        "pool1": (19, 8, 0),
        "conv2": (51, 8, -16),
        "pool2": (67, 16, -16),
        "conv5": (163, 16, -64),
        "pool5": (195, 32, -64),
    }


def test_where_a_position_looks() -> None:
    found = geometry(convolutionalize(alexnet()), "fc7")
    assert found.window(0, 0) == (range(227), range(227))
    assert found.window(1, 7, size=(451, 451)) == (range(323), range(160, 451))
    assert found.centre(0, 0) == (113.0, 113.0)
    assert found.centre(1, 7) == (145.0, 337.0)
    with pytest.raises(ShapeError) as error:
        found.window(1, 0)
    assert str(error.value) == ("blob 'fc7' has no position (1, 0) at input size 227x227\n  expected: less than (1, 1)")


def test_an_innerproduct_sees_the_whole_image() -> None:
    found = geometry(alexnet(), "fc7")
    assert (found.stride, found.receptive_field, found.offset, found.positions) == ((None, None),) * 3 + ((1, 1),)
    assert found.window(0, 0) == (range(227), range(227))
    assert found.centre(0, 0) == (None, None)
    assert found.sizes(1) == (None, None)
    assert found.size_for(2) == (None, None)


def test_a_global_pooling_sees_the_whole_image() -> None:
    text = data(9, 9) + window("conv", "Convolution", "data", "kernel_size: 3")
    found = geometry(
        from_text(text + layer("pool", "Pooling", "conv", "pooling_param { global_pooling: true }")), "pool"
    )
    assert (found.stride, found.receptive_field) == ((None, None), (None, None))


def test_a_map_weighed_by_the_whole_image_still_has_a_stride() -> None:
    text = (
        data(9, 9)
        + window("conv", "Convolution", "data", "kernel_size: 3 stride: 2")
        + layer("all", "Pooling", "conv", "pooling_param { global_pooling: true }")
        + layer("axpy", "Axpy", "all conv conv")
    )
    found = geometry(from_text(text), "axpy")
    assert (found.stride, found.receptive_field) == ((2, 2), (None, None))
    assert found.window(1, 1) == (range(9), range(9))


def test_what_a_layer_does_not_cover_is_not_seen() -> None:
    """A stride that does not fit leaves the last pixels out, for an InnerProduct behind it as well."""
    text = data(10, 12) + window("conv", "Convolution", "data", "kernel_size: 3 stride: 4")
    text += layer("fc", "InnerProduct", "conv", "inner_product_param { num_output: 2 }")
    assert geometry(from_text(text), "fc").window(0, 0) == (range(7), range(11))


def test_kernels_of_different_height_and_width() -> None:
    text = data(20, 30) + window(
        "conv", "Convolution", "data", "kernel_h: 3 kernel_w: 5 stride_h: 1 stride_w: 2 pad_h: 0 pad_w: 1"
    )
    found = geometry(from_text(text), "conv")
    assert (found.stride, found.receptive_field, found.offset) == ((1, 2), (3, 5), (0, -1))
    assert found.positions == (18, 14)


def test_a_deconvolution_has_a_stride_of_less_than_a_pixel() -> None:
    text = data(8, 8) + window("conv", "Convolution", "data", "kernel_size: 3 pad: 1")
    found = geometry(from_text(text + window("up", "Deconvolution", "conv", "kernel_size: 4 stride: 2 pad: 1")), "up")
    assert (found.stride, found.receptive_field, found.offset) == ((Fraction(1, 2),) * 2, (4, 4), (-2, -2))
    assert [found.centre(i, 0)[0] for i in range(3)] == [-0.25, 0.25, 0.75]
    assert found.sizes(16) == (range(8, 9),) * 2
    assert found.size_for(17) == (None, None)


def test_paths_of_one_stride_are_joined() -> None:
    text = (
        data(20, 20)
        + window("a", "Convolution", "data", "kernel_size: 5 stride: 2 pad: 2")
        + window("b", "Pooling", "data", "kernel_size: 2 stride: 2")
        + layer("both", "Concat", "a b")
    )
    found = geometry(from_text(text), "both")
    assert (found.stride, found.receptive_field, found.offset) == ((2, 2), (5, 5), (-2, -2))


def test_paths_of_different_strides_are_refused_by_layer() -> None:
    text = (
        data(5, 5)
        + window("a", "Convolution", "data", "kernel_size: 5")
        + window("b", "Convolution", "data", "kernel_size: 5 stride: 3")
        + layer("both", "Concat", "a b")
        + layer("after", "ReLU", "both")
    )
    with pytest.raises(NetsurgeryError) as error:
        geometry(from_text(text, "net.prototxt"), "after")
    assert str(error.value) == (
        "net.prototxt:4: layer 'both' (Concat): its bottoms have strides of 1 and 3 pixels\n"
        "  expected: one stride, so that equal positions look at equal places"
    )


TWO = (
    data(9, 9, "left")
    + data(9, 9, "right")
    + layer("both", "Concat", "left right")
    + window("conv", "Convolution", "both", "kernel_size: 3")
)


def test_of_several_inputs_one_must_be_named() -> None:
    made = from_text(TWO, "net.prototxt")
    assert geometry(made, "conv", "right").receptive_field == (3, 3)
    with pytest.raises(NetsurgeryError) as error:
        geometry(made, "conv")
    assert str(error.value) == (
        "net.prototxt:1: blob 'conv' sees 'left', 'right'\n  fix: say which input: --input, or input=... in Python"
    )
    with pytest.raises(NetsurgeryError) as error:
        geometry(made, "conv", "up")
    assert str(error.value) == (
        "net.prototxt:1: blob 'conv' sees 'left', 'right', not 'up'\n  fix: say which input: --input, or input=... in Python"
    )


def test_a_blob_that_sees_no_pixels() -> None:
    made = from_text(
        layer("v", "Input", "", "input_param { shape { dim: 1 dim: 3 } }") + layer("s", "ReLU", "v"), "n.prototxt"
    )
    with pytest.raises(NetsurgeryError) as error:
        geometry(made, "s")
    assert str(error.value) == "n.prototxt:1: blob 's' sees no input that has pixels"
    with pytest.raises(NetsurgeryError) as error:
        geometry(made, "t")
    assert str(error.value) == "n.prototxt:1: there is no blob 't'"


def test_a_size_that_is_too_small_says_so() -> None:
    with pytest.raises(ShapeError) as error:
        geometry(alexnet(), "pool5").output_size(7, 7)
    assert str(error.value).startswith(
        "alexnet.prototxt:2: layer 'conv1' (Convolution): the kernel spans 11, the padded bottom 7"
    )
    with pytest.raises(ShapeError) as error:
        geometry(alexnet(), "pool5").output_size(12, 227)
    assert str(error.value).startswith(
        "alexnet.prototxt:3: layer 'pool1' (Pooling): the kernel spans 3, the padded bottom 1"
    )
    with pytest.raises(ShapeError) as error:
        geometry(alexnet(), "pool5").output_size(227)
    assert str(error.value) == "input size 227\n  expected: 2 numbers, as 227x227"
