"""netsurgery score"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ._common import (
    EXIT_DIFFER,
    IgnoreUnknown,
    InputShapes,
    Json,
    Phase,
    Prototxt,
    Quiet,
    Settings,
    Stage,
    console,
    note,
    print_json,
    progress,
)
from ._vision import Bgr, Mean, Output, PixelsAs, RawScale, Resize, Scale, Threads, Transform, Weights, open_nets

if TYPE_CHECKING:
    from ..vision.accuracy import Tally


def score(
    prototxt: Prototxt,
    weights: Weights,
    source: Annotated[
        str,
        typer.Argument(
            metavar="LIST",
            help="Labelled samples: a list (`path label`), a table (.csv), a folder per class, LMDB, LevelDB, HDF5.",
            show_default=False,
        ),
    ],
    models: Annotated[
        list[Path] | None,
        typer.Argument(metavar="[MODEL.onnx...]", help="Converted models to hold beside it.", show_default=False),
    ] = None,
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
    output: Output = None,
    root: Annotated[str, typer.Option(metavar="FOLDER", help="Where the paths of a list begin.")] = "",
    gray: Annotated[bool, typer.Option("--gray", help="Reads image files as gray.")] = False,
    limit: Annotated[int | None, typer.Option(min=1, help="So many samples at most.", show_default=False)] = None,
    resize: Resize = None,
    mean: Mean = None,
    scale: Scale = None,
    raw_scale: RawScale = None,
    bgr: Bgr = None,
    transform: Transform = None,
    pixels_as: PixelsAs = None,
    threads: Threads = None,
    record: Annotated[
        Path | None,
        typer.Option(help="Writes every batch to this file; an interrupted run goes on from it.", show_default=False),
    ] = None,
    least: Annotated[
        float | None,
        typer.Option(min=0, max=1, help="Exit code 1 if a top-1 accuracy is below this.", show_default=False),
    ] = None,
    junit: Annotated[Path | None, typer.Option(help="Writes a JUnit file.", show_default=False)] = None,
    input_shape: InputShapes = None,
    phase: Phase = "TEST",
    stage: Stage = None,
    settings: Settings = None,
    ignore_unknown: IgnoreUnknown = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Count how often a net is right over a labelled list, beside its converted models.

    Pixels are those of Caffe's data layers: warped, mean subtracted, middle cut out, scaled. Of a train_val net the outputs of its
    TEST phase (accuracy, loss) are averaged too, as `caffe test` does.

    Example: netsurgery score deploy.prototxt weights.caffemodel val.txt model.onnx --resize 256x256 --mean mean.binaryproto
    """
    from ..files.output import replacing
    from ..vision.score import Options
    from ..vision.score import score as score_net
    from ..vision.score_reports import failures, to_json, to_junit

    loaded, net, done = open_nets(
        prototxt,
        weights,
        {
            "mean": mean,
            "scale": scale,
            "raw_scale": raw_scale,
            "bgr": bgr,
            "transform": transform,
            "resize": resize,
            "pixels_as": pixels_as,
        },
        phase=phase,
        stage=stage,
        settings=settings,
        ignore_unknown=ignore_unknown,
        input_shape=input_shape,
        quiet=quiet or as_json,
    )
    options = Options(models or (), fp16, int8, output, root, gray, limit, threads, record)
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
    broken = failures(tallies, least)
    for line in broken:
        note(line)
    if broken:
        raise typer.Exit(EXIT_DIFFER)


def _table(tallies: list[Tally], top: list[int]) -> object:
    from rich.markup import escape
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    table.add_column("model", overflow="fold")
    for k in top:
        table.add_column(f"top-{k}", justify="right")
        if len(tallies) > 1:
            table.add_column("change", justify="right")
    outputs = list(tallies[0].outputs)
    for name in outputs:
        table.add_column(escape(name), justify="right")
    for tally in tallies:
        cells = []
        for k in top:
            low, high = tally.interval(k)
            cells.append(f"{tally.accuracy(k):.2%} ({low:.2%} to {high:.2%})")
            if len(tallies) > 1:
                change, half = tally.change(tallies[0], k)
                cells.append("" if tally is tallies[0] else f"{change:+.2%} (± {half:.2%})")
        cells += [f"{tally.outputs[name]:.6g}" if name in tally.outputs else "" for name in outputs]
        table.add_row(escape(tally.name), *cells)
    return table
