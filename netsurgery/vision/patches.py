"""The parts of images that excite a unit most, cut out by its receptive field."""

from __future__ import annotations

import heapq
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import NetsurgeryError, ShapeError
from ..formats.preprocessing import Preprocessing
from ..layers.core.dims import all_numbers, numbers
from ..net import Net
from ..passes.cut import cut
from ..receptive_field import Geometry, geometry
from .images import ImageFile, find_images
from .jobs import run_job
from .labels import check_labels, find_channel
from .model import image_input, input_shape
from .picture import Picture, enlarge, enlarged_to, grid
from .pipeline import Job, Outcome, Sample
from .preprocess import preprocess, with_channels
from .resize import resize

PADDING = 128
"""The gray of what a unit sees beyond the border of the image."""


@dataclass(frozen=True)
class Unit:
    """A channel of a blob."""

    blob: str
    channel: int

    def __str__(self) -> str:
        return f"{self.blob}:{self.channel}"


@dataclass(frozen=True, eq=False)
class Patch:
    """What a unit sees where it is excited: `pixels` (h, w, 3), `value` the number that it gives, `position` (i, j) in its map, () if it
    sees the whole image; `window` the rows and columns (top, left, bottom, right) of the image, warped to the net's input, that it sees,
    which may reach beyond it."""

    unit: Unit
    image: str
    value: float
    position: tuple[int, ...]
    window: tuple[int, int, int, int]
    pixels: Picture
    scale: tuple[float, float] = (1.0, 1.0)
    """How many rows and columns of the image one of the net's input stands for."""

    @property
    def place(self) -> tuple[int, int, int, int]:
        """The window in rows and columns (top, left, bottom, right) of the image itself."""
        top, left, bottom, right = self.window
        down, across = self.scale
        return round(top * down), round(left * across), round(bottom * down), round(right * across)

    def to_json(self) -> dict[str, Any]:
        return {
            "unit": str(self.unit),
            "image": self.image,
            "value": self.value,
            "position": list(self.position),
            "window": list(self.window),
            "place": list(self.place),
        }


@dataclass(frozen=True)
class View:
    """What the positions of a blob see along one axis: position i sees `size` pixels from offset + stride * i on; everything if `size`
    is None."""

    stride: float
    offset: float
    size: int | None


@dataclass(frozen=True)
class PatchesJob(Job[list[Patch]]):
    """The most exciting place of each image for each unit."""

    units: tuple[Unit, ...]
    blobs: tuple[str, ...]
    views: tuple[tuple[View, View], ...]
    shape: tuple[int, int, int]
    preprocessing: Preprocessing

    def prepare(self, image: NDArray[Any]) -> Sample:
        channels, *size = self.shape
        x = preprocess(image, channels, (size[0], size[1]), self.preprocessing, whole=True)
        warped = resize(with_channels(image, 3), (size[0], size[1]))
        scale = image.shape[0] / size[0], image.shape[1] / size[1]
        return Sample([x[None]], (np.clip(warped + 0.5, 0, 255).astype(np.uint8), scale))

    def finish(self, image: ImageFile, sample: Sample) -> list[Patch]:
        best_patches = []
        warped, scale = sample.more
        for unit, views in zip(self.units, self.views, strict=True):
            values = sample.outputs[0][self.blobs.index(unit.blob)][0, unit.channel]
            flat = np.nan_to_num(values, nan=-np.inf).reshape(-1)
            best = int(flat.argmax())
            position = tuple(int(i) for i in np.unravel_index(best, values.shape)) if values.ndim else ()
            window, pixels = _cut_out(warped, position, views)
            best_patches.append(Patch(unit, image.path, float(flat[best]), position, window, pixels, scale))
        return best_patches


def _cut_out(
    image: Picture, position: tuple[int, ...], views: tuple[View, View]
) -> tuple[tuple[int, int, int, int], Picture]:
    """The window that a position sees, and its pixels, gray beyond the image."""
    spans = []
    for axis, view in enumerate(views):
        if view.size is None or len(position) != 2:
            spans.append((0, image.shape[axis]))
        else:
            start = int(np.floor(view.offset + view.stride * position[axis] + 0.5))
            spans.append((start, start + view.size))
    (top, bottom), (left, right) = spans
    pixels = np.full((bottom - top, right - left, 3), PADDING, np.uint8)
    a, b, c, d = max(top, 0), min(bottom, image.shape[0]), max(left, 0), min(right, image.shape[1])
    if a < b and c < d:
        pixels[a - top : b - top, c - left : d - left] = image[a:b, c:d]
    return (top, left, bottom, right), pixels


def patches(
    net: Net,
    images: Sequence[str | os.PathLike[str] | ImageFile],
    units: Sequence[str],
    *,
    top: int = 9,
    labels: Sequence[str] = (),
    size: tuple[int, int] | None = None,
    preprocessing: Preprocessing | None = None,
    report: Callable[[Outcome[list[Patch]]], None] = lambda outcome: None,
    **running: Any,
) -> dict[Unit, list[Patch]]:
    """For each unit ("conv5:17", "fc8:tabby" with `labels`) its `top` patches, the most exciting first, one of each image at most.

    Images (files, folders, globs, lists, URLs) are warped to the net's input, or to `size` (h, w). `report` is told what became of each
    image; errors of single images go there. `running`: keep, scheduler and threads, see `run_job`.

    Raises: NetsurgeryError, ShapeError for a unit that there is not.
    """
    part, job = plan(net, units, labels, size, preprocessing or Preprocessing())
    if top < 1:
        raise NetsurgeryError(f"top {top}", expected="at least 1 patch")
    best: dict[Unit, list[tuple[float, int, Patch]]] = {unit: [] for unit in job.units}
    done = run_job(job, part, job.blobs, find_images(images), free=size is not None, **running)
    for number, one in enumerate(done):
        for patch in one.result or ():
            heap, item = best[patch.unit], (patch.value, -number, patch)  # of equal ones the first image's
            if len(heap) < top:
                heapq.heappush(heap, item)
            else:
                heapq.heappushpop(heap, item)
        report(replace(one, result=None))
    return {unit: [patch for _, _, patch in sorted(heap, reverse=True)] for unit, heap in best.items()}


def plan(
    net: Net, units: Sequence[str], labels: Sequence[str], size: tuple[int, int] | None, preprocessing: Preprocessing
) -> tuple[Net, PatchesJob]:
    """The net cut at the units' blobs, and the job. Raises: as `patches`."""
    if not units:
        raise NetsurgeryError("no unit is named", expected="BLOB:CHANNEL, such as conv5:17")
    targets = tuple(dict.fromkeys(find_unit(net, text, labels) for text in units))
    blobs = tuple(dict.fromkeys(unit.blob for unit in targets))
    part = cut(net, blobs)
    channels, height, width = input_shape(part)
    name = image_input(part)
    shape = (channels, *(size or (height, width)))
    part.shapes({name: (1, *shape)})  # raises for a size that the net does not take
    views = tuple(_views(geometry(part, unit.blob, name)) for unit in targets)
    return part, PatchesJob(targets, blobs, views, (shape[0], shape[1], shape[2]), replace(preprocessing, resize=None))


def _views(field: Geometry) -> tuple[View, View]:
    axes = []
    for stride, size, offset in zip(field.stride, field.receptive_field, field.offset, strict=True):
        whole = stride is None or size is None or offset is None
        axes.append(View(1.0, 0.0, None) if whole else View(float(stride or 0), float(offset or 0), size))
    return axes[0], axes[1]


def find_unit(net: Net, text: str, labels: Sequence[str] = ()) -> Unit:
    """A unit as people name it: BLOB:CHANNEL, the channel a number or a label. Raises: NetsurgeryError, ShapeError."""
    blob, sign, channel = text.rpartition(":")
    if not sign or not blob:
        raise NetsurgeryError(f"unit '{text}'", expected="BLOB:CHANNEL, such as conv5:17")
    net.writer(blob)
    shape = cut(net, [blob]).shapes()[blob]
    if len(shape) not in (2, 4) or not all_numbers(shape):
        raise ShapeError(
            f"blob '{blob}' has {len(shape)} axes", source=net.source, expected="(N, channels) or (N, channels, h, w)"
        )
    count = numbers(shape)[1]
    return Unit(blob, int(find_channel(channel, count, labels_of(net, blob, count, labels), blob)))


def labels_of(net: Net, blob: str, count: int, labels: Sequence[str]) -> Sequence[str]:
    """The names of a blob's channels: labels are of the net's answer, and of blobs with as many channels.

    Raises: NetsurgeryError if they are not as many as the net's only output has."""
    if tuple(net.outputs) == (blob,):
        check_labels(labels, count, blob)
    return labels if len(labels) == count else ()


def picture(by_unit: dict[Unit, list[Patch]], *, times: int | None = None) -> Picture:
    """The patches alone, as the net sees them, as a grid for each unit, one below the other."""
    parts = []
    for best in by_unit.values():
        if not best:
            continue
        factor = enlarged_to(max(best[0].pixels.shape[:2]), times, len(best))
        parts.append(grid([enlarge(patch.pixels, factor) for patch in best], gap=max(1, min(factor, 4))))
    if not parts:
        raise NetsurgeryError("there is no patch to show: no image could be read")
    across = max(part.shape[1] for part in parts)
    wide = [np.pad(p, [(0, 0), (0, across - p.shape[1]), (0, 0)], constant_values=255) for p in parts]
    return np.concatenate(wide, axis=0)
