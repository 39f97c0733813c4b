"""netsurgery heatmap"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
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
    from ..vision.heatmap_job import Options
    from ..vision.jobs import Work


TOLD = 20
"""Of how many images it is said which class was taken."""


def heatmap(
    words: NetAndImages,
    reading: Reading,
    pixels: Annotated[Pixels, Without(("resize",))],
    options: Options,
    work: Work,
    folder: OutputFolder,
    blob: Output = None,
    labels: Labels = None,
    sliding_pool: SlidingPool = False,
    force: Force = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Map what a classifier says of each part of an image: fully convolutional, at several scales, averaged.

    Writes NAME.npy, NAME.png (16 bits), NAME.overlay.png and NAME.json for each image; images that are done are skipped.

    Example: netsurgery heatmap deploy.prototxt weights.caffemodel photos/ -o maps --mean 104,117,123

    In fixtures/digits: netsurgery heatmap deploy.prototxt digits.caffemodel canvas.png -o maps --channel argmax --raw-scale 1
    """
    from ..vision.heatmap_files import heatmaps
    from ..vision.images import find_images

    net, preprocessing, paths = open_words(words, "IMAGE...", reading=reading, pixels=pixels, quiet=quiet or as_json)
    images = find_images(paths, folder)
    outcomes = heatmaps(
        net,
        images,
        folder,
        output=blob,
        options=replace(options, labels=read_labels(labels)),
        preprocessing=preprocessing,
        sliding_pool=sliding_pool,
        force=force,
        **vars(work),
    )
    printed = Printed(as_json)
    with watched(images, "heatmaps", quiet or as_json) as watch:
        for one in watch.through(outcomes):
            printed.add(one.result or {"image": one.image.path, "error": str(one.error)})
            if one.result and options.channel == "top" and watch.done <= TOLD:
                taken = one.result["label"] or one.result["channel"]
                note(f"{one.image.path}: {taken}, up to {one.result['range'][1]:.4g}", quiet or as_json)
        printed.end()
        skipped = f", {watch.skipped} were there" if watch.skipped else ""
        note(
            f"{watch.done} of {len(images)} heatmaps written to {Path(folder) if '://' not in folder else folder}{skipped}",
            quiet or as_json,
        )
