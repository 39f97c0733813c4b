"""What a classifier says of images."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import NetsurgeryError, ShapeError
from ..formats.preprocessing import PYCAFFE, Preprocessing
from ..net import Net
from ..passes.cut import cut
from .heatmap import only_output
from .images import ImageFile, find_images
from .jobs import run_job, run_one
from .labels import check_labels, name_of
from .model import input_shape, open_model
from .pipeline import Job, Outcome, Sample
from .preprocess import crops as cut_out
from .preprocess import read_pixels


@dataclass(frozen=True)
class Prediction:
    """A class and what the net gives it."""

    channel: int
    label: str
    score: float


@dataclass(frozen=True)
class ClassifyJob(Job[list[Prediction]]):
    """The best `top` classes of each image."""

    blob: str
    shape: tuple[int, int, int]
    preprocessing: Preprocessing
    labels: tuple[str, ...] = ()
    top: int = 5
    crops: int = 1

    def read(self, path: str) -> NDArray[Any]:
        return read_pixels(path, self.shape[0], self.preprocessing)

    def prepare(self, image: NDArray[Any]) -> Sample:
        return Sample([cut_out(image, self.shape, self.preprocessing, self.crops)])

    def finish(self, image: ImageFile, sample: Sample) -> list[Prediction]:
        blob = sample.outputs[0][0]
        return best(blob.reshape(len(blob), -1).mean(axis=0), self.labels, self.top)


def best(scores: NDArray[Any], labels: Sequence[str], top: int) -> list[Prediction]:
    """The greatest scores, greatest first; of equal ones the first."""
    order = np.argsort(-np.nan_to_num(scores, nan=-np.inf), kind="stable")[:top]
    return [Prediction(int(k), name_of(labels, int(k)) if labels else "", float(scores[k])) for k in order]


def plan(
    net: Net,
    output: str | None,
    labels: Sequence[str],
    preprocessing: Preprocessing,
    top: int,
    crops: int,
) -> tuple[Net, ClassifyJob]:
    """The net cut at the blob, and the job. Raises: as `classify`."""
    if not preprocessing.convention:
        preprocessing = replace(preprocessing, convention=PYCAFFE)
    blob = output if output is not None else only_output(net)
    part = cut(net, [blob])
    shape = part.shapes()[blob]
    if len(shape) < 2 or any(n != 1 for n in shape[2:]):
        raise ShapeError(
            f"blob '{blob}' ({', '.join(map(str, shape))}) is a map, not one answer for each image",
            source=net.source,
            expected="a blob (N, classes)",
            fix="netsurgery heatmap, or name another blob: --output",
        )
    check_labels(labels, shape[1] if isinstance(shape[1], int) else 0, blob)
    if top < 1 or crops not in (1, 10):
        raise NetsurgeryError(f"top {top}, crops {crops}", expected="at least 1 class, and 1 or 10 crops")
    size = input_shape(part)
    if preprocessing.resize is not None and any(a < b for a, b in zip(preprocessing.resize, size[1:], strict=True)):
        raise ShapeError(
            f"images warped to {preprocessing.resize[0]}x{preprocessing.resize[1]}",
            expected=f"at least {size[1]}x{size[2]}, the net's input, which is cut out of them",
            fix="a larger --resize",
        )
    return part, ClassifyJob(blob, size, preprocessing, tuple(labels), top, crops)


def classify(
    net: Net,
    image: NDArray[Any] | str,
    *,
    output: str | None = None,
    labels: Sequence[str] = (),
    top: int = 5,
    oversample: bool = False,
    preprocessing: Preprocessing | None = None,
) -> list[Prediction]:
    """The `top` best classes of an image: a path, or RGB (H, W, 3) of uint8 or floats from 0 to 1. With `oversample` the scores are
    the mean over ten crops, as pycaffe's Classifier does. Pixels are prepared as it does, too, unless `preprocessing.convention` says
    otherwise.

    Raises: NetsurgeryError, ShapeError for a blob that is a map, labels that do not fit, or an image that cannot be read.
    """
    part, job = plan(net, output, labels, preprocessing or Preprocessing(), top, 10 if oversample else 1)
    return run_one(job, open_model(part, [job.blob]), image)


def classify_files(
    net: Net,
    images: Sequence[str | os.PathLike[str] | ImageFile],
    *,
    output: str | None = None,
    labels: Sequence[str] = (),
    top: int = 5,
    oversample: bool = False,
    preprocessing: Preprocessing | None = None,
    **running: Any,
) -> Iterator[Outcome[list[Prediction]]]:
    """`classify` for files, folders, globs, lists or URLs, one after the other. `running`: keep, scheduler and threads, see `run_job`."""
    part, job = plan(net, output, labels, preprocessing or Preprocessing(), top, 10 if oversample else 1)
    return run_job(job, part, [job.blob], find_images(images), **running)
