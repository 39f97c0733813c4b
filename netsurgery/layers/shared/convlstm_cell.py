"""What one step of a ConvLSTM is computed from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..core import Array
from .windows import Windows


@dataclass(frozen=True)
class ConvLSTMCell:
    """Kernels (4M, C / group, kernel) of x and (4M, M / group, kernel) of h with their windows and groups, the bias (4M) if there is
    one, and the peepholes of i, f and o, if there are any, in a shape that spreads over (N, M, H, W)."""

    units: int
    of_x: tuple[Array, Windows, int]
    of_h: tuple[Array, Windows, int]
    bias: Array | None
    peeps: Sequence[Array]
