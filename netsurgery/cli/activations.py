"""netsurgery activations"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ._common import IgnoreUnknown, InputShapes, Phase, Prototxt, Quiet, Settings, Stage, note
from ._vision import (
    Bgr,
    Image,
    Mean,
    NoCache,
    PixelsAs,
    RawScale,
    Scale,
    Size,
    Transform,
    Weights,
    open_net,
    two,
    write_picture,
)


def activations(
    prototxt: Prototxt,
    weights: Weights,
    image: Image,
    blob: Annotated[str, typer.Argument(help="The blob, a map.", show_default=False)],
    output: Annotated[Path, typer.Option("--output-file", "-o", help="The picture, a PNG.")] = Path("activations.png"),
    normalize: Annotated[
        str, typer.Option(metavar="all|each", help="One brightness for all channels, or each its own.")
    ] = "all",
    sort: Annotated[str | None, typer.Option(metavar="max", help="Greatest value first.", show_default=False)] = None,
    times: Annotated[
        int | None,
        typer.Option("--enlarge", min=1, help="Pixels of a position. Default: fills about 1000.", show_default=False),
    ] = None,
    columns: Annotated[int | None, typer.Option(min=1, help="Tiles in a row.", show_default=False)] = None,
    no_caption: Annotated[bool, typer.Option("--no-caption", help="Leave out blob, shape and range.")] = False,
    size: Size = None,
    mean: Mean = None,
    scale: Scale = None,
    raw_scale: RawScale = None,
    bgr: Bgr = None,
    pixels_as: PixelsAs = None,
    transform: Transform = None,
    no_cache: NoCache = False,
    input_shape: InputShapes = None,
    phase: Phase = "TEST",
    stage: Stage = None,
    settings: Settings = None,
    ignore_unknown: IgnoreUnknown = False,
    quiet: Quiet = False,
) -> None:
    """Show the maps that a net makes of an image as a grid, one tile for each channel.

    Example: netsurgery activations deploy.prototxt weights.caffemodel photo.jpg conv5 -o conv5.png
    """
    from ..vision.filters import activations as draw

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
        quiet=quiet,
    )
    picture = draw(
        net,
        image,
        blob,
        normalize=normalize,
        sort=sort,
        times=times,
        columns=columns,
        caption=not no_caption,
        size=two(size),
        preprocessing=done,
        keep=not no_cache,
    )
    write_picture(output, picture)
    note(f"{output}: {picture.shape[1]}x{picture.shape[0]} pixels", quiet)
