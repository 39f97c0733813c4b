"""netsurgery classify"""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

import typer

from ._common import IgnoreUnknown, InputShapes, Json, Phase, Prototxt, Quiet, Settings, Stage, console
from ._vision import (
    Bgr,
    Images,
    Labels,
    Mean,
    NoCache,
    Output,
    PixelsAs,
    Printed,
    RawScale,
    Resize,
    Scale,
    Scheduler,
    Threads,
    Transform,
    Weights,
    open_net,
    read_labels,
    watched,
)


def classify(
    prototxt: Prototxt,
    weights: Weights,
    images: Images,
    labels: Labels = None,
    top: Annotated[int, typer.Option("--top", "-n", min=1, help="How many classes.")] = 5,
    oversample: Annotated[
        bool, typer.Option("--oversample", help="Average over ten crops: corners, middle, and these mirrored.")
    ] = False,
    output: Output = None,
    resize: Resize = None,
    mean: Mean = None,
    scale: Scale = None,
    raw_scale: RawScale = None,
    bgr: Bgr = None,
    pixels_as: PixelsAs = None,
    transform: Transform = None,
    scheduler: Scheduler = None,
    threads: Threads = None,
    no_cache: NoCache = False,
    input_shape: InputShapes = None,
    phase: Phase = "TEST",
    stage: Stage = None,
    settings: Settings = None,
    ignore_unknown: IgnoreUnknown = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Say what images show: the best classes of each.

    Example: netsurgery classify deploy.prototxt weights.caffemodel cat.jpg --labels synset_words.txt --mean 104,117,123
    """
    from ..vision.classify import classify_files
    from ..vision.images import find_images

    net, done = open_net(
        prototxt,
        weights,
        {
            "mean": mean,
            "scale": scale,
            "raw_scale": raw_scale,
            "bgr": bgr,
            "pixels_as": pixels_as,
            "transform": transform,
            "resize": resize,
        },
        phase=phase,
        stage=stage,
        settings=settings,
        ignore_unknown=ignore_unknown,
        input_shape=input_shape,
        quiet=quiet or as_json,
        usual="pycaffe",
    )
    found = find_images(images)
    outcomes = classify_files(
        net,
        found,
        output=output,
        labels=read_labels(labels),
        top=top,
        oversample=oversample,
        preprocessing=done,
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
