"""Operators of Caffe2 and the layers of Caffe's that say the same: one function each.

Source: the operators' schemas and shape rules in caffe2/operators
"""

from __future__ import annotations

import numpy as np

from .arithmetic import Rule, arithmetic, eltwise, power, raise_to, reduce, scale, simple, weighted_sum
from .layout import (
    concat,
    cut,
    expand_dims,
    flatten,
    reshape,
    resize_bilinear,
    resize_nearest,
    shuffle,
    split,
    squeeze,
    tile,
    to_vector,
    transpose,
)
from .pooling import PADDING, pooling, sides, windows
from .reader import Importer, Op, number, repeated


def _as_it_is(net: Importer, op: Op) -> None:
    op.has("seed")
    net.become(op, "Split")


def _dropout(net: Importer, op: Op) -> None:
    op.has("ratio")
    if not op.get_int("is_test"):
        raise op.refuse("it drops at random, without is_test", fix="set is_test to 1, as nets for prediction have it")
    net.become(op, "Split")


def _conv(net: Importer, op: Op) -> None:
    x, w = net.blob(op, op.inputs[0]), net.parameter(op, 1)
    transposed = op.type == "ConvTranspose"
    rank = w.ndim - 2
    kernel, stride, dilation = windows(op, rank)
    before, behind = sides(op, rank, net.shape(x)[2:], kernel, stride, dilation)
    if before != behind:
        raise op.refuse(f"padding of {before} before and {behind} behind", expected="as much on both sides")
    if transposed and (op.get_int("adj") or any(op.get_ints("adjs")) or op.get_int("adj_h") or op.get_int("adj_w")):
        raise op.refuse("adj is set", expected="0")
    if kernel != w.shape[2:]:
        raise op.refuse(f"kernel {kernel}, weights {w.shape}", expected="weights of that kernel")
    if transposed and max(dilation) > 1:
        raise op.refuse("ConvTranspose passes over its dilation", expected="1")
    group = op.get_int("group", 1)
    weights = [w, net.parameter(op, 2).reshape(-1)] if len(op.inputs) > 2 else [w]
    fields = [
        f"num_output: {w.shape[1] * group if transposed else w.shape[0]}",
        *([f"group: {group}"] if group > 1 else []),
    ]
    fields += [repeated("kernel_size", kernel), repeated("stride", stride), repeated("pad", before)]
    fields += [repeated("dilation", dilation)] * (max(dilation) > 1) + ["bias_term: false"] * (len(weights) == 1)
    kind = "Deconvolution" if transposed else "Convolution"
    net.add(op, kind, [x], op.outputs[:1], f"convolution_param {{ {' '.join(fields)} }}", weights)


def _fc(net: Importer, op: Op) -> None:
    x, w, transpose = net.blob(op, op.inputs[0]), net.parameter(op, 1), op.type == "FCTransposed"
    axis_w = op.get_int("axis_w", 1) % w.ndim
    w = w.reshape(int(np.prod(w.shape[:axis_w])), -1)
    count = w.shape[1 if transpose else 0]
    bias = net.parameter(op, 2).reshape(-1)
    fields = [f"num_output: {count}", f"axis: {op.get_int('axis', 1)}", *(["transpose: true"] * transpose)]
    net.add(op, "InnerProduct", [x], op.outputs[:1], f"inner_product_param {{ {' '.join(fields)} }}", [w, bias])


def _matmul(net: Importer, op: Op) -> None:
    x, w = net.blob(op, op.inputs[0]), net.parameter(op, 1)
    if (
        op.get_int("trans_a")
        or op.get_int("axis_a", 1) != 1
        or op.get_int("axis_b", 1) != 1
        or w.ndim != 2
        or len(net.shape(x)) != 2
    ):
        raise op.refuse("a product of other than two matrices", expected="x (N, K) and a parameter (K, M), or trans_b")
    transpose = not op.get_int("trans_b")
    fields = f"num_output: {w.shape[1 if transpose else 0]} bias_term: false" + " transpose: true" * transpose
    net.add(op, "InnerProduct", [x], op.outputs[:1], f"inner_product_param {{ {fields} }}", [w])


def _leaky(net: Importer, op: Op) -> None:
    net.become(op, "ReLU", f"relu_param {{ negative_slope: {number(op.get_float('alpha', 0.01))} }}")


def _prelu(net: Importer, op: Op) -> None:
    slope = net.parameter(op, 1).reshape(-1)
    x = net.blob(op, op.inputs[0])
    shared = slope.size == 1 and net.shape(x)[1] != 1
    params = "prelu_param { channel_shared: true }" if shared else ""
    net.add(op, "PReLU", [x], op.outputs[:1], params, [slope.reshape(()) if shared else slope])


def _elu(net: Importer, op: Op) -> None:
    net.become(op, "ELU", f"elu_param {{ alpha: {number(op.get_float('alpha', 1.0))} }}")


def _clip(net: Importer, op: Op) -> None:
    low, high = op.get_float("min", -3.4028235e38), op.get_float("max", 3.4028235e38)
    net.become(op, "Clip", f"clip_param {{ min: {number(low)} max: {number(high)} }}")


def _softmax(net: Importer, op: Op) -> None:
    x = net.blob(op, op.inputs[0])
    shape = net.shape(x)
    axis = op.get_int("axis", 1) % len(shape)
    if all(n == 1 for n in shape[axis + 1 :]):
        net.add(op, "Softmax", [x], op.outputs[:1], f"softmax_param {{ axis: {axis} }}")
        return
    flat, soft = net.inner(op, "flat"), net.inner(op, "softmax")  # all axes from that one on, together
    net.add(op, "Flatten", [x], [flat], f"flatten_param {{ axis: {axis} }}", name=f"{op.name}/flat")
    net.add(op, "Softmax", [flat], [soft], f"softmax_param {{ axis: {axis} }}")
    dims = " ".join(f"dim: {n}" for n in shape[axis:])
    net.add(
        op,
        "Reshape",
        [soft],
        op.outputs[:1],
        f"reshape_param {{ axis: {axis} shape {{ {dims} }} }}",
        name=f"{op.name}/shape",
    )


def _lrn(net: Importer, op: Op) -> None:
    size = op.get_int("size")
    if size % 2 == 0:
        raise op.refuse(f"size {size}", expected="an odd number")
    numbers = {"alpha": op.get_float("alpha"), "beta": op.get_float("beta"), "k": op.get_float("bias", 1.0)}
    fields = " ".join(f"{name}: {number(value)}" for name, value in numbers.items())
    net.become(op, "LRN", f"lrn_param {{ local_size: {size} {fields} }}")


def _spatial_bn(net: Importer, op: Op) -> None:
    op.has("num_batches")
    if not op.get_int("is_test"):
        raise op.refuse("it takes its statistics from the batch, without is_test", fix="set is_test to 1")
    scale, bias, mean, variance = (net.parameter(op, i).reshape(-1) for i in (1, 2, 3, 4))
    inner = net.inner(op, "normalized")
    params = f"batch_norm_param {{ eps: {number(op.get_float('epsilon', 1e-5))} use_global_stats: true }}"
    plain = (scale == 1).all() and not bias.any()
    blobs = [mean, variance, np.ones(1, np.float32)]
    net.add(op, "BatchNorm", [net.blob(op, op.inputs[0])], op.outputs[:1] if plain else [inner], params, blobs)
    if not plain:
        net.add(
            op,
            "Scale",
            [inner],
            op.outputs[:1],
            "scale_param { bias_term: true }",
            [scale, bias],
            name=f"{op.name}/scale",
        )


def _prior_box(net: Importer, op: Op) -> None:
    """SSD's boxes, by the operator that was proposed to Caffe2 and that forks have (prior_box_op.h); released ones have none."""
    if op.has("widths") or op.has("heights"):
        raise op.refuse(
            "widths and heights of boxes, without variances", expected="min_sizes, as SSD's PriorBox has them"
        )
    lists = {"min_size": "min_sizes", "max_size": "max_sizes", "aspect_ratio": "aspect_ratios", "variance": "variance"}
    fields = [f"{field}: {number(n)}" for field, name in lists.items() for n in op.get_floats(name)]
    fields += [f"{name}: {str(bool(op.get_int(name, usual))).lower()}" for name, usual in (("flip", 1), ("clip", 0))]
    fields += [f"{name}: {size}" for name in ("img_size", "img_h", "img_w") if (size := op.get_int(name))]
    fields += [f"{name}: {number(step)}" for name in ("step", "step_h", "step_w") if (step := op.get_float(name))]
    fields.append(f"offset: {number(op.get_float('offset', 0.5))}")
    bottoms = [net.blob(op, name) for name in op.inputs]
    net.add(op, "PriorBox", bottoms, op.outputs[:1], f"prior_box_param {{ {' '.join(fields)} }}")


def _roi_pool(net: Importer, op: Op) -> None:
    if not op.get_int("is_test"):
        raise op.refuse("without is_test it gives a second output")
    fields = f"pooled_h: {op.get_int('pooled_h', 1)} pooled_w: {op.get_int('pooled_w', 1)}"
    params = f"roi_pooling_param {{ {fields} spatial_scale: {number(op.get_float('spatial_scale', 1.0))} }}"
    net.add(op, "ROIPooling", [net.blob(op, name) for name in op.inputs[:2]], op.outputs[:1], params)


def _im2col(net: Importer, op: Op) -> None:
    kernel, stride, dilation = windows(op, 2)
    pad = op.get_int("pad")
    fields = [
        repeated("kernel_size", kernel),
        repeated("stride", stride),
        repeated("dilation", dilation),
        f"pad: {pad}",
    ]
    net.become(op, "Im2col", f"convolution_param {{ {' '.join(fields)} }}")


def _padding(net: Importer, op: Op) -> None:
    """Zeros around an image: taken in by the AveragePool behind it, whose padding Caffe's AVE counts and Caffe2's does not."""
    if op.get_str("mode", "constant") != "constant" or op.get_float("value") != 0:
        raise op.refuse("padding with other than zeros")
    before, behind = sides(op, 2, (), (), (), ())
    if before != behind:
        raise op.refuse(f"padding of {before} before and {behind} behind", expected="as much on both sides")
    net.pending[op.outputs[0]] = net.blob(op, op.inputs[0]), before


OPERATORS: dict[str, Rule] = {
    "Abs": simple("AbsVal"),
    **dict.fromkeys(("Add", "Div", "Mul", "Sub"), arithmetic),
    **dict.fromkeys(
        ("Alias", "AliasWithName", "Copy", "CopyFromCPUInput", "EnsureCPUOutput", "StopGradient"), _as_it_is
    ),
    **dict.fromkeys(("AveragePool", "AveragePool2D", "AveragePool3D", "MaxPool", "MaxPool2D", "MaxPool3D"), pooling),
    "ChannelShuffle": shuffle,
    "Clip": _clip,
    **dict.fromkeys(("Concat", "DepthConcat"), concat),
    **dict.fromkeys(("Conv", "Conv1D", "Conv2D", "Conv3D", "ConvTranspose"), _conv),
    "Cube": power(3),
    "Dropout": _dropout,
    "Elu": _elu,
    "Exp": simple("Exp"),
    "ExpandDims": expand_dims,
    **dict.fromkeys(("FC", "FCTransposed"), _fc),
    "Flatten": flatten,
    "FlattenToVec": to_vector,
    "Im2Col": _im2col,
    "LRN": _lrn,
    "LeakyRelu": _leaky,
    "Log": simple("Log"),
    "MatMul": _matmul,
    "Max": eltwise("MAX"),
    "Mean": eltwise("MEAN"),
    "Mish": simple("Mish"),
    **dict.fromkeys(("NCHW2NHWC", "NHWC2NCHW", "Transpose"), transpose),
    "Negative": power(scale=-1),
    "PRelu": _prelu,
    PADDING: _padding,
    "Pow": raise_to,
    "PriorBox": _prior_box,
    "Reciprocal": power(-1),
    **dict.fromkeys(("ReduceBackMean", "ReduceBackSum", "ReduceL1", "ReduceMean", "ReduceSum"), reduce),
    "Relu": simple("ReLU"),
    "Reshape": reshape,
    **dict.fromkeys(("ResizeNearest", "UpsampleNearest"), resize_nearest),
    "RoIPool": _roi_pool,
    "Rsqrt": power(-0.5),
    "Scale": scale,
    "Sigmoid": simple("Sigmoid"),
    "Slice": cut,
    "Softmax": _softmax,
    "Softplus": simple("BNLL"),
    "SpatialBN": _spatial_bn,
    "Split": split,
    "Sqr": power(2),
    "Sqrt": power(0.5),
    "Squeeze": squeeze,
    "Sum": eltwise("SUM"),
    "Swish": simple("Swish"),
    "Tanh": simple("TanH"),
    "Tile": tile,
    "UpsampleBilinear": resize_bilinear,
    "WeightedSum": weighted_sum,
}
MISNOMERS = {
    "BatchNorm": "SpatialBN",
    "BatchNormalization": "SpatialBN",
    "Convolution": "Conv",
    "Deconvolution": "ConvTranspose",
    "Eltwise": "Sum, Mul or Max",
    "InnerProduct": "FC",
    "Pooling": "MaxPool or AveragePool",
}
"""What Caffe2 has for names of Caffe's layers and ONNX's operators that it does not know."""
