"""netsurgery draw"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from .options import Net, Quiet, Weights, Without
from .printing import note, note_pixels, print_notes

if TYPE_CHECKING:
    from ..formats.options import Pixels, Reading


def draw(
    prototxt: Net,
    reading: Reading,
    pixels: Annotated[Pixels, Without(("resize",))],
    weights: Weights = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output-file",
            "-o",
            help="The picture. Default: that of the net with the ending .svg.",
            show_default=False,
        ),
    ] = None,
    format: Annotated[
        Literal["svg", "png", "pdf", "dot", "html"] | None,
        typer.Option(help="Default: as the output ends.", show_default=False),
    ] = None,
    horizontal: Annotated[bool, typer.Option("--horizontal", help="From left to right, not downwards.")] = False,
    image: Annotated[
        str | None,
        typer.Option(
            metavar="IMAGE", help="html: shows what the blobs make of this image, file or URL.", show_default=False
        ),
    ] = None,
    quiet: Quiet = False,
) -> None:
    """Draw a net as Caffe's draw_net.py did, or as a page to look around in: layers, shapes, work, filters.

    svg, png and pdf need Graphviz; html needs nothing but a browser.

    Example: netsurgery draw deploy.prototxt weights.caffemodel -o net.html

    In fixtures/digits: netsurgery draw deploy.prototxt digits.caffemodel --image sample_3.png --raw-scale 1 -o net.html
    """
    from ..drawing.draw import draw as draw_net
    from ..formats.preprocessing import Preprocessing, read_pixels
    from ..passes.prepare import open_net

    net = open_net(prototxt, weights, reading)
    print_notes(net, quiet)
    path = output or Path(f"{Path(prototxt).stem}.{format or 'svg'}")
    done = None
    if image is not None:
        done = read_pixels(net, pixels) or Preprocessing()
        note_pixels(net, done, quiet)
    drawing = draw_net(
        net,
        path,
        format=format,
        horizontal=horizontal,
        input_shapes=reading.input_shapes,
        image=image,
        preprocessing=done,
    )
    note(f"{path}: {len(drawing.description.nodes)} layers", quiet)
