"""Nets of losses and of recurrent layers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import cases
import numpy as np
import onnx
import pytest

import netsurgery
from netsurgery.formats.load import from_text

Array = np.ndarray[Any, Any]


def net_of(
    layers: str, inputs: Mapping[str, Sequence[int]], weights: Mapping[str, Sequence[Array]] = {}
) -> netsurgery.Net:
    """A net of inputs and `layers`."""
    text = "\n".join(
        f'layer {{ name: "{name}" type: "Input" top: "{name}" '
        f"input_param {{ shape {{ {' '.join(f'dim: {n}' for n in shape)} }} }} }}"
        for name, shape in inputs.items()
    )
    net = from_text(f"{text}\n{layers}", "net.prototxt")
    for name, blobs in weights.items():
        net = net.with_weights(name, *blobs)
    return net


def loss(type: str, bottoms: str, fields: str = "", tops: str = 'top: "y"') -> str:
    named = " ".join(f'bottom: "{b}"' for b in bottoms.split())
    return f'layer {{ name: "l" type: "{type}" {named} {tops} {fields} }}'


def compute(net: netsurgery.Net, **feeds: Any) -> Array:
    """Blob y by the interpreter; ONNX of the oldest and the newest opset, of one export, must give all outputs the same."""
    given = {name: np.asarray(value, np.float32) for name, value in feeds.items()}
    ours = netsurgery.run(net, given, dtype=np.float64)
    for opset in (17, 21):
        model = netsurgery.to_onnx(net, opset=opset)
        onnx.checker.check_model(model, full_check=True)
        session = cases.session(model.SerializeToString())
        names = [o.name for o in session.get_outputs()]
        fed = {i.name: given[i.name] for i in session.get_inputs()}
        for name, got in zip(names, session.run(None, fed), strict=True):
            assert not cases.difference(got, ours[name]), (opset, name, cases.difference(got, ours[name]))
    return ours["y"]


def error(net: netsurgery.Net, **feeds: Any) -> str:
    with pytest.raises(netsurgery.NetsurgeryError) as caught:
        netsurgery.run(net, {name: np.asarray(value, np.float32) for name, value in feeds.items()})
    return str(caught.value)


rng = np.random.default_rng(0)


def normal(*shape: int) -> Array:
    return rng.standard_normal(shape).astype(np.float32)


def labels(classes: int, *shape: int) -> Array:
    return rng.integers(0, classes, shape).astype(np.float32)
