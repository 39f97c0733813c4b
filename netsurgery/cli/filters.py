"""netsurgery filters"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from .options import NetAndLayer, Quiet
from .printing import open_words, write_tiles

if TYPE_CHECKING:
    from ..formats.options import Reading


def filters(
    words: NetAndLayer,
    reading: Reading,
    output: Annotated[Path, typer.Option("--output-file", "-o", help="The picture, a PNG.")] = Path("filters.png"),
    normalize: Annotated[
        Literal["all", "each"], typer.Option(help="One brightness for all kernels, or each its own.")
    ] = "all",
    bgr: Annotated[bool, typer.Option("--bgr/--rgb", help="The order of the net's channels.")] = True,
    channels: Annotated[
        Literal["each", "mean"], typer.Option(help="A tile for each input channel, or one of their mean.")
    ] = "each",
    sort: Annotated[Literal["norm"] | None, typer.Option(help="Greatest norm first.", show_default=False)] = None,
    times: Annotated[
        int | None,
        typer.Option("--enlarge", min=1, help="Pixels of a weight. Default: fills about 1000.", show_default=False),
    ] = None,
    columns: Annotated[int | None, typer.Option(min=1, help="Tiles in a row.", show_default=False)] = None,
    no_caption: Annotated[
        bool, typer.Option("--no-caption", help="The tiles alone, without numbers and a bar.")
    ] = False,
    quiet: Quiet = False,
) -> None:
    """Show the kernels of a convolution as a grid: three-channel ones in color, gray being 0.

    Example: netsurgery filters deploy.prototxt weights.caffemodel conv1 -o filters.png

    In fixtures/digits: netsurgery filters deploy.prototxt digits.caffemodel conv1 -o filters.png
    """
    from ..vision.filters import filter_tiles

    net, _, layer = open_words(words, "[LAYER]", reading=reading, pixels=None, quiet=True, least=0)
    order = "bgr" if bgr else "rgb"
    tiles = filter_tiles(net, layer[0] if layer else None, normalize, order, channels, sort, times, columns)
    write_tiles(output, tiles, no_caption, quiet)
