"""netsurgery heatmap"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ._common import IgnoreUnknown, InputShapes, Json, Phase, Prototxt, Quiet, Settings, Stage, note
from ._vision import (
    Bgr,
    Force,
    Images,
    Labels,
    Mean,
    NoCache,
    Output,
    PixelsAs,
    Printed,
    RawScale,
    Scale,
    Scheduler,
    Threads,
    Transform,
    Weights,
    numbers,
    open_net,
    read_labels,
    watched,
)


def heatmap(
    prototxt: Prototxt,
    weights: Weights,
    images: Images,
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
    output: Output = None,
    channel: Annotated[
        str,
        typer.Option(
            metavar="K|NAME|top|all|argmax",
            help="A class by number or name; top: the net's answer for the whole image; all; argmax: the best class of each position.",
        ),
    ] = "top",
    labels: Labels = None,
    reduce: Annotated[str, typer.Option(metavar="mean|max", help="What is made of the scales' maps.")] = "mean",
    smooth: Annotated[
        float, typer.Option(metavar="SIGMA", help="Blurs the map by a Gaussian, in pixels of the map.")
    ] = 0.0,
    size: Annotated[
        str, typer.Option(metavar="map|image", help="The map's size: its positions, or the image's pixels.")
    ] = "map",
    square: Annotated[
        bool, typer.Option("--square", help="Warp images to squares instead of keeping their shape.")
    ] = False,
    sliding_pool: Annotated[bool, typer.Option("--sliding-pool", help="Let a pooling of the whole map slide.")] = False,
    colormap: Annotated[str, typer.Option(metavar="viridis|magma|gray", help="The overlay's colours.")] = "viridis",
    mean: Mean = None,
    scale: Scale = None,
    raw_scale: RawScale = None,
    bgr: Bgr = None,
    pixels_as: PixelsAs = None,
    transform: Transform = None,
    scheduler: Scheduler = None,
    threads: Threads = None,
    force: Force = False,
    no_cache: NoCache = False,
    input_shape: InputShapes = None,
    phase: Phase = "TEST",
    stage: Stage = None,
    settings: Settings = None,
    ignore_unknown: IgnoreUnknown = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Map what a classifier says of each part of an image: fully convolutional, at several scales, averaged.

    Writes NAME.npy, NAME.png (16 bits), NAME.overlay.png and NAME.json for each image; images that are done are skipped.

    Example: netsurgery heatmap deploy.prototxt weights.caffemodel photos/ -o maps --mean 104,117,123
    """
    from ..vision.heatmap import Options
    from ..vision.heatmap_files import heatmaps
    from ..vision.images import find_images

    net, done = open_net(
        prototxt,
        weights,
        {
            "mean": mean,
            "scale": scale,
            "raw_scale": raw_scale,
            "bgr": bgr,
            "pixels_as": pixels_as,
            "transform": transform,
        },
        phase=phase,
        stage=stage,
        settings=settings,
        ignore_unknown=ignore_unknown,
        input_shape=input_shape,
        quiet=quiet or as_json,
        usual="",
    )
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
    )
    found = find_images(images, folder)
    outcomes = heatmaps(
        net,
        found,
        folder,
        output=output,
        options=options,
        preprocessing=done,
        sliding_pool=sliding_pool,
        force=force,
        keep=not no_cache,
        scheduler=scheduler,
        threads=threads,
    )
    printed = Printed(as_json)
    with watched(found, "heatmaps", quiet or as_json) as watch:
        for one in watch.through(outcomes):
            printed.add(one.result or {"image": one.image.path, "error": str(one.error)})
        printed.end()
        skipped = f", {watch.skipped} were there" if watch.skipped else ""
        note(
            f"{watch.done} of {len(found)} heatmaps written to {Path(folder) if '://' not in folder else folder}{skipped}",
            quiet or as_json,
        )
