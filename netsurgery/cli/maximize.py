"""netsurgery maximize"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .options import Json, Labels, Net, Quiet, Size, Weights, Without, read_labels, two
from .printing import note, open_images_net, print_json, progress, write_picture

if TYPE_CHECKING:
    from ..formats.options import Pixels, Reading
    from ..vision.maximize import Ascent


def maximize(
    prototxt: Net,
    reading: Reading,
    pixels: Annotated[Pixels, Without(("resize",))],
    ascent: Ascent,
    unit: Annotated[
        str,
        typer.Option(
            metavar="BLOB:CHANNEL", help="The unit, such as fc8:3, or fc8:tabby with --labels.", show_default=False
        ),
    ],
    weights: Weights = None,
    output: Annotated[Path, typer.Option("--output-file", "-o", help="The picture, a PNG.")] = Path("maximum.png"),
    labels: Labels = None,
    size: Size = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Find an image that excites a unit: gradient ascent on the input, with regularisers. Needs PyTorch (extra torch).

    Example: netsurgery maximize deploy.prototxt weights.caffemodel --unit fc8:3 -o maximum.png

    A channel: netsurgery maximize deploy.prototxt weights.caffemodel --unit conv3:7 --at everywhere --total-variation 0.2

    In fixtures/digits: netsurgery maximize deploy.prototxt digits.caffemodel --unit ip2:3 -o maximum.png --raw-scale 1
    """
    from ..vision.maximize import maximize as climb

    _, net, preprocessing = open_images_net(prototxt, weights, reading, pixels, quiet or as_json, "")
    with progress(quiet or as_json) as bar:
        task = bar.add_task("climbing", total=ascent.steps)
        outcome = climb(
            net,
            unit,
            labels=read_labels(labels),
            **vars(ascent),
            size=two(size),
            seed=reading.seed,
            preprocessing=preprocessing,
            report=lambda step, value: bar.update(task, completed=step),
        )
    write_picture(output, outcome.image)
    if as_json:
        print_json({"unit": str(outcome.unit), "value": outcome.value, "start": outcome.start, "picture": str(output)})
    else:
        note(
            f"{output}: {outcome.unit} gives {outcome.value:.4g}, {outcome.start:.4g} on the noise at the start", quiet
        )
