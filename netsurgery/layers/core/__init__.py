"""What a layer file stands on, in one line: `from .core import Arrays, LayerType, Op, Params, Shapes, Tensors`."""

from __future__ import annotations

from ...errors import OpsetError, RewriteError, ShapeError, UnsupportedError
from ...message import Field, Message
from .aliases import Array, Arrays, Reaches, Shapes, Surgery, Tensors
from .builder import Op, Tensor
from .dims import Dim, Shape, Size, by_data, ceil_div, maximum, minimum, numbers, product, show
from .fillers import Filler, he_normal, near
from .layer_type import LayerType
from .param_str import ParamStr
from .params import Params
from .reach import NOWHERE, SAME, WHOLE, Reach, spread, window

__all__ = [
    "NOWHERE",
    "SAME",
    "WHOLE",
    "Array",
    "Arrays",
    "Dim",
    "Field",
    "Filler",
    "LayerType",
    "Message",
    "Op",
    "OpsetError",
    "ParamStr",
    "Params",
    "Reach",
    "Reaches",
    "RewriteError",
    "Shape",
    "ShapeError",
    "Shapes",
    "Size",
    "Surgery",
    "Tensor",
    "Tensors",
    "UnsupportedError",
    "by_data",
    "ceil_div",
    "he_normal",
    "maximum",
    "minimum",
    "near",
    "numbers",
    "product",
    "show",
    "spread",
    "window",
]
