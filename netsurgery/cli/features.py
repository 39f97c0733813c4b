"""netsurgery features"""

from __future__ import annotations

from typing import Annotated

import typer

from ._common import IgnoreUnknown, InputShapes, Phase, Prototxt, Quiet, Settings, Stage, note
from ._vision import (
    Bgr,
    Force,
    Images,
    Mean,
    NoCache,
    PixelsAs,
    RawScale,
    Resize,
    Scale,
    Scheduler,
    Size,
    Threads,
    Transform,
    Weights,
    open_net,
    two,
    watched,
)


def features(
    prototxt: Prototxt,
    weights: Weights,
    images: Images,
    output: Annotated[
        str,
        typer.Option(
            "--output-file",
            "-o",
            help="FILE.npy (one blob), FILE.npz or FILE.h5: a row for each image; or a folder: NAME.npz for each image.",
            show_default=False,
        ),
    ],
    blobs: Annotated[
        list[str], typer.Option("--output", metavar="BLOB", help="A blob to write. Repeatable.", show_default=False)
    ],
    size: Size = None,
    resize: Resize = None,
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
    quiet: Quiet = False,
) -> None:
    """Write blobs of a net for many images, as Caffe's extract_features did.

    Example: netsurgery features deploy.prototxt weights.caffemodel photos/ --output fc7 -o fc7.npz
    """  # fmt: skip
    from ..vision.features import feature_files
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
            "resize": resize,
        },
        phase=phase,
        stage=stage,
        settings=settings,
        ignore_unknown=ignore_unknown,
        input_shape=input_shape,
        quiet=quiet,
    )
    found = find_images(images)
    outcomes = feature_files(
        net,
        found,
        blobs,
        output,
        size=two(size),
        preprocessing=done,
        force=force,
        keep=not no_cache,
        scheduler=scheduler,
        threads=threads,
    )
    with watched(found, "features", quiet) as watch:
        for _ in watch.through(outcomes):
            pass
        skipped = f", {watch.skipped} were there" if watch.skipped else ""
        note(f"{watch.done} of {len(found)} images written to {output}{skipped}", quiet)
