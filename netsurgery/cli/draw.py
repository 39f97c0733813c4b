"""netsurgery draw"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ._common import (
    IgnoreUnknown,
    InputShapes,
    OptionalWeights,
    Phase,
    Plugin,
    Prototxt,
    Quiet,
    Settings,
    Stage,
    note,
    parse_settings,
    parse_shapes,
    print_notes,
)


def draw(
    prototxt: Prototxt,
    weights: OptionalWeights = None,
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
        str | None,
        typer.Option(metavar="svg|png|pdf|dot|html", help="Default: as the output ends.", show_default=False),
    ] = None,
    horizontal: Annotated[bool, typer.Option("--horizontal", help="From left to right, not downwards.")] = False,
    image: Annotated[
        str | None,
        typer.Option(
            metavar="IMAGE", help="html: shows what the blobs make of this image, file or URL.", show_default=False
        ),
    ] = None,
    input_shape: InputShapes = None,
    plugin: Plugin = None,
    phase: Phase = "TEST",
    stage: Stage = None,
    settings: Settings = None,
    ignore_unknown: IgnoreUnknown = False,
    quiet: Quiet = False,
) -> None:
    """Draw a net as Caffe's draw_net.py did, or as a page to look around in: layers, shapes, work, filters.

    svg, png and pdf need Graphviz; html needs nothing but a browser.

    Example: netsurgery draw deploy.prototxt weights.caffemodel -o net.html
    """
    from ..drawing.draw import draw as draw_net
    from ..formats.load import load
    from ..formats.preprocessing import from_net

    net = load(
        prototxt,
        weights,
        phase=phase,
        stages=stage or (),
        settings=parse_settings(settings),
        ignore_unknown=ignore_unknown,
        input_shapes=parse_shapes(input_shape),
    )
    print_notes(net, quiet)
    path = output or Path(f"{Path(prototxt).stem}.{format or 'svg'}")
    pixels = from_net(net) if image is not None else None
    drawing = draw_net(
        net,
        path,
        format=format,
        horizontal=horizontal,
        input_shapes=parse_shapes(input_shape),
        image=image,
        preprocessing=pixels,
    )
    note(f"{path}: {len(drawing.description.nodes)} layers", quiet)
