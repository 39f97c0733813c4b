"""What a model's input is expected to be, recorded in it; or done by it: uint8 RGB images in.

before                              after
data (N, 3, 227, 227) float32       image (N, H, W, 3) uint8, any size
                                    Cast, Transpose, Gather (RGB to BGR), Resize, Sub (mean), Mul (scale) -> data
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper

from ..errors import UnsupportedError
from ..formats.preprocessing import LUMA, RAW, Preprocessing

Arrays = dict[str, NDArray[Any]]


def record(model: onnx.ModelProto, done: Preprocessing, *, baked: bool) -> None:
    """Records in metadata_props what the input is expected to be, or how the model makes it from images."""
    channels = _channels(model)
    found = {
        "preprocessing": "done by the model: uint8 RGB images in"
        if baked
        else "expected: (raw_scale * image - mean) * scale, image from 0 to 1",
        "channel_order": {1: "gray"}.get(channels, done.channel_order.upper()),
        "raw_scale": f"{done.raw_scale:g}",
        "scale": f"{done.scale:.9g}",
    }
    mean = done.mean_for(channels)
    if mean is not None:
        found["mean"] = ",".join(f"{m:.9g}" for m in mean.reshape(channels, -1).mean(axis=1, dtype=np.float64))
        if mean.shape[1:] != (1, 1):
            found["mean_image"] = "x".join(map(str, mean.shape)) + ": mean gives its mean for each channel"
    else:
        found["mean"] = "0"
    for key, value in found.items():
        model.metadata_props.add(key=f"netsurgery.{key}", value=value)


def bake(model: onnx.ModelProto, arrays: Arrays, done: Preprocessing) -> None:
    """Lets the model take images, uint8 RGB (N, H, W, 3), and do to them what `preprocess` does: they are warped to the input if that
    has one size (a layer ties it, or it was fixed), and keep theirs if not. New constants are added to `arrays`.

    Raises: UnsupportedError for a net of several inputs, or whose input is no image.
    """
    channels = _channels(model)
    (data,) = model.graph.input
    dims = data.type.tensor_type.shape.dim
    size = [d.dim_value if d.HasField("dim_value") else None for d in dims[2:]]
    front = _Front(model, arrays)
    x = front.add("Cast", front.image, to=TensorProto.FLOAT)
    x = front.add("Transpose", x, perm=(0, 3, 1, 2))
    if channels == 1:  # rounded, as gray images of bytes are
        weighted = front.add("Mul", x, np.array(LUMA, np.float32).reshape(1, 3, 1, 1))
        gray = front.add("ReduceSum", weighted, np.array([1], np.int64), keepdims=1)
        x = front.add("Floor", front.add("Add", gray, np.float32(0.5)))
    elif done.channel_order == "bgr":
        x = front.add("Gather", x, np.array([2, 1, 0], np.int64), axis=1)
    if None not in size:
        x = _sized(front, x, channels, [n or 0 for n in size], done)
    if done.raw_scale != RAW:
        x = front.add("Mul", x, np.float32(done.raw_scale / RAW))
    mean = done.mean_for(channels)
    if mean is not None:
        shown: Any = mean[None]
        if mean.shape[1:] != (1, 1):
            shown = front.resized(shown, channels, front.size_of(x) if None in size else [n or 0 for n in size])
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


def _sized(front: _Front, x: str, channels: int, size: Sequence[int], done: Preprocessing) -> str:
    """The image warped to the net's input, or to `done.resize`, its middle cut out."""
    if done.resize is None:
        return front.resized(x, channels, size)
    starts = [(a - b) // 2 for a, b in zip(done.resize, size, strict=True)]
    if min(starts) < 0:
        raise UnsupportedError(
            f"images warped to {done.resize[0]}x{done.resize[1]}", expected=f"at least the input, {size[0]}x{size[1]}"
        )
    ends = [a + b for a, b in zip(starts, size, strict=True)]
    x = front.resized(x, channels, done.resize)
    return front.add("Slice", x, *(np.array(n, np.int64) for n in (starts, ends, (2, 3))))


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
