"""netsurgery features"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from .options import Force, NetAndImages, Quiet, Size, two
from .printing import note, open_words, watched

if TYPE_CHECKING:
    from ..formats.options import Pixels, Reading
    from ..vision.jobs import Work


def features(
    words: NetAndImages,
    reading: Reading,
    pixels: Pixels,
    work: Work,
    output: Annotated[
        str,
        typer.Option(
            "--output-file",
            "-o",
            help="FILE.npy (one blob), FILE.npz or FILE.h5: a row for each image; or a folder: NAME.npz for each image.",
            show_default=False,
        ),
    ],
    blobs: Annotated[
        list[str], typer.Option("--output", metavar="BLOB", help="A blob to write. Repeatable.", show_default=False)
    ],
    size: Size = None,
    force: Force = False,
    quiet: Quiet = False,
) -> None:
    """Write blobs of a net for many images, as Caffe's extract_features did.

    Example: netsurgery features deploy.prototxt weights.caffemodel photos/ --output fc7 -o fc7.npz

    In fixtures/digits: netsurgery features deploy.prototxt digits.caffemodel sample_3.png --output ip1 -o ip1.npy --raw-scale 1
    """  # fmt: skip
    from ..vision.features import feature_files
    from ..vision.images import find_images

    net, preprocessing, paths = open_words(
        words, "IMAGE...", reading=reading, pixels=pixels, quiet=quiet, usual="caffe"
    )
    images = find_images(paths)
    outcomes = feature_files(
        net,
        images,
        blobs,
        output,
        size=two(size),
        preprocessing=preprocessing,
        force=force,
        **vars(work),
    )
    with watched(images, "features", quiet) as watch:
        for _ in watch.through(outcomes):
            pass
        skipped = f", {watch.skipped} were there" if watch.skipped else ""
        note(f"{watch.done} of {len(images)} images written to {output}{skipped}", quiet)
