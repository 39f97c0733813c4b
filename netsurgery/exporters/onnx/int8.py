"""Static quantization to int8 by onnxruntime's own quantizer.

Conv, w (float32), b (float32)     becomes     QuantizeLinear, DequantizeLinear -> Conv, w (int8, one scale for each channel),
                                               b (int32) -> QuantizeLinear, DequantizeLinear
"""

from __future__ import annotations

import logging
import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from ...errors import NetsurgeryError, UnsupportedError
from ...files.output import replacing
from ...interpreter import check_weights
from ...net import Net
from ..form import ModelForm
from .precision import feature_nodes
from .save import EMBED_LIMIT, Written, write_onnx

Feeds = Mapping[str, NDArray[Any]]

OPERATORS = frozenset(
    (
        "Add",
        "AveragePool",
        "Clip",
        "Concat",
        "Conv",
        "ConvTranspose",
        "Gemm",
        "GlobalAveragePool",
        "MatMul",
        "MaxPool",
        "Relu",
    )
)
"""What computes on integers. Others, and Softmax above all, whose small numbers 256 steps cannot tell apart, stay float32."""


def save_int8(net: Net, path: str | os.PathLike[str], calibration: Sequence[Feeds], **options: Any) -> Written:
    """Writes the net as an ONNX file whose convolutions and inner products compute on int8, whole or not at all. `calibration` are inputs
    such as the net will see ({"data": array} each): the range of every blob is taken from what they make of it. Weights have a scale
    for each output channel; inputs and outputs stay float32. Other `options` as for `save_onnx`.

    The weights take 7 of the 8 bits: with 8, sums of pairs would overflow on processors that lack VNNI instructions, silently.

    Raises: NetsurgeryError without calibration inputs or for ones that are not of the net, UnsupportedError over 1.5 GB; as `save_onnx`.
    """
    return write_int8(net, Path(path), calibration, ModelForm(**options))


def write_int8(net: Net, target: Path, calibration: Sequence[Feeds], form: ModelForm) -> Written:
    """`save_int8`, its options as one value."""
    if form.winograd:
        raise NetsurgeryError("--winograd with --int8", expected="one of the two")
    if not calibration:
        raise NetsurgeryError("no inputs to calibrate int8 with", expected="images such as the net will see")
    for feeds in calibration:
        if feeds.keys() != net.inputs.keys():
            raise NetsurgeryError(
                f"calibration inputs for {', '.join(feeds)}", expected=f"for: {', '.join(net.inputs)}"
            )
        shapes = net.shapes({name: value.shape for name, value in feeds.items()})  # raises where they do not fit
        for layer in net.layers:
            check_weights(layer, [shapes[b] for b in layer.bottoms])
    with tempfile.TemporaryDirectory(prefix=".netsurgery-", dir=target.resolve().parent) as folder:
        plain = Path(folder) / target.name
        written = write_onnx(net, plain, replace(form, weights="auto"))
        if written.data is not None:
            raise UnsupportedError(
                f"int8 of a net whose weights are over {EMBED_LIMIT / 1e9:g} GB", fix="--fp16 halves them"
            )
        small = _quantized(plain, Path(folder) / "int8.onnx", net, calibration)
        with replacing(target) as file:
            file.write(small.SerializeToString(deterministic=True))
    return Written(target, "embed", notes=written.notes)


def _quantized(plain: Path, path: Path, net: Net, calibration: Sequence[Feeds]) -> onnx.ModelProto:
    try:
        from onnxruntime.quantization import QuantFormat, QuantType, quantize_static
        from onnxruntime.quantization.calibrate import CalibrationDataReader
    except ImportError as error:  # what it needs, onnxruntime does not install by itself
        raise UnsupportedError(
            f"onnxruntime's quantizer cannot be used: {error}",
            expected="a newer onnxruntime, or what it asks for",
            fix="pip install --upgrade onnxruntime, or pip install sympy ml_dtypes",
        ) from None

    class Reader(CalibrationDataReader):  # type: ignore[misc]
        def __init__(self) -> None:
            self.left: Iterator[Feeds] = iter(calibration)

        def get_next(self) -> Feeds | None:
            feeds = next(self.left, None)
            return feeds and {name: np.asarray(value, np.float32) for name, value in feeds.items()}

    model = onnx.load(plain)
    features = feature_nodes(model, net)
    chosen = [node.name for node in model.graph.node if node.op_type in OPERATORS and node.name in features]
    if not any(
        node.op_type in ("Conv", "ConvTranspose", "Gemm", "MatMul") for node in model.graph.node if node.name in chosen
    ):
        raise UnsupportedError("the net has no layer that could compute on int8", source=net.source)
    with _without_advice():
        quantize_static(
            plain,
            path,
            Reader(),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            reduce_range=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            nodes_to_quantize=chosen,
            op_types_to_quantize=sorted(OPERATORS),
        )
    small = onnx.load(path)
    del small.metadata_props[:]
    small.metadata_props.extend(model.metadata_props)
    small.metadata_props.add(key="netsurgery.precision", value="int8")
    small.producer_name, small.producer_version = model.producer_name, model.producer_version
    return small


@contextmanager
def _without_advice() -> Iterator[None]:
    """onnxruntime advises on the root logger to prepare the model, which is prepared, and logs every bias that it adjusts."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(before)
