"""netsurgery activations"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from .options import NetAndImageAndBlob, Only, Quiet, Size, Without, two
from .printing import open_words, write_tiles

if TYPE_CHECKING:
    from ..formats.options import Pixels, Reading
    from ..vision.jobs import Work


def activations(
    words: NetAndImageAndBlob,
    reading: Reading,
    pixels: Annotated[Pixels, Without(("resize",))],
    work: Annotated[Work, Only(("no_cache",))],
    output: Annotated[Path, typer.Option("--output-file", "-o", help="The picture, a PNG.")] = Path("activations.png"),
    normalize: Annotated[
        Literal["all", "each"], typer.Option(help="One brightness for all channels, or each its own.")
    ] = "all",
    sort: Annotated[Literal["max"] | None, typer.Option(help="Greatest value first.", show_default=False)] = None,
    times: Annotated[
        int | None,
        typer.Option("--enlarge", min=1, help="Pixels of a position. Default: fills about 1000.", show_default=False),
    ] = None,
    columns: Annotated[int | None, typer.Option(min=1, help="Tiles in a row.", show_default=False)] = None,
    no_caption: Annotated[
        bool, typer.Option("--no-caption", help="The tiles alone, without numbers and a bar.")
    ] = False,
    size: Size = None,
    quiet: Quiet = False,
) -> None:
    """Show the maps that a net makes of an image as a grid, one tile for each channel.

    Example: netsurgery activations deploy.prototxt weights.caffemodel photo.jpg conv5 -o conv5.png

    In fixtures/digits: netsurgery activations deploy.prototxt digits.caffemodel sample_3.png conv1 -o conv1.png --raw-scale 1
    """
    from ..vision.filters import activation_tiles

    net, preprocessing, (image, blob) = open_words(
        words, "IMAGE", "BLOB", reading=reading, pixels=pixels, quiet=quiet, usual="caffe"
    )
    tiles = activation_tiles(
        net, image, blob, normalize, sort, times, columns, two(size), preprocessing, keep=work.keep
    )
    write_tiles(output, tiles, no_caption, quiet)
