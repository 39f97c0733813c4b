"""netsurgery classify"""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .options import Json, Labels, NetAndImages, NoCache, Output, Quiet, Scheduler, Threads, read_labels
from .printing import Printed, console, open_images_net, watched

if TYPE_CHECKING:
    from ..formats.options import Pixels, Reading


def classify(
    words: NetAndImages,
    reading: Reading,
    pixels: Pixels,
    labels: Labels = None,
    top: Annotated[int, typer.Option("--top", "-n", min=1, help="How many classes.")] = 5,
    oversample: Annotated[
        bool, typer.Option("--oversample", help="Average over ten crops: corners, middle, and these mirrored.")
    ] = False,
    blob: Output = None,
    scheduler: Scheduler = None,
    threads: Threads = None,
    no_cache: NoCache = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Say what images show: the best classes of each.

    Example: netsurgery classify deploy.prototxt weights.caffemodel cat.jpg --labels synset_words.txt --mean 104,117,123
    """
    from ..files.words import split_words
    from ..vision.classify import classify_files
    from ..vision.images import find_images

    net_file, weights, images = split_words(words, "IMAGE...")
    _, net, preprocessing = open_images_net(net_file, weights, reading, pixels, quiet or as_json, "pycaffe")
    found = find_images(images)
    outcomes = classify_files(
        net,
        found,
        output=blob,
        labels=read_labels(labels),
        top=top,
        oversample=oversample,
        preprocessing=preprocessing,
        keep=not no_cache,
        scheduler=scheduler,
        threads=threads,
    )
    printed, out = Printed(as_json), console()
    with watched(found, "classifying", quiet or as_json) as watch:
        for one in watch.through(outcomes):
            if one.error is not None:
                printed.add({"image": one.image.path, "error": str(one.error)})
            elif as_json:
                printed.add({"image": one.image.path, "classes": [asdict(x) for x in one.result or ()]})
            else:
                out.print(_table(one.image.path, one.result or ()))
        printed.end()


def _table(image: str, found: Any) -> Any:
    from rich.markup import escape
    from rich.table import Table

    table = Table("score", "class", "label", box=None, pad_edge=False, title=escape(image), title_justify="left")
    for one in found:
        table.add_row(f"{one.score:.4f}", str(one.channel), escape(one.label))
    return table
