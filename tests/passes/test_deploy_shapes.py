"""Shapes of inputs that take the place of data layers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import netsurgery
from netsurgery.errors import RewriteError
from netsurgery.formats.load import from_text
from netsurgery.passes.deploy import deploy

IMAGES = """layer { name: "data" type: "%s" top: "data" top: "label" transform_param { crop_size: 4 }
  %s { batch_size: 6 new_height: 8 new_width: 8 %s } }
"""
CONV = 'layer { name: "conv" type: "Convolution" bottom: "data" top: "conv" convolution_param { num_output: 2 kernel_size: 1 } }\n'
STEPS = """layer { name: "steps" type: "Reshape" bottom: "conv" top: "steps" reshape_param { shape { dim: 6 dim: 1 dim: 32 } } }
layer { name: "marks" type: "HDF5Data" top: "cont" hdf5_data_param { source: "marks" batch_size: 6 } }
layer { name: "lstm" type: "LSTM" bottom: "steps" bottom: "cont" top: "lstm" recurrent_param { num_output: 3 } }
"""
PARTS = """layer { name: "parts" type: "Slice" bottom: "label" top: "first" top: "marks" slice_param { axis: 1 slice_point: 1 } }
layer { name: "places" type: "Reshape" bottom: "marks" top: "places" reshape_param { shape { dim: 0 dim: 4 dim: 2 } } }
layer { name: "mean" type: "Pooling" bottom: "conv" top: "mean" pooling_param { pool: AVE global_pooling: true } }
"""


def test_a_whole_batch_where_one_item_does_not_fit_and_what_a_reader_asks_for() -> None:
    made = deploy(from_text(IMAGES % ("ImageData", "image_data_param", "") + CONV + STEPS))
    assert made.inputs == {"data": (6, 3, 4, 4), "cont": (6, 1)}
    assert made.notes[-2:] == (
        "deploy: layer 'data' (ImageData) became input 'data' of 6x3x4x4: as its parameters say, as many items as it reads at once",
        "deploy: layer 'marks' (HDF5Data) became input 'cont' of 6x1: as 'lstm' asks",
    )
    x = {"data": np.ones((6, 3, 4, 4), np.float32), "cont": np.ones((6, 1), np.float32)}
    assert netsurgery.run(netsurgery.initialize(made, seed=1), x)["lstm"].shape == (6, 1, 3)
    one = STEPS.replace("dim: 6", "dim: 1")
    assert deploy(from_text(IMAGES % ("ImageData", "image_data_param", "") + CONV + one)).inputs == {
        "data": (1, 3, 4, 4),
        "cont": (1, 1),
    }


@pytest.mark.parametrize(
    ("type", "message", "labels"),
    [
        ("MultiLabelImageData", "multi_label_image_data_param", "label_num: 9"),
        ("ImageFloatData", "image_float_data_param", "label_dim: 9"),
    ],
)
def test_data_layers_of_unknown_types_are_understood_by_their_words(type: str, message: str, labels: str) -> None:
    made = deploy(from_text(IMAGES % (type, message, labels) + CONV + PARTS))
    assert made.inputs == {"data": (1, 3, 4, 4), "label": (1, 9)}
    gray = IMAGES % (type, message, labels + " is_color: false")
    assert deploy(from_text(gray + CONV)).inputs == {"data": (1, 1, 4, 4)}


UNSIZED = """layer { name: "data" type: "%s" top: "data" top: "label" data_param { source: "s" batch_size: 6 } %s }
layer { name: "pool" type: "Pooling" bottom: "data" top: "pool" pooling_param { pool: AVE kernel_size: 64 stride: 64 } }
layer { name: "y" type: "Reshape" bottom: "pool" top: "y" reshape_param { axis: 1 shape { dim: %d } } }
"""


@pytest.mark.parametrize("type", ["BoxData", "Data"])
def test_the_usual_size_that_alone_fits(type: str) -> None:
    made = deploy(from_text(UNSIZED % (type, "transform_param { force_color: true }", 3 * 10 * 10)))
    assert made.inputs == {"data": (1, 3, 608, 608)}
    assert made.notes[-1].endswith("of the usual sizes the only one that its layers fit")


def test_of_several_sizes_none_is_chosen_but_one_that_fits_is_advised() -> None:
    net = from_text(UNSIZED % ("Data", "", 3 * 5 * 5), "n.prototxt")
    with pytest.raises(RewriteError) as error:
        deploy(net)
    assert str(error.value).endswith(
        "fix: --input-shape data=1,3,299,299, or input_shapes={'data': (1, 3, 299, 299)} in Python"
    )
    assert deploy(net, {"data": (1, 3, 299, 299)}).shapes()["y"] == (1, 75)


def test_a_size_is_advised_that_the_weights_want(tmp_path: Path) -> None:
    body = """layer { name: "conv" type: "Convolution" bottom: "data" top: "conv" convolution_param { num_output: 4 kernel_size: 5 } }
layer { name: "fc" type: "InnerProduct" bottom: "conv" top: "fc" inner_product_param { num_output: 5 } }"""
    image = 'layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 1 dim: 1 dim: 28 dim: 28 } } }\n'
    netsurgery.save_caffe(
        netsurgery.initialize(from_text(image + body), seed=1), tmp_path / "n.prototxt", tmp_path / "n.caffemodel"
    )
    net = from_text(
        'layer { name: "data" type: "Data" top: "data" data_param { source: "s" batch_size: 6 } }\n' + body,
        "",
        tmp_path / "n.caffemodel",
    )
    with pytest.raises(RewriteError, match="--input-shape data=1,1,28,28, or"):
        deploy(net)
    assert deploy(net, {"data": (1, 1, 28, 28)}).shapes()["fc"] == (1, 5)


def test_all_shapes_that_do_not_follow_are_asked_for_at_once() -> None:
    sources = "".join(
        f'layer {{ name: "{name}" type: "Data" top: "{name}" data_param {{ source: "s" batch_size: 6 }} }}\n'
        for name in "ab"
    )
    net = from_text(sources + 'layer { name: "y" type: "Eltwise" bottom: "a" bottom: "b" top: "y" }', "n.prototxt")
    with pytest.raises(RewriteError) as error:
        deploy(net)
    assert str(error.value) == (
        "n.prototxt:1: layer 'a' (Data): the shape of input 'a' does not follow, nor that of 'b'\n"
        "  expected: crop_size or another size in its parameters, and channels that the first weights want\n"
        "  fix: --input-shape a=1,3,224,224 --input-shape b=1,3,224,224, or input_shapes={'a': (1, 3, 224, 224), "
        "'b': (1, 3, 224, 224)} in Python"
    )
    assert deploy(net, {"a": (1, 3, 224, 224), "b": (1, 3, 224, 224)}).shapes()["y"] == (1, 3, 224, 224)


FAST = """layer { name: "data" type: "Python" top: "data" top: "rois" top: "labels"
  python_param { module: "roi_data_layer.layer" layer: "RoIDataLayer" } }
layer { name: "conv" type: "Convolution" bottom: "data" top: "conv" convolution_param { num_output: 6 kernel_size: 1 } }
"""
POOL = 'layer { name: "y" type: "ROIPooling" bottom: "conv" bottom: "rois" top: "y" roi_pooling_param { pooled_h: 2 pooled_w: 2 } }\n'
PROPOSAL = """layer { name: "info" type: "MyData" top: "im_info" }
layer { name: "delta" type: "Convolution" bottom: "conv" top: "delta" convolution_param { num_output: 12 kernel_size: 1 } }
layer { name: "y" type: "Python" bottom: "conv" bottom: "delta" bottom: "im_info" top: "y"
  python_param { module: "rpn.proposal_layer" layer: "ProposalLayer" param_str: "{feat_stride: 16, scales: [2]}" } }
"""
LSTM = """layer { name: "m" type: "MyData" top: "clip" }
layer { name: "steps" type: "Reshape" bottom: "conv" top: "steps" reshape_param { shape { dim: 4 dim: 1 dim: -1 } } }
layer { name: "y" type: "Lstm" bottom: "steps" bottom: "clip" top: "y" lstm_param { num_output: 3 } }
"""


@pytest.mark.parametrize(
    ("text", "shapes"), [(POOL, {"rois": (1, 5)}), (PROPOSAL, {"im_info": (1, 3)}), (LSTM, {"clip": (4, 1)})]
)
def test_regions_image_sizes_and_marks_follow_from_what_reads_them(
    text: str, shapes: dict[str, tuple[int, ...]]
) -> None:
    image = {"data": (1, 3, 32, 48)}
    made = deploy(from_text(FAST + text), image)
    assert made.inputs == image | shapes
    assert "y" in made.shapes()


def test_an_input_that_is_given_beside_a_label_of_its_layer() -> None:
    """The label stays with a layer of the same name."""
    source = (
        'layer { name: "data" type: "BoxData" top: "data" top: "label" data_param { source: "s" batch_size: 6 } }\n'
    )
    net = from_text(
        source + 'layer { name: "y" type: "Eltwise" bottom: "data" bottom: "label" top: "y" }',
        input_shapes={"data": (1, 3, 8, 8)},
    )
    with pytest.raises(RewriteError, match="the shape of input 'label' does not follow"):
        deploy(net)


CLIPS = """layer { name: "data" type: "VideoData" top: "data" top: "label" video_data_param { source: "s" batch_size: 6 %s } }
layer { name: "conv" type: "Convolution3D" bottom: "data" top: "conv" convolution_param { num_output: 2 kernel_size: 1 kernel_depth: 1 } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "conv" bottom: "label" top: "loss" }
"""


def test_a_clip_is_an_input_of_five_axes_of_one_item() -> None:
    assert deploy(from_text(CLIPS % "new_length: 16 new_height: 8 new_width: 9")).inputs == {"data": (1, 3, 16, 8, 9)}
    assert deploy(from_text(CLIPS % "new_height: 8 new_width: 9")).inputs == {"data": (1, 3, 1, 8, 9)}
    net = from_text(CLIPS % "new_length: 16", "n.prototxt")
    with pytest.raises(RewriteError) as refused:
        deploy(net)
    assert str(refused.value) == (
        "n.prototxt:1: layer 'data' (VideoData): the shape of input 'data' does not follow\n"
        "  expected: crop_size or another size in its parameters, and channels that the first weights want\n"
        "  fix: --input-shape data=1,3,16,224,224, or input_shapes={'data': (1, 3, 16, 224, 224)} in Python"
    )
    assert deploy(net, {"data": (1, 3, 16, 224, 224)}).shapes()["conv"] == (1, 2, 16, 224, 224)
