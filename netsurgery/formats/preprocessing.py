"""What is done to the pixels of an image before a net sees them: said by hand, or by the transform_param of a data layer."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import NetsurgeryError, ShapeError, Source, WeightsError
from ..files.arrays import MAGIC, read_arrays
from ..files.mapped import map_file
from ..net import Layer, Net
from .load import read_net
from .options import Pixels, Reading
from .weights.caffemodel import read_binaryproto

Array = NDArray[np.float32]

ORDERS = ("bgr", "rgb")
CAFFE, PYCAFFE = "caffe", "pycaffe"
CONVENTIONS = {CAFFE: "Caffe's data layers do", PYCAFFE: "pycaffe's Classifier does"}
"""Whose way with pixels: what is resized, how, and what becomes of a mean image."""

LUMA = (0.299, 0.587, 0.114)
"""How much red, green and blue add to gray: ITU-R BT.601, as OpenCV and Pillow have it."""

LUMA_PARTS = (9797, 19234, 3737)
"""The same in 1/32768, as libpng has them where OpenCV lets it make gray."""

LINEAR_LUMA = (0.2125, 0.7154, 0.0721)
"""The same as scikit-image has it, and with it caffe.io: linear RGB of the CIE."""

RAW = 255.0
"""The greatest value of a pixel, as files and Caffe's data layers hold it."""


@dataclass(frozen=True, eq=False)
class Preprocessing:
    """What the net expects of its input: blob[c] = (raw_scale * image[c] - mean[c]) * scale.

    `image` is RGB of 0 to 1, its channels reversed first if `channel_order` is "bgr"; `raw_scale` 255 gives pixels of 0 to 255, which is
    what Caffe's data layers feed. `mean` is of the net's own channel order: one value, one for each channel, or an image (C, H, W).
    `resize` is the size (h, w) to which an image is warped before its centre is cut out; None: the size of the mean image (caffe), or the
    input's; with `cut` images keep the size that they have. Values are pycaffe's: Transformer's raw_scale, channel_swap, mean and
    input_scale. `convention` says whose way it is ("": that of the command):

    caffe     OpenCV's bilinear interpolation, on bytes; the mean image is as large as the image, and both are cropped
    pycaffe   caffe.io.resize_image; the image is cropped, and the mean image resized to the crop

    Source: data_transformer.cpp, io.cpp; python/caffe/io.py (Transformer), classifier.py
    """

    mean: Array | None = None
    scale: float = 1.0
    raw_scale: float = RAW
    channel_order: str = "bgr"
    resize: tuple[int, int] | None = None
    cut: bool = False
    convention: str = ""

    def __post_init__(self) -> None:
        if self.convention not in ("", *CONVENTIONS):
            raise NetsurgeryError(f"pixels as '{self.convention}'", expected="caffe or pycaffe")
        if self.channel_order not in ORDERS:
            raise NetsurgeryError(f"channel_order={self.channel_order!r}", expected="bgr or rgb")
        if self.mean is not None:
            mean = np.asarray(self.mean, np.float32)
            mean = mean[0] if mean.ndim == 4 and len(mean) == 1 else mean  # as a BlobProto holds it
            mean = mean[None] if mean.ndim == 2 else mean
            if mean.ndim not in (0, 1, 3) or not mean.size:
                raise ShapeError(f"a mean of shape {mean.shape}", expected="one value, (C), (H, W) or (C, H, W)")
            object.__setattr__(self, "mean", mean)
        for name, value in (("mean", self.mean), ("scale", self.scale), ("raw_scale", self.raw_scale)):
            if value is not None and not np.isfinite(value).all():
                raise NetsurgeryError(f"a {name} that is not finite", expected="numbers", fix="say it: --mean, --scale")

    def mean_for(self, channels: int) -> Array | None:
        """The mean as (C, 1, 1) or (C, H, W). Raises: ShapeError if it is of another number of channels."""
        if self.mean is None:
            return None
        if self.mean.size == 1:
            return np.full((channels, 1, 1), self.mean.reshape(-1)[0], np.float32)
        if len(self.mean) != channels:
            raise ShapeError(
                f"a mean of {len(self.mean)} channels",
                expected=f"{'1' if channels == 1 else f'1 or {channels}'}: one for each channel of the input",
                fix="--mean with as many values, or the mean file of this net",
            )
        return self.mean.reshape(channels, 1, 1) if self.mean.ndim == 1 else self.mean

    @property
    def frame(self) -> tuple[int, int] | None:
        """The size (h, w) of the mean image; None without one."""
        image = self.mean is not None and self.mean.ndim == 3 and self.mean.shape[1:] != (1, 1)
        return (self.mean.shape[1], self.mean.shape[2]) if image and self.mean is not None else None

    def describe(self, channels: int) -> str:
        """In words, for a person: "BGR of 0 to 255, mean 104, 117, 123 subtracted"."""
        order = {1: "gray", 3: self.channel_order.upper()}.get(channels, f"{channels} channels")
        steps = [f"{order} of 0 to {self.raw_scale:g}"]
        if self.mean is not None:
            values = ", ".join(f"{m:g}" for m in self.mean.reshape(-1)) if self.mean.ndim < 3 else "image"
            steps.append(f"mean {values} subtracted")
        if self.scale != 1:
            steps.append(f"then scaled by {self.scale:g}")
        return ", ".join(steps) + (f", as {CONVENTIONS[self.convention]}" if self.convention else "")


def read_mean(text: str) -> Array:
    """A mean as people give it: "104,117,123", one number, mean.binaryproto, or mean.npy.

    Raises: NetsurgeryError, WeightsError."""
    parts = text.split(",")
    try:
        values = np.array([float(part) for part in parts], np.float32)
    except ValueError:
        pass
    else:
        if not np.isfinite(values).all():
            raise NetsurgeryError(f"the mean {text}", expected="numbers")
        return values if len(values) > 1 else values[0]
    if not os.path.isfile(text):
        raise NetsurgeryError(
            "there is no such mean file",
            source=Source(text),
            expected="numbers (104,117,123), mean.binaryproto or mean.npy",
        )
    if bytes(map_file(text)[:6]) != MAGIC:
        return read_binaryproto(text)
    mean = read_arrays(text, "an array of numbers", WeightsError)
    if isinstance(mean, dict) or mean.dtype.kind not in "biuf":
        raise WeightsError("is no array of numbers", source=Source(text), expected="an array of numbers")
    with np.errstate(over="ignore"):
        return mean.astype(np.float32)


def from_net(net: Net, *, without_mean: bool = False) -> Preprocessing | None:
    """What the transform_param of the net's data layer says; None if it has none (a deploy prototxt). `without_mean` leaves the mean out.

    Raises: NetsurgeryError if it names a mean file that is not there."""
    for layer in net.layers:
        if layer.kind.is_input and layer.params.has("transform_param"):
            return _from_layer(layer, without_mean)
    return None


def _from_layer(layer: Layer, without_mean: bool) -> Preprocessing:
    transform = layer.params.last("transform_param")
    values, file = transform.all("mean_value"), transform.last("mean_file", "")
    if values and file and not without_mean:
        raise NetsurgeryError(
            "transform_param has both mean_file and mean_value",
            layer=layer,
            expected="one of the two",
            fix="say which: --mean",
        )
    mean: Any = None
    if not without_mean and (values or file):
        mean = np.array(values, np.float32) if values else read_binaryproto(_find(layer, file))
    resize, cut = _resize(layer)
    done = Preprocessing(mean, float(transform.last("scale", 1.0)), resize=resize, cut=cut, convention=CAFFE)
    crop = transform.last("crop_size", 0)
    if (
        layer.type == "WindowData" and crop and done.frame
    ):  # windows are warped to the crop, and the middle of the mean goes off
        top, left = ((side - crop) // 2 for side in done.frame)
        done = replace(done, mean=mean.reshape(-1, *done.frame)[:, top : top + crop, left : left + crop])
    return done


def _find(layer: Layer, file: str) -> str:
    """The mean file: as Caffe finds it, from where it is started, or beside the prototxt."""
    folder = os.path.dirname(layer.source.file)
    for path in (file, os.path.join(folder, file), os.path.join(folder, os.path.basename(file))):
        if os.path.isfile(path):
            return path
    raise NetsurgeryError(
        f"the mean file '{file}' is not there",
        layer=layer,
        fix="give it: --mean mean.binaryproto or --mean 104,117,123",
    )


def _resize(layer: Layer) -> tuple[tuple[int, int] | None, bool]:
    """The size to which the layer warps an image of which it then cuts out the middle, and whether it cuts images as they are."""
    transform, image = layer.params.last("transform_param"), layer.params.last("image_data_param")
    crop = transform.last("crop_size", 0)
    if not crop or layer.type == "WindowData":
        return None, False
    if image is None or not image.last("new_height", 0) or not image.last("new_width", 0):
        return None, True
    size = image.last("new_height"), image.last("new_width")
    return (None if size == (crop, crop) else size), False


def read_pixels(net: Net, pixels: Pixels) -> Preprocessing | None:
    """What `pixels` say, and where they say nothing the transform_param of the net, or of the net in `pixels.transform`; where that says
    nothing either, pixels of 0 to 255 in BGR as Caffe's data layers feed them. None if nobody says anything.

    Raises: NetsurgeryError."""
    source = net if pixels.transform is None else read_net(pixels.transform, None, Reading(ignore_unknown=True))
    own = from_net(source, without_mean=pixels.mean is not None)
    if pixels.transform is not None and own is None:
        raise NetsurgeryError(
            "no layer has a transform_param", source=Source(pixels.transform), expected="a train_val.prototxt"
        )
    said = {name: value for name, value in vars(pixels).items() if value is not None and name != "transform"}
    if isinstance(pixels.mean, str):
        said["mean"] = read_mean(pixels.mean)
    if pixels.resize is not None:
        said["cut"] = False
    return replace(own or Preprocessing(), **said) if said else own
