"""Detections on many images as files: numbers as JSON, and boxes drawn on the image."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..formats.preprocessing import Preprocessing
from ..net import Net
from .cache import made_by
from .draughtsman import WORTH_IT, drawn
from .figures import figure_png, image_figure, inches, plain, require_matplotlib, show_picture
from .images import Folder, ImageFile, find_for
from .jobs import run_job
from .overlay import class_colours, gray_of
from .picture import as_color, to_bytes
from .pipeline import Job, Outcome, Sample
from .scan import Detection, ScanJob, Scanning, plan_scan

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def scan_figure(image: NDArray[Any], detections: Sequence[Detection], title: str = "") -> Figure:
    """The image with a box for each detection, its class and score beside it, a colour for each class."""
    height, width = inches(*image.shape[:2])
    figure, axes = image_figure(height, width)
    show_picture(axes, as_color(to_bytes(gray_of(image))), (image.shape[0], image.shape[1]))
    classes = sorted({one.channel for one in detections})
    colours = dict(zip(classes, class_colours(np.array(classes, int)) / 255, strict=True))
    from matplotlib.patches import Rectangle

    for one in reversed(detections):
        left, top, right, bottom = one.box
        colour = colours[one.channel]
        axes.add_patch(Rectangle((left, top), right - left, bottom - top, fill=False, edgecolor=colour, linewidth=1.5))
        label = f"{one.label or one.channel} {one.score:.2f}"
        box = {"facecolor": colour, "edgecolor": "none", "pad": 1.0}
        ink = "black" if float(np.dot(colour, (0.3, 0.59, 0.11))) > 0.5 else "white"
        axes.text(left, top, plain(label), fontsize=7, color=ink, va="bottom", bbox=box, clip_on=True)
    axes.set_title(plain(title or f"{len(detections)} found"), fontsize=10)
    return figure


@dataclass(frozen=True)
class ScanFiles(Job[dict[str, Any]]):
    """Writes NAME.boxes.png and, last, NAME.json, whose content is the result."""

    scanning: ScanJob
    folder: str
    made_by: str
    force: bool = False
    apart: bool = False
    """Whether figures are drawn in another process."""

    def drawn(self, *args: Any) -> bytes:
        return drawn(scan_figure, *args) if self.apart else figure_png(scan_figure(*args))

    def prepare(self, image: NDArray[Any]) -> Sample:
        return self.scanning.prepare(image)

    def finish(self, image: ImageFile, sample: Sample) -> dict[str, Any]:
        detections = self.scanning.finish(image, sample)
        pixels, sizes = sample.more
        folder = Folder(self.folder)
        title = f"{os.path.basename(image.path)}: {len(detections)} boxes by {self.scanning.maps.blob}"
        folder.write(f"{image.name}.boxes.png", self.drawn(pixels, detections, title))
        summary = {
            "image": image.path,
            "size": list(pixels.shape[:2]),
            "blob": self.scanning.maps.blob,
            "scales": [{"side": side, "input": list(size)} for side, size in sizes],
            "boxes": [one.to_json() for one in detections],
            "files": {"picture": f"{image.name}.boxes.png"},
            "made_by": self.made_by,
        }
        folder.write(f"{image.name}.json", (json.dumps(summary, indent=2) + "\n").encode())
        return summary

    def done(self, image: ImageFile) -> dict[str, Any] | None:
        return None if self.force else Folder(self.folder).finished(image, self.made_by)


def scan_files(
    net: Net,
    images: Sequence[str | os.PathLike[str] | ImageFile],
    folder: str | os.PathLike[str],
    how: Scanning | None = None,
    *,
    output: str | None = None,
    preprocessing: Preprocessing | None = None,
    sliding_pool: bool = False,
    force: bool = False,
    keep: bool = False,
    scheduler: str | None = None,
    threads: int | None = None,
) -> Iterator[Outcome[dict[str, Any]]]:
    """`scan` for files, folders, globs, lists or URLs, written below `folder`. What an earlier run with the same net and options
    finished is skipped, unless `force`. `keep`, `scheduler`: see `heatmaps`."""
    require_matplotlib()
    how = how or Scanning()
    dense, job, blobs = plan_scan(net, output, how, preprocessing or Preprocessing(), sliding_pool=sliding_pool)
    image_files, place = find_for(images, folder, scheduler)
    mine = made_by(dense, blobs, job.maps.preprocessing, {"scan": asdict(how)})
    files = ScanFiles(job, place, mine, force, len(image_files) >= WORTH_IT)
    return run_job(files, dense, blobs, image_files, free=True, keep=keep, scheduler=scheduler, threads=threads)
