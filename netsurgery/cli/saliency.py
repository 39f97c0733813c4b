"""netsurgery saliency"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from .options import Json, Labels, NetAndImage, Quiet, Unit, Without, read_labels
from .printing import note, open_words, print_json, write_figure

if TYPE_CHECKING:
    from ..formats.options import Pixels, Reading


def saliency(
    words: NetAndImage,
    reading: Reading,
    pixels: Annotated[Pixels, Without(("resize",))],
    unit: Unit = None,
    method: Annotated[
        Literal["gradient", "smooth", "guided", "integrated"],
        typer.Option(
            help="The gradient itself, its mean over noisy images, guided backpropagation, integrated gradients."
        ),
    ] = "gradient",
    samples: Annotated[
        int | None,
        typer.Option(min=1, help="Gradients that smooth and integrated take the mean of.", show_default=False),
    ] = None,
    labels: Labels = None,
    output: Annotated[Path, typer.Option("--output-file", "-o", help="The picture, a PNG.")] = Path("saliency.png"),
    array: Annotated[
        Path | None, typer.Option("--array", help="Writes the gradient itself: FILE.npy.", show_default=False)
    ] = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Show which pixels of an image speak for a class, by gradients. Needs PyTorch (extra torch).

    Example: netsurgery saliency deploy.prototxt weights.caffemodel cat.jpg --unit prob:281 -o saliency.png

    In fixtures/digits: netsurgery saliency deploy.prototxt digits.caffemodel sample_7.png -o saliency.png --raw-scale 1
    """
    from ..vision.evidence import evidence_figure, write_array
    from ..vision.saliency import saliency as find

    net, done, (image,) = open_words(words, "IMAGE", reading=reading, pixels=pixels, quiet=quiet or as_json)
    evidence = find(
        net,
        image,
        unit,
        method=method,
        labels=read_labels(labels),
        samples=samples,
        seed=reading.seed,
        preprocessing=done,
    )
    write_figure(output, evidence_figure(evidence, method, "share of the score" if method == "integrated" else ""))
    if array is not None:
        write_array(array, evidence.gradient)
    if as_json:
        print_json(
            {"unit": str(evidence.unit), "label": evidence.label, "score": evidence.score, "picture": str(output)}
        )
    else:
        note(f"{output}: {evidence.unit} {evidence.label}".rstrip() + f" scores {evidence.score:.4g}", quiet)
