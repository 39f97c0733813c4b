"""Short names for what stands in every signature of a layer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ...message import Message
from .builder import Tensor
from .dims import Shape
from .reach import Reach

Array = NDArray[np.floating[Any]]
Shapes = Sequence[Shape]
"""The shape of each bottom, top or blob."""
Arrays = Sequence[Array]
Tensors = Sequence[Tensor]
Sizes = Sequence[tuple[int, ...]]
"""As Shapes, of numbers alone."""
if TYPE_CHECKING:
    Rng = np.random.Generator
else:
    Rng = Any  # importing numpy.random takes longer than reading a net
Sample = NDArray[Any] | None
"""Made-up numbers for a bottom: see Kind.sample."""
Reaches = Sequence[Sequence[Reach] | None]
"""What a top sees of each bottom: see Kind.reach."""
Surgery = tuple[Message, tuple[Array, ...]]
"""A layer's parameters and blobs after surgery."""
