"""netsurgery patches"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from ._common import IgnoreUnknown, InputShapes, Json, Phase, Prototxt, Quiet, Settings, Stage, note, print_json
from ._vision import (
    Bgr,
    Images,
    Labels,
    Mean,
    NoCache,
    PixelsAs,
    RawScale,
    Scale,
    Scheduler,
    Size,
    Threads,
    Transform,
    Weights,
    open_net,
    read_labels,
    two,
    watched,
    write_picture,
)


def patches(
    prototxt: Prototxt,
    weights: Weights,
    images: Images,
    units: Annotated[
        list[str],
        typer.Option(
            "--unit", metavar="BLOB:CHANNEL", help="A unit, such as conv5:17. Repeatable.", show_default=False
        ),
    ],
    output: Annotated[Path, typer.Option("--output-file", "-o", help="The picture, a PNG.")] = Path("patches.png"),
    top: Annotated[int, typer.Option("--top", "-n", min=1, help="How many patches of each unit.")] = 9,
    labels: Labels = None,
    times: Annotated[
        int | None,
        typer.Option("--enlarge", min=1, help="Pixels of a pixel. Default: fills about 1000.", show_default=False),
    ] = None,
    no_caption: Annotated[bool, typer.Option("--no-caption", help="Leave out unit and range.")] = False,
    size: Size = None,
    mean: Mean = None,
    scale: Scale = None,
    raw_scale: RawScale = None,
    bgr: Bgr = None,
    pixels_as: PixelsAs = None,
    transform: Transform = None,
    scheduler: Scheduler = None,
    threads: Threads = None,
    no_cache: NoCache = False,
    input_shape: InputShapes = None,
    phase: Phase = "TEST",
    stage: Stage = None,
    settings: Settings = None,
    ignore_unknown: IgnoreUnknown = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Show the parts of images that excite a unit most, cut out by its receptive field.

    Example: netsurgery patches deploy.prototxt weights.caffemodel photos/ --unit conv5:17 -o patches.png
    """
    from ..vision.images import find_images
    from ..vision.patches import patches as find
    from ..vision.patches import picture

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
    found = find_images(images)
    with watched(found, "patches", quiet or as_json) as watch:
        best: Any = find(
            net,
            found,
            units,
            top=top,
            labels=read_labels(labels),
            size=two(size),
            preprocessing=done,
            keep=not no_cache,
            scheduler=scheduler,
            threads=threads,
            report=watch.see,
        )
        if any(best.values()):
            write_picture(output, picture(best, times=times, caption=not no_caption))
            note(f"{output}: {sum(map(len, best.values()))} patches of {len(found)} images", quiet or as_json)
        if as_json:
            print_json({str(unit): [patch.to_json() for patch in found] for unit, found in best.items()})
