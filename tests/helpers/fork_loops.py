"""Nets of one layer, held to loops that are written out element by element."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cases
import numpy as np
from small_nets import with_random_weights

import netsurgery
from netsurgery.formats.load import from_text

Array = np.ndarray[Any, Any]
Loops = Callable[..., list[Array]]


def net(layer: str, *shapes: tuple[int, ...]) -> netsurgery.Net:
    """A net of inputs x0, x1, .. and one layer, its blobs made up."""
    inputs = "".join(
        f'layer {{ name: "x{i}" type: "Input" top: "x{i}" input_param {{ shape {{ {"".join(f"dim: {n} " for n in shape)} }} }} }} '
        for i, shape in enumerate(shapes)
    )
    bottoms = " ".join(f'bottom: "x{i}"' for i in range(len(shapes)))
    return with_random_weights(from_text(inputs + f'layer {{ name: "y" {bottoms} {layer} }}'))


def hold(made: netsurgery.Net, feeds: list[Array], loops: Loops, share: float = 1e-5) -> None:
    """Interpreter and ONNX give what the loops give."""
    weights = [np.asarray(w, np.float64) for w in made["y"].weights]
    wanted = loops(*[f.astype(np.float64) for f in feeds], *weights)
    named = {f"x{i}": f for i, f in enumerate(feeds)}
    session = cases.session(netsurgery.to_onnx(made).SerializeToString())
    outputs = [o.name for o in session.get_outputs()]
    onnx = dict(zip(outputs, session.run(None, named), strict=True))
    ours = netsurgery.run(made, named, outputs)
    for top, want in zip(made["y"].tops, wanted, strict=True):
        for got in (ours[top], onnx[top]):
            assert got.shape == want.shape
            np.testing.assert_allclose(got, want, rtol=0, atol=share * max(np.abs(want).max(initial=0), 1e-6))


def inputs(**shapes: tuple[int, ...]) -> str:
    return "".join(
        f'layer {{ name: "{name}" type: "Input" top: "{name}" input_param {{ shape {{ {"".join(f"dim: {n} " for n in shape)} }} }} }} '
        for name, shape in shapes.items()
    )


def run_onnx(made: netsurgery.Net, feeds: dict[str, Array]) -> dict[str, Array]:
    session = cases.session(netsurgery.to_onnx(made).SerializeToString())
    names = [o.name for o in session.get_outputs()]
    return dict(zip(names, session.run(None, feeds), strict=True))
