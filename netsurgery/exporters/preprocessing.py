"""What a model's input is expected to be, recorded in it; or done by it: uint8 RGB images in.

before                              after
data (N, 3, 227, 227) float32       image (N, H, W, 3) uint8, any size
                                    Cast, Transpose, Gather (RGB to BGR), resizing, Sub (mean), Slice (crop), Mul (scale) -> data
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper

from ..errors import ShapeError, UnsupportedError
from ..files.resample import resize_image
from ..formats.preprocessing import CAFFE, LINEAR_LUMA, LUMA_PARTS, PYCAFFE, RAW, Preprocessing
from .resizing import resized_by_pycaffe, resized_bytes

Arrays = dict[str, NDArray[Any]]


def record(model: onnx.ModelProto, done: Preprocessing, *, baked: bool) -> None:
    """Records in metadata_props what the input is expected to be, or how the model makes it from images."""
    channels = _channels(model)
    entries = {
        "preprocessing": "done by the model: uint8 RGB images in"
        if baked
        else "expected: (raw_scale * image - mean) * scale, image from 0 to 1",
        "channel_order": {1: "gray"}.get(channels, done.channel_order.upper()),
        "raw_scale": f"{done.raw_scale:g}",
        "scale": f"{done.scale:.9g}",
        "pixels_as": done.convention or CAFFE,
    }
    mean = done.mean_for(channels)
    if mean is not None:
        entries["mean"] = ",".join(f"{m:.9g}" for m in mean.reshape(channels, -1).mean(axis=1, dtype=np.float64))
        if mean.shape[1:] != (1, 1):
            entries["mean_image"] = "x".join(map(str, mean.shape)) + ": mean gives its mean for each channel"
    else:
        entries["mean"] = "0"
    for key, value in entries.items():
        model.metadata_props.add(key=f"netsurgery.{key}", value=value)


def bake(model: onnx.ModelProto, arrays: Arrays, done: Preprocessing) -> None:
    """Lets the model take images, uint8 RGB (N, H, W, 3), and do to them what `vision.preprocess` does: they are brought to the input if
    that has one size (a layer ties it, or it was fixed), and keep theirs if not, a mean image being warped to them. New constants are
    added to `arrays`.

    Raises: UnsupportedError for a net of several inputs, or whose input is no image; ShapeError for sizes that do not go together.
    """
    channels = _channels(model)
    (data,) = model.graph.input
    dims = data.type.tensor_type.shape.dim
    size = [d.dim_value if d.HasField("dim_value") else None for d in dims[2:]]
    front = _Front(model, arrays)
    x = front.add("Cast", front.image, to=TensorProto.FLOAT)
    x = front.add("Transpose", x, perm=(0, 3, 1, 2))
    like_pycaffe = done.convention == PYCAFFE
    if channels == 1:
        x = _gray(front, x, like_pycaffe)
    elif done.channel_order == "bgr":
        x = front.add("Gather", x, np.array([2, 1, 0], np.int64), axis=1)
    mean = done.mean_for(channels)
    shown: Any = None if mean is None else mean[None]
    if None in size:
        if done.frame:
            shown = front.resized(shown, channels, front.size_of(x))
    elif like_pycaffe:
        x = _framed_by_pycaffe(front, x, done, (size[0] or 0, size[1] or 0))
        if mean is not None and done.frame:
            shown = resize_image(mean.transpose(1, 2, 0), (size[0] or 0, size[1] or 0)).transpose(2, 0, 1)[None]
    else:
        x, shown = _framed(front, x, done, shown, (size[0] or 0, size[1] or 0))
    if done.raw_scale != RAW:
        x = front.add("Mul", x, np.float32(done.raw_scale / RAW))
    if shown is not None:
        x = front.add("Sub", x, shown)
    if done.scale != 1:
        x = front.add("Mul", x, np.float32(done.scale))
    front.finish(data)


def image_name(taken: Collection[str]) -> str:
    """The name of the new input."""
    name = "image"
    while name in taken:
        name += "_"
    return name


class _Front:
    """Nodes in front of a model's input."""

    def __init__(self, model: onnx.ModelProto, arrays: Arrays) -> None:
        self.model, self.arrays, self.nodes = model, arrays, list[onnx.NodeProto]()
        self.taken = {name for node in model.graph.node for name in (*node.input, *node.output)}
        self.taken.update(x.name for x in model.graph.input)
        self.image = image_name(self.taken)
        self.taken.add(self.image)

    def _free(self, name: str) -> str:
        while name in self.taken:
            name += "_"
        self.taken.add(name)
        return name

    def add(self, kind: str, *inputs: Any, **attributes: Any) -> str:
        names = [x if isinstance(x, str) else self._constant(np.asarray(x)) for x in inputs]
        top = self._free(f"image_{kind.lower()}")
        self.nodes.append(helper.make_node(kind, names, [top], **attributes))
        return top

    def _constant(self, value: NDArray[Any]) -> str:
        name = self._free("image_constant") if value.size else ""
        if name:
            self.arrays[name] = value
            self.model.graph.initializer.add(
                name=name, dims=value.shape, data_type=helper.np_dtype_to_tensor_dtype(value.dtype)
            )
        return name

    def size_of(self, x: str) -> str:
        """Height and width, a vector of two."""
        zero = np.array([0], np.int64)
        return self.add("Slice", self.add("Shape", x), np.array([2], np.int64), np.array([4], np.int64), zero)

    def resized(self, x: Any, channels: int, size: str | Sequence[int]) -> str:
        """x (N, C, h, w) at another size, as `vision.resize` does."""
        rows: Any = np.array([1], np.int64)
        if isinstance(x, str):
            rows = self.add("Slice", self.add("Shape", x), *(np.array([n], np.int64) for n in (0, 1, 0)))
        tail: Any = size if isinstance(size, str) else np.array(size, np.int64)
        sizes = self.add("Concat", rows, np.array([channels], np.int64), tail, axis=0)
        nothing = np.zeros(0, np.float32)
        return self.add(
            "Resize", x, nothing, nothing, sizes, mode="linear", coordinate_transformation_mode="half_pixel"
        )

    def middle(self, x: str, size: tuple[int, int]) -> tuple[str, str]:
        """Where the middle of an image begins and ends."""
        room = self.add("Sub", self.size_of(x), np.array(size, np.int64))
        starts = self.add("Div", room, np.array([2, 2], np.int64))
        return starts, self.add("Add", starts, np.array(size, np.int64))

    def least(self, x: str) -> str:
        """The least value of each image (N, 1, 1, 1)."""
        if self.model.opset_import[0].version < 18:
            return self.add("ReduceMin", x, axes=[1, 2, 3], keepdims=1)
        return self.add("ReduceMin", x, np.array([1, 2, 3], np.int64), keepdims=1)

    def finish(self, data: onnx.ValueInfoProto) -> None:
        """Puts the nodes in front: the last one writes the old input."""
        self.nodes[-1].output[0] = data.name
        batch = data.type.tensor_type.shape.dim[0]
        rows: int | str = batch.dim_value if batch.HasField("dim_value") else batch.dim_param
        image = helper.make_tensor_value_info(
            self.image, TensorProto.UINT8, [rows, f"{self.image}_h", f"{self.image}_w", 3]
        )
        graph = self.model.graph
        behind = list(graph.node)
        del graph.node[:], graph.input[:]
        graph.node.extend([*self.nodes, *behind])
        graph.input.append(image)


def _gray(front: _Front, x: str, like_pycaffe: bool) -> str:
    """Color made gray, as `vision.preprocess.with_channels` does."""
    luma = LINEAR_LUMA if like_pycaffe else LUMA_PARTS
    weighted = front.add("Mul", x, np.array(luma, np.float32).reshape(1, 3, 1, 1))
    gray = front.add("ReduceSum", weighted, np.array([1], np.int64), keepdims=1)
    return gray if like_pycaffe else front.add("Floor", front.add("Mul", gray, np.float32(1 / 32768)))


def _framed(
    front: _Front, x: str, done: Preprocessing, mean: NDArray[Any] | None, size: tuple[int, int]
) -> tuple[str, NDArray[Any] | None]:
    """The image and the mean (1, C, h, w), warped and cropped as Caffe's data layers do."""
    frame = done.resize or done.frame
    if done.frame and done.frame != frame:
        raise ShapeError(
            f"a mean image of {done.frame[0]}x{done.frame[1]}, and images warped to {done.resize}",
            expected="one size for both, as Caffe's data layers want it",
            fix="leave out --resize, or --pixels-as pycaffe, which resizes the mean image",
        )
    axes = np.array((2, 3), np.int64)
    if frame is None and done.cut:
        starts, ends = front.middle(x, size)
        x = front.add("Slice", x, starts, ends, axes)
        # an image that is smaller than the crop must not pass
        return front.add("Reshape", x, np.array((0, 0, *size), np.int64)), mean
    x = resized_bytes(front, x, frame or size)
    if frame in (None, size):
        return x, mean
    (top, left), (bottom, right) = _middle(frame, size)
    if mean is not None and done.frame:
        mean = mean[..., top:bottom, left:right]
    return front.add("Slice", x, np.array((top, left), np.int64), np.array((bottom, right), np.int64), axes), mean


def _framed_by_pycaffe(front: _Front, x: str, done: Preprocessing, size: tuple[int, int]) -> str:
    """The image, warped and cropped as caffe.Classifier does."""
    frame = done.resize or size
    x = resized_by_pycaffe(front, x, frame)
    if frame == size:
        return x
    starts, ends = _middle(frame, size)
    return front.add("Slice", x, np.array(starts, np.int64), np.array(ends, np.int64), np.array((2, 3), np.int64))


def _middle(frame: tuple[int, int], size: tuple[int, int]) -> tuple[tuple[int, int], tuple[int, int]]:
    """Where the middle of an image begins and ends. Raises: UnsupportedError if the image is smaller."""
    if frame[0] < size[0] or frame[1] < size[1]:
        raise UnsupportedError(
            f"images warped to {frame[0]}x{frame[1]}", expected=f"at least the input, {size[0]}x{size[1]}"
        )
    top, left = (frame[0] - size[0]) // 2, (frame[1] - size[1]) // 2
    return (top, left), (top + size[0], left + size[1])


def _channels(model: onnx.ModelProto) -> int:
    """The channels of the model's input. Raises: UnsupportedError unless it has one, of images."""
    shapes = {x.name: x.type.tensor_type.shape.dim for x in model.graph.input}
    channels = next(iter(shapes.values()))[1].dim_value if all(len(dims) == 4 for dims in shapes.values()) else 0
    if len(shapes) != 1 or channels not in (1, 3):
        raise UnsupportedError(
            f"preprocessing of {', '.join(shapes) or 'nothing'}",
            expected="a net of one input, images of 1 or 3 channels (N, C, H, W)",
            fix="leave out --bake-preprocessing and the options that say what pixels are",
        )
    return int(channels)
