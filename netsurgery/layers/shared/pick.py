"""The rows that a mask names, as ONNX nodes."""

from __future__ import annotations

from ..core import Op, Tensor


def pick(op: Op, mask: Tensor, *tensors: Tensor, axis: int = 0) -> list[Tensor]:
    """What each tensor holds along `axis` where `mask`, bool (K), is true: Compress, in the operators that more runtimes have."""
    places = op.reshape(op("NonZero", mask), -1)
    return [op("Gather", x, places, axis=axis) for x in tensors]
