"""What a layer file stands on, in one line: `from .core import Arrays, LayerType, Op, Params, Shapes, Tensors`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import RewriteError, ShapeError, UnsupportedError
from ...message import Field, Message
from .builder import Op, Tensor
from .dims import Dim, Shape, Size, by_data, ceil_div, maximum, minimum, numbers, product, show
from .fillers import Filler, he_normal, near
from .layer_type import LayerType
from .param_str import ParamStr
from .params import Params
from .reach import NOWHERE, SAME, WHOLE, Reach, spread, window

Array = NDArray[np.floating[Any]]
Shapes = Sequence[Shape]
"""The shape of each bottom, top or blob."""
Arrays = Sequence[Array]
Tensors = Sequence[Tensor]
Reaches = Sequence[Sequence[Reach] | None]
"""What a top sees of each bottom: see Kind.reach."""
Surgery = tuple[Message, tuple[Array, ...]]
"""A layer's parameters and blobs after surgery."""

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
