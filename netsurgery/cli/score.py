"""netsurgery score"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .options import Json, NetAndList, Only, Output, PictureFile, Quiet
from .printing import EXIT_DIFFER, cell, console, note, open_images_net, print_json, progress, write_figure

if TYPE_CHECKING:
    from ..formats.options import Pixels, Reading
    from ..vision.accuracy import Tally
    from ..vision.jobs import Work


def score(
    words: NetAndList,
    reading: Reading,
    pixels: Pixels,
    work: Annotated[Work, Only(("scheduler", "threads"))],
    fp16: Annotated[bool, typer.Option("--fp16", help="Scores the model of 16-bit floats, too.")] = False,
    int8: Annotated[
        str | None,
        typer.Option(
            metavar="LIST",
            help="Scores the model of 8-bit numbers, too, calibrated with these images.",
            show_default=False,
        ),
    ] = None,
    top: Annotated[
        list[int] | None, typer.Option("--top", min=1, help="Right if among the best. Default 1 and 5.")
    ] = None,
    blob: Output = None,
    root: Annotated[str, typer.Option(metavar="FOLDER", help="Where the paths of a list begin.")] = "",
    gray: Annotated[bool, typer.Option("--gray", help="Reads image files as gray.")] = False,
    limit: Annotated[int | None, typer.Option(min=1, help="So many samples at most.", show_default=False)] = None,
    record: Annotated[
        Path | None,
        typer.Option(help="Writes every batch to this file; an interrupted run goes on from it.", show_default=False),
    ] = None,
    least: Annotated[
        float | None,
        typer.Option(min=0, max=1, help="Exit code 1 if a top-1 accuracy is below this.", show_default=False),
    ] = None,
    junit: Annotated[Path | None, typer.Option(help="Writes a JUnit file.", show_default=False)] = None,
    picture: PictureFile = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Count how often a net is right over a labelled list, beside its converted models.

    Pixels are those of Caffe's data layers: warped, mean subtracted, middle cut out, scaled. Of a train_val net the outputs of its
    TEST phase (accuracy, loss) are averaged too, as `caffe test` does.

    Example: netsurgery score deploy.prototxt weights.caffemodel val.txt model.onnx --resize 256x256 --mean mean.binaryproto

    In fixtures/score: netsurgery score train_val.prototxt ../digits/digits.caffemodel list.txt
    """
    from ..files.output import replacing
    from ..files.words import split_words
    from ..vision.accuracy_figure import accuracy_figure
    from ..vision.score import Options
    from ..vision.score import score as score_net
    from ..vision.score_reports import failures, to_json, to_junit

    net_file, weights, (source, *models) = split_words(words, "LIST", "[MODEL.onnx...]", least=1)
    loaded, net, done = open_images_net(net_file, weights, reading, pixels, quiet or as_json)
    options = Options(
        [Path(model) for model in models], fp16, int8, blob, root, gray, limit, work.threads, work.scheduler, record
    )
    with progress(quiet or as_json) as bar:
        task = bar.add_task("samples", total=limit)
        tallies = score_net(
            net,
            source,
            options,
            loaded=loaded,
            preprocessing=done,
            on_sample=lambda count: bar.update(task, completed=count),
        )
    best = sorted(set(top or (1, 5)))
    if as_json:
        print_json(to_json(tallies, best))
    else:
        console().print(_table(tallies, best))
        note(f"of {len(tallies[0].ranks)} samples; in brackets: with 95 % probability", quiet)
    if junit is not None:
        with replacing(junit) as file:
            file.write(to_junit(tallies, best, least))
    if picture is not None:
        write_figure(picture, accuracy_figure(tallies, best))
    broken = failures(tallies, least)
    for line in broken:
        note(line)
    if broken:
        raise typer.Exit(EXIT_DIFFER)


def _table(tallies: list[Tally], top: list[int]) -> object:
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    table.add_column("model", overflow="fold")
    for k in top:
        table.add_column(f"top-{k}", justify="right")
        if len(tallies) > 1:
            table.add_column("change", justify="right")
    outputs = list(tallies[0].outputs)
    for name in outputs:
        table.add_column(cell(name), justify="right")
    for tally in tallies:
        cells = []
        for k in top:
            low, high = tally.interval(k)
            cells.append(f"{tally.accuracy(k):.2%} ({low:.2%} to {high:.2%})")
            if len(tallies) > 1:
                change, half = tally.change(tallies[0], k)
                cells.append("" if tally is tallies[0] else f"{change:+.2%} (± {half:.2%})")
        cells += [f"{tally.outputs[name]:.6g}" if name in tally.outputs else "" for name in outputs]
        table.add_row(cell(tally.name), *cells)
    return table
