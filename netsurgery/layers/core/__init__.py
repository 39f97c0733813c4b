"""What a layer file stands on, in one line: `from .core import Arrays, LayerType, Op, Params, Shapes, Tensors`."""

from __future__ import annotations

from ...errors import NetsurgeryError, OpsetError, RewriteError, ShapeError, UnsupportedError
from ...message import Field, Message
from .aliases import Array, Arrays, Reaches, Rng, Sample, Shapes, Sizes, Surgery, Tensors
from .builder import Op, Tensor
from .dims import Dim, Shape, Size, by_data, ceil_div, maximum, minimum, numbers, product, show
from .fillers import Filler, he_normal, near
from .layer_type import Elementwise, LayerType, with_field
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
    "Elementwise",
    "Field",
    "Filler",
    "LayerType",
    "Message",
    "NetsurgeryError",
    "Op",
    "OpsetError",
    "ParamStr",
    "Params",
    "Reach",
    "Reaches",
    "Rng",
    "RewriteError",
    "Shape",
    "ShapeError",
    "Sample",
    "Shapes",
    "Size",
    "Sizes",
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
    "with_field",
]
