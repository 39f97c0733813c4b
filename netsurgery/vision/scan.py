"""Boxes around what a classifier finds in an image: the net made fully convolutional, slid over the image at several sizes.

image ──sizes──> net ──> a map of scores for each size ──> windows above a threshold ──> non-maximum suppression ──> boxes

Source: Sermanet, Kavukcuoglu, LeCun, EBLearn (2009); Zhang et al., Joint Face Detection and Alignment (MTCNN, 2016)
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import NetsurgeryError, ShapeError
from ..formats.preprocessing import Preprocessing
from ..layers.shared.boxes import suppress
from ..net import Net
from ..options import Flag, Kind, Number, Sizes, option, whole
from ..passes.convolutionalize import convolutionalize
from ..passes.cut import cut
from .heatmap import only_output, plan
from .heatmap_job import HeatmapJob, Options
from .images import ImageFile
from .jobs import run_one
from .labels import BACKGROUND, BACKGROUND_HELP, find_background, find_channel, name_of
from .model import open_model
from .pipeline import Job, Sample

MOST_WINDOWS = 20_000
"""Windows above the threshold, on one image."""


@dataclass(frozen=True)
class Scanning:
    """How an image is scanned: see `scan`."""

    threshold: float = option(0.5, Number("a number"), "threshold", "The least score of a window.")
    overlap: float = option(
        0.3,
        Number("a number from 0 to 1"),
        "nms",
        "Of windows that overlap by more than this (intersection over union) the best is kept.",
    )
    scales: tuple[int, ...] | None = option(
        None, Sizes(metavar="112,160"), "scales", "Short sides of the input, instead of a pyramid."
    )
    smallest: int | None = option(
        None, whole(1), "smallest", "Pixels of the smallest object that fills the net's window. Default: its input."
    )
    factor: float = option(
        0.709, Number("a number"), "factor", "How much smaller each size of the pyramid is than the last."
    )
    channel: int | str | None = option(None, Kind(metavar="K|NAME"), "channel", "Look for this class alone.")
    background: str | None = option(None, BACKGROUND, "background", BACKGROUND_HELP)
    per_class: bool = option(
        False, Flag(), "per-class", "A window may be of several classes; overlaps count within a class."
    )
    shift: str | None = option(
        None, Kind(metavar="BLOB"), "shift", "A blob that moves windows' edges, as MTCNN's conv4-2."
    )
    labels: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not (0 <= self.overlap <= 1 and 0 < self.factor < 1) or (self.smallest is not None and self.smallest < 1):
            raise NetsurgeryError(
                f"overlap {self.overlap:g}, factor {self.factor:g}, smallest {self.smallest}",
                expected="an overlap from 0 to 1, a factor between 0 and 1, at least one pixel",
            )


@dataclass(frozen=True)
class Detection:
    """A class at a place: `box` (left, top, right, bottom) in pixels of the image, edges of pixels being whole numbers; `side` is the
    scale at which it was met."""

    channel: int
    label: str
    score: float
    box: tuple[float, float, float, float]
    side: int

    def to_json(self) -> dict[str, Any]:
        box = [round(x, 2) for x in self.box]
        return {"class": self.channel, "label": self.label, "score": self.score, "box": box, "side": self.side}


@dataclass(frozen=True)
class ScanJob(Job[list[Detection]]):
    """The detections on each image."""

    maps: HeatmapJob
    how: Scanning
    channel: int | None
    background: int | None

    def prepare(self, image: NDArray[Any]) -> Sample:
        height, width = image.shape[:2]
        scales = self.how.scales or self._pyramid(height, width)
        maps = replace(self.maps, options=replace(self.maps.options, scales=scales))
        sizes = maps.input_sizes(height, width)
        return Sample([maps.input_of(image, size) for _, size in sizes], (image, sizes))

    def finish(self, image: ImageFile, sample: Sample) -> list[Detection]:
        pixels, sizes = sample.more
        parts = [
            self._windows(outputs, size, pixels.shape[:2], side)
            for outputs, (side, size) in zip(sample.outputs, sizes, strict=True)
        ]
        windows = np.concatenate(parts)
        if len(windows) > MOST_WINDOWS:
            raise NetsurgeryError(
                f"{image.path}: {len(windows)} windows score {self.how.threshold:g} or more",
                expected=f"at most {MOST_WINDOWS}",
                fix="a higher --threshold",
            )
        return [self._detection(row) for row in self._kept(windows, pixels.shape[:2])]

    def _pyramid(self, height: int, width: int) -> tuple[int, ...]:
        """Short sides: at the first an object of `smallest` pixels fills the net's window, each further one is `factor` times as long."""
        window = min(axis.declared for axis in self.maps.axes)
        short = min(height, width) * window / (self.how.smallest or window)
        sides: list[int] = []
        least = self.maps.least_side(height, width)
        while round(short) >= least and len(sides) < 64:
            sides.append(round(short))
            short *= self.how.factor
        return tuple(dict.fromkeys(sides)) or (least,)

    def _windows(
        self, outputs: Sequence[NDArray[Any]], size: tuple[int, int], image: tuple[int, int], side: int
    ) -> NDArray[np.float64]:
        """Rows of score, class, left, top, right, bottom, side for windows above the threshold."""
        scores = np.nan_to_num(outputs[0][0], nan=-np.inf)
        allowed = scores >= self.how.threshold
        if not self.how.per_class:
            allowed &= np.arange(len(scores))[:, None, None] == scores.argmax(axis=0)
        if self.background is not None:
            allowed[self.background] = False
        if self.channel is not None:
            allowed &= (np.arange(len(scores)) == self.channel)[:, None, None]
        classes, rows, columns = np.nonzero(allowed)
        corners = []
        for axis, at, count, n, length in zip(
            self.maps.axes, (rows, columns), scores.shape[1:], size, image, strict=True
        ):
            middle, half = axis.places(count, n)[at] * length, axis.declared * length / n / 2
            corners += [middle - half, middle + half]
        top, bottom, left, right = corners
        if self.how.shift is not None:
            moves = outputs[1][0]
            if moves.shape[1:] != scores.shape[1:]:
                raise ShapeError(
                    f"blob '{self.how.shift}' has {moves.shape[1]}x{moves.shape[2]} positions",
                    expected=f"{scores.shape[1]}x{scores.shape[2]}, as '{self.maps.blob}'",
                )
            across, down = right - left, bottom - top
            dx1, dy1, dx2, dy2 = moves[:, rows, columns]
            left, top, right, bottom = left + dx1 * across, top + dy1 * down, right + dx2 * across, bottom + dy2 * down
        values = scores[classes, rows, columns]
        return np.stack([values, classes, left, top, right, bottom, np.full(len(rows), side)], axis=1).astype(float)

    def _kept(self, windows: NDArray[np.float64], image: tuple[int, int]) -> Iterator[NDArray[np.float64]]:
        """Those that no better one overlaps, best first, cut off at the borders of the image."""
        windows = windows[np.argsort(-windows[:, 0], kind="stable")]
        groups = [windows[:, 1] == k for k in np.unique(windows[:, 1])] if self.how.per_class else [slice(None)]
        parts = [windows[group][suppress(windows[group][:, 2:6], self.how.overlap)] for group in groups]
        best = np.concatenate(parts) if parts else windows
        best[:, 2:6] = np.clip(best[:, 2:6], 0, [image[1], image[0], image[1], image[0]])
        yield from best[np.argsort(-best[:, 0], kind="stable")]

    def _detection(self, row: NDArray[np.float64]) -> Detection:
        score, channel, left, top, right, bottom, side = row.tolist()
        label = name_of(self.how.labels, int(channel)) if self.how.labels else ""
        return Detection(int(channel), label, score, (left, top, right, bottom), int(side))


def plan_scan(
    net: Net,
    output: str | None,
    how: Scanning,
    preprocessing: Preprocessing,
    *,
    sliding_pool: bool = False,
) -> tuple[Net, ScanJob, list[str]]:
    """The fully convolutional net, the job, and the blobs that it needs. Raises: as `scan`."""
    blob = output if output is not None else only_output(net)
    dense, maps = plan(
        net, blob, Options(scales=how.scales, labels=how.labels), preprocessing, sliding_pool=sliding_pool
    )
    blobs = [blob]
    count = int(str(dense.shapes()[blob][1]))
    if how.shift is not None:
        blobs.append(how.shift)
        dense = convolutionalize(cut(net, blobs), sliding_pool=sliding_pool)
        shape = dense.shapes()[how.shift]
        if len(shape) != 4 or shape[1] != 4:
            raise ShapeError(
                f"blob '{how.shift}' ({', '.join(map(str, shape))}) moves no boxes",
                source=net.source,
                expected="a map of 4 channels: how far left, top, right and bottom move, in sizes of the window",
            )
    channel = None if how.channel is None else int(find_channel(how.channel, count, how.labels, blob))
    background = find_background(how.background, count, how.labels, blob)
    return dense, ScanJob(maps, how, channel, background), blobs


def scan(
    net: Net,
    image: NDArray[Any] | str,
    how: Scanning | None = None,
    *,
    output: str | None = None,
    sliding_pool: bool = False,
    preprocessing: Preprocessing | None = None,
) -> list[Detection]:
    """What a classifier finds in an image, a path or RGB (H, W, 3), best first.

    The net is made fully convolutional and run on the image at several sizes: `scales` are short sides; without them the first is that
    at which an object of `smallest` pixels (None: of the net's input) fills the net's window, and each further one `factor` times the
    one before. Of each position the best class counts, if it is not the background and scores `threshold` or more; its window is where
    the net's input lies. Of windows that overlap by more than `overlap` (intersection over union) the best is kept, whatever its class;
    with `per_class` each class is judged alone, and a position may have several. `channel` is the one class that is looked for.
    `background` names a class that is nothing (None: the one called "background"; "": none). `shift` is a blob of 4 channels that moves
    the edges of windows, as MTCNN's conv4-2.

    Raises: NetsurgeryError, ShapeError as `heatmap`, or for too many windows.
    """
    dense, job, blobs = plan_scan(
        net, output, how or Scanning(), preprocessing or Preprocessing(), sliding_pool=sliding_pool
    )
    return run_one(job, open_model(dense, blobs, free=True), image)
