"""Blobs of a net for many images: what Caffe's extract_features did."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import NetsurgeryError, ShapeError
from ..files.arrays import arrays_of, write_npz
from ..files.urls import is_url
from ..formats.preprocessing import Preprocessing
from ..net import Net
from ..passes.cut import cut
from .cache import made_by
from .feature_files import SUFFIXES, writer
from .images import Folder, ImageFile, find_images
from .jobs import run_job, run_one
from .model import image_input, input_shape, open_model
from .pipeline import Job, Outcome, Sample
from .preprocess import crops, read_pixels
from .resize import Array

Blobs = dict[str, Array]


@dataclass(frozen=True)
class FeaturesJob(Job[Blobs]):
    """The blobs of each image, without the batch axis."""

    blobs: tuple[str, ...]
    shape: tuple[int, int, int]
    preprocessing: Preprocessing

    def read(self, path: str) -> NDArray[Any]:
        return read_pixels(path, self.shape[0], self.preprocessing)

    def prepare(self, image: NDArray[Any]) -> Sample:
        return Sample([crops(image, self.shape, self.preprocessing)])

    def finish(self, image: ImageFile, sample: Sample) -> Blobs:
        return {name: blob[0] for name, blob in zip(self.blobs, sample.outputs[0], strict=True)}


@dataclass(frozen=True)
class FeatureFolder(Job[str]):
    """Writes NAME.npz for each image, which is the result; what is there is not done again, unless `force`. `made_by`, kept in it, tells
    files of other nets or preprocessing apart."""

    features: FeaturesJob
    folder: str
    made_by: str
    force: bool = False

    def read(self, path: str) -> NDArray[Any]:
        return self.features.read(path)

    def prepare(self, image: NDArray[Any]) -> Sample:
        return self.features.prepare(image)

    def finish(self, image: ImageFile, sample: Sample) -> str:
        file = io.BytesIO()
        blobs: dict[str, Any] = dict(self.features.finish(image, sample))
        write_npz(file, {**blobs, "made_by": np.array(self.made_by)})
        return Folder(self.folder).write(f"{image.name}.npz", file.getvalue())

    def done(self, image: ImageFile) -> str | None:
        folder = Folder(self.folder)
        data = None if self.force else folder.read(f"{image.name}.npz")
        if data is None:
            return None
        try:
            mine = str(arrays_of(data, image.name)["made_by"]) == self.made_by
        except (NetsurgeryError, KeyError):
            return None
        return folder.place(f"{image.name}.npz") if mine else None


def features(
    net: Net,
    images: Sequence[NDArray[Any] | str],
    blobs: Sequence[str],
    *,
    size: tuple[int, int] | None = None,
    preprocessing: Preprocessing | None = None,
) -> Blobs:
    """The blobs for some images, each a path or RGB (H, W, 3): blob -> (images, ...). Images are prepared as Caffe's data
    layers do (see `preprocess`), for the net's input or for `size` (h, w).

    Raises: NetsurgeryError for a blob that there is not or an image that cannot be read; ShapeError.
    """
    part, job = plan(net, blobs, size, preprocessing or Preprocessing())
    model = open_model(part, job.blobs, free=size is not None)
    rows = [run_one(job, model, image) for image in images]
    return {blob: np.stack([row[blob] for row in rows]) for blob in job.blobs} if rows else {}


def feature_files(
    net: Net,
    images: Sequence[str | os.PathLike[str] | ImageFile],
    blobs: Sequence[str],
    output: str | os.PathLike[str],
    *,
    size: tuple[int, int] | None = None,
    preprocessing: Preprocessing | None = None,
    force: bool = False,
    **running: Any,
) -> Iterator[Outcome[Any]]:
    """Writes blobs for files, folders, globs, lists or URLs; gives what became of each image, one after the other.

    `output` is a file (see feature_files.writer: .npy, .npz, .h5), there when all are done, with a row for each image that could be
    read; or a folder that gets NAME.npz for each image, where what is there is skipped, unless `force`. `running`: keep, scheduler and
    threads, see `run_job`.
    """
    part, job = plan(net, blobs, size, preprocessing or Preprocessing())
    files = find_images(images)
    place = os.fspath(output)
    if is_url(place) or not Path(place).suffix or Path(place).is_dir():
        here = place if is_url(place) or running.get("scheduler") is None else os.path.abspath(place)
        return run_job(
            FeatureFolder(job, here, made_by(part, job.blobs, job.preprocessing, {"shape": job.shape}), force),
            part, job.blobs, files,
            free=size is not None, **running,
        )  # fmt: skip
    if Path(place).suffix.lower() not in SUFFIXES:
        raise NetsurgeryError(
            f"cannot tell the format of '{place}'", expected=f"a folder, or a name that ends in {', '.join(SUFFIXES)}"
        )
    return _into_file(job, part, files, place, free=size is not None, **running)


def _into_file(
    job: FeaturesJob, net: Net, images: Sequence[ImageFile], path: str, **where: Any
) -> Iterator[Outcome[None]]:
    with writer(path, job.blobs) as file:
        for one in run_job(job, net, job.blobs, images, **where):
            if one.result is not None:
                file.add(one.image.path, [one.result[blob] for blob in job.blobs])
            yield Outcome(one.image, error=one.error)


def plan(
    net: Net, blobs: Sequence[str], size: tuple[int, int] | None, preprocessing: Preprocessing
) -> tuple[Net, FeaturesJob]:
    """The net cut at the blobs, and the job. Raises: as `features`."""
    if not blobs:
        raise NetsurgeryError("no blob is named", expected=f"some of: {', '.join(net.blobs)}")
    names = tuple(dict.fromkeys(blobs))
    part = cut(net, names)
    channels, *declared = input_shape(part)
    shape = (channels, *(size or (declared[0], declared[1])))
    shapes = part.shapes({image_input(part): (1, *shape)})
    for blob in names:
        if not shapes[blob] or shapes[blob][0] != 1:
            raise ShapeError(
                f"blob '{blob}' {shapes[blob]} is not one for each image",
                source=net.source,
                expected="a blob (N, ...) of the batch",
            )
    if preprocessing.resize is not None and any(a < b for a, b in zip(preprocessing.resize, shape[1:], strict=True)):
        preprocessing = replace(preprocessing, resize=None)
    return part, FeaturesJob(names, (shape[0], shape[1], shape[2]), preprocessing)
