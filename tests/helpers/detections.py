"""Nets of one detection layer."""

from __future__ import annotations

from typing import Any

import numpy as np
from one_layer import make, one

import netsurgery

Array = np.ndarray[Any, Any]


def unit(shape: tuple[int, ...], seed: int = 0) -> Array:
    return np.random.default_rng(seed).random(shape, dtype=np.float32)


def detection(
    params: str, loc: int, conf: int, priors: int, more: str = "", **shapes: tuple[int, ...]
) -> netsurgery.Net:
    bottoms = ("loc", "conf", "prior", *shapes)
    shapes = {"loc": (1, loc), "conf": (1, conf), "prior": (1, 2, 4 * priors), **shapes}
    return make(one("DetectionOutput", f"detection_output_param {{ {params} }} {more}", bottoms), **shapes)
