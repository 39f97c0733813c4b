"""netsurgery gradcam"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .options import Json, Labels, NetAndImage, Quiet, Unit, Without, read_labels
from .printing import note, open_words, print_json, write_figure

if TYPE_CHECKING:
    from ..formats.options import Pixels, Reading


def gradcam(
    words: NetAndImage,
    reading: Reading,
    pixels: Annotated[Pixels, Without(("resize",))],
    unit: Unit = None,
    blob: Annotated[
        str | None, typer.Option(help="The map. Default: the last one before the score.", show_default=False)
    ] = None,
    labels: Labels = None,
    output: Annotated[Path, typer.Option("--output-file", "-o", help="The picture, a PNG.")] = Path("gradcam.png"),
    array: Annotated[
        Path | None, typer.Option("--array", help="Writes the map itself: FILE.npy.", show_default=False)
    ] = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Show which places of a map speak for a class: Grad-CAM. Needs PyTorch (extra torch).

    Example: netsurgery gradcam deploy.prototxt weights.caffemodel cat.jpg --unit prob:281 --blob conv5 -o gradcam.png

    In fixtures/digits: netsurgery gradcam deploy.prototxt digits.caffemodel sample_7.png -o gradcam.png --raw-scale 1
    """
    from ..vision.evidence import evidence_figure, write_array
    from ..vision.saliency import gradcam as find

    net, done, (image,) = open_words(words, "IMAGE", reading=reading, pixels=pixels, quiet=quiet or as_json)
    evidence = find(net, image, unit, blob=blob, labels=read_labels(labels), preprocessing=done)
    write_figure(output, evidence_figure(evidence, f"Grad-CAM of {evidence.blob}", "sum of weight x map"))
    if array is not None:
        write_array(array, evidence.map)
    if as_json:
        told = {"unit": str(evidence.unit), "label": evidence.label, "score": evidence.score, "blob": evidence.blob}
        print_json({**told, "map": list(evidence.map.shape), "picture": str(output)})
    else:
        note(
            f"{output}: {evidence.unit} {evidence.label}".rstrip()
            + f" scores {evidence.score:.4g}, map of {evidence.blob}",
            quiet,
        )
