"""From files to a net that can be used, as commands do it: read, without what only training needs, operated on as asked."""

from __future__ import annotations

import os

from ..aliases import InputShapes, StrPath
from ..errors import NetsurgeryError, RewriteError
from ..formats.load import read_net
from ..formats.options import Reading
from ..net import Net
from .convolutionalize import convolutionalize
from .deploy import deploy
from .initialize import initialize
from .options import Surgery
from .raw_detections import raw_detections
from .recurrent_state import recurrent_state
from .set_input_shape import set_input_shape

READING, SURGERY = Reading(), Surgery()
SIDE = 224
"""Of a map whose size nothing says, where weights are made up."""


def open_net(prototxt: StrPath, weights: StrPath | None = None, reading: Reading = READING) -> Net:
    """The net as the file has it, its weights made up if that is asked for. Raises: NetsurgeryError."""
    net = _read(prototxt, weights, reading)
    return net if reading.initialize is None else initialize(net, reading.seed, reading.initialize)


def prepare(
    prototxt: StrPath, weights: StrPath | None = None, reading: Reading = READING, surgery: Surgery = SURGERY
) -> tuple[Net, Net]:
    """The net as it was read, and as it is used. Raises: NetsurgeryError."""
    loaded = _read(prototxt, weights, reading)
    net = _deployed(loaded, reading.input_shapes)
    if reading.initialize is not None:
        net = initialize(_sized(net, reading.input_shapes), reading.seed, reading.initialize)
    if surgery.fully_convolutional:
        net = convolutionalize(net, only=surgery.only, sliding_pool=surgery.sliding_pool, rename=surgery.rename)
    if surgery.detections == "raw":
        net = raw_detections(net)
    if surgery.recurrent_state:
        net = recurrent_state(net)
    return loaded, net


def _read(prototxt: StrPath, weights: StrPath | None, reading: Reading) -> Net:
    if reading.initialize is not None and weights is not None:
        if not os.path.exists(weights):
            raise NetsurgeryError(
                f"--initialize {weights}",
                expected="no value, for what the file's fillers say, or random",
                fix="--initialize, or --initialize random",
            )
        raise NetsurgeryError(
            "weights are given, and others are to be made up",
            expected="the prototxt alone with --initialize",
            fix="--initialize-missing makes up only what the weights file lacks",
        )
    return read_net(prototxt, weights, reading)


def _sized(net: Net, input_shapes: InputShapes) -> Net:
    """The net with a size for each axis of an input that has only a name: made-up weights have to have some."""
    told = {(len(shape), i): n for shape in input_shapes.values() for i, n in enumerate(shape) if isinstance(n, int)}

    def size(rank: int, i: int) -> int:
        """That of another input, with which it may have to go together; else one item, three channels, SIDE."""
        return told.get((rank, i), 1 if i == 0 else 3 if i == 1 and rank > 3 else SIDE)

    sizes = {
        name: [n if isinstance(n, int) else size(len(shape), i) for i, n in enumerate(shape)]
        for name, shape in input_shapes.items()
        if name in net.inputs and net.inputs[name] is None
    }
    return set_input_shape(net, sizes) if sizes else net


def _deployed(net: Net, input_shapes: InputShapes) -> Net:
    """The net without what only training needs. A shape that is asked for counts as the input's own where the file tells none: an image
    of another size than the net was trained for need not fit its weights, yet."""
    try:
        return deploy(net)
    except RewriteError:
        if not input_shapes:
            raise
    return deploy(net, input_shapes)
