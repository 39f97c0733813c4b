"""netsurgery dream"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .options import Json, NetAndImageAndBlob, Quiet, Without
from .printing import note, open_words, print_json, progress, write_picture

if TYPE_CHECKING:
    from ..formats.options import Pixels, Reading
    from ..vision.dream import Octaves


def dream(
    words: NetAndImageAndBlob,
    reading: Reading,
    pixels: Annotated[Pixels, Without(("resize",))],
    octaves: Octaves,
    output: Annotated[Path, typer.Option("--output-file", "-o", help="The picture, a PNG.")] = Path("dream.png"),
    guide: Annotated[
        str | None,
        typer.Option(metavar="IMAGE", help="Dream of what the net sees in this image.", show_default=False),
    ] = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Let a net dream on a photo (DeepDream): more of what a blob sees in it, or of what it sees in a guide. Needs PyTorch (extra torch).

    Example: netsurgery dream deploy.prototxt weights.caffemodel sky.jpg inception_4c/output -o dream.png --mean 104,117,123

    In fixtures/digits: netsurgery dream deploy.prototxt digits.caffemodel canvas.png conv2 -o dream.png --raw-scale 1 --octaves 3
    """
    from ..vision.dream import dream as climb

    net, preprocessing, (image, blob) = open_words(
        words, "IMAGE", "BLOB", reading=reading, pixels=pixels, quiet=quiet or as_json
    )
    with progress(quiet or as_json) as bar:
        task = bar.add_task("dreaming", total=octaves.octaves * octaves.steps)
        outcome = climb(
            net,
            image,
            blob,
            guide=guide,
            **vars(octaves),
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
