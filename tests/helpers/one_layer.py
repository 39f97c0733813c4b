"""Nets of one layer: computed by the interpreter and by the exported model, at the declared size and at another."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import cases
import numpy as np
import pytest

import netsurgery
from netsurgery.errors import NetsurgeryError
from netsurgery.formats.load import from_text

Array = np.ndarray[Any, Any]


RNG = np.random.default_rng(7)


def make(layers: str, weights: Sequence[Array] = (), layer: str = "y", **shapes: Sequence[int]) -> netsurgery.Net:
    """A net of inputs with these shapes and of `layers`; the layer named y has the weights."""
    inputs = "".join(
        f'layer {{ name: "{name}" type: "Input" top: "{name}" input_param {{ shape {{ {dims(shape)} }} }} }}\n'
        for name, shape in shapes.items()
    )
    net = from_text(inputs + layers, "net.prototxt")
    return net.with_weights(layer, *weights) if weights else net


def dims(shape: Sequence[int]) -> str:
    return " ".join(f"dim: {n}" for n in shape)


def one(type: str, params: str = "", bottoms: Sequence[str] = ("x",), tops: Sequence[str] = ("y",)) -> str:
    edges = "".join(f' bottom: "{b}"' for b in bottoms) + "".join(f' top: "{t}"' for t in tops)
    return f'layer {{ name: "y" type: "{type}"{edges} {params} }}'


def numbers(*shape: int) -> Array:
    return RNG.standard_normal(shape).astype(np.float32)


def agree(net: netsurgery.Net, *feeds: dict[str, Array], opsets: Sequence[int] = (17, 21)) -> list[dict[str, Array]]:
    """What `run` gives for each feed, after ONE export per opset has given the same, and one at the sizes of the first feed."""
    computed = [netsurgery.run(net, feed) for feed in feeds]
    for opset in opsets:
        holds(netsurgery.to_onnx(net, opset=opset), feeds, computed)
    fixed = {name: value.shape for name, value in feeds[0].items()}
    holds(netsurgery.to_onnx(net, opset=opsets[-1], input_shapes=fixed), feeds[:1], computed[:1])
    return computed


def holds(model: Any, feeds: Sequence[dict[str, Array]], computed: Sequence[dict[str, Array]]) -> None:
    session = cases.session(model.SerializeToString())
    names = [o.name for o in session.get_outputs()]
    for feed, ours in zip(feeds, computed, strict=True):
        for blob, value in zip(names, session.run(None, feed), strict=True):
            assert value.shape == ours[blob].shape, blob
            np.testing.assert_allclose(value, ours[blob], rtol=1e-5, atol=2e-6, err_msg=blob)


def refusal(call: Callable[[], object], kind: type[NetsurgeryError]) -> str:
    with pytest.raises(kind) as caught:
        call()
    return str(caught.value)


SUM = 'layer { name: "s" type: "Concat" bottom: "x" bottom: "y" top: "s" }'
