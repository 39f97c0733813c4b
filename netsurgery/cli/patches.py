"""netsurgery patches"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..files.overwriting import require_no_input
from .options import Json, Labels, NetAndImages, Quiet, Size, Without, read_labels, two
from .printing import note, open_words, print_json, watched, write_figure, write_picture

if TYPE_CHECKING:
    from ..formats.options import Pixels, Reading
    from ..vision.jobs import Work


def patches(
    words: NetAndImages,
    reading: Reading,
    pixels: Annotated[Pixels, Without(("resize",))],
    work: Work,
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
        typer.Option(
            "--enlarge",
            min=1,
            help="Pixels of a pixel, with --no-caption. Default: fills about 1000.",
            show_default=False,
        ),
    ] = None,
    no_caption: Annotated[bool, typer.Option("--no-caption", help="The patches alone, as the net sees them.")] = False,
    size: Size = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Show the parts of images that excite a unit most, cut out by its receptive field.

    Example: netsurgery patches deploy.prototxt weights.caffemodel photos/ --unit conv5:17 -o patches.png

    In fixtures/digits: netsurgery patches deploy.prototxt digits.caffemodel sample_3.png --unit conv2:3 -o patches.png --raw-scale 1
    """
    from ..vision.images import find_images
    from ..vision.patches import patches as find
    from ..vision.patches import picture
    from ..vision.tiles_figure import patches_figure

    net, preprocessing, paths = open_words(words, "IMAGE...", reading=reading, pixels=pixels, quiet=quiet or as_json)
    images = find_images(paths)
    require_no_input([str(output)], [image.path for image in images])
    with watched(images, "patches", quiet or as_json) as watch:
        best: Any = find(
            net,
            images,
            units,
            top=top,
            labels=read_labels(labels),
            size=two(size),
            preprocessing=preprocessing,
            report=watch.see,
            **vars(work),
        )
        if any(best.values()):
            if no_caption:
                write_picture(output, picture(best, times=times))
            else:
                write_figure(output, patches_figure(best))
            note(f"{output}: {sum(map(len, best.values()))} patches of {len(images)} images", quiet or as_json)
        if as_json:
            print_json({str(unit): [patch.to_json() for patch in spots] for unit, spots in best.items()})
