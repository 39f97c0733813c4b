"""What the cases of fixtures/ lack: ranks, edge cases and refusals of layers/data.py."""

from __future__ import annotations

import pytest
from one_layer import one, refusal

from netsurgery.errors import UnsupportedError
from netsurgery.formats.load import from_text

MEANS = "mean_value: 1 mean_value: 2 mean_value: 3"


SSD = "transform_param { resize_param { height: 300 width: 301 resize_mode: WARP } " + MEANS + " }"


CROP = "transform_param { crop_size: 20 %s }"


SMALL = "image_data_param { batch_size: 2 new_height: 30 new_width: 40 %s }"


VIDEO = "data_param { batch_size: 2 } video_data_param { video_type: WEBCAM } transform_param { crop_h: 3 crop_w: 4 }"


DENSE = "dense_image_data_param { batch_size: 2 source: 's' crop_height: 7 crop_width: 8 }"


DATA = [
    ("Data", "data_param { batch_size: 8 source: 'db' backend: LMDB }" + CROP % MEANS, [(8, 3, 20, 20), (8,)]),
    ("Data", "data_param { batch_size: 8 }" + CROP % "mean_file: 'm'", [None, (8,)]),
    ("Data", "data_param { batch_size: 4 rand_skip: 2 }" + CROP % "force_gray: true", [(4, 1, 20, 20), (4,)]),
    ("ImageData", SMALL % "shuffle: true", [(2, 3, 30, 40), (2,)]),
    ("ImageData", SMALL % "is_color: false" + CROP % "", [(2, 1, 20, 20), (2,)]),
    ("ImageData", "image_data_param { source: 'list' }", [None, (1,)]),
    ("MemoryData", "memory_data_param { batch_size: 1 channels: 3 height: 5 width: 6 }", [(1, 3, 5, 6), (1,)]),
    (
        "MemoryData",
        "memory_data_param { batch_size: 1 channels: 3 height: 25 width: 26 }" + CROP % "",
        [(1, 3, 25, 26), (1,)],
    ),
    ("MemoryData", "memory_data_param { dim: [2, 1, 7, 5, 6] }", [(2, 1, 7, 5, 6), (2,)]),  # naibaf7's
    (
        "Data",
        "data_param { batch_size: 3 } input_param { shape { dim: 1 dim: 3 dim: 5 dim: 6 } }",
        [(1, 3, 5, 6), (3,)],
    ),
    (
        "Data",  # PSPNet's and yjxiong's
        "data_param { batch_size: 3 } transform_param { crop_height: 7 crop_width: 5 " + MEANS + " }",
        [(3, 3, 7, 5), (3,)],
    ),
    ("HDF5Data", "hdf5_data_param { batch_size: 3 source: 'x' }", [None, None]),
    ("WindowData", "window_data_param { batch_size: 3 fg_threshold: 0.5 }" + CROP % "", [(3, 3, 20, 20), (3,)]),
    (
        "AnnotatedData",
        "data_param { batch_size: 2 } annotated_data_param { label_map_file: 'l' }" + SSD,
        [(2, 3, 300, 301), None],
    ),
    ("VideoData", VIDEO, [(2, 3, 3, 4), (2,)]),
    (
        "VideoData",  # C3D's and video-caffe's: clips
        "video_data_param { batch_size: 2 new_length: 16 } transform_param { crop_size: 112 }",
        [(2, 3, 16, 112, 112), (2,)],
    ),
    (
        "VideoData",
        "video_data_param { source: 's' }" + CROP % "",
        [(1, 3, 1, 20, 20), (1,)],
    ),  # one frame is a clip, too
    (
        "VideoData",
        "video_data_param { batch_size: 2 new_height: 8 new_width: 9 is_color: false }",
        [(2, 1, 1, 8, 9), (2,)],
    ),
    ("VideoData", "data_param { batch_size: 2 }" + CROP % "", [(2, 3, 20, 20), (2,)]),  # SSD's: single frames
    (
        "VideoData",
        "video_data_param { batch_size: 2 new_length: 5 name_pattern: 'img_%05d.jpg' }" + CROP % "",
        [(2, 10, 20, 20), (2,)],
    ),
    (
        "VideoData",  # yjxiong's: frames are channels
        "video_data_param { batch_size: 2 num_segments: 4 modality: RGB new_length: 1 } transform_param { crop_size: 224 }",
        [(2, 12, 224, 224), (2,)],
    ),
    ("DenseImageData", DENSE, [(2, 3, 7, 8), (2, 1, 7, 8)]),
]


@pytest.mark.parametrize(("type", "params", "shapes"), DATA)
def test_data_layers_are_inputs(type: str, params: str, shapes: list[tuple[int, ...] | None]) -> None:
    net = from_text(one(type, params, (), ("data", "label")))
    net.require_supported()
    assert list(net.inputs.items()) == list(zip(("data", "label"), shapes, strict=True))


def test_a_field_that_data_layers_do_not_have_is_refused() -> None:
    net = from_text(one("Data", "data_param { batchsize: 8 }", (), ("data",)))
    assert "field 'batchsize: 8' is not known in DataParameter" in refusal(net.require_supported, UnsupportedError)
