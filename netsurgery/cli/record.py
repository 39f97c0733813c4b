"""netsurgery record"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ._common import (
    IgnoreUnknown,
    InputShapes,
    OptionalWeights,
    Phase,
    Plugin,
    Prototxt,
    Quiet,
    Settings,
    Stage,
    note,
    parse_settings,
    parse_shapes,
)
from .verify import Batches, Images, Inputs, Outputs, Ranges, Seed, Sizes, parse_inputs, parse_ranges, parse_sizes


def record(
    prototxt: Prototxt,
    weights: OptionalWeights = None,
    output_file: Annotated[Path, typer.Option("--output-file", "-o", help="The .npz to write.")] = Path("golden.npz"),
    size: Sizes = None,
    batch: Batches = None,
    image: Images = None,
    given: Inputs = None,
    limits: Ranges = None,
    seed: Seed = 0,
    by: Annotated[
        str, typer.Option(metavar="WHOM", help="Whose numbers to record: netsurgery, caffe or opencv.")
    ] = "netsurgery",
    output: Outputs = None,
    every_blob: Annotated[bool, typer.Option("--every-blob", help="Record blobs between as well.")] = False,
    input_shape: InputShapes = None,
    phase: Phase = "TEST",
    stage: Stage = None,
    settings: Settings = None,
    ignore_unknown: IgnoreUnknown = False,
    plugin: Plugin = None,
    quiet: Quiet = False,
) -> None:
    """Store seeded inputs and the numbers that come out, to hold a model against later, or elsewhere.

    Example: netsurgery record deploy.prototxt weights.caffemodel -o golden.npz --by caffe
    """
    from ..exporters.convert import prepare
    from ..verification.feeds import ranges
    from ..verification.files import shapes_of
    from ..verification.record import record as run

    shapes = parse_shapes(input_shape)
    loaded, net = prepare(
        prototxt,
        weights,
        phase=phase,
        stages=stage or (),
        settings=parse_settings(settings),
        ignore_unknown=ignore_unknown,
        input_shapes=shapes,
    )
    sizes = parse_sizes(size)
    done = run(
        net,
        output_file,
        sizes=sizes,
        batches=batch or (),
        shapes=() if sizes or batch else shapes_of(shapes),
        images=image or (),
        inputs=parse_inputs(given),
        ranges={**ranges(loaded), **parse_ranges(limits)},
        by=by,
        outputs=output,
        every_blob=every_blob,
        seed=seed,
    )
    for text in done.notes:
        note(f"note: {text}", quiet)
    for title in done.runs:
        note(f"recorded {title}", quiet)
    note(f"{done.path}: {len(done.runs)} runs of {', '.join(done.blobs)}, computed by {done.computed_by}", quiet)
