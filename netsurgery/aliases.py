"""Short names of types that stand in many signatures."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from typing import Any

    from numpy.typing import NDArray

StrPath: TypeAlias = str | os.PathLike[str]
Array: TypeAlias = "NDArray[Any]"
InputShapes: TypeAlias = Mapping[str, Sequence[int | str | None]]
"""Shapes of inputs as users give them: a number or a name for each axis, None for one that is not said."""
