"""netsurgery inspect"""

from __future__ import annotations

from ._common import IgnoreUnknown, InputShapes, Json, OptionalWeights, Phase, Prototxt, Quiet, Settings, Stage, console, parse_settings, parse_shapes, print_json, print_notes


def inspect(
    prototxt: Prototxt,
    weights: OptionalWeights = None,
    input_shape: InputShapes = None,
    phase: Phase = "TEST",
    stage: Stage = None,
    settings: Settings = None,
    ignore_unknown: IgnoreUnknown = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Show a net: layers, shapes, parameters, multiply-accumulates, receptive fields.

    Example: netsurgery inspect deploy.prototxt --input-shape data=1,3,451,451
    """
    from ..formats.load import load
    from ..summary import summarize

    net = load(prototxt, weights, phase=phase, stages=stage or (), settings=parse_settings(settings), ignore_unknown=ignore_unknown)
    found = summarize(net, parse_shapes(input_shape))
    if as_json:
        print_json(found)
        return
    print_notes(net, quiet)
    from rich.table import Table

    del found, Table, console
