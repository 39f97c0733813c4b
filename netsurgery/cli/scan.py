"""netsurgery scan"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from .options import (
    Background,
    Force,
    Json,
    Labels,
    NetAndImages,
    NoCache,
    Output,
    Quiet,
    Scheduler,
    Threads,
    Without,
    numbers,
    read_labels,
)
from .printing import Printed, note, open_images_net, watched

if TYPE_CHECKING:
    from ..formats.options import Pixels, Reading


def scan(
    words: NetAndImages,
    reading: Reading,
    pixels: Annotated[Pixels, Without(("resize",))],
    folder: Annotated[
        str,
        typer.Option(
            "--output-folder", "-o", help="Where boxes and pictures go: a folder or a URL.", show_default=False
        ),
    ],
    threshold: Annotated[float, typer.Option(help="The least score of a window.")] = 0.5,
    overlap: Annotated[
        float,
        typer.Option(
            "--nms",
            min=0,
            max=1,
            help="Of windows that overlap by more than this (intersection over union) the best is kept.",
        ),
    ] = 0.3,
    scales: Annotated[
        str | None,
        typer.Option(metavar="112,160", help="Short sides of the input, instead of a pyramid.", show_default=False),
    ] = None,
    smallest: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Pixels of the smallest object that fills the net's window. Default: its input.",
            show_default=False,
        ),
    ] = None,
    factor: Annotated[float, typer.Option(help="How much smaller each size of the pyramid is than the last.")] = 0.709,
    blob: Output = None,
    channel: Annotated[
        str | None, typer.Option(metavar="K|NAME", help="Look for this class alone.", show_default=False)
    ] = None,
    labels: Labels = None,
    background: Background = None,
    per_class: Annotated[
        bool, typer.Option("--per-class", help="A window may be of several classes; overlaps count within a class.")
    ] = False,
    shift: Annotated[
        str | None,
        typer.Option(metavar="BLOB", help="A blob that moves windows' edges, as MTCNN's conv4-2.", show_default=False),
    ] = None,
    sliding_pool: Annotated[bool, typer.Option("--sliding-pool", help="Let a pooling of the whole map slide.")] = False,
    scheduler: Scheduler = None,
    threads: Threads = None,
    force: Force = False,
    no_cache: NoCache = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Find things with a classifier: slid over images at several sizes, boxes above a threshold, the best of those that overlap.

    Writes NAME.json and NAME.boxes.png for each image; images that are done are skipped.

    Example: netsurgery scan deploy.prototxt digits.caffemodel canvas.png -o boxes --labels labels.txt --threshold 0.9

    In fixtures/digits: netsurgery scan deploy.prototxt digits.caffemodel canvas.png -o boxes --labels labels.txt --raw-scale 1
    """
    from ..files.words import split_words
    from ..vision.images import find_images
    from ..vision.scan import Scanning
    from ..vision.scan_files import scan_files

    net_file, weights, paths = split_words(words, "IMAGE...")
    _, net, preprocessing = open_images_net(net_file, weights, reading, pixels, quiet or as_json, "")
    sides = numbers(scales, "--scales")
    how = Scanning(
        threshold=threshold,
        overlap=overlap,
        scales=tuple(sides) if sides is not None else None,
        smallest=smallest,
        factor=factor,
        channel=channel,
        background=background,
        per_class=per_class,
        shift=shift,
        labels=read_labels(labels),
    )
    images = find_images(paths, folder)
    outcomes = scan_files(
        net,
        images,
        folder,
        how,
        output=blob,
        preprocessing=preprocessing,
        sliding_pool=sliding_pool,
        force=force,
        keep=not no_cache,
        scheduler=scheduler,
        threads=threads,
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
