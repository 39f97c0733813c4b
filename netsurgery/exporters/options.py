"""How a model is written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..formats.options import Pixels
from ..options import Flag, Many, choice, option, whole
from .targets import TARGETS

BITS = "Fewer bits"


@dataclass(frozen=True)
class Export:
    """How a model is written: see `netsurgery.save_onnx`; `to` "caffe2" writes NetDefs."""

    to: str | None = option(
        None,
        choice("caffe2", "openvino"),
        "to",
        "caffe2: write init_net.pb and predict_net.pb into the folder -o; openvino: its own format, MODEL.xml and MODEL.bin.",
    )
    target: str | None = option(
        None,
        choice(*TARGETS),
        "for",
        "Where the model will run: chooses opset, sizes, detections and weights for it, and refuses what it cannot compute.",
        key="target",
    )
    outputs: Sequence[str] | None = option(
        None,
        Many("names of blobs", "BLOB"),
        "output",
        "A blob to give out, instead of the net's outputs. Repeatable.",
    )
    static: bool = option(False, Flag(), "static", "Fix every axis at its declared size.")
    plain: bool = option(
        False,
        Flag(),
        "plain",
        "Write each layer as the node that is meant for it (LRN), though others are faster in onnxruntime.",
    )
    winograd: bool = option(
        False,
        Flag(),
        "winograd",
        "Compute 3x3 convolutions of many channels by Winograd's algorithm: faster, larger, and less exact.",
    )
    opset: int | None = option(
        None, whole(), "opset", "ONNX opset, 17 or newer. Default: the oldest that has what the layers need."
    )
    fold: bool = option(True, Flag(yes=False, no=True), "no-fold", "Keep BatchNorm and Scale as nodes of their own.")
    weights_mode: str = option(
        "auto",
        choice("auto", "embed", "external", "link"),
        "weights",
        "embed: in the model; external: in MODEL.onnx.data beside it; link: left in the caffemodel; auto.",
        key="weights_mode",
    )
    full_hash: bool = option(False, Flag(), "hash", "With link, record the full hash of the caffemodel too.")
    bake_preprocessing: bool = option(
        False,
        Flag(),
        "bake-preprocessing",
        "Let the model do it: it takes RGB images (N, H, W, 3) of uint8, of any size.",
        panel=Pixels.PANEL,
    )
    check: bool = option(
        True,
        Flag(yes=False, no=True),
        "no-check",
        "Do not open what was written in onnxruntime once, to see that it does.",
    )
    fp16: bool = option(
        False,
        Flag(),
        "fp16",
        "Compute in float16 where that is safe, and say what is lost; inputs and outputs stay float32.",
        panel=BITS,
    )
    int8: Sequence[str] = option(
        (),
        Many("paths of images, folders or lists", "IMAGES"),
        "int8",
        "Compute on int8, calibrated with images (files, folders, lists), and say what is lost. Repeatable.",
        panel=BITS,
    )
