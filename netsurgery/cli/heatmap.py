"""netsurgery heatmap"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

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


TOLD = 20
"""Of how many images it is said which class was taken."""


def heatmap(
    words: NetAndImages,
    reading: Reading,
    pixels: Annotated[Pixels, Without(("resize",))],
    folder: Annotated[
        str,
        typer.Option(
            "--output-folder", "-o", help="Where maps and pictures go: a folder or a URL.", show_default=False
        ),
    ],
    scales: Annotated[
        str | None,
        typer.Option(
            metavar="227,259,323,451",
            help="Short sides of the input. Default: those that give 1, 2, 4 and 8 positions.",
            show_default=False,
        ),
    ] = None,
    blob: Output = None,
    channel: Annotated[
        str,
        typer.Option(
            metavar="K|NAME|top|all|argmax",
            help="A class by number or name; top: the net's answer for the whole image, or, beside a background, the class with the "
            "greatest value; all; argmax: the best class of each position.",
        ),
    ] = "top",
    labels: Labels = None,
    background: Background = None,
    reduce: Annotated[Literal["mean", "max"], typer.Option(help="What is made of the scales' maps.")] = "mean",
    smooth: Annotated[
        float, typer.Option(metavar="SIGMA", help="Blurs the map by a Gaussian, in pixels of the map.")
    ] = 0.0,
    size: Annotated[
        Literal["map", "image"], typer.Option(help="The map's size: its positions, or the image's pixels.")
    ] = "map",
    square: Annotated[
        bool, typer.Option("--square", help="Warp images to squares instead of keeping their shape.")
    ] = False,
    sliding_pool: Annotated[bool, typer.Option("--sliding-pool", help="Let a pooling of the whole map slide.")] = False,
    colormap: Annotated[Literal["viridis", "magma", "gray"], typer.Option(help="The overlay's colours.")] = "viridis",
    scheduler: Scheduler = None,
    threads: Threads = None,
    force: Force = False,
    no_cache: NoCache = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Map what a classifier says of each part of an image: fully convolutional, at several scales, averaged.

    Writes NAME.npy, NAME.png (16 bits), NAME.overlay.png and NAME.json for each image; images that are done are skipped.

    Example: netsurgery heatmap deploy.prototxt weights.caffemodel photos/ -o maps --mean 104,117,123

    In fixtures/digits: netsurgery heatmap deploy.prototxt digits.caffemodel canvas.png -o maps --channel argmax --raw-scale 1
    """
    from ..files.words import split_words
    from ..vision.heatmap_files import heatmaps
    from ..vision.heatmap_job import Options
    from ..vision.images import find_images

    net_file, weights, paths = split_words(words, "IMAGE...")
    _, net, preprocessing = open_images_net(net_file, weights, reading, pixels, quiet or as_json, "")
    sides = numbers(scales, "--scales")
    options = Options(
        scales=tuple(sides) if sides is not None else None,
        channel=channel,
        reduce=reduce,
        smooth=smooth,
        size=size,
        square=square,
        labels=read_labels(labels),
        colormap=colormap,
        background=background,
    )
    images = find_images(paths, folder)
    outcomes = heatmaps(
        net,
        images,
        folder,
        output=blob,
        options=options,
        preprocessing=preprocessing,
        sliding_pool=sliding_pool,
        force=force,
        keep=not no_cache,
        scheduler=scheduler,
        threads=threads,
    )
    printed = Printed(as_json)
    with watched(images, "heatmaps", quiet or as_json) as watch:
        for one in watch.through(outcomes):
            printed.add(one.result or {"image": one.image.path, "error": str(one.error)})
            if one.result and channel == "top" and watch.done <= TOLD:
                taken = one.result["label"] or one.result["channel"]
                note(f"{one.image.path}: {taken}, up to {one.result['range'][1]:.4g}", quiet or as_json)
        printed.end()
        skipped = f", {watch.skipped} were there" if watch.skipped else ""
        note(
            f"{watch.done} of {len(images)} heatmaps written to {Path(folder) if '://' not in folder else folder}{skipped}",
            quiet or as_json,
        )
