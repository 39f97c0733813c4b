"""Nets of any vintage become the V2 net that Caffe makes of them on load: prototxt in, prototxt out."""

from __future__ import annotations

import pytest
from old_nets import bare, check, read, refusal

from netsurgery.formats.prototxt.upgrade import upgrade
from netsurgery.message import Token

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
