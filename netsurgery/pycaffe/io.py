"""caffe.io: images, the Transformer, and arrays to and from Caffe's messages.

Values, memory and refusals are those of pycaffe with scikit-image 0.14, without scikit-image: nothing is blurred
before it is made smaller (see files/resample.py).

Source: BVLC Caffe, python/caffe/io.py.
"""

from __future__ import annotations

import weakref
from collections.abc import Mapping, Sequence
from itertools import count
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ..files import resample
from . import images
from .proto import caffe_pb2

Array = NDArray[Any]

__all__ = [
    "Transformer",
    "array_to_blobproto",
    "array_to_datum",
    "arraylist_to_blobprotovector_str",
    "blobproto_to_array",
    "blobprotovector_str_to_arraylist",
    "datum_to_array",
    "load_image",
    "oversample",
    "resize_image",
]


def blobproto_to_array(blob: Any, return_diff: bool = False) -> Array:
    """The data of a BlobProto, or its diff, in its shape; the four legacy fields count if any of them is set.

    Raises: ValueError if the numbers do not fill the shape.
    """
    values = np.array(blob.diff if return_diff else blob.data, dtype=np.float64)
    legacy = ("num", "channels", "height", "width")
    if any(blob.HasField(name) for name in legacy):
        return values.reshape([getattr(blob, name) for name in legacy])
    return values.reshape(list(blob.shape.dim))


def array_to_blobproto(arr: Array, diff: Array | None = None) -> Any:
    """A BlobProto with an array's shape and numbers, of any rank; diff is taken as it is."""
    blob = caffe_pb2.BlobProto()
    blob.shape.dim.extend(arr.shape)
    blob.data.extend(arr.astype(float).ravel())
    if diff is not None:
        blob.diff.extend(diff.astype(float).ravel())
    return blob


def arraylist_to_blobprotovector_str(arraylist: Sequence[Array]) -> bytes:
    """Arrays as the bytes of a BlobProtoVector."""
    packed: bytes = caffe_pb2.BlobProtoVector(blobs=[array_to_blobproto(a) for a in arraylist]).SerializeToString()
    return packed


def blobprotovector_str_to_arraylist(str: bytes) -> list[Array]:
    """The arrays of a BlobProtoVector's bytes."""
    return [blobproto_to_array(blob) for blob in caffe_pb2.BlobProtoVector.FromString(str).blobs]


def array_to_datum(arr: Array, label: int | None = None) -> Any:
    """A Datum with the pixels of an image: bytes of uint8, floats of anything else.

    Shapes: (C, H, W).
    Raises: ValueError for another number of axes.
    """
    if arr.ndim != 3:
        raise ValueError(f"a Datum has three axes (channels, height, width), this array has the shape {arr.shape}")
    datum = caffe_pb2.Datum()
    datum.channels, datum.height, datum.width = arr.shape
    if arr.dtype == np.uint8:
        datum.data = arr.tobytes()
    else:
        datum.float_data.extend(arr.astype(float).ravel())
    if label is not None:
        datum.label = label
    return datum


def datum_to_array(datum: Any) -> Array:
    """The pixels of a Datum: uint8 where it has bytes, float64 where it has floats.

    Shapes: (C, H, W).
    Raises: ValueError if they do not fill the shape, as the bytes of a JPEG (`encoded`) do not.
    """
    if datum.data:
        pixels: Array = np.frombuffer(datum.data, dtype=np.uint8).copy()
    else:
        pixels = np.array(datum.float_data, dtype=np.float64)
    return pixels.reshape(datum.channels, datum.height, datum.width)


_NUMBERS = count()


class Transformer:
    """What to do with an image before a net takes it, for each of its inputs.

    preprocess: resize, transpose, swap channels, * raw_scale, - mean, * input_scale; deprocess undoes all but the size.
    inputs: shapes by name, (N, C, H, W). What is set stands in one dict by input for each setting, as in Caffe.
    """

    instances: ClassVar[weakref.WeakSet[Transformer]] = weakref.WeakSet()
    """All that live, for `explain`."""

    def __init__(self, inputs: Mapping[str, tuple[int, ...]]) -> None:
        self.inputs = inputs
        self.number = next(_NUMBERS)
        self.transpose: dict[str, Sequence[int]] = {}
        self.channel_swap: dict[str, Sequence[int]] = {}
        self.raw_scale: dict[str, float] = {}
        self.mean: dict[str, Array] = {}
        self.input_scale: dict[str, float] = {}
        Transformer.instances.add(self)

    def _require_input(self, in_: str) -> None:
        if in_ not in self.inputs:
            raise Exception(f"{in_} is not one of the net inputs: {self.inputs}")

    def preprocess(self, in_: str, data: Array) -> Array:
        """An image as the input takes it.

        As in Caffe, float32 data that has the size already is worked on in place, unless channels are swapped.

        Shapes: (H', W', C) -> (C, H, W) with the usual transpose (2, 0, 1), float32.
        Raises: Exception for an input that the Transformer was not made for.
        """
        self._require_input(in_)
        x = data.astype(np.float32, copy=False)
        size = self.inputs[in_][2:]
        if x.shape[:2] != size:
            x = resize_image(x, size)
        if (axes := self.transpose.get(in_)) is not None:
            x = x.transpose(axes)
        if (order := self.channel_swap.get(in_)) is not None:
            x = x[order, :, :]
        if (raw_scale := self.raw_scale.get(in_)) is not None:
            x *= raw_scale
        if (mean := self.mean.get(in_)) is not None:
            x -= mean
        if (input_scale := self.input_scale.get(in_)) is not None:
            x *= input_scale
        return x

    def deprocess(self, in_: str, data: Array) -> Array:
        """An image from what the input took; axes of length 1 are dropped.

        Shapes: (C, H, W) or (1, C, H, W) -> (H, W, C) with the usual transpose.
        Raises: Exception for an input that the Transformer was not made for.
        """
        self._require_input(in_)
        x = data.copy().squeeze()
        if (input_scale := self.input_scale.get(in_)) is not None:
            x /= input_scale
        if (mean := self.mean.get(in_)) is not None:
            x += mean
        if (raw_scale := self.raw_scale.get(in_)) is not None:
            x /= raw_scale
        if (order := self.channel_swap.get(in_)) is not None:
            x = x[np.argsort(order), :, :]
        if (axes := self.transpose.get(in_)) is not None:
            x = x.transpose(np.argsort(axes))
        return x

    def set_transpose(self, in_: str, order: Sequence[int]) -> None:
        """The order of an image's axes: (2, 0, 1) makes H x W x C what Caffe takes.

        Raises: Exception if it has not one entry for each axis of an image.
        """
        self._require_input(in_)
        if len(order) != len(self.inputs[in_]) - 1:
            raise Exception(
                f"a transpose of {in_!r} orders {len(self.inputs[in_]) - 1} axes, all but the batch of"
                f" {tuple(self.inputs[in_])}: {tuple(order)} has {len(order)}"
            )
        self.transpose[in_] = order

    def set_channel_swap(self, in_: str, order: Sequence[int]) -> None:
        """The order of the channels, after the transpose: (2, 1, 0) makes RGB BGR.

        Raises: Exception if it has not one entry for each channel.
        """
        self._require_input(in_)
        if len(order) != self.inputs[in_][1]:
            raise Exception(
                f"a channel swap of {in_!r} orders its {self.inputs[in_][1]} channels: {tuple(order)} has {len(order)}"
            )
        self.channel_swap[in_] = order

    def set_raw_scale(self, in_: str, scale: float) -> None:
        """What pixels are multiplied with before the mean is taken away: 255 for nets that saw 0 to 255."""
        self._require_input(in_)
        self.raw_scale[in_] = scale

    def set_mean(self, in_: str, mean: Array) -> None:
        """What is taken away: a number for each channel, or an image, brought to the input's size if it has another.

        Shapes: (C) or (C, H', W').
        Raises: ValueError for other shapes.
        """
        self._require_input(in_)
        shape = tuple(self.inputs[in_][1:])
        if mean.ndim == 1:
            if len(mean) != shape[0]:
                raise ValueError(f"a mean of {len(mean)} channels for {in_!r}, which has {shape[0]}")
            self.mean[in_] = mean[:, np.newaxis, np.newaxis]
            return
        if mean.ndim not in (2, 3):
            raise ValueError(f"a mean is (C) or (C, H, W): {mean.shape}")
        if (1,) * (3 - mean.ndim) + mean.shape != shape:
            low, high = mean.min(), mean.max()
            unit = ((mean - low) / (high - low)).transpose((1, 2, 0))
            mean = resize_image(unit, shape[1:]).transpose((2, 0, 1)) * (high - low) + low
        self.mean[in_] = mean

    def set_input_scale(self, in_: str, scale: float) -> None:
        """What the pixels are multiplied with at the very end, after the mean was taken away."""
        self._require_input(in_)
        self.input_scale[in_] = scale


def load_image(filename: images.ImagePath, color: bool = True) -> Array:
    """An image with values of 0 to 1: RGB, or gray if color is False; transparency is dropped.

    Shapes: (H, W, 3) or (H, W, 1), float32.
    Raises: FileNotFoundError, OSError for what is no image; NetsurgeryError without Pillow.
    """
    image = images.read(filename, gray=not color).astype(np.float32)
    if image.ndim == 2:
        image = image[:, :, np.newaxis]
        return np.tile(image, (1, 1, 3)) if color else image
    return image[:, :, :3]


def resize_image(im: Array, new_dims: Sequence[int], interp_order: int = 1) -> Array:
    """An image at another size, by interpolation alone.

    Of 1 or 3 channels, the values keep their range, and a border that grows darkens towards the least value; an image
    of one value stays that. Others are zoomed from corner to corner.

    Shapes: (H, W, C), (h, w) -> (h, w, C), float32.
    Raises: ValueError for an interp_order that is not 0 to 5.
    """
    height, width = new_dims
    return resample.resize_image(im, (height, width), interp_order)


def oversample(images: Sequence[Array] | Array, crop_dims: Sequence[int] | Array) -> NDArray[np.float32]:
    """Ten crops of each image: its four corners and its centre, then the same mirrored.

    Shapes: N of (H, W, C), (h, w) -> (10 N, h, w, C).
    Raises: ValueError if the crop does not fit.
    """
    (height, width, channels), (h, w) = images[0].shape, (int(n) for n in crop_dims)
    places = [(0, 0), (0, width - w), (height - h, 0), (height - h, width - w)]
    places.append((int(height / 2.0 - h / 2.0), int(width / 2.0 - w / 2.0)))
    crops = np.empty((len(images), 10, h, w, channels), dtype=np.float32)
    for image, ten in zip(images, crops, strict=True):
        for k, (top, left) in enumerate(places):
            ten[k] = image[top : top + h, left : left + w]
        ten[5:] = ten[:5, :, ::-1]
    return crops.reshape(-1, h, w, channels)
