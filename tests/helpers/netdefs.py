"""NetDefs as other tools wrote them: caffe_translator, PyTorch's model zoo of the time, people."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from netsurgery._proto.caffe2 import new

Array = np.ndarray[Any, Any]


@dataclass
class Sample:
    """Operators (type, inputs, outputs, arguments), what the init net fills in, inputs, and the layers that they are in Caffe."""

    operators: Sequence[tuple[Any, ...]]
    layers: str
    fills: dict[str, Array] = field(default_factory=dict)
    inputs: dict[str, tuple[int, ...]] = field(default_factory=lambda: {"x": (2, 3, 7, 8)})
    positive: bool = False
    """Whether inputs must be positive."""

    def save(self, folder: Path, packed: bool = True) -> tuple[Path, Path]:
        """The init and the predict net as files."""
        init, predict = new("NetDef"), new("NetDef")
        init.name, predict.name = "init", "predict"
        for name, array in self.fills.items():
            kind = {"float32": "GivenTensorFill", "int32": "GivenTensorIntFill", "int64": "GivenTensorInt64Fill"}[
                array.dtype.name
            ]
            op = init.op.add(type=kind, output=[name])
            op.arg.add(name="shape", ints=array.shape)
            values = op.arg.add(name="values")
            (values.floats if array.dtype.kind == "f" else values.ints).extend(array.ravel().tolist())
        for type_, read, written, *more in self.operators:
            add(predict, type_, read, written, **(more[0] if more else {}))
        predict.external_input.extend([*self.inputs, *self.fills])
        used = {name for op in predict.op for name in op.input}
        written = dict.fromkeys(name for op in predict.op for name in op.output if not name.startswith("_"))
        predict.external_output.extend(name for name in written if name not in used)
        if not predict.external_output:  # the last operator works in place
            predict.external_output.append(predict.op[-1].output[0])
        paths = folder / "init_net.pb", folder / "predict_net.pb"
        for path, net in zip(paths, (init, predict), strict=True):
            path.write_bytes(net.SerializeToString() if packed else unpacked(net))
        return paths

    def feeds(self, seed: int = 0) -> dict[str, Array]:
        rng = np.random.default_rng(seed)
        made = {name: rng.normal(0, 1, shape).astype(np.float32) for name, shape in self.inputs.items()}
        return {name: np.abs(x) + np.float32(0.1) for name, x in made.items()} if self.positive else made


def add(net: Any, type_: str, read: str, written: str, **arguments: Any) -> None:
    op = net.op.add(type=type_, input=read.split(), output=written.split())
    for name, value in arguments.items():
        argument = op.arg.add(name=name)
        if isinstance(value, str):
            argument.s = value.encode()
        elif isinstance(value, float):
            argument.f = value
        elif isinstance(value, int):
            argument.i = value
        elif any(isinstance(number, float) for number in value):
            argument.floats.extend(value)
        else:
            argument.ints.extend(value)


def unpacked(net: Any) -> bytes:
    """The net as Caffe2 itself writes it: a tag before every number of `floats`."""
    from google.protobuf.descriptor_pb2 import FileDescriptorProto
    from google.protobuf.descriptor_pool import DescriptorPool
    from google.protobuf.message_factory import GetMessageClass

    file = FileDescriptorProto()
    net.DESCRIPTOR.file.CopyToProto(file)
    for message in file.message_type:
        for f in message.field:
            f.options.ClearField("packed")
    pool = DescriptorPool()
    pool.Add(file)
    copy = GetMessageClass(pool.FindMessageTypeByName(net.DESCRIPTOR.full_name))()
    copy.ParseFromString(net.SerializeToString())
    data: bytes = copy.SerializeToString()
    return data


def numbers(*shape: int, seed: int = 1) -> Array:
    return np.random.default_rng([seed, *shape]).normal(0, 0.5, shape).astype(np.float32)


def unary(type_: str, layer: str, positive: bool = False, **arguments: Any) -> Sample:
    return Sample([(type_, "x", "y", arguments)], layer, positive=positive)


W, B = numbers(4, 3, 3, 3), numbers(4)
CONV = {"w": W, "b": B}
BN = {
    "s": numbers(3),
    "b": numbers(3, seed=2),
    "m": numbers(3, seed=3),
    "v": np.abs(numbers(3, seed=4)) + np.float32(0.2),
}

SAMPLES = {
    "zoo": Sample(
        [
            (
                "Conv",
                "data w b",
                "conv1",
                {"kernel": 3, "stride": 2, "pad": 1, "order": "NCHW", "exhaustive_search": 0},
            ),
            ("Relu", "conv1", "conv1"),
            ("MaxPool", "conv1", "pool1", {"kernel": 3, "stride": 2, "legacy_pad": 3, "order": "NCHW"}),
            (
                "LRN",
                "pool1",
                "norm1 _norm1_scale",
                {"size": 3, "alpha": 0.1, "beta": 0.75, "bias": 1.0, "order": "NCHW"},
            ),
            ("Dropout", "norm1", "norm1d _mask", {"ratio": 0.5, "is_test": 1}),
            ("FC", "norm1d fw fb", "fc"),
            ("Softmax", "fc", "prob"),
        ],
        "Input Convolution ReLU Pooling LRN Split InnerProduct Softmax",
        {**CONV, "fw": numbers(5, 64), "fb": numbers(5)},
        {"data": (2, 3, 15, 16)},
    ),
    "conv_same": Sample([("Conv", "x w b", "y", {"kernel": 3, "legacy_pad": 2})], "Input Convolution", CONV),
    "conv_valid": Sample(
        [("Conv", "x w", "y", {"kernel": 3, "stride": 2, "legacy_pad": 1})], "Input Convolution", {"w": W}
    ),
    "conv_sides": Sample(
        [("Conv", "x w b", "y", {"kernel_h": 3, "kernel_w": 3, "stride_h": 1, "stride_w": 2, "pads": [1, 0, 1, 0]})],
        "Input Convolution",
        CONV,
    ),
    "conv_group_dilated": Sample(
        [("Conv", "x w", "y", {"kernels": [3, 3], "dilations": [2, 2], "group": 3})],
        "Input Convolution",
        {"w": numbers(6, 1, 3, 3)},
    ),
    "conv_1d": Sample(
        [("Conv", "x w", "y", {"kernels": [3]})], "Input Convolution", {"w": numbers(4, 3, 3)}, {"x": (2, 3, 9)}
    ),
    "conv_transpose": Sample(
        [("ConvTranspose", "x w b", "y", {"kernel": 4, "stride": 2, "pad": 1})],
        "Input Deconvolution",
        {"w": numbers(3, 4, 4, 4), "b": B},
    ),
    "max_pool_tail": unary("MaxPool", "Input Pooling", kernel=3, stride=2, pad_t=0, pad_l=0, pad_b=1, pad_r=1),
    "max_pool_one_size": unary("MaxPool", "Input Pooling", kernels=[2, 2], strides=[2, 2], pads=[0, 0, 1, 0]),
    "max_pool_pad": unary("MaxPool", "Input Pooling", kernel=3, stride=2, pad=1),
    "max_pool_legacy_pad": unary("MaxPool", "Input Pooling", kernel=3, stride=2, pad=1, legacy_pad=3),
    "max_pool_global": unary("MaxPool", "Input Pooling", global_pooling=1),
    "max_pool_global_legacy": unary("MaxPool", "Input Pooling", stride=1, pad=0, legacy_pad=3, global_pooling=1),
    "average_pool": unary("AveragePool", "Input Pooling", kernel=3, stride=2, legacy_pad=3),
    "average_pool_counts_padding": unary(
        "AveragePool", "Input Pooling", kernel=3, stride=2, pad=1, count_include_pad=1
    ),
    "average_pool_pad": unary("AveragePool", "Input Pooling", kernel=3, stride=2, pad=1),
    "average_pool_legacy_pad": unary("AveragePool", "Input Pooling", kernel=3, stride=2, pad=1, legacy_pad=3),
    "average_pool_pads": unary("AveragePool", "Input Pooling", kernel=3, stride=2, pads=[1, 0, 1, 0]),
    "average_pool_of_padding": Sample(
        [("PadImage", "x", "p", {"pad": 1}), ("AveragePool", "p", "y", {"kernel": 3, "stride": 2})], "Input Pooling"
    ),
    "average_pool_global": unary("AveragePool", "Input Pooling", global_pooling=1, kernel=3),
    "pool_3d": Sample(
        [("MaxPool", "x", "y", {"kernels": [2, 2, 2], "strides": [2, 2, 2]})],
        "Input Pooling3D",
        inputs={"x": (1, 2, 4, 6, 6)},
    ),
    "fc_of_an_image": Sample([("FC", "x w b", "y")], "Input InnerProduct", {"w": numbers(5, 3, 7, 8), "b": numbers(5)}),
    "fc_axis": Sample(
        [("FC", "x w b", "y", {"axis": 2})],
        "Input InnerProduct",
        {"w": numbers(5, 4), "b": numbers(5)},
        {"x": (2, 3, 4)},
    ),
    "fc_transposed": Sample(
        [("FCTransposed", "x w b", "y")], "Input InnerProduct", {"w": numbers(4, 5), "b": numbers(5)}, {"x": (2, 4)}
    ),
    "matmul": Sample(
        [("MatMul", "x w", "y", {"trans_b": 1})], "Input InnerProduct", {"w": numbers(5, 4)}, {"x": (2, 4)}
    ),
    "matmul_straight": Sample([("MatMul", "x w", "y")], "Input InnerProduct", {"w": numbers(4, 5)}, {"x": (2, 4)}),
    "spatial_bn": Sample(
        [("SpatialBN", "x s b m v", "y", {"is_test": 1, "epsilon": 1e-3, "order": "NCHW"})], "Input BatchNorm Scale", BN
    ),
    "in_place_twice": Sample(
        [("Sigmoid", "x", "y"), ("Relu", "y", "y"), ("Tanh", "y", "y")], "Input Sigmoid ReLU TanH"
    ),
    "input_in_place": Sample([("Relu", "x", "x"), ("Sigmoid", "x", "y")], "Input ReLU Sigmoid"),
    "sum_of_three": Sample([("Exp", "x", "e"), ("Sum", "x e x", "y")], "Input Exp Eltwise"),
    "mean": Sample([("Exp", "x", "e"), ("Mean", "x e", "y")], "Input Exp Eltwise"),
    "weighted_sum": Sample(
        [("Exp", "x", "e"), ("WeightedSum", "x a e b", "y")],
        "Input Exp Eltwise",
        {"a": np.full(1, 0.25, np.float32), "b": np.full(1, -2, np.float32)},
    ),
    "max_of_two": Sample([("Exp", "x", "e"), ("Max", "x e", "y")], "Input Exp Eltwise"),
    "add_legacy": Sample([("Add", "x c", "y", {"broadcast": 1, "axis": 1})], "Input Bias", {"c": numbers(3)}),
    "add_legacy_suffix": Sample([("Add", "x c", "y", {"broadcast": 1})], "Input Bias", {"c": numbers(7, 8)}),
    "mul_legacy_two_axes": Sample(
        [("Mul", "x c", "y", {"broadcast": 1, "axis": 1})], "Input Scale", {"c": numbers(3, 7)}
    ),
    "mul_numpy": Sample([("Mul", "c x", "y")], "Input Scale", {"c": numbers(3, 1, 1)}),
    "add_number": Sample([("Add", "x c", "y")], "Input Power", {"c": numbers(1)}),
    "sub_from": Sample([("Sub", "c x", "y")], "Input Power Bias", {"c": numbers(3, 1, 1)}),
    "sub_of": Sample([("Sub", "x c", "y")], "Input Bias", {"c": numbers(3, 1, 1)}),
    "div_by": Sample([("Div", "x c", "y")], "Input Scale", {"c": numbers(3, 1, 1)}),
    "div_of": Sample([("Div", "c x", "y")], "Input Power Power", {"c": numbers(1)}, positive=True),
    "div_of_two": Sample([("Exp", "x", "e"), ("Div", "x e", "y")], "Input Exp Power Eltwise"),
    "sub_of_two": Sample([("Exp", "x", "e"), ("Sub", "x e", "y")], "Input Exp Eltwise"),
    "mul_by_channel": Sample(
        [("AveragePool", "x", "p", {"global_pooling": 1}), ("Mul", "x p", "y")], "Input Pooling Reshape Scale"
    ),
    "sub_of_channel": Sample(
        [("AveragePool", "x", "p", {"global_pooling": 1}), ("Sub", "x p", "y")], "Input Pooling Power Reshape Bias"
    ),
    "concat": Sample([("Exp", "x", "e"), ("Concat", "x e", "y _info", {"order": "NCHW"})], "Input Exp Concat"),
    "concat_axis": Sample([("Exp", "x", "e"), ("Concat", "x e", "y _info", {"axis": 2})], "Input Exp Concat"),
    "concat_new_axis": Sample(
        [("Exp", "x", "e"), ("Concat", "x e", "y _info", {"axis": 1, "add_axis": 1})],
        "Input Exp Reshape Reshape Concat",
        inputs={"x": (2, 3)},
    ),
    "split": Sample([("Split", "x", "a b c", {"axis": 1})], "Input Slice"),
    "split_uneven": Sample([("Split", "x", "a b", {"axis": 3, "split": [5, 3]})], "Input Slice"),
    "split_by_parameter": Sample(
        [("Split", "x parts", "a b", {"axis": 3})], "Input Slice", {"parts": np.array([2, 6], np.int32)}
    ),
    "slice": unary("Slice", "Input Slice Silence", starts=[0, 0, 2, 0], ends=[-1, -1, 5, -1]),
    "slice_to_the_end": unary("Slice", "Input Slice Silence", starts=[0, 1, 0, 0], ends=[-1, -1, -1, -1]),
    "slice_from_the_end": unary("Slice", "Input Slice Silence", starts=[0, 0, 0, 0], ends=[-1, -1, -1, -3]),
    "reshape": Sample([("Reshape", "x", "y _old", {"shape": [0, -1, 4]})], "Input Reshape"),
    "reshape_by_parameter": Sample([("Reshape", "x to", "y _old")], "Input Reshape", {"to": np.array([0, 4, -1])}),
    "flatten": unary("Flatten", "Input Flatten"),
    "flatten_axis_2": unary("Flatten", "Input Flatten Flatten", axis=2),
    "flatten_all": unary("Flatten", "Input Reshape", axis=0),
    "flatten_to_vector": unary("FlattenToVec", "Input Reshape"),
    "transpose": unary("Transpose", "Input Permute"),
    "transpose_axes": unary("Transpose", "Input Permute", axes=[0, 2, 3, 1]),
    "nhwc": Sample(
        [("NCHW2NHWC", "x", "t"), ("Relu", "t", "r"), ("NHWC2NCHW", "r", "y")], "Input Permute ReLU Permute"
    ),
    "resize_nearest": unary("ResizeNearest", "Input Upsample", height_scale=2.0, width_scale=2.0),
    "resize_bilinear": unary("UpsampleBilinear", "Input Interp", height_scale=2.0, width_scale=1.5),
    "clip": unary("Clip", "Input Clip", min=-0.5, max=0.75),
    "clip_below": unary("Clip", "Input Clip", min=0.0),
    "prelu": Sample([("PRelu", "x slope", "y")], "Input PReLU", {"slope": numbers(3)}),
    "prelu_shared": Sample([("PRelu", "x slope", "y")], "Input PReLU", {"slope": numbers(1)}),
    "softmax_of_maps": unary("Softmax", "Input Flatten Softmax Reshape"),
    "softmax_last": unary("Softmax", "Input Softmax", axis=3),
    "reduce_mean": unary("ReduceMean", "Input Reduction Reshape", axes=[2, 3], keepdims=1),
    "reduce_sum": unary("ReduceSum", "Input Reduction", axes=[1, 2, 3], keepdims=0),
    "reduce_l1": unary("ReduceL1", "Input Reduction", axes=[3], keepdims=0),
    "reduce_back": unary("ReduceBackMean", "Input Reduction", num_reduce_dim=2),
    "expand_dims": Sample(
        [("ExpandDims", "x", "e", {"dims": [0, 2]}), ("Squeeze", "e", "y", {"dims": [0]})],
        "Input Reshape Reshape Reshape",
        inputs={"x": (2, 3)},
    ),
    "tile": unary("Tile", "Input Tile", tiles=3, axis=1),
    "shuffle": Sample(
        [("ChannelShuffle", "x", "y", {"group": 2, "kernel": 1})], "Input ShuffleChannel", inputs={"x": (1, 6, 2, 3)}
    ),
    "im2col": unary("Im2Col", "Input Im2col", kernel=3, stride=2, pad=1),
    "aliases": Sample([("Alias", "x", "a"), ("Copy", "a", "b"), ("StopGradient", "b", "y")], "Input Split Split Split"),
    "constants_inside": Sample(
        [("ConstantFill", "", "c", {"shape": [3, 1, 1], "value": 0.5}), ("Mul", "x c", "y")], "Input Scale"
    ),
    "abs": unary("Abs", "Input AbsVal"),
    "cube": unary("Cube", "Input Power"),
    "elu": unary("Elu", "Input ELU", alpha=0.5),
    "exp": unary("Exp", "Input Exp"),
    "leaky_relu": unary("LeakyRelu", "Input ReLU", alpha=0.2),
    "leaky_relu_usual": unary("LeakyRelu", "Input ReLU"),
    "log": unary("Log", "Input Log", positive=True),
    "negative": unary("Negative", "Input Power"),
    "pow": unary("Pow", "Input Power", positive=True, exponent=1.5),
    "reciprocal": unary("Reciprocal", "Input Power", positive=True),
    "rsqrt": unary("Rsqrt", "Input Power", positive=True),
    "scale": unary("Scale", "Input Power", scale=-1.5),
    "sigmoid": unary("Sigmoid", "Input Sigmoid"),
    "softplus": unary("Softplus", "Input BNLL"),
    "sqr": unary("Sqr", "Input Power"),
    "sqrt": unary("Sqrt", "Input Power", positive=True),
    "swish": unary("Swish", "Input Swish"),
    "tanh": unary("Tanh", "Input TanH"),
}
