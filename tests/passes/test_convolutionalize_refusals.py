"""InnerProduct read as Convolution: the numbers of hand-converted nets in real Caffe, the old net on every window, and every refusal."""

from __future__ import annotations

import pytest
from fully_convolutional import SHARED, conv, data, fc, layer, net, refusal, same_on_windows

from netsurgery import convolutionalize
from netsurgery.errors import RewriteError
from netsurgery.formats.load import from_text

EXPECTED = (
    "\n  expected: behind a converted InnerProduct, layers that treat each position alone, over its channels (axis 1)"
    "\n  fix: cut the net before this layer, or leave the InnerProduct layers before it as they are (--only)"
)


def refused(*layers: str, **options: object) -> str:
    """The text of the refusal, without the lines that all such refusals share."""
    text = refusal(lambda: convolutionalize(net(*layers), **options))  # type: ignore[arg-type]
    assert text.endswith(EXPECTED)
    return text.removesuffix(EXPECTED)


BODY = (data(1, 2, 6, 6), conv("conv", "data", 3), fc("fc", "conv", 8))


def test_refuses_a_reshape_of_answers_into_a_map() -> None:
    more = layer("r", "Reshape", "fc", "r", "reshape_param { shape { dim: 0 dim: 2 dim: 2 dim: 2 } }")
    assert refused(*BODY, more) == (
        "net.prototxt:4: layer 'r' (Reshape): mixes positions and channels: (1, 8) becomes (1, 2, 2, 2) at each position"
    )


def test_refuses_a_reshape_of_items_into_positions() -> None:
    more = layer("r", "Reshape", "fc", "r", "reshape_param { shape { dim: -1 dim: 4 } }")
    assert refused(*BODY, more) == (
        "net.prototxt:4: layer 'r' (Reshape): mixes the items of the batch with positions: (1, 8) becomes (2, 4)"
    )


def test_refuses_a_reshape_of_positions_into_items_before_an_innerproduct() -> None:
    flat = layer("r", "Reshape", "data", "r", "reshape_param { shape { dim: -1 dim: 8 } }")
    assert refused(data(1, 2, 6, 6), flat, fc("fc", "r", 3)) == (
        "net.prototxt:2: layer 'r' (Reshape): mixes the items of the batch with positions: (1, 2, 6, 6) becomes (9, 8)"
    )


def test_refuses_an_innerproduct_of_another_axis() -> None:
    assert refusal(lambda: convolutionalize(net(data(5, 1, 7), fc("fc", "data", 3, "axis: 2")))) == (
        "net.prototxt:2: layer 'fc' (InnerProduct): axis is 2: it answers for each of the first 2 axes of (5, 1, 7)\n"
        "  expected: axis 1: one answer for each item of the batch\n"
        "  fix: leave the layer as it is (--only)"
    )


def test_refuses_an_innerproduct_whose_weights_are_a_blob() -> None:
    by_blob = (
        'layer { name: "ip" type: "InnerProduct" bottom: "data" bottom: "w" top: "ip" '
        "inner_product_param { num_output: 3 bias_term: false } }\n"
    )
    matrix = data(3, 50).replace('"data"', '"w"')
    assert refusal(lambda: convolutionalize(net(data(1, 2, 5, 5), matrix, by_blob))) == (
        "net.prototxt:3: layer 'ip' (InnerProduct): its weights are the blob 'w'\n  expected: weights of its own"
    )


def test_refuses_a_net_of_flat_vectors() -> None:
    assert refusal(lambda: convolutionalize(net(data(1, 7), fc("fc", "data", 3)))) == (
        "net.prototxt:2: layer 'fc' (InnerProduct): its bottom 'data' is a flat vector (1, 7)\n"
        "  expected: a map (N, C, h, w), or what becomes one\n"
        "  fix: declare the input as a map (N, C, h, w)"
    )


def test_refuses_axes_that_are_no_positions() -> None:
    turned = layer("turn", "Permute", "conv", "turn", "permute_param { order: 0 order: 2 order: 3 order: 1 }")
    before = net(*BODY[:2], turned, fc("fc", "turn", 2))
    assert refusal(lambda: convolutionalize(before)) == (
        "net.prototxt:4: layer 'fc' (InnerProduct): the last axes of its bottom 'turn' (1, 4, 4, 3) are no positions of the image: "
        "behind layer 'turn' (Permute) none are\n"
        "  expected: a map (N, channels, h, w) of the image\n"
        "  fix: leave the layer as it is (--only)"
    )


@pytest.mark.parametrize(
    ("type", "params", "why"),
    [
        ("Softmax", "softmax_param { axis: 0 }", "works along axis 0, not over the channels"),
        ("Slice", "slice_param { axis: -2 }", "works along axis -2, not over the channels"),
        ("Concat", "concat_param { axis: 0 }", "works along axis 0, not over the channels"),
        (
            "ArgMax",
            "argmax_param { out_max_val: true }",
            "gives index and value of each item as a whole, which ArgMax does not do for each position",
        ),
        ("Reduction", "reduction_param { axis: 1 }", "adds up the positions with the channels"),
        ("Permute", "permute_param { order: 1 order: 0 }", "moves the axes of a map"),
        (
            "Scale",
            "scale_param { axis: 0 num_axes: -1 }",
            "works along axis 0 and those behind it, not over the channels",
        ),
        ("Embed", "embed_param { num_output: 2 input_dim: 3 }", "puts an axis behind the positions"),
    ],
)
def test_refuses_a_layer_that_mixes_positions(type: str, params: str, why: str) -> None:
    assert refused(*BODY, layer("x", type, "fc", "x", params)) == f"net.prototxt:4: layer 'x' ({type}): {why}"


def test_refuses_a_kernel_over_answers() -> None:
    four = layer("r", "Reshape", "fc", "r", "reshape_param { shape { dim: 0 dim: 8 dim: 1 dim: 1 } }")
    assert refused(*BODY, four, conv("c", "r", 2, 3, pad=1)) == (
        "net.prototxt:5: layer 'c' (Convolution): its 3x3 kernel would see more than one position"
    )
    before = net(*BODY, four, conv("c", "r", 2, 1))
    same_on_windows(before, convolutionalize(before), "c")


def test_refuses_normalization_over_positions() -> None:
    four = layer("r", "Reshape", "fc", "r", "reshape_param { shape { dim: 0 dim: 8 dim: 1 dim: 1 } }")
    text = refused(*BODY, four, layer("mvn", "MVN", "r", "mvn", "mvn_param { across_channels: true }"))
    assert text.startswith("net.prototxt:5: layer 'mvn' (MVN): ")


@pytest.mark.parametrize("type", ["HingeLoss", "MultinomialLogisticLoss"])
def test_refuses_losses_that_take_one_label_for_each_item(type: str) -> None:
    assert refused(*BODY, data(1, name="label"), layer("loss", type, "fc label", "loss")) == (
        f"net.prototxt:5: layer 'loss' ({type}): takes one label for each item, not for each position"
    )


def test_refuses_recurrent_layers() -> None:
    cont = data(1, 1, name="cont")
    three = layer("r", "Reshape", "fc", "r", "reshape_param { shape { dim: 0 dim: 8 dim: 1 } }")
    lstm = layer("lstm", "LSTM", "r cont", "lstm", "recurrent_param { num_output: 2 }")
    with pytest.raises(RewriteError) as error:
        convolutionalize(
            from_text(
                "".join((data(1, 2, 6, 6), fc("fc", "data", 1), cont, three.replace("8", "1"), lstm)), "net.prototxt"
            )
        )
    assert str(error.value).removesuffix(EXPECTED) == (
        "net.prototxt:5: layer 'lstm' (LSTM): its bottom 'cont' (1, 1) is a flat vector, where 'r' becomes a map"
    )


def test_refuses_a_concat_of_a_map_with_a_flat_vector() -> None:
    assert refused(*BODY, data(1, 5, name="meta"), layer("cat", "Concat", "fc meta", "cat")) == (
        "net.prototxt:5: layer 'cat' (Concat): its bottom 'meta' (1, 5) is a flat vector, where 'fc' becomes a map"
    )


def test_refuses_to_join_maps_of_different_steps() -> None:
    more = (conv("wide", "conv", 3, 2, stride=2), fc("other", "wide", 8), layer("sum", "Eltwise", "fc other", "sum"))
    assert refused(*BODY, *more) == (
        "net.prototxt:6: layer 'sum' (Eltwise): its bottoms would not stay of one size: "
        "'fc' one every 1 pixels and 'other' one every 2 pixels"
    )


def test_refuses_to_join_a_map_with_one_answer_for_the_image() -> None:
    pool = layer("pool", "Pooling", "conv", "pool", "pooling_param { pool: AVE global_pooling: true }")
    more = (pool, fc("other", "pool", 8), layer("sum", "Eltwise", "fc other", "sum"))
    assert refused(*BODY, *more) == (
        "net.prototxt:6: layer 'sum' (Eltwise): its bottoms would not stay of one size: "
        "'fc' one every 1 pixels and 'other' one for the whole image"
    )


@pytest.mark.parametrize("type", ["BatchNorm", "PReLU", "Softmax"])
def test_refuses_layers_that_treat_places_of_a_flattened_map_differently(type: str) -> None:
    more = (layer("flat", "Flatten", "conv", "flat"), layer("x", type, "flat", "x"), fc("fc", "x", 4))
    assert refused(*BODY[:2], *more) == (
        f"net.prototxt:4: layer 'x' ({type}): its bottom 'flat' (1, 48) is a flattened map (3, 4, 4), "
        "whose numbers it does not treat all alike"
    )


def test_refuses_to_share_weights_with_what_sees_another_map() -> None:
    before = net(
        data(1, 2, 6, 6),
        layer("pool", "Pooling", "data", "pool", "pooling_param { kernel_size: 2 stride: 2 }"),
        conv("wide", "data", 18, 6),
        fc("p", "pool", 3, params=SHARED),
        fc("q", "wide", 3, params=SHARED),
    )
    text = (
        "net.prototxt:4: layer 'p' (InnerProduct): shares its weight 'w' with 'q' (InnerProduct), which %s\n"
        "  expected: a weight of one shape: both see (2, 3, 3)\n"
        "  fix: give the two layers weights of their own: remove param { name } of one"
    )
    assert refusal(lambda: convolutionalize(before)) == text % "would see (18, 1, 1)"
    assert refusal(lambda: convolutionalize(before, only=["p"])) == text % "stays as it is"
