"""netsurgery classify"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..files.overwriting import require_no_input
from .options import Json, Labels, NetAndImages, Output, Quiet, read_labels
from .printing import EXIT_BAD_INPUT, Printed, cell, console, note, open_images_net, watched

if TYPE_CHECKING:
    from ..formats.options import Pixels, Reading
    from ..vision.jobs import Work


def classify(
    words: NetAndImages,
    reading: Reading,
    pixels: Pixels,
    work: Work,
    labels: Labels = None,
    top: Annotated[int, typer.Option("--top", "-n", min=1, help="How many classes.")] = 5,
    oversample: Annotated[
        bool, typer.Option("--oversample", help="Average over ten crops: corners, middle, and these mirrored.")
    ] = False,
    windows: Annotated[
        Path | None,
        typer.Option(
            metavar="BOXES.csv",
            help="Score windows instead of images: a table of filename,ymin,xmin,ymax,xmax, as detect.py's.",
            show_default=False,
        ),
    ] = None,
    context: Annotated[
        int,
        typer.Option("--context-pad", min=0, help="Pixels of the input around a window that show what surrounds it."),
    ] = 0,
    output: Annotated[
        Path | None,
        typer.Option("--output-file", "-o", help="The windows' scores of all classes: FILE.csv.", show_default=False),
    ] = None,
    blob: Output = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Say what images show: the best classes of each.

    Example: netsurgery classify deploy.prototxt weights.caffemodel cat.jpg --labels synset_words.txt --mean 104,117,123

    As detect.py: netsurgery classify deploy.prototxt rcnn.caffemodel --windows boxes.csv --context-pad 16 -o scores.csv

    In fixtures/digits: netsurgery classify deploy.prototxt digits.caffemodel sample_3.png --labels labels.txt --raw-scale 1
    """
    from ..errors import NetsurgeryError
    from ..files.words import split_words
    from ..vision.classify import classify_files
    from ..vision.images import find_images

    net_file, weights, paths = split_words(words, "IMAGE...", least=0 if windows else None)
    if windows is None and (context or output):
        raise NetsurgeryError("--context-pad and -o are for windows", expected="--windows BOXES.csv")
    if windows is not None and (paths or oversample or pixels.resize):
        raise NetsurgeryError(
            "images, --oversample or --resize beside --windows",
            expected="windows alone: the table names the images, and each window is warped to the net's input",
        )
    _, net, preprocessing = open_images_net(net_file, weights, reading, pixels, quiet or as_json, "pycaffe")
    names = read_labels(labels)
    if windows is not None:
        from ..vision.windows import classify_windows, image_place, read_windows

        boxes = read_windows(windows)
        if output is not None:
            require_no_input([str(output)], {image_place(file, windows.parent) for file, _ in boxes})
        scored = classify_windows(
            net,
            boxes,
            output=blob,
            context=context,
            beside=windows.parent,
            preprocessing=preprocessing,
            **vars(work),
        )
        _print_windows(scored, len(boxes), names, top, output, as_json, quiet)
        return
    images = find_images(paths)
    outcomes = classify_files(
        net,
        images,
        output=blob,
        labels=names,
        top=top,
        oversample=oversample,
        preprocessing=preprocessing,
        **vars(work),
    )
    printed, out = Printed(as_json), console()
    with watched(images, "classifying", quiet or as_json) as watch:
        for one in watch.through(outcomes):
            if one.error is not None:
                printed.add({"image": one.image.path, "error": str(one.error)})
            elif as_json:
                printed.add({"image": one.image.path, "classes": [asdict(x) for x in one.result or ()]})
            else:
                out.print(_table(one.image.path, one.result or ()))
        printed.end()


def _print_windows(
    outcomes: Any, count: int, labels: tuple[str, ...], top: int, output: Path | None, as_json: bool, quiet: bool
) -> None:
    """The best classes of each window, or all scores in a file."""
    from ..vision.classify import best
    from ..vision.labels import check_labels
    from ..vision.windows import write_scores

    printed, out, scored, failed = Printed(as_json), console(), [], []
    for one in outcomes:
        if one.error is not None:
            failed.append((one.image.path, str(one.error)))
        for window in one.result or ():
            check_labels(labels, len(window.scores), "of the scores")
            scored.append(window)
            classes = best(window.scores, labels, top)
            place = {"image": window.filename, "window": list(window.window)}
            if as_json:
                printed.add({**place, "classes": [asdict(x) for x in classes]})
            elif output is None:
                out.print(_table(f"{window.filename} {', '.join(map(str, window.window))}", classes))
    for path, error in failed:
        printed.add({"image": path, "error": error})
        note(error)
    printed.end()
    if output is not None:
        write_scores(output, scored)
        note(f"{output}: {len(scored)} of {count} windows", quiet or as_json)
    if failed:
        raise typer.Exit(EXIT_BAD_INPUT)


def _table(image: str, classes: Any) -> Any:
    from rich.table import Table

    table = Table("score", "class", "label", box=None, pad_edge=False, title=cell(image), title_justify="left")
    for one in classes:
        table.add_row(f"{one.score:.4f}", str(one.channel), cell(one.label))
    return table
