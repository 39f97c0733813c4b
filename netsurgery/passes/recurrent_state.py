"""What recurrent layers keep from one forward to the next made inputs and outputs of the net.

word, cont -> lstm (LSTM) -> lstm                                      keeps h and c inside, as Caffe does

becomes

word, cont, lstm.h (1, N, H), lstm.c (1, N, H) -> lstm (LSTM, expose_hidden) -> lstm, lstm.h_next, lstm.c_next

Zeros to begin with, then what the step before gave: that is what Caffe computes from call to call.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..errors import RewriteError, ShapeError
from ..layers.core.memory import NEXT, state_names, with_states
from ..net import Layer, Net
from ._inputs import make_input


def has_memory(net: Net) -> bool:
    """Whether a layer of the net keeps something from one forward to the next."""
    return any(layer.kind.memory for layer in net.layers)


def recurrent_state(net: Net) -> Net:
    """The net whose recurrent layers take their states as inputs `layer.h` and `layer.c`, and give them as outputs `layer.h_next` and
    `layer.c_next`; layers with expose_hidden do so already, under their own names.

    Raises: RewriteError if no layer keeps a state.
    """
    if not has_memory(net):
        raise RewriteError(
            "no layer keeps a state from one call to the next",
            source=net.source,
            expected="a recurrent layer (LSTM, RNN, Lstm with a clip, ConvLSTM) without expose_hidden",
            fix="leave out --recurrent-state",
        )
    shapes = net.shapes()
    layers: list[Layer] = []
    for layer in net.layers:
        for name, shape in zip(
            state_names(layer), layer.kind.memory_shapes([shapes[b] for b in layer.bottoms]), strict=True
        ):
            layers.append(make_input(name, {name: [_number(n, layer) for n in shape]}, layer.source))
        layers.append(with_states(layer))
    return net.with_layers(layers)


def forgotten(net: Net) -> tuple[str, ...]:
    """A note for each layer whose state is lost between the calls of a model."""
    return tuple(
        f"layer {layer.title} begins from zeros at each call, in Caffe it goes on from the call before: --recurrent-state"
        for layer in net.layers
        if layer.kind.memory
    )


def state_outputs(net: Net) -> dict[str, str]:
    """Of a net that `recurrent_state` made: each state's input, and the output that is to be fed back to it."""
    blobs = set(net.blobs)
    return {name: f"{name}{NEXT}" for name in net.inputs if f"{name}{NEXT}" in blobs}


def fed_back(states: Mapping[str, str], outputs: Sequence[str]) -> tuple[str, ...]:
    """The outputs, and those that are to be fed back, if they are not among them."""
    return (*outputs, *(name for name in states.values() if name not in outputs))


def _number(size: object, layer: Layer) -> int:
    if not isinstance(size, int):
        raise ShapeError("the size of its state depends on the data", layer=layer)
    return size
