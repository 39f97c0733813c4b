"""Convolution as ONNX nodes."""

from __future__ import annotations

from ..core import Op, Tensor
from .windows import Windows


def emit_conv(op: Op, x: Tensor, w: Tensor, bias: Tensor | None, at: Windows, group: int) -> Tensor:
    """Conv; where a kernel of one place is padded, with Pad before it: OpenCV 5 reads beside the image then."""
    over = at.over(x.shape[2:])
    if max(at.kernel) == 1 and any(over.ends) and not op.plain:
        x = op("Pad", x, op.ints(0, 0, over.pad, 0, 0, over.ends))
        over = Windows(at.kernel, at.stride, (0,) * len(at.pad), at.dilation)
    return op("Conv", x, w, bias, **over.attributes, group=group)
