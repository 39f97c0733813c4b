"""Nets of any vintage become the V2 net that Caffe makes of them on load: prototxt in, prototxt out."""

from __future__ import annotations

import pytest
from old_nets import bare, check, read, refusal

from netsurgery.formats.prototxt.upgrade import upgrade
from netsurgery.message import Field, Message

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
        ("VIDEO_DATA", "VideoData", "image_data_param"),  # C3D 1.0
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
