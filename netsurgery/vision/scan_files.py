"""Detections on many images as files: numbers as JSON, and boxes drawn on the image."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..formats.preprocessing import Preprocessing
from ..net import Net
from .figures import image_figure, inches, plain, show_picture
from .images import Folder, ImageFile
from .overlay import class_colours, gray_of
from .picture import as_color, to_bytes
from .picture_files import PictureFiles, write_pictures
from .pipeline import Outcome, Sample
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


class ScanFiles(PictureFiles):
    """Writes NAME.boxes.png and, last, NAME.json."""

    job: ScanJob

    def write(self, folder: Folder, image: ImageFile, sample: Sample) -> dict[str, Any]:
        detections = self.job.finish(image, sample)
        pixels, sizes = sample.more
        title = f"{os.path.basename(image.path)}: {len(detections)} boxes by {self.job.maps.blob}"
        folder.write(f"{image.name}.boxes.png", self.drawn(scan_figure, pixels, detections, title))
        return {
            "size": list(pixels.shape[:2]),
            "blob": self.job.maps.blob,
            "scales": [{"side": side, "input": list(size)} for side, size in sizes],
            "boxes": [one.to_json() for one in detections],
            "files": {"picture": f"{image.name}.boxes.png"},
        }


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
    **running: Any,
) -> Iterator[Outcome[dict[str, Any]]]:
    """`scan` for files, folders, globs, lists or URLs, written below `folder`. What an earlier run with the same net and options
    finished is skipped, unless `force`. `running`: keep, scheduler and threads, see
    `run_job`."""
    how = how or Scanning()
    dense, job, blobs = plan_scan(net, output, how, preprocessing or Preprocessing(), sliding_pool=sliding_pool)
    return write_pictures(
        ScanFiles, job, dense, blobs, images, folder, job.maps.preprocessing, {"scan": asdict(how)},
        force=force, **running,
    )  # fmt: skip
