"""Nets of any vintage become the V2 net that Caffe makes of them on load: prototxt in, prototxt out."""

from __future__ import annotations

from typing import Any

import pytest

from netsurgery.errors import ParseError, Source
from netsurgery.formats.prototxt.text import parse
from netsurgery.formats.prototxt.typed import resolve
from netsurgery.formats.prototxt.upgrade import upgrade, vintage
from netsurgery.message import Field, Message, Token


def read(text: str) -> Message:
    return resolve(parse(text, "net.prototxt"), "NetParameter")


def bare(message: Message) -> tuple[str, list[Any]]:
    """The message without places and comments: what it says, with the type of every message in it."""
    return message.type, [(f.name, bare(f.value) if isinstance(f.value, Message) else f.value) for f in message.fields]


def check(before: str, after: str, *notes: str) -> None:
    net, made = upgrade(read(before))
    assert bare(net) == bare(read(after))
    assert made == notes


def refusal(text: str) -> str:
    with pytest.raises(ParseError) as caught:
        upgrade(read(text))
    return str(caught.value)


V0_NET = """
name: "v0" input: "data" input_dim: 1 input_dim: 3 input_dim: 9 input_dim: 8 force_backward: true
layers {
  layer { name: "conv1" type: "conv" num_output: 4 biasterm: false kernelsize: 3 group: 1 stride: 2 pad: 1
          weight_filler { type: "gaussian" std: 0.5 } bias_filler { type: "constant" } blobs_lr: 1 blobs_lr: 2
          weight_decay: 1 weight_decay: 0 blobs { num: 4 channels: 3 height: 3 width: 3 } }
  bottom: "data" top: "conv1"
}
layers { layer { name: "relu1" type: "relu" } bottom: "conv1" top: "conv1" }
layers { layer { name: "pool1" type: "pool" pool: AVE kernelsize: 3 stride: 2 pad: 1 } bottom: "conv1" top: "pool1" }
layers { layer { name: "norm" type: "lrn" local_size: 3 alpha: 0.25 beta: 0.5 k: 2 } bottom: "pool1" top: "norm" }
layers { layer { name: "cat" type: "concat" concat_dim: 0 } bottom: "norm" bottom: "pool1" top: "cat" }
layers { layer { name: "fc" type: "innerproduct" num_output: 6 biasterm: true } bottom: "cat" top: "fc" }
layers { layer { name: "drop" type: "dropout" dropout_ratio: 0.25 } bottom: "fc" top: "fc" }
layers { layer { name: "prob" type: "softmax" } bottom: "fc" top: "prob" }
"""
V0_UPGRADED = """
name: "v0" force_backward: true
layer { name: "input" type: "Input" top: "data" input_param { shape { dim: 1 dim: 3 dim: 9 dim: 8 } } }
layer {
  name: "conv1" type: "Convolution" bottom: "data" top: "conv1"
  param { lr_mult: 1 decay_mult: 1 } param { lr_mult: 2 decay_mult: 0 }
  blobs { num: 4 channels: 3 height: 3 width: 3 }
  convolution_param { num_output: 4 bias_term: false kernel_size: 3 group: 1 stride: 2 pad: 1
    weight_filler { type: "gaussian" std: 0.5 } bias_filler { type: "constant" } }
}
layer { name: "relu1" type: "ReLU" bottom: "conv1" top: "conv1" }
layer { name: "pool1" type: "Pooling" bottom: "conv1" top: "pool1"
        pooling_param { pool: AVE kernel_size: 3 stride: 2 pad: 1 } }
layer { name: "norm" type: "LRN" bottom: "pool1" top: "norm" lrn_param { local_size: 3 alpha: 0.25 beta: 0.5 k: 2 } }
layer { name: "cat" type: "Concat" bottom: "norm" bottom: "pool1" top: "cat" concat_param { concat_dim: 0 } }
layer { name: "fc" type: "InnerProduct" bottom: "cat" top: "fc" inner_product_param { num_output: 6 bias_term: true } }
layer { name: "drop" type: "Dropout" bottom: "fc" top: "fc" dropout_param { dropout_ratio: 0.25 } }
layer { name: "prob" type: "Softmax" bottom: "fc" top: "prob" }
"""


def test_a_v0_net_keeps_every_field_under_its_new_name() -> None:
    check(V0_NET, V0_UPGRADED, "V0 net upgraded to V2: 8 layers", "input 'data' (1x3x9x8) made an Input layer")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (
            'type: "data" source: "db" batchsize: 4 rand_skip: 3 scale: 0.5 meanfile: "m" cropsize: 7 mirror: true',
            'type: "Data" top: "x" data_param { source: "db" batch_size: 4 rand_skip: 3 }'
            ' transform_param { scale: 0.5 mean_file: "m" crop_size: 7 mirror: true }',
        ),
        (
            'type: "images" source: "l" batchsize: 4 rand_skip: 3 shuffle_images: true new_height: 5 new_width: 6',
            'type: "ImageData" top: "x" image_data_param {'
            ' source: "l" batch_size: 4 rand_skip: 3 shuffle: true new_height: 5 new_width: 6 }',
        ),
        (
            'type: "window_data" source: "w" batchsize: 2 det_fg_threshold: 0.25 det_bg_threshold: 0.75'
            ' det_fg_fraction: 0.5 det_context_pad: 3 det_crop_mode: "square"',
            'type: "WindowData" top: "x" window_data_param { source: "w" batch_size: 2 fg_threshold: 0.25'
            ' bg_threshold: 0.75 fg_fraction: 0.5 context_pad: 3 crop_mode: "square" }',
        ),
        (
            'type: "hdf5_data" source: "h" batchsize: 2',
            'type: "HDF5Data" top: "x" hdf5_data_param { source: "h" batch_size: 2 }',
        ),
        (
            'type: "hdf5_output" hdf5_output_param { file_name: "f" }',
            'type: "HDF5Output" top: "x" hdf5_output_param { file_name: "f" }',
        ),
        ('type: "infogain_loss" source: "i"', 'type: "InfogainLoss" top: "x" infogain_loss_param { source: "i" }'),
    ],
)
def test_v0_data_layers(old: str, new: str) -> None:
    check(
        f'layers {{ layer {{ name: "d" {old} }} top: "x" }}',
        f'layer {{ name: "d" {new} }}',
        "V0 net upgraded to V2: 1 layer",
    )


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("accuracy", "Accuracy"),
        ("bnll", "BNLL"),
        ("euclidean_loss", "EuclideanLoss"),
        ("flatten", "Flatten"),
        ("im2col", "Im2col"),
        ("multinomial_logistic_loss", "MultinomialLogisticLoss"),
        ("sigmoid", "Sigmoid"),
        ("softmax_loss", "SoftmaxWithLoss"),
        ("split", "Split"),
        ("tanh", "TanH"),
    ],
)
def test_v0_types_without_parameters(old: str, new: str) -> None:
    net, _ = upgrade(read(f'layers {{ layer {{ name: "l" type: "{old}" }} bottom: "x" top: "y" }}'))
    assert bare(net) == bare(read(f'layer {{ name: "l" type: "{new}" bottom: "x" top: "y" }}'))


def test_v0_padding_layers_become_the_pad_of_what_reads_them() -> None:
    check(
        """
        layers { layer { name: "pad" type: "padding" pad: 2 } bottom: "x" top: "padded" }
        layers { layer { name: "conv" type: "conv" num_output: 4 kernelsize: 5 } bottom: "padded" top: "conv" }
        layers { layer { name: "pool" type: "pool" pad: 1 kernelsize: 5 } bottom: "padded" top: "pool" }
        layers { layer { name: "inplace" type: "padding" pad: 1 } bottom: "conv" top: "conv" }
        layers { layer { name: "last" type: "conv" num_output: 1 kernelsize: 3 } bottom: "conv" top: "conv" }
        layers { layer { name: "after" type: "relu" } bottom: "conv" top: "conv" }
        layers { layer { name: "unread" type: "padding" pad: 3 } bottom: "conv" top: "end" }
        """,
        """
        layer { name: "conv" type: "Convolution" bottom: "x" top: "conv"
                convolution_param { num_output: 4 kernel_size: 5 pad: 2 } }
        layer { name: "pool" type: "Pooling" bottom: "x" top: "pool" pooling_param { pad: 2 kernel_size: 5 } }
        layer { name: "last" type: "Convolution" bottom: "conv" top: "conv"
                convolution_param { num_output: 1 kernel_size: 3 pad: 1 } }
        layer { name: "after" type: "ReLU" bottom: "conv" top: "conv" }
        """,
        "V0 net upgraded to V2: 4 layers",
        "layer 'pad' (padding) folded into 'conv' (conv): pad 2",
        "layer 'pad' (padding) folded into 'pool' (pool): pad 2",
        "layer 'inplace' (padding) folded into 'last' (conv): pad 1",
        "layer 'unread' (padding) left out, as Caffe does: no layer reads it",
    )


def test_a_padding_layer_that_feeds_what_has_no_pad_is_refused() -> None:
    assert (
        refusal(
            """layers { layer { name: "p" type: "padding" pad: 2 } bottom: "x" top: "p" }
            layers { layer { name: "r" type: "relu" } bottom: "p" top: "r" }"""
        )
        == "net.prototxt:2: layer 'r' (relu): reads padding layer 'p' (padding)\n"
        "  expected: only conv and pool layers read a padding layer: its pad becomes theirs"
    )


@pytest.mark.parametrize(
    ("padding", "conv", "problem"),
    [
        ('bottom: "x" top: "p"', 'bottom: "p" bottom: "x"', "2: layer 'c' (conv): 2 bottoms: p, x"),
        ('top: "p"', 'bottom: "p"', "1: layer 'p' (padding): 0 bottoms"),
        ('bottom: "x" top: "p" top: "q"', 'bottom: "p"', "1: layer 'p' (padding): 2 tops: p, q"),
    ],
)
def test_a_padding_layer_has_one_bottom_one_top_and_a_reader_with_one_bottom(
    padding: str, conv: str, problem: str
) -> None:
    side = "top" if "tops" in problem else "bottom"
    assert (
        refusal(
            f'layers {{ layer {{ name: "p" type: "padding" pad: 2 }} {padding} }}\n'
            f'layers {{ layer {{ name: "c" type: "conv" }} {conv} top: "c" }}'
        )
        == f"net.prototxt:{problem}\n"
        f"  expected: one {side}, since a padding layer becomes the pad of the layer that reads it"
    )


def test_v0_fields_that_caffe_drops_are_named() -> None:
    check(
        """layers {
          layer { name: "r" type: "relu" num_output: 4
                  new_num: 2 }
          bottom: "x" top: "x" loss_weight: 1
        }""",
        'layer { name: "r" type: "ReLU" bottom: "x" top: "x" }',
        "V0 net upgraded to V2: 1 layer",
        "net.prototxt:2: layer 'r' (relu): num_output left out, as Caffe does: layers of type relu have none",
        "net.prototxt:3: layer 'r' (relu): new_num left out, as Caffe does: layers of type relu have none",
        "net.prototxt:4: layer 'r' (relu): loss_weight left out, as Caffe does:"
        " beside 'layer { ... }' only bottom and top count",
    )


def test_an_unknown_v0_type_stays_with_all_its_fields_for_the_layers_to_refuse() -> None:
    net, _ = upgrade(read('layers { layer { name: "l" type: "locally_connected" num_output: 4 k: 2 } bottom: "x" }'))
    assert [(f.name, f.value) for f in net.last("layer").fields] == [
        ("name", "l"),
        ("type", "locally_connected"),
        ("bottom", "x"),
        ("num_output", Token("4", "number")),  # V2 layers have no such fields: as it would be read now
        ("k", Token("2", "number")),
    ]


def test_fork_fields_of_a_v0_layer_stay() -> None:
    net, notes = upgrade(read('layers { layer { name: "l" type: "conv" num_output: 4 my_own: 5 } bottom: "x" }'))
    assert net.last("layer").last("my_own") == Token("5", "number")
    assert len(notes) == 1


V1_NET = """
name: "v1" input: "data" input_shape { dim: 1 dim: 3 dim: 8 } debug_info: true state { stage: "a" }
layers {
  bottom: "data" top: "ip" name: "ip" type: INNER_PRODUCT
  blobs_lr: 1 blobs_lr: 2 weight_decay: 3 param: "w" param: "b" param: "c" blob_share_mode: PERMISSIVE
  include { phase: TRAIN } exclude { phase: TEST } loss_weight: 0.5 blobs { data: 2 }
  inner_product_param { num_output: 6 }
}
layers { bottom: "ip" top: "loss" name: "loss" type: SOFTMAX_LOSS loss_param { ignore_label: 2 } }
"""


def test_a_v1_net_keeps_every_field() -> None:
    check(
        V1_NET,
        """
        name: "v1" debug_info: true state { stage: "a" }
        layer { name: "input" type: "Input" top: "data" input_param { shape { dim: 1 dim: 3 dim: 8 } } }
        layer {
          bottom: "data" top: "ip" name: "ip" type: "InnerProduct"
          param { lr_mult: 1 decay_mult: 3 name: "w" share_mode: PERMISSIVE } param { lr_mult: 2 name: "b" }
          param { name: "c" }
          include { phase: TRAIN } exclude { phase: TEST } loss_weight: 0.5 blobs { data: 2 }
          inner_product_param { num_output: 6 }
        }
        layer { bottom: "ip" top: "loss" name: "loss" type: "SoftmaxWithLoss" loss_param { ignore_label: 2 } }
        """,
        "V1 net upgraded to V2: 2 layers",
        "input 'data' (1x3x8) made an Input layer",
    )


V1_TYPES = {
    "NONE": "", "ABSVAL": "AbsVal", "ACCURACY": "Accuracy", "ARGMAX": "ArgMax", "BNLL": "BNLL", "CONCAT": "Concat",
    "CONTRASTIVE_LOSS": "ContrastiveLoss", "CONVOLUTION": "Convolution", "DATA": "Data",
    "DECONVOLUTION": "Deconvolution", "DROPOUT": "Dropout", "DUMMY_DATA": "DummyData", "ELTWISE": "Eltwise",
    "EUCLIDEAN_LOSS": "EuclideanLoss", "EXP": "Exp", "FLATTEN": "Flatten", "HDF5_DATA": "HDF5Data",
    "HDF5_OUTPUT": "HDF5Output", "HINGE_LOSS": "HingeLoss", "IM2COL": "Im2col", "IMAGE_DATA": "ImageData",
    "INFOGAIN_LOSS": "InfogainLoss", "INNER_PRODUCT": "InnerProduct", "LRN": "LRN", "MEMORY_DATA": "MemoryData",
    "MULTINOMIAL_LOGISTIC_LOSS": "MultinomialLogisticLoss", "MVN": "MVN", "POOLING": "Pooling", "POWER": "Power",
    "RELU": "ReLU", "SIGMOID": "Sigmoid", "SIGMOID_CROSS_ENTROPY_LOSS": "SigmoidCrossEntropyLoss",
    "SILENCE": "Silence", "SLICE": "Slice", "SOFTMAX": "Softmax", "SOFTMAX_LOSS": "SoftmaxWithLoss", "SPLIT": "Split",
    "TANH": "TanH", "THRESHOLD": "Threshold", "WINDOW_DATA": "WindowData",
    # forks'
    "ROI_POOLING": "ROIPooling", "ROIPOOLING": "ROIPooling", "SMOOTH_L1_LOSS": "SmoothL1Loss", "UPSAMPLE": "Upsample",
    "CROP": "AutoCrop", "BN": "BN", "NORMALIZE": "Normalize", "PRIORBOX": "PriorBox", "RELU6": "ReLU6",
    "DETECTIONOUTPUT": "DetectionOutput", "DEPTHWISECONVOLUTION": "DepthwiseConvolution", "RESHAPE": "Reshape",
    # one that nobody knows stays as it is, for the layers to refuse
    "TOPK": "TOPK",
}  # fmt: skip


@pytest.mark.parametrize(("old", "new"), V1_TYPES.items())
def test_v1_types(old: str, new: str) -> None:
    net, _ = upgrade(read(f'layers {{ name: "l" type: {old} bottom: "x" top: "y" }}'))
    assert bare(net) == bare(read(f'layer {{ name: "l" type: "{new}" bottom: "x" top: "y" }}'))


def test_fork_fields_of_a_v1_layer_are_typed_as_v2_types_them() -> None:
    check(
        """layers { name: "r" type: ROI_POOLING roi_pooling_param { pooled_w: 6 spatial_scale: 0.0625 }
                    permute_param { order: 1 } my_own: 3 }""",
        """layer { name: "r" type: "ROIPooling" roi_pooling_param { pooled_w: 6 spatial_scale: 0.0625 }
                   permute_param { order: 1 } my_own: 3 }""",
        "V1 net upgraded to V2: 1 layer",
    )


def test_eltwise_product_multiplies() -> None:
    check(
        'layers { name: "e" type: ELTWISE_PRODUCT bottom: "x" bottom: "y" top: "z" }',
        'layer { name: "e" type: "Eltwise" bottom: "x" bottom: "y" top: "z" eltwise_param { operation: PROD } }',
        "V1 net upgraded to V2: 1 layer",
    )


def test_a_v1_type_number_of_a_binary_net_that_bvlc_does_not_have_says_nothing() -> None:
    layer = Message("V1LayerParameter", (Field("name", "l"), Field("type", 45)))
    net, _ = upgrade(Message("NetParameter", (Field("layers", layer),)))
    assert net.last("layer").last("type") == "#45"


@pytest.mark.parametrize(
    ("type", "new", "param"),
    [
        ("DATA", "Data", "data_param"),
        ("IMAGE_DATA", "ImageData", "image_data_param"),
        ("WINDOW_DATA", "WindowData", "window_data_param"),
    ],
)
def test_transformations_of_v1_data_layers_move(type: str, new: str, param: str) -> None:
    check(
        f"""layers {{ name: "d" type: {type} top: "x" {param} {{ source: "s" scale: 0.5 mean_file: "m" crop_size: 7
            mirror: true batch_size: 2 }} transform_param {{ scale: 3 force_color: true }} }}""",
        f"""layer {{ name: "d" type: "{new}" top: "x" {param} {{ source: "s" batch_size: 2 }}
            transform_param {{ scale: 0.5 force_color: true mean_file: "m" crop_size: 7 mirror: true }} }}""",
        "V1 net upgraded to V2: 1 layer",
        f"layer 'd': scale, mean_file, crop_size, mirror moved from {param} to transform_param",
    )


def test_transformations_stay_where_caffe_does_not_move_them() -> None:
    text = 'layer { name: "d" type: "Data" top: "x" data_param { source: "s" scale: 0.5 } }'
    check(text, text)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (
            'layer { name: "a" type: "ReLU" }\nlayers { name: "b" type: RELU }',
            "'layer { ... }' (V2, line 1) and 'layers { ... }' (V1, line 2)",
        ),
        (
            'layers { layer { name: "a" type: "relu" } }\nlayer { name: "b" type: "ReLU" }',
            "'layers { layer { ... } }' (V0, line 1) and 'layer { ... }' (V2, line 2)",
        ),
        (
            'layers { name: "a" type: RELU }\nlayers { layer { name: "b" type: "relu" } }',
            "'layers { ... }' (V1, line 1) and 'layers { layer { ... } }' (V0, line 2)",
        ),
    ],
)
def test_a_mixture_of_vintages_is_refused_and_loses_no_layer(text: str, problem: str) -> None:
    assert (
        refusal(text) == f"net.prototxt:2: layers of several vintages in one net: {problem}\n"
        "  expected: one way of writing layers throughout, as Caffe requires\n"
        "  fix: rewrite the older layers as 'layer { ... }'"
    )


LAYER = 'layer { name: "r" type: "ReLU" bottom: "x" top: "r" }'


def test_input_dims_of_several_inputs() -> None:
    check(
        f"""name: "n" {LAYER}
        input: "x" input_dim: 1 input_dim: 2 input_dim: 3 input_dim: 4
        input: "y" input_dim: 5 input_dim: 6 input_dim: 7 input_dim: 8""",
        f"""name: "n" layer {{ name: "input" type: "Input" top: "x" top: "y" input_param {{
            shape {{ dim: 1 dim: 2 dim: 3 dim: 4 }} shape {{ dim: 5 dim: 6 dim: 7 dim: 8 }} }} }} {LAYER}""",
        "inputs 'x' (1x2x3x4), 'y' (5x6x7x8) made an Input layer",
    )


def test_an_input_without_a_shape_is_an_input_of_unknown_shape() -> None:
    check(
        f'input: "x" {LAYER}',
        f'layer {{ name: "input" type: "Input" top: "x" }} {LAYER}',
        "input 'x' (shape unknown) made an Input layer",
    )


def test_an_input_without_a_shape_beside_the_layer_that_writes_it_goes_as_in_caffe() -> None:
    rest = f'layer {{ name: "data" type: "Data" top: "x" }} {LAYER}'
    check(f'input: "x" {rest}', rest, "input 'x' left out, as Caffe does: layer 'data' writes it")


def test_input_dim_and_input_shape_may_agree() -> None:
    check(
        f"""input: "x" input_dim: 1 input_dim: 2 input_dim: 3 input_dim: 4
        input_shape {{ dim: 1 dim: 2 dim: 3 dim: 4 }} {LAYER}""",
        f"""layer {{ name: "input" type: "Input" top: "x" input_param {{ shape {{ dim: 1 dim: 2 dim: 3 dim: 4 }} }} }}
        {LAYER}""",
        "input 'x' (1x2x3x4) made an Input layer",
    )


def test_input_dim_and_input_shape_that_disagree_are_refused() -> None:
    assert (
        refusal('input: "x"\ninput_dim: 1 input_dim: 2 input_dim: 3 input_dim: 4\ninput_shape { dim: 1 dim: 2 dim: 3 }')
        == "net.prototxt:3: input 'x' has shape 1x2x3 in input_shape and 1x2x3x4 in input_dim (line 2)\n"
        "  expected: one shape for each input\n"
        "  fix: remove the input_dim lines: Caffe does not read them beside input_shape"
    )


@pytest.mark.parametrize(
    ("dims", "problem"),
    [
        ("input_dim: 1 input_dim: 2 input_dim: 3", "1 input but 3 input_dim values"),
        ("input_dim: 1 " * 8, "1 input but 8 input_dim values"),
        ("input_dim: 1", "1 input but 1 input_dim value"),
    ],
)
def test_a_wrong_number_of_input_dims_is_refused(dims: str, problem: str) -> None:
    assert (
        refusal(f'input: "x"\n{dims}') == f"net.prototxt:2: {problem}\n"
        "  expected: 4 values: num, channels, height and width of each input\n"
        "  fix: write input_shape { dim: ... } once per input for a shape that is not 4-dimensional"
    )


def test_a_wrong_number_of_input_shapes_is_refused() -> None:
    assert (
        refusal('input: "x"\ninput: "y"\ninput_shape { dim: 1 }') == "net.prototxt:3: 2 inputs but 1 input_shape\n"
        "  expected: one input_shape for each input"
    )


def test_dims_without_an_input_mean_nothing() -> None:
    check(
        f"input_dim: 1 input_shape {{ dim: 3 }} {LAYER}",
        LAYER,
        "input_dim, input_shape left out: without input they mean nothing to Caffe",
    )


def test_batch_norm_statistics_are_not_trained() -> None:
    params = 'param { lr_mult: 1 name: "mean" } param { lr_mult: 0 } param { decay_mult: 2 }'
    check(
        f'layer {{ name: "bn" type: "BatchNorm" {params} }} layer {{ name: "s" type: "Scale" {params} }}',
        f"""layer {{ name: "bn" type: "BatchNorm" param {{ lr_mult: 0 name: "mean" decay_mult: 0 }}
            param {{ lr_mult: 0 decay_mult: 0 }} param {{ decay_mult: 0 lr_mult: 0 }} }}
            layer {{ name: "s" type: "Scale" {params} }}""",
    )


def test_a_v2_net_is_returned_as_it_is() -> None:
    params = "param { lr_mult: 0 decay_mult: 0 }" * 3
    net = read(f'name: "n" debug_info: true {LAYER} layer {{ name: "bn" type: "BatchNorm" {params} }}')
    upgraded, notes = upgrade(net)
    assert upgraded is net
    assert notes == ()


def test_layers_that_need_no_upgrade_keep_their_text() -> None:
    net, _ = upgrade(read(f'input: "x" {LAYER} layer {{ type: "BatchNorm" param {{}} param {{}} param {{}} }}'))
    assert [layer.text for layer in net.all("layer")] == ["", LAYER, ""]


def test_layers_and_fields_keep_their_place_in_the_file() -> None:
    net, _ = upgrade(
        read(
            """input: "x"
            input_dim: 1 input_dim: 2
            input_dim: 3 input_dim: 4
            layers {
              layer {
                type: "padding" pad: 2
              }
              bottom: "x" top: "p"
            }
            # reads it
            layers {
              layer {
                type: "conv" # of old
                num_output: 1
                blobs_lr: 1
              }
              bottom: "p" top: "c"
            }"""
        )
    )
    source, conv = net.all("layer")
    assert source.source.line == 1
    shape = source.last("input_param").last("shape")
    assert [(d.value, d.source.line) for d in shape.fields] == [(1, 2), (2, 2), (3, 3), (4, 3)]
    assert conv.source.line == 11
    assert net.fields[1].comments == ("reads it",)
    assert [(f.name, f.source.line) for f in conv.fields] == [
        ("type", 13), ("bottom", 8), ("top", 17), ("param", 15), ("convolution_param", 14)
    ]  # fmt: skip
    assert conv.fields[0].remark == "of old"
    assert [(f.name, f.source.line) for f in conv.last("convolution_param").fields] == [("num_output", 14), ("pad", 6)]
    assert conv.last("convolution_param").source == Source("net.prototxt", 14, 17)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('layers { layer { type: "relu" } }', "V0"),
        ("layers { type: RELU }", "V1"),
        ('layer { type: "ReLU" }', "V2"),
        ('input: "x"', "V2"),
        ('layers { type: RELU } layer { type: "ReLU" }', "V1+V2"),
        ('layers { layer { type: "relu" } } layers { type: RELU }', "V0+V1"),
    ],
)
def test_vintage(text: str, expected: str) -> None:
    assert vintage(read(text)) == expected
