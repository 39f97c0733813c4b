"""Images to calibrate int8 with: what exporters.convert asks for, made from files."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import NetsurgeryError
from ..exporters.convert import input_axes
from ..formats.preprocessing import Preprocessing
from ..net import Net
from .images import find_images
from .model import image_input, input_shape
from .preprocess import crops, read_pixels

FEW = 8
"""Fewer images than these seldom show the range of every blob."""
SHOWN = 16


@dataclass
class ImageCalibration:
    """Files, folders and lists of images (as for `find_images`), fed one at a time as the net expects them. `feeds` are those of the last
    net that asked."""

    images: Sequence[str | os.PathLike[str]]
    feeds: list[dict[str, NDArray[Any]]] = field(default_factory=list)

    def __call__(self, net: Net, preprocessing: Preprocessing) -> list[dict[str, NDArray[Any]]]:
        """Raises: NetsurgeryError for a net whose input is no image, images that cannot be read, or none."""
        name, shape = image_input(net), input_shape(net)
        files = find_images(self.images)
        if not files:
            raise NetsurgeryError("no images to calibrate int8 with", expected="files or a folder")
        batch = next(axis.size for axis in input_axes(net) if axis.input == name and axis.axis == 0)
        copies = batch if isinstance(batch, int) else 1  # a layer ties it
        self.feeds = [
            {
                name: np.repeat(
                    crops(read_pixels(file.path, shape[0], preprocessing), shape, preprocessing), copies, axis=0
                )
            }
            for file in files
        ]
        return self.feeds

    @property
    def sample(self) -> dict[str, NDArray[Any]]:
        """Some of the feeds, as one batch where the net takes one: what to compare on."""
        first = self.feeds[0]
        if any(len(value) != 1 for value in first.values()):
            return first
        return {name: np.concatenate([feed[name] for feed in self.feeds[:SHOWN]]) for name in first}

    @property
    def notes(self) -> tuple[str, ...]:
        count = f"{len(self.feeds)} image{'s' if len(self.feeds) != 1 else ''}"
        few = f"calibrated with {count}, which show too little of what the net may see: some hundred are usual"
        return (few,) if len(self.feeds) < FEW else ()
