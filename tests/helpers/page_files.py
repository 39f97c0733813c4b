"""The files that the pages of docs/ name: a small net of CaffeNet's shape, its weights, photos, lists."""

from __future__ import annotations

import shutil
from pathlib import Path

import cases
import numpy as np
import seeing

import netsurgery
from netsurgery.formats.load import from_text
from netsurgery.vision.mean import write_mean

CLASSES = 300
TABBY = 281
PHOTOS = (
    "cat.jpg",
    "sky.jpg",
    "flowers.jpg",
    "photo.jpg",
    "crowd.jpg",
    "a.jpg",
    "b.jpg",
    "photos/1.jpg",
    "photos/2.jpg",
    "images/1.jpg",
)


def _layer(name: str, type: str, bottom: str, params: str = "", top: str = "") -> str:
    return f'layer {{ name: "{name}" type: "{type}" bottom: "{bottom}" top: "{top or name}" {params} }}\n'


def _conv(name: str, bottom: str, out: int, kernel: int, more: str = "", top: str = "") -> str:
    params = (
        f"convolution_param {{ num_output: {out} kernel_size: {kernel} {more} weight_filler {{ type: 'xavier' }} }}"
    )
    return _layer(name, "Convolution", bottom, params, top) + _layer(
        f"relu_{name}", "ReLU", top or name, "", top or name
    )


def _pool(name: str, bottom: str) -> str:
    return _layer(name, "Pooling", bottom, "pooling_param { pool: MAX kernel_size: 3 stride: 2 }")


def _inner(name: str, bottom: str, out: int) -> str:
    filler = "weight_filler { type: 'xavier' }"
    return _layer(name, "InnerProduct", bottom, f"inner_product_param {{ num_output: {out} {filler} }}")


def _body(last: str) -> str:
    """CaffeNet with few channels; conv4 gives a blob of GoogLeNet's name."""
    return (
        _conv("conv1", "data", 8, 11, "stride: 4")
        + _pool("pool1", "conv1")
        + _conv("conv2", "pool1", 8, 5, "pad: 2")
        + _pool("pool2", "conv2")
        + _conv("conv3", "pool2", 8, 3, "pad: 1")
        + _conv("conv4", "conv3", 8, 3, "pad: 1", "inception_4c/output")
        + _conv("conv5", "inception_4c/output", 24, 3, "pad: 1")
        + _pool("pool5", "conv5")
        + _inner("fc6", "pool5", 16)
        + _layer("drop6", "Dropout", "fc6", "", "fc6")
        + _inner("fc7", "fc6", 16)
        + _inner(last, "fc7", CLASSES)
    )


def _input(*shape: int) -> str:
    dims = " ".join(f"dim: {n}" for n in shape)
    return f'layer {{ name: "data" type: "Input" top: "data" input_param {{ shape {{ {dims} }} }} }}\n'


CAFFENET = _input(1, 3, 227, 227) + _body("fc8") + _layer("prob", "Softmax", "fc8")
MEMNET = _input(1, 3, 227, 227) + _body("fc8-euclidean")
TRAINED = (
    'layer { name: "data" type: "ImageData" top: "data" top: "label" transform_param { mean_value: 104 mean_value: 117 '
    'mean_value: 123 crop_size: 227 } image_data_param { source: "val.txt" batch_size: 2 new_height: 256 new_width: 256 } }\n'
    + _body("fc8")
    + 'layer { name: "accuracy" type: "Accuracy" bottom: "fc8" bottom: "label" top: "accuracy" }\n'
    + 'layer { name: "loss" type: "SoftmaxWithLoss" bottom: "fc8" bottom: "label" top: "loss" }\n'
)
CAPTIONER = (
    'layer { name: "in" type: "Input" top: "word" top: "cont" input_param { shape { dim: 1 dim: 1 dim: 4 } shape { dim: 1 dim: 1 } } }\n'
    'layer { name: "lstm" type: "LSTM" bottom: "word" bottom: "cont" top: "lstm" recurrent_param { num_output: 1000 '
    "weight_filler { type: 'uniform' min: -0.1 max: 0.1 } } }\n"
    + _layer("probs", "Softmax", "lstm", "softmax_param { axis: 2 }")
)
GAINED = _input(1, 3, 8, 8) + _conv("conv", "data", 4, 3)
GAIN = _layer("gain", "Gain", "conv", "gain_param { factor: 2.0 offset: 1.0 }")
DET1 = (
    _input(1, 3, 12, 12)
    + _conv("conv1", "data", 4, 5, "stride: 2")
    + _layer(
        "conv4-1",
        "Convolution",
        "conv1",
        "convolution_param { num_output: 2 kernel_size: 4 weight_filler { type: 'xavier' } }",
    )
    + _layer(
        "conv4-2",
        "Convolution",
        "conv1",
        "convolution_param { num_output: 4 kernel_size: 4 weight_filler { type: 'xavier' } }",
    )
    + _layer("prob1", "Softmax", "conv4-1")
)
SPECIAL = {"recurrent.md": CAPTIONER, "surgery.md": MEMNET, "deploy.md": CAFFENET.replace("227", "224")}
"""What deploy.prototxt is on these pages."""


def _save(text: str, prototxt: Path, *weights: Path) -> None:
    net = netsurgery.initialize(from_text(text, prototxt.name))
    prototxt.write_text(text)
    for path in weights:
        netsurgery.save_caffe(net, prototxt.with_suffix(".saved.prototxt"), path)


def lay_out(folder: Path, page: str) -> None:
    """Puts everything there that a page of docs/ names."""
    shutil.copytree(cases.FIXTURES, folder / "fixtures", ignore=shutil.ignore_patterns("conformance*", "caffe2"))
    rng = np.random.default_rng(0)
    for name in PHOTOS:
        seeing.save(folder / name, seeing.photo(rng, 240, 300))
    names = [folder / name for name in ("weights.caffemodel", "memnet.caffemodel", "rcnn.caffemodel")]
    _save(SPECIAL.get(page, CAFFENET), folder / "deploy.prototxt", *names)
    loaded = netsurgery.load(folder / "deploy.prototxt", names[0])
    digits = folder / "fixtures" / "digits"
    shown = netsurgery.load(digits / "deploy.prototxt", digits / "digits.caffemodel") if page == "score.md" else loaded
    netsurgery.save_onnx(shown, folder / "model.onnx")
    if page == "verify.md":
        netsurgery.record(loaded, folder / "golden.npz")
    netsurgery.save_caffe2(loaded, folder)
    _save(CAFFENET.replace('"conv1"', '"conv1_rgb"'), folder / "other.prototxt", folder / "other.caffemodel")
    _save(DET1, folder / "det1.prototxt", folder / "det1.caffemodel")
    (folder / "train_val.prototxt").write_text(TRAINED)
    _save(GAINED, folder / "net.prototxt", folder / "net.caffemodel")
    (folder / "net.prototxt").write_text(GAINED + GAIN)
    words = [f"n{k:08} {'tabby, tabby cat' if k == TABBY else f'thing {k}'}" for k in range(CLASSES)]
    for name in ("synset_words.txt", "labels.txt"):
        (folder / name).write_text("\n".join(words) + "\n")
    for name in ("train.txt", "val.txt"):
        (folder / name).write_text("photos/1.jpg 3\nphotos/2.jpg 281\n")
    (folder / "boxes.csv").write_text("filename,ymin,xmin,ymax,xmax\ncat.jpg,10,20,110,160\ncat.jpg,30,5,200,90\n")
    mean = np.broadcast_to(np.float32([104, 117, 123])[:, None, None], (3, 256, 256))
    write_mean(folder / "mean.binaryproto", mean)
    write_mean(folder / "mean.npy", mean)
