"""The ONNX graphs that one would write by hand for the nets of more_nets.py."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import hand
import nets
import numpy as np
import onnx
from hand import Array
from more_nets import NETS, Prior
from onnx import TensorProto, helper


class MoreOnnx(hand.Onnx):
    """A more_nets.Writer, for a fixed batch."""

    def __init__(self, weights: Mapping[str, Sequence[Array]], batch: int) -> None:
        super().__init__(weights)
        self.batch = batch
        self.shapes: dict[str, tuple[int, ...]] = {}

    def input(self, size: int) -> str:
        return self.image(size, size)

    def image(self, height: int, width: int) -> str:
        self.shapes["data"] = (self.batch, 3, height, width)
        return "data"

    def information(self) -> str:
        self.shapes["im_info"] = (1, 3)
        return "im_info"

    def _ints(self, *values: int) -> str:
        return self._held(f"ints{len(self.tensors)}", np.array(values, np.int64))

    def _floats(self, values: Any) -> str:
        return self._held(f"floats{len(self.tensors)}", np.asarray(values, np.float32))

    def _op(self, op: str, *inputs: str, **attributes: Any) -> str:
        return self._node(op, f"{op}{len(self.nodes)}", inputs, **attributes)

    def _slice(self, x: str, first: int, end: int, axis: int) -> str:
        return self._op("Slice", x, self._ints(first), self._ints(end), self._ints(axis))

    def dilated(self, name: str, x: str, out: int, dilation: int) -> str:
        w, b = (self._held(f"{name}.{i}", blob) for i, blob in enumerate(self.weights[name]))
        sizes = {"kernel_shape": [3, 3], "pads": [dilation] * 4, "dilations": [dilation] * 2}
        return self._node("Conv", name, [x, w, b], **sizes)

    def preactivated(self, name: str, x: str) -> str:
        mean, variance, factor = self.weights[f"{name}/bn"]
        blobs = *self.weights[f"{name}/scale"], mean / factor, variance / factor
        held = [self._held(f"{name}.{i}", blob) for i, blob in enumerate(blobs)]
        return self.relu(f"{name}/relu", self._node("BatchNormalization", name, [x, *held]))

    def shuffle(self, name: str, x: str, group: int) -> str:
        channels = len(self.weights[f"{name.removesuffix('shuffle')}conv1"][0])
        y = self._op("Reshape", x, self._ints(0, group, channels // group, -1))
        y = self._op("Transpose", y, perm=[0, 2, 1, 3])
        side = {240: 56, 480: 28, 960: 14}[channels * 4]
        side = side if name in ("resx1_shuffle", "resx5_shuffle", "resx13_shuffle") else side // 2
        return self._op("Reshape", y, self._ints(0, channels, side, side))

    def deconv(self, name: str, x: str, out: int, kernel: int, stride: int) -> str:
        w = self._held(f"{name}.w", self.weights[name][0])
        return self._node("ConvTranspose", name, [x, w], kernel_shape=[kernel] * 2, strides=[stride] * 2)

    def crop(self, name: str, x: str, like: str, offset: int, size: Sequence[int]) -> str:
        ends = self._ints(*(offset + n for n in size))
        return self._node("Slice", name, [x, self._ints(offset, offset), ends, self._ints(2, 3)])

    def pool_mask(self, name: str, x: str) -> tuple[str, str]:
        sizes: dict[str, Any] = {"kernel_shape": [2, 2], "strides": [2, 2], "ceil_mode": 1}
        self.nodes.append(helper.make_node("MaxPool", [x], [name, f"{name}_mask"], name=name, **sizes))
        return name, f"{name}_mask"

    def unpool(self, name: str, x: str, mask: str, shape: Sequence[int]) -> str:
        inputs = [x, mask, self._ints(self.batch, *shape)]
        return self._node("MaxUnpool", name, inputs, kernel_shape=[2, 2], strides=[2, 2])

    def unit(self, name: str, x: str) -> str:
        scale = self._floats(self.weights[name][0].reshape(1, -1, 1, 1))
        return self._node("Mul", name, [self._op("LpNormalization", x, axis=1, p=2), scale])

    def rows(self, name: str, x: str) -> str:
        return self._op("Flatten", self._op("Transpose", x, perm=[0, 2, 3, 1]), axis=1)

    def detections(self, locations: str, scores: str, sources: Sequence[tuple[str, int, Prior]]) -> str:
        priors = np.concatenate([_priors(side, *prior) for _, side, prior in sources])
        moves = self._op("Reshape", locations, self._ints(0, -1, 4))
        boxes = self._decoded(moves, priors[:, :2], priors[:, 2:], 0.1, 0.2)
        chances = self._op("Softmax", self._op("Reshape", scores, self._ints(0, -1, 21)), axis=2)
        chances = self._slice(self._op("Transpose", chances, perm=[0, 2, 1]), 1, 21, 1)
        limits = self._ints(400), self._floats([0.45]), self._floats([0.01])
        hits = self._op("NonMaxSuppression", boxes, chances, *limits)
        best = self._op("GatherND", chances, hits)
        count = self._op("Min", self._op("Shape", best), self._ints(200))
        self.nodes.append(helper.make_node("TopK", [best, count], ["top", "order"], name="keep"))
        hits = self._op("Gather", hits, "order")
        places = self._op("Gather", hits, self._ints(0, 2), axis=1)
        columns = self._op("Cast", self._slice(hits, 0, 2, 1), to=1), self._op("Unsqueeze", "top", self._ints(1))
        return self._node("Concat", "detection_out", [*columns, self._op("GatherND", boxes, places)], axis=1)

    def _decoded(self, moves: str, centres: Array, sizes: Array, first: float, second: float) -> str:
        """(N, K, 4) corners of boxes (K, 2), (K, 2) that are moved."""
        centre = self._op("Mul", self._slice(moves, 0, 2, 2), self._floats(sizes * first))
        centre = self._op("Add", centre, self._floats(centres))
        half = self._op("Exp", self._op("Mul", self._slice(moves, 2, 4, 2), self._floats([second])))
        half = self._op("Mul", half, self._floats(sizes / 2))
        return self._op("Concat", self._op("Sub", centre, half), self._op("Add", centre, half), axis=2)

    def proposals(self, scores: str, boxes: str, information: str, size: Sequence[int]) -> str:
        rows, columns = (-(-n // 16) for n in size)
        pairs = self._op("Softmax", self._op("Reshape", scores, self._ints(1, 2, -1)), axis=1)
        chances = self._op("Reshape", self._slice(pairs, 1, 2, 1), self._ints(9, rows, columns))
        chances = self._op("Reshape", self._op("Transpose", chances, perm=[1, 2, 0]), self._ints(-1))
        moves = self._op("Reshape", self._op("Transpose", boxes, perm=[0, 2, 3, 1]), self._ints(1, -1, 4))
        sides = np.array([(16 * s * r**-0.5, 16 * s * r**0.5) for r in (0.5, 1, 2) for s in (8, 16, 32)])
        y, x = np.meshgrid(16.0 * np.arange(rows), 16.0 * np.arange(columns), indexing="ij")
        centres = np.repeat(np.stack([x, y], -1).reshape(-1, 2) + 7.5, 9, 0)
        corners = self._decoded(moves, centres, np.tile(sides, (rows * columns, 1)), 1, 1)
        least, most = self._floats([0.0]), self._floats([size[1] - 1, size[0] - 1] * 2)
        corners = self._op("Max", self._op("Min", corners, most), least)
        count = self._ints(min(6000, 9 * rows * columns))
        self.nodes.append(helper.make_node("TopK", [chances, count], ["best", "places"], name="before"))
        corners = self._op("Gather", corners, "places", axis=1)
        table = self._op("Reshape", "best", self._ints(1, 1, -1))
        hits = self._op("NonMaxSuppression", corners, table, self._ints(300), self._floats([0.7]))
        kept = self._op("GatherND", corners, self._op("Gather", hits, self._ints(0, 2), axis=1))
        return self._op("Concat", self._op("Cast", self._slice(hits, 0, 1, 1), to=1), kept, axis=1)

    def roi_pool(self, x: str, rois: str) -> str:
        return self._node("MaxRoiPool", "roi_pool5", [x, rois], pooled_shape=[7, 7], spatial_scale=0.0625)

    def model(self) -> onnx.ModelProto:
        used = {name for node in self.nodes for name in node.input}
        ends = [node.output[0] for node in self.nodes if not used & set(node.output)]
        kinds = {np.dtype(np.float32): TensorProto.FLOAT, np.dtype(np.int64): TensorProto.INT64}
        graph = helper.make_graph(
            self.nodes,
            "by_hand",
            [helper.make_tensor_value_info(k, TensorProto.FLOAT, v) for k, v in self.shapes.items() if k in used],
            [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in ends],
            [helper.make_tensor(k, kinds[v.dtype], v.shape, v.tobytes(), raw=True) for k, v in self.tensors.items()],
        )
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)


def _priors(side: int, least: int, most: int, ratios: Sequence[int], step: int) -> Array:
    """(side * side * count, 4): centres and sizes, in parts of the image."""
    sizes = [(least, least), ((least * most) ** 0.5,) * 2]
    sizes += [(least * r**0.5, least * r**-0.5) for a in ratios for r in (a, 1 / a)]
    y, x = np.meshgrid((np.arange(side) + 0.5) * step, (np.arange(side) + 0.5) * step, indexing="ij")
    centres = np.repeat(np.stack([x, y], -1).reshape(-1, 2), len(sizes), 0)
    return np.concatenate([centres, np.tile(np.array(sizes), (side * side, 1))], 1).astype(np.float32) / 300


def by_hand(name: str, weights: Mapping[str, Sequence[Array]], batch: int) -> onnx.ModelProto:
    writer = MoreOnnx(weights, batch)
    (NETS | nets.NETS)[name](writer)
    return writer.model()
