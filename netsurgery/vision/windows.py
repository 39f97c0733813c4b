"""What a classifier says of windows of images, as R-CNN did: Caffe's detect.py.

boxes.csv ── filename, ymin, xmin, ymax, xmax ──> crops, with context, at the net's input size ──> scores of every class

Source: BVLC Caffe, python/detect.py, python/caffe/detector.py
"""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import NetsurgeryError, ShapeError, Source
from ..files.boundary import open_file
from ..files.output import replacing
from ..files.resample import resize_image
from ..files.urls import is_url
from ..formats.preprocessing import CAFFE, PYCAFFE, RAW, Preprocessing
from ..net import Net
from .classify import plan
from .context import with_context
from .images import ImageFile
from .jobs import run_job
from .pipeline import Job, Outcome, Sample
from .preprocess import preprocess, with_channels
from .samples import place_of

COLUMNS = ("ymin", "xmin", "ymax", "xmax")
AT_ONCE = 32
"""Windows of an image that are run together."""

Window = tuple[int, int, int, int]
"""ymin, xmin, ymax, xmax: rows and columns of the image."""


@dataclass(frozen=True, eq=False)
class Scored:
    """A window of an image file, and the score of each class."""

    filename: str
    window: Window
    scores: NDArray[np.float32]


@dataclass(frozen=True)
class WindowsJob(Job[list[NDArray[np.float32] | ShapeError]]):
    """The scores of windows, or why one has none; `windows` by the name of an ImageFile, which stands for some of an image's."""

    shape: tuple[int, int, int]
    preprocessing: Preprocessing
    windows: Mapping[str, Sequence[Window]]
    context: int
    fill: NDArray[np.float32] | None

    def load(self, image: ImageFile) -> Sample:
        pixels = (with_channels(self.read(image.path), self.shape[0]) / np.float32(RAW)).astype(np.float32)
        crops = [self._crop(pixels, window, image.path) for window in self.windows[image.name]]
        size = self.shape[1], self.shape[2]
        inputs = [
            preprocess(c, self.shape[0], size, self.preprocessing) for c in crops if not isinstance(c, ShapeError)
        ]
        return Sample([np.stack(inputs)] if inputs else [], crops)

    def finish(self, image: ImageFile, sample: Sample) -> list[NDArray[np.float32] | ShapeError]:
        scores = iter(sample.outputs[0][0] if sample.outputs else ())
        return [crop if isinstance(crop, ShapeError) else next(scores).reshape(-1) for crop in sample.more]

    def _crop(self, pixels: NDArray[np.float32], window: Window, path: str) -> NDArray[np.float32] | ShapeError:
        top, left, bottom, right = window
        crop: NDArray[np.float32] | None = None
        if self.fill is not None:
            crop = with_context(pixels, window, self.context, self.shape[2], self.fill)
        elif 0 <= top < min(bottom, pixels.shape[0]) and 0 <= left < min(right, pixels.shape[1]):
            crop = pixels[top:bottom, left:right]
        if crop is None:
            return ShapeError(
                f"the window {top}, {left}, {bottom}, {right} of an image of {pixels.shape[0]}x{pixels.shape[1]}",
                source=Source(path),
                expected="ymin, xmin, ymax, xmax with pixels of the image in between",
            )
        return crop


def read_windows(path: str | os.PathLike[str]) -> list[tuple[str, Window]]:
    """The windows of a table with the columns filename, ymin, xmin, ymax and xmax, as detect.py reads them.

    Raises: NetsurgeryError if it cannot be read, or lacks a column or a number."""
    name = os.fspath(path)
    windows: list[tuple[str, Window]] = []
    try:
        with (
            open_file(name, "a table (CSV)", NetsurgeryError) as data,
            io.TextIOWrapper(data, "utf-8-sig", newline="") as file,
        ):
            reader = csv.DictReader(file)
            missing = [c for c in ("filename", *COLUMNS) if c not in (reader.fieldnames or ())]
            if missing:
                raise NetsurgeryError(
                    f"has no column {', '.join(missing)}",
                    source=Source(name),
                    expected="a first line with filename,ymin,xmin,ymax,xmax",
                )
            for row in reader:
                try:
                    numbers = [float(row[c]) for c in COLUMNS]
                    ymin, xmin, ymax, xmax = (int(x) for x in numbers)
                    whole = all(x == int(x) for x in numbers) and bool(row["filename"])
                except (TypeError, ValueError, OverflowError):
                    whole = False
                if not whole:
                    raise NetsurgeryError(
                        f"'{','.join(str(x) for x in row.values())}'",
                        source=Source(name, reader.line_num),
                        expected="a file, and four whole numbers",
                    )
                windows.append((row["filename"], (ymin, xmin, ymax, xmax)))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise NetsurgeryError(f"cannot be read: {error}", source=Source(name), expected="a table (CSV)") from None
    if not windows:
        raise NetsurgeryError("has no windows", source=Source(name), expected="one a line")
    return windows


def image_place(file: str, beside: str | os.PathLike[str]) -> str:
    """Where an image of a table is, `beside` being the folder in which files that are not there are looked for."""
    return file if is_url(file) else place_of(file, Path(beside), "")


def classify_windows(
    net: Net,
    windows: Sequence[tuple[str, Window]],
    *,
    output: str | None = None,
    context: int = 0,
    beside: str | os.PathLike[str] = "",
    preprocessing: Preprocessing | None = None,
    **running: Any,
) -> Iterator[Outcome[list[Scored]]]:
    """The scores of windows, pairs of an image file and (ymin, xmin, ymax, xmax), image after image in the order in which they are first
    named; each Outcome has some of an image's, or the error of one. What is cut out is warped to the net's input and prepared as
    pycaffe's Detector does; with `context` a border of so many pixels of the input shows what surrounds the window, the mean where there
    is no image. `beside`: the folder in which files that are not there are looked for; `running`: keep, scheduler and threads, see
    `run_job`.

    Raises: NetsurgeryError, ShapeError for a net that gives a map, or an input that is no square and context; as `classify`.
    """
    done = preprocessing or Preprocessing()
    if done.convention == CAFFE:
        raise NetsurgeryError(
            "pixels as Caffe's data layers prepare them",
            expected="windows, which pycaffe's Detector cuts out and warps",
            fix="--pixels-as pycaffe",
        )
    done = replace(done, convention=PYCAFFE, resize=None)
    part, job = plan(net, output, (), done, 1, 1)
    _, height, width = job.shape
    if context and (height != width or not 0 < 2 * context < width):
        raise ShapeError(
            f"{context} pixels of context in an input of {height}x{width}",
            expected="a square input, more than twice as large",
            fix="--context-pad 0",
        )
    groups: dict[str, list[Window]] = {}
    for file, window in windows:
        groups.setdefault(file, []).append(window)
    parts: dict[str, list[Window]] = {}
    names: dict[str, str] = {}
    images = []
    for file, group in groups.items():
        place = image_place(file, beside)
        for start in range(0, len(group), AT_ONCE):
            name = str(len(parts))
            parts[name], names[name] = group[start : start + AT_ONCE], file
            images.append(ImageFile(place, name))
    fill = _fill(done, job.shape) if context else None
    work = WindowsJob(job.shape, done, parts, context, fill)
    for one in run_job(work, part, [job.blob], images, **running):
        pairs = list(zip(parts[one.image.name], one.result or (), strict=False))
        scored = [Scored(names[one.image.name], w, scores) for w, scores in pairs if not isinstance(scores, ShapeError)]
        if scored or one.error is not None:
            yield Outcome(one.image, scored, one.error, one.skipped)
        yield from (Outcome(one.image, error=error) for _, error in pairs if isinstance(error, ShapeError))


def _fill(done: Preprocessing, shape: tuple[int, int, int]) -> NDArray[np.float32]:
    """The mean as pixels of an image (h, w, C), as Detector's crop_mean."""
    channels, height, width = shape
    mean = done.mean_for(channels)
    if mean is None:
        return np.zeros((height, width, channels), np.float32)
    pixels = mean.transpose(1, 2, 0)
    if pixels.shape[:2] not in ((1, 1), (height, width)):
        pixels = resize_image(pixels, (height, width))
    if done.channel_order == "bgr" and channels == 3:
        pixels = pixels[:, :, ::-1]
    return np.array(np.broadcast_to(pixels / np.float32(done.raw_scale), (height, width, channels)), np.float32)


def write_scores(path: str | os.PathLike[str], scored: Sequence[Scored]) -> None:
    """The table that detect.py writes: filename, the window, and class0, class1, ...

    Raises: NetsurgeryError if it cannot be written."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    count = len(scored[0].scores) if scored else 0
    table.writerow(["filename", *COLUMNS, *(f"class{k}" for k in range(count))])
    table.writerows([one.filename, *one.window, *(f"{x:.9g}" for x in one.scores.tolist())] for one in scored)
    with replacing(path) as file:
        file.write(text.getvalue().encode())
