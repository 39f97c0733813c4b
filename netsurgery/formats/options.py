"""How a net is read, and what is done to pixels before it: options that every command and every manifest has."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

from ..aliases import InputShapes
from ..options import File, Flag, Many, Mean, Number, Pairs, Shape, Size, choice, option, whole
from .prototxt.dialects import DIALECTS

if TYPE_CHECKING:
    from ..layers.core.layer_type import LayerType

SHAPE = "BLOB=N,C,H,W, such as data=1,3,224,224 or data=1,3,H,W"


@dataclass(frozen=True)
class Reading:
    """How a net is read: see `netsurgery.load`; and whether its weights are made up (`initialize`, by `seed`)."""

    PANEL: ClassVar = "How the net is read"

    input_shapes: InputShapes = option(
        {},
        Pairs(SHAPE, "BLOB=N,C,H,W", 'shapes of inputs: { data = [1, 3, "H", "W"] }', of=Shape()),
        "input-shape",
        "The shape of an input; a name instead of a number leaves that axis dynamic. Repeatable.",
    )
    plugins: Sequence[str] = option(
        (),
        Many("paths of Python files", "LAYERS.PY", of=File()),
        "plugin",
        "A Python file that registers layer types of your own. Repeatable.",
    )
    phase: str = option("TEST", choice("TEST", "TRAIN"), "phase", "Which layers count.")
    level: int = option(0, whole(), "level", "The level for include/exclude rules.")
    stages: Sequence[str] = option(
        (), Many("names of stages"), "stage", "A stage for include/exclude rules. Repeatable."
    )
    settings: Mapping[str, str] | None = option(
        None,
        Pairs("NAME=VALUE, such as height=227", "NAME=VALUE", 'values of placeholders: { height = "227" }'),
        "set",
        "Fills a placeholder of a template. Repeatable.",
    )
    ignore_unknown: bool = option(
        False, Flag(), "ignore-unknown", "Pass over fields of unknown meaning, and list them."
    )
    custom_ops: Mapping[str, str] = option(
        {},
        Pairs("TYPE=DOMAIN, or TYPE alone", "TYPE[=DOMAIN]", bare="caffe"),
        "as-custom-op",
        "Hand layers of this type on as nodes of a domain, for a kernel of your own. Repeatable.",
    )
    crop: str = option(
        "caffe",
        choice("caffe", "auto"),
        "crop",
        "Where a Crop layer without crop_param cuts: at 0, or auto, as in longjon/caffe, where the geometry of the net says.",
    )
    dialect: str | None = option(
        None,
        choice(*DIALECTS),
        "dialect",
        "The fork whose layers are meant where several share a name and no field tells.",
    )
    initialize: str | None = option(
        None,
        choice("fillers", "random"),
        "initialize",
        "Make weights up: as the fillers say, or random, with which numbers keep an ordinary size.",
    )
    initialize_missing: bool = option(
        False, Flag(), "initialize-missing", "Fill what the weights file lacks as the fillers say."
    )
    seed: int = option(0, whole(0), "seed", "The seed of random numbers.", panel="")
    layers: Mapping[str, type[LayerType]] = field(default_factory=dict)
    """Layer types that stand for others in this net: only from Python."""


@dataclass(frozen=True)
class Pixels:
    """What the net expects of its pixels, where the net does not say: None is not said. See `formats.preprocessing`."""

    PANEL: ClassVar = "Pixels: (raw_scale * image - mean) * scale"

    mean: str | Sequence[float] | None = option(
        None, Mean(), "mean", "What is subtracted: numbers in the net's channel order, mean.binaryproto or mean.npy."
    )
    scale: float | None = option(
        None, Number("a number"), "scale", "What pixels are multiplied by at the end. Default 1."
    )
    raw_scale: float | None = option(
        None,
        Number("a number"),
        "raw-scale",
        "What pixels of 0 to 1 are multiplied by first. Default 255: pixels of 0 to 255.",
    )
    channel_order: str | None = option(
        None,
        Flag("true or false", yes="bgr", no="rgb", negative="rgb"),
        "bgr",
        "The order of the net's channels. Default BGR.",
    )
    convention: str | None = option(
        None,
        choice("caffe", "pycaffe"),
        "pixels-as",
        "caffe: as data layers do (OpenCV's resizing; the mean image is cropped with the image). pycaffe: as caffe.io and"
        " caffe.Classifier do (the mean image is resized).",
    )
    transform: str | None = option(
        None,
        File("a train_val.prototxt", "TRAIN_VAL.prototxt"),
        "transform",
        "Takes mean and scale from the transform_param of this file.",
    )
    resize: tuple[int, int] | None = option(
        None,
        Size(metavar="HxW", axes=2),
        "resize",
        "Warps images to this size and cuts out the middle. Default: warps them to the net's input.",
    )
