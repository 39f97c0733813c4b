"""Which input axes a user fixes."""

from __future__ import annotations

from collections.abc import Sequence

from ..errors import NetsurgeryError
from ..net import Net
from .form import Sizes


def fixed_sizes(net: Net, input_shapes: Sizes | None, static: bool = False) -> dict[str, Sequence[int | None]]:
    """The sizes of the inputs that are spoken of, None for free ones; with `static` all are those that the file declares.

    Raises: NetsurgeryError for an input that there is not."""
    fixed: dict[str, Sequence[int | None]] = {}
    declared = net.inputs
    for name, shape in (input_shapes or {}).items():
        if name not in declared:
            raise NetsurgeryError(f"the net has no input '{name}'", expected=f"one of: {', '.join(declared)}")
        fixed[name] = [n if isinstance(n, int) else None for n in shape]
    if static:
        for name, declared_shape in declared.items():
            if declared_shape is not None:
                now = fixed.get(name, [None] * len(declared_shape))
                fixed[name] = [n if n is not None else d for n, d in zip(now, declared_shape, strict=True)]
    return fixed
