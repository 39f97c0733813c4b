"""Backward: layers from the last to the first, each by Caffe's own rule.

Diffs of blobs are written anew, diffs of parameters add up. Whatever a layer in place has overwritten is read as it is, as Caffe does,
where Caffe does not keep a copy.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from .gradients import differentiate
from .slot import Slot

Hook = Callable[[int], object]


def backward(slots: Sequence[Slot], start: int, end: int, before: Sequence[Hook], after: Sequence[Hook]) -> None:
    """Layers `start` down to `end`, both included. Raises: IndexError for a range outside of the net; what rules raise."""
    if not (end >= 0 and start < len(slots)):
        raise IndexError(f"layers {start} to {end} of {len(slots)}")
    with np.errstate(all="ignore"):  # Caffe lets NaN and infinity pass
        for index in range(start, end - 1, -1):
            for hook in before:
                hook(index)
            if slots[index].need_backward:
                differentiate(slots[index])
            for hook in after:
                hook(index)
