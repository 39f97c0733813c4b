"""netsurgery scan"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

from .options import (
    Force,
    Json,
    Labels,
    NetAndImages,
    Output,
    OutputFolder,
    Quiet,
    SlidingPool,
    Without,
    read_labels,
)
from .printing import Printed, note, open_words, watched

if TYPE_CHECKING:
    from ..formats.options import Pixels, Reading
    from ..vision.jobs import Work
    from ..vision.scan import Scanning


def scan(
    words: NetAndImages,
    reading: Reading,
    pixels: Annotated[Pixels, Without(("resize",))],
    scanning: Scanning,
    work: Work,
    folder: OutputFolder,
    blob: Output = None,
    labels: Labels = None,
    sliding_pool: SlidingPool = False,
    force: Force = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Find things with a classifier: slid over images at several sizes, boxes above a threshold, the best of those that overlap.

    Writes NAME.json and NAME.boxes.png for each image; images that are done are skipped.

    Example: netsurgery scan deploy.prototxt digits.caffemodel canvas.png -o boxes --labels labels.txt --threshold 0.9

    In fixtures/digits: netsurgery scan deploy.prototxt digits.caffemodel canvas.png -o boxes --labels labels.txt --raw-scale 1
    """
    from ..vision.images import find_images
    from ..vision.scan_files import scan_files

    net, preprocessing, paths = open_words(words, "IMAGE...", reading=reading, pixels=pixels, quiet=quiet or as_json)
    images = find_images(paths, folder)
    outcomes = scan_files(
        net,
        images,
        folder,
        replace(scanning, labels=read_labels(labels)),
        output=blob,
        preprocessing=preprocessing,
        sliding_pool=sliding_pool,
        force=force,
        **vars(work),
    )
    printed, count = Printed(as_json), 0
    with watched(images, "scanning", quiet or as_json) as watch:
        for one in watch.through(outcomes):
            count += len(one.result["boxes"]) if one.result else 0
            printed.add(one.result or {"image": one.image.path, "error": str(one.error)})
        printed.end()
        skipped = f", {watch.skipped} were there" if watch.skipped else ""
        note(
            f"{count} boxes on {watch.done + watch.skipped} of {len(images)} images, in {folder}{skipped}",
            quiet or as_json,
        )
