"""What Caffe's data layers do with pixels: crop, mirror, subtract the mean, scale.

Source: BVLC/caffe src/caffe/data_transformer.cpp
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..formats.weights.caffemodel import read_binaryproto
from ..message import Message
from .errors import CaffeError
from .settings import random
from .slot import Slot


class Pixels:
    """transform_param: y = (x - mean) * scale of the crop in the middle (TRAIN: anywhere, and mirrored half of the time)."""

    def __init__(self, slot: Slot) -> None:
        param: Message = slot.params.last("transform_param", Message())
        self.title, self.training = slot.title, slot.phase == "TRAIN"
        self.scale = np.float32(param.last("scale", 1.0))
        self.mirror = bool(param.last("mirror", False))
        self.crop = int(param.last("crop_size", 0))
        self.mean_values = np.array(param.all("mean_value"), np.float32)
        path = param.last("mean_file")
        self.mean: NDArray[Any] | None = None
        if path is not None:
            mean = np.asarray(read_binaryproto(str(path)), np.float32)
            self.mean = mean.reshape(mean.shape[-3:])

    def __call__(self, image: NDArray[Any]) -> NDArray[np.float32]:
        """Shapes: (C, H, W) -> (C, crop_size, crop_size), or as it is without one."""
        x = image.astype(np.float32)
        if self.mean is not None:
            if self.mean.shape != x.shape:
                raise CaffeError(
                    f"its mean file has shape {self.mean.shape}",
                    layer=self.title,
                    expected=f"{x.shape}, as its pictures",
                )
            x = x - self.mean
        elif self.mean_values.size:
            if self.mean_values.size not in (1, len(x)):
                raise CaffeError(
                    f"{self.mean_values.size} mean values", layer=self.title, expected=f"one, or {len(x)} as channels"
                )
            x = x - self.mean_values[:, np.newaxis, np.newaxis]
        if self.crop:
            x = self._cropped(x)
        if self.mirror and random().integers(2):
            x = x[:, :, ::-1]
        return np.asarray(x * self.scale, np.float32)

    def _cropped(self, x: NDArray[Any]) -> NDArray[Any]:
        room = [n - self.crop for n in x.shape[1:]]
        if min(room) < 0:
            raise CaffeError(
                f"a picture of {x.shape[1]}x{x.shape[2]}", layer=self.title, expected=f"{self.crop} or more"
            )
        top, left = (int(random().integers(r + 1)) if self.training else r // 2 for r in room)
        return x[:, top : top + self.crop, left : left + self.crop]
