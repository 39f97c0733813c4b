"""ONNX models on disk."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

from ..formats.output import replacing
from ..net import Net
from .onnx import DEFAULT_OPSET, to_onnx


def save_onnx(
    net: Net,
    path: str | os.PathLike[str],
    *,
    weights: str = "embed",
    opset: int = DEFAULT_OPSET,
    fold: bool = True,
    outputs: Sequence[str] | None = None,
    input_shapes: Mapping[str, Sequence[int | str | None]] | None = None,
    static: bool = False,
) -> None:
    """Writes the net as an ONNX file, whole or not at all. Options as for `to_onnx`.

    Raises: UnsupportedError, ShapeError, WeightsError; NetsurgeryError if the file cannot be written.
    """
    model = to_onnx(net, opset=opset, fold=fold, outputs=outputs, input_shapes=input_shapes, static=static)
    with replacing(path) as file:
        file.write(model.SerializeToString(deterministic=True))
