"""Heatmaps of many images as files: the map, pictures of it, and a summary."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..formats.preprocessing import Preprocessing
from ..net import Net
from .cache import made_by
from .draughtsman import WORTH_IT, drawn
from .figures import figure_png, require_matplotlib
from .heatmap import plan
from .heatmap_job import HeatmapJob, Options
from .heatmap_result import Heatmap
from .images import Folder, ImageFile, find_for
from .jobs import run_job
from .picture import grid, to_16_bits, to_png
from .pipeline import Job, Outcome, Sample

OVERLAY_SIDE = 1024
"""Pixels of the longer side of overlays at most."""


@dataclass(frozen=True)
class HeatmapFiles(Job[dict[str, Any]]):
    """Writes NAME.npy, NAME.png, NAME.overlay.png and, last, NAME.json, whose content is the result. `made_by` tells runs of other nets
    or options apart."""

    maps: HeatmapJob
    folder: str
    made_by: str
    force: bool = False
    apart: bool = False
    """Whether figures are drawn in another process."""

    def drawn(self, heatmap: Heatmap, image: NDArray[Any]) -> bytes:
        heatmap = replace(heatmap, maps=())  # a figure shows them together
        return drawn(Heatmap.figure, heatmap, image) if self.apart else figure_png(heatmap.figure(image))

    def prepare(self, image: NDArray[Any]) -> Sample:
        return self.maps.prepare(image)

    def finish(self, image: ImageFile, sample: Sample) -> dict[str, Any]:
        heatmap = self.maps.combine(sample)
        folder, low_high = Folder(self.folder), heatmap.range
        values = io.BytesIO()
        np.save(values, heatmap.values)
        folder.write(f"{image.name}.npy", values.getvalue())
        folder.write(f"{image.name}.png", to_png(_as_16_bits(heatmap), {"range": "{:.9g} {:.9g}".format(*low_high)}))
        folder.write(f"{image.name}.overlay.png", self.drawn(heatmap, sample.more.image))
        summary = self.summary(image, heatmap)
        folder.write(f"{image.name}.json", (json.dumps(summary, indent=2) + "\n").encode())
        return summary

    def summary(self, image: ImageFile, heatmap: Heatmap) -> dict[str, Any]:
        low, high = heatmap.range
        scales = [
            {"side": side, "input": list(size), "map": list(one.shape[-2:]), "range": _finite_range(one)}
            for side, size, one in zip(heatmap.sides, heatmap.inputs, heatmap.maps, strict=True)
        ]
        score = heatmap.score
        return {
            "image": image.path,
            "size": list(heatmap.image_size),
            "blob": self.maps.blob,
            "channel": heatmap.channel,
            "label": heatmap.label,
            "score": [_number(x) for x in score] if isinstance(score, np.ndarray) else _number(score),
            "best": heatmap.best,
            "background": heatmap.background,
            "base": list(heatmap.base),
            "scales": scales,
            "reduce": self.maps.options.reduce,
            "map": list(heatmap.values.shape),
            "range": [low, high],
            "first": list(heatmap.first),
            "stride": list(heatmap.stride),
            "peak": list(heatmap.peak),
            "files": {
                "map": f"{image.name}.npy",
                "picture": f"{image.name}.png",
                "overlay": f"{image.name}.overlay.png",
            },
            "made_by": self.made_by,
        }

    def done(self, image: ImageFile) -> dict[str, Any] | None:
        return None if self.force else Folder(self.folder).finished(image, self.made_by)


def heatmaps(
    net: Net,
    images: Sequence[str | os.PathLike[str] | ImageFile],
    folder: str | os.PathLike[str],
    *,
    output: str | None = None,
    options: Options | None = None,
    preprocessing: Preprocessing | None = None,
    sliding_pool: bool = False,
    force: bool = False,
    keep: bool = False,
    scheduler: str | None = None,
    threads: int | None = None,
) -> Iterator[Outcome[dict[str, Any]]]:
    """Heatmaps (see `heatmap`, `Options`) of files, folders, globs, lists or URLs, written below `folder`; gives what became of each image.

    What an earlier run with the same net and options finished is skipped, unless `force`. Only a few images are held at a time.
    `keep` keeps the model in the user's cache; `scheduler` is the address of a Dask cluster whose workers do it.

    Raises: as `heatmap`, when it is called; errors of single images are in their Outcome.
    """
    require_matplotlib()
    dense, job = plan(net, output, options or Options(), preprocessing or Preprocessing(), sliding_pool=sliding_pool)
    image_files, place = find_for(images, folder, scheduler)
    files = HeatmapFiles(
        replace(job, thumbnail=OVERLAY_SIDE),
        place,
        made_by(dense, [job.blob], job.preprocessing, asdict(job.options)),
        force,
        len(image_files) >= WORTH_IT,
    )
    return run_job(files, dense, [job.blob], image_files, free=True, keep=keep, scheduler=scheduler, threads=threads)


def _as_16_bits(heatmap: Heatmap) -> NDArray[np.uint16]:
    """The map from its least value as 0 to its greatest as 65535; class numbers as they are; all channels as a grid of tiles."""
    if heatmap.channel == "argmax":
        return heatmap.values.astype(np.uint16)
    tiles = to_16_bits(heatmap.values, *heatmap.range)
    return tiles if tiles.ndim == 2 else grid(list(tiles), paper=0)


def _finite_range(values: NDArray[Any]) -> list[float]:
    finite = values[np.isfinite(values)]
    return [float(finite.min()), float(finite.max())] if finite.size else [0.0, 0.0]


def _number(value: Any) -> float | None:
    """A number as JSON has it: NaN and infinity are null."""
    return float(value) if np.isfinite(value) else None
