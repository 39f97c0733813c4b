"""netsurgery filters"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ._common import IgnoreUnknown, InputShapes, Phase, Prototxt, Quiet, Settings, Stage, note
from ._vision import Weights, open_net, write_picture


def filters(
    prototxt: Prototxt,
    weights: Weights,
    layer: Annotated[
        str | None, typer.Argument(help="The layer. Default: the first Convolution.", show_default=False)
    ] = None,
    output: Annotated[Path, typer.Option("--output-file", "-o", help="The picture, a PNG.")] = Path("filters.png"),
    normalize: Annotated[
        str, typer.Option(metavar="all|each", help="One brightness for all kernels, or each its own.")
    ] = "all",
    bgr: Annotated[bool, typer.Option("--bgr/--rgb", help="The order of the net's channels.")] = True,
    channels: Annotated[
        str, typer.Option(metavar="each|mean", help="A tile for each input channel, or one of their mean.")
    ] = "each",
    sort: Annotated[str | None, typer.Option(metavar="norm", help="Greatest norm first.", show_default=False)] = None,
    times: Annotated[
        int | None,
        typer.Option("--enlarge", min=1, help="Pixels of a weight. Default: fills about 1000.", show_default=False),
    ] = None,
    columns: Annotated[int | None, typer.Option(min=1, help="Tiles in a row.", show_default=False)] = None,
    no_caption: Annotated[bool, typer.Option("--no-caption", help="Leave out layer, shape and range.")] = False,
    input_shape: InputShapes = None,
    phase: Phase = "TEST",
    stage: Stage = None,
    settings: Settings = None,
    ignore_unknown: IgnoreUnknown = False,
    quiet: Quiet = False,
) -> None:
    """Show the kernels of a convolution as a grid: three-channel ones in color, gray being 0.

    Example: netsurgery filters deploy.prototxt weights.caffemodel conv1 -o filters.png
    """
    from ..vision.filters import filters as draw

    net, _ = open_net(
        prototxt,
        weights,
        phase=phase,
        stage=stage,
        settings=settings,
        ignore_unknown=ignore_unknown,
        input_shape=input_shape,
        quiet=True,
    )
    picture = draw(
        net,
        layer,
        normalize=normalize,
        channel_order="bgr" if bgr else "rgb",
        channels=channels,
        sort=sort,
        times=times,
        columns=columns,
        caption=not no_caption,
    )
    write_picture(output, picture)
    note(f"{output}: {picture.shape[1]}x{picture.shape[0]} pixels", quiet)
