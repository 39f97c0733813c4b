"""bbox_reg_param of MS-CNN: what regressed boxes were normalised by."""

from __future__ import annotations

import numpy as np

from ..core import Array, Params


def read_normalization(p: Params) -> tuple[Array, Array] | None:
    """(means, deviations) of four numbers, None where not both are given. Raises: UnsupportedError."""
    q = p.message("bbox_reg_param")
    means, deviations = q.get_floats("bbox_mean"), q.get_floats("bbox_std")
    q.ignore("cls_aware", why="concerns training")
    if not means or not deviations:
        return None
    if len(means) != 4 or len(deviations) != 4:
        problem = f"{len(means)} bbox_mean, {len(deviations)} bbox_std"
        raise q.refuse("bbox_mean", problem, expected="four of each")
    return np.array(means, np.float32), np.array(deviations, np.float32)
