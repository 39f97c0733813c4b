"""The layers of a train_val net that compare with labels: what `caffe test` prints is theirs.

fc8 ──┬── Accuracy(fc8, label) ──> accuracy
label ┴── SoftmaxWithLoss(fc8, label) ──> loss
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..interpreter import run_layer
from ..net import Layer, Net


@dataclass(frozen=True)
class Judges:
    """layers: in order; label: the blob of labels; reads: the blobs of the net that they judge; outputs: tops that nobody reads."""

    layers: tuple[Layer, ...]
    label: str
    reads: tuple[str, ...]
    outputs: tuple[str, ...]

    def run(self, values: Mapping[str, NDArray[Any]], labels: NDArray[np.int64]) -> dict[str, float]:
        """The mean of each output for a batch.

        Raises: ShapeError if labels do not fit.
        """
        held: dict[str, Any] = {**values, self.label: labels.astype(np.float32)}
        for layer in self.layers:
            held.update(zip(layer.tops, run_layer(layer, [held[b] for b in layer.bottoms]), strict=True))
        return {name: float(np.mean(held[name])) for name in self.outputs}


def find_judges(net: Net) -> Judges | None:
    """What depends on the labels of a net as it was read; None if nothing does, or something cannot be computed."""
    label = next(
        (top for layer in net.layers if not layer.bottoms and layer.type != "Input" for top in layer.tops[1:]),
        next((name for name in net.inputs if name == "label"), ""),
    )
    reached, layers = {label}, []
    for layer in net.layers:
        if layer.bottoms and reached.intersection(layer.bottoms) and layer.type != "Silence":
            reached.update(layer.tops)
            layers.append(layer)
    if not label or not layers or any(layer.kind.error is not None for layer in layers):
        return None
    reads = dict.fromkeys(b for layer in layers for b in layer.bottoms if b not in reached)
    outputs = [top for layer in layers for top in layer.tops if not net.readers(top)]
    return Judges(tuple(layers), label, tuple(reads), tuple(outputs))
