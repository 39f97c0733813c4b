"""netsurgery time"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .options import Json, NetAndModel, Quiet
from .printing import cell, console, note, print_json, write_figure

if TYPE_CHECKING:
    from ..formats.options import Reading
    from ..passes.options import Surgery
    from ..verification.times import Times


def time(
    words: NetAndModel,
    reading: Reading,
    surgery: Surgery,
    rounds: Annotated[int, typer.Option(min=1, help="Forwards, of which medians are taken.")] = 20,
    threads: Annotated[
        int | None,
        typer.Option(min=1, help="Threads of onnxruntime. Default: one for each core.", show_default=False),
    ] = None,
    caffe: Annotated[
        bool | None,
        typer.Option(
            "--caffe/--no-caffe", help="Times real Caffe, too. Default: if it is installed.", show_default=False
        ),
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output-file", "-o", help="Writes a bar chart: times.svg.", show_default=False)
    ] = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Time a forward layer by layer, as `caffe time` does: by onnxruntime's profile, with real Caffe beside it.

    Without weights they are made up: times hardly depend on them.

    Example: netsurgery time deploy.prototxt weights.caffemodel -o times.svg

    In fixtures/digits: netsurgery time deploy.prototxt digits.caffemodel -o times.svg
    """
    from dataclasses import replace

    from ..files.words import split_words
    from ..passes.prepare import prepare
    from ..verification.reports.times_chart import times_figure
    from ..verification.times import time_net

    net_file, weights, model = split_words(words, "[MODEL.onnx]", least=0)
    if weights is None and reading.initialize is None:
        reading = replace(reading, initialize="random")
    _, net = prepare(net_file, weights, reading, surgery)
    times = time_net(
        net,
        model[0] if model else None,
        shapes=reading.input_shapes,
        rounds=rounds,
        threads=threads,
        caffe=caffe,
    )
    if output is not None:
        write_figure(output, times_figure(times, net.name or Path(net_file).stem))
    if as_json:
        print_json(times.to_json())
        return
    console().print(_table(times))
    shapes = ", ".join(f"{name} {'x'.join(map(str, shape))}" for name, shape in times.shapes.items())
    note(f"medians of {times.rounds} forwards on {times.threads} threads, {shapes}", quiet)
    for text in times.notes:
        note(f"note: {text}", quiet)


def _table(times: Times) -> object:
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    table.add_column("layer", overflow="fold")
    table.add_column("type")
    for column in ("ms", "share"):
        table.add_column(column, justify="right")
    table.add_column("")
    table.add_column("GFLOP/s", justify="right")
    if times.caffe is not None:
        table.add_column("Caffe, ms", justify="right")
    whole = sum(layer.seconds for layer in times.layers) + times.other or 1.0
    longest = max((layer.seconds for layer in times.layers), default=0.0) or 1.0
    for layer in times.layers:
        cells = ["", "", ""]
        if layer.seconds:
            cells = [
                f"{layer.seconds * 1e3:.3f}",
                f"{layer.seconds / whole:.1%}",
                "█" * round(16 * layer.seconds / longest),
            ]
        cells.append(f"{layer.flops / 1e9:.1f}" if layer.flops else "")
        if times.caffe is not None:
            cells.append("" if layer.caffe is None else f"{layer.caffe * 1e3:.3f}")
        table.add_row(cell(layer.name), cell(layer.type), *cells)
    table.add_row("", "reordering and the like", f"{times.other * 1e3:.3f}", f"{times.other / whole:.1%}")
    table.add_section()
    last = ["all", "", f"{times.total * 1e3:.3f}", "", "", ""]
    table.add_row(*last, *([] if times.caffe is None else [f"{times.caffe * 1e3:.3f}"]))
    return table
