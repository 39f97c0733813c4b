"""netsurgery dream"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .options import Json, NetAndImageAndBlob, Quiet, Without
from .printing import note, open_images_net, print_json, progress, write_picture

if TYPE_CHECKING:
    from ..formats.options import Pixels, Reading


def dream(
    words: NetAndImageAndBlob,
    reading: Reading,
    pixels: Annotated[Pixels, Without(("resize",))],
    output: Annotated[Path, typer.Option("--output-file", "-o", help="The picture, a PNG.")] = Path("dream.png"),
    guide: Annotated[
        str | None,
        typer.Option(metavar="IMAGE", help="Dream of what the net sees in this image.", show_default=False),
    ] = None,
    octaves: Annotated[int, typer.Option(min=1, help="At how many sizes, the smallest first.")] = 4,
    octave_scale: Annotated[float, typer.Option(help="How many times larger each is than the one before.")] = 1.4,
    steps: Annotated[int, typer.Option(min=1, help="Steps of gradient ascent at each size.")] = 10,
    rate: Annotated[float, typer.Option(help="The size of a step, in per cent of the range of pixels.")] = 0.6,
    jitter: Annotated[
        int, typer.Option(min=0, help="By how many pixels the image is moved at random in each step.")
    ] = 32,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Let a net dream on a photo (DeepDream): more of what a blob sees in it, or of what it sees in a guide. Needs PyTorch (extra torch).

    Example: netsurgery dream deploy.prototxt weights.caffemodel sky.jpg inception_4c/output -o dream.png --mean 104,117,123

    In fixtures/digits: netsurgery dream deploy.prototxt digits.caffemodel canvas.png conv2 -o dream.png --raw-scale 1 --octaves 3
    """
    from ..files.words import split_words
    from ..vision.dream import dream as climb

    net_file, weights, (image, blob) = split_words(words, "IMAGE", "BLOB")
    _, net, preprocessing = open_images_net(net_file, weights, reading, pixels, quiet or as_json, "")
    with progress(quiet or as_json) as bar:
        task = bar.add_task("dreaming", total=octaves * steps)
        outcome = climb(
            net,
            image,
            blob,
            guide=guide,
            octaves=octaves,
            octave_scale=octave_scale,
            steps=steps,
            rate=rate,
            jitter=jitter,
            seed=reading.seed,
            preprocessing=preprocessing,
            report=lambda step, value: bar.update(task, completed=step),
        )
    write_picture(output, outcome.image)
    if as_json:
        told = {
            "blob": blob,
            "start": outcome.start,
            "value": outcome.value,
            "octaves": [list(s) for s in outcome.octaves],
        }
        print_json({**told, "picture": str(output)})
    else:
        sizes = ", ".join(f"{h}x{w}" for h, w in outcome.octaves)
        note(f"{output}: {blob} from {outcome.start:.4g} to {outcome.value:.4g} ({sizes})", quiet)
