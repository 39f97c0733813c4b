"""netsurgery maximize"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .options import Json, Labels, Net, Quiet, Size, Weights, Without, read_labels, two
from .printing import note, open_images_net, print_json, progress, write_picture

if TYPE_CHECKING:
    from ..formats.options import Pixels, Reading


def maximize(
    prototxt: Net,
    reading: Reading,
    pixels: Annotated[Pixels, Without(("resize",))],
    unit: Annotated[
        str,
        typer.Option(
            metavar="BLOB:CHANNEL", help="The unit, such as fc8:3, or fc8:tabby with --labels.", show_default=False
        ),
    ],
    weights: Weights = None,
    output: Annotated[Path, typer.Option("--output-file", "-o", help="The picture, a PNG.")] = Path("maximum.png"),
    labels: Labels = None,
    steps: Annotated[int, typer.Option(min=1, help="Steps of gradient ascent.")] = 200,
    rate: Annotated[float, typer.Option(help="The size of a step, in per cent of the range of pixels.")] = 2.0,
    decay: Annotated[float, typer.Option(help="L2 decay: the share of the image that is lost in each step.")] = 0.01,
    jitter: Annotated[
        int, typer.Option(min=0, help="By how many pixels the image is moved at random in each step.")
    ] = 4,
    blur: Annotated[float, typer.Option(metavar="SIGMA", help="The Gaussian by which the image is blurred.")] = 0.5,
    blur_every: Annotated[int, typer.Option(min=1, help="After how many steps it is.")] = 4,
    variation: Annotated[
        float, typer.Option("--total-variation", help="How much total variation is held down, 0 to about 1.")
    ] = 0.0,
    norm: Annotated[
        float | None,
        typer.Option(
            help="Hold the image's distance from gray: root mean square, in per cent of the range of pixels.",
            show_default=False,
        ),
    ] = None,
    at: Annotated[
        str, typer.Option(metavar="middle|everywhere|I,J", help="Which position of a map: a neuron, or all of them.")
    ] = "middle",
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
        task = bar.add_task("climbing", total=steps)
        outcome = climb(
            net,
            unit,
            labels=read_labels(labels),
            steps=steps,
            rate=rate,
            decay=decay,
            jitter=jitter,
            blur=blur,
            blur_every=blur_every,
            variation=variation,
            norm=norm,
            at=at,
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
