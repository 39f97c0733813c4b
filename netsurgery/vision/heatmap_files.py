"""Heatmaps of many images as files: the map, pictures of it, and a summary."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..formats.preprocessing import Preprocessing
from ..net import Net
from .heatmap import plan
from .heatmap_job import HeatmapJob, Options
from .heatmap_result import Heatmap
from .images import Folder, ImageFile
from .picture import grid, to_16_bits, to_png
from .picture_files import PictureFiles, write_pictures
from .pipeline import Outcome, Sample

OVERLAY_SIDE = 1024
"""Pixels of the longer side of overlays at most."""


class HeatmapFiles(PictureFiles):
    """Writes NAME.npy, NAME.png, NAME.overlay.png and, last, NAME.json."""

    job: HeatmapJob

    def write(self, folder: Folder, image: ImageFile, sample: Sample) -> dict[str, Any]:
        heatmap = self.job.combine(sample)
        low_high = heatmap.range
        values = io.BytesIO()
        np.save(values, heatmap.values)
        folder.write(f"{image.name}.npy", values.getvalue())
        folder.write(f"{image.name}.png", to_png(_as_16_bits(heatmap), {"range": "{:.9g} {:.9g}".format(*low_high)}))
        together = replace(heatmap, maps=())  # a figure shows them together
        folder.write(f"{image.name}.overlay.png", self.drawn(Heatmap.figure, together, sample.more.image))
        scales = [
            {"side": side, "input": list(size), "map": list(one.shape[-2:]), "range": _finite_range(one)}
            for side, size, one in zip(heatmap.sides, heatmap.inputs, heatmap.maps, strict=True)
        ]
        score = heatmap.score
        return {
            "size": list(heatmap.image_size),
            "blob": self.job.blob,
            "channel": heatmap.channel,
            "label": heatmap.label,
            "score": [_number(x) for x in score] if isinstance(score, np.ndarray) else _number(score),
            "best": heatmap.best,
            "background": heatmap.background,
            "base": list(heatmap.base),
            "scales": scales,
            "reduce": self.job.options.reduce,
            "map": list(heatmap.values.shape),
            "range": list(low_high),
            "first": list(heatmap.first),
            "stride": list(heatmap.stride),
            "peak": list(heatmap.peak),
            "files": {
                "map": f"{image.name}.npy",
                "picture": f"{image.name}.png",
                "overlay": f"{image.name}.overlay.png",
            },
        }


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
    **running: Any,
) -> Iterator[Outcome[dict[str, Any]]]:
    """Heatmaps (see `heatmap`, `Options`) of files, folders, globs, lists or URLs, written below `folder`; gives what became of each image.

    What an earlier run with the same net and options finished is skipped, unless `force`. Only a few images are held at a time.
    `running`: keep, scheduler and threads, see `run_job`.

    Raises: as `heatmap`, when it is called; errors of single images are in their Outcome.
    """
    dense, job = plan(net, output, options or Options(), preprocessing or Preprocessing(), sliding_pool=sliding_pool)
    return write_pictures(
        HeatmapFiles, replace(job, thumbnail=OVERLAY_SIDE), dense, [job.blob], images, folder,
        job.preprocessing, asdict(job.options), force=force, **running,
    )  # fmt: skip


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
