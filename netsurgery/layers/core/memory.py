"""Recurrent layers that keep their states inside, and the same layers whose states are bottoms and tops."""

from __future__ import annotations

from dataclasses import replace

from ...net import Layer

NEXT = "_next"
"""What follows the name of a state where the layer gives it."""


def state_names(layer: Layer) -> tuple[str, ...]:
    """What the states of a layer are called."""
    return tuple(f"{layer.name}.{state}" for state in layer.kind.memory)


def with_states(layer: Layer) -> Layer:
    """The layer with its states as last bottoms and tops; itself if it keeps none."""
    if not layer.kind.memory:
        return layer
    states = state_names(layer)
    return replace(
        layer,
        bottoms=(*layer.bottoms, *states),
        tops=(*layer.tops, *(f"{state}{NEXT}" for state in states)),
        params=layer.kind.exposed(layer.params),
    )
