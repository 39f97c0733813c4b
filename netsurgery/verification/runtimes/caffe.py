"""Nets in pycaffe, in a process of its own: the Python that has Caffe is an older one than this, and a failed CHECK of Caffe's ends its
process. Where it lacks a layer, it computes the net up to there, and netsurgery the rest, from Caffe's own blobs on."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np

from ...errors import NetsurgeryError, Source, UnsupportedError
from ...formats.prototxt.versions import file_names, layer_message
from ...formats.save import write_layer
from ...interpreter import run_layer
from ...net import Layer, Net
from ...passes.cut import cut
from ...passes.set_input_shape import set_input_shape
from ..side.opened import open_side
from ..side.process import Side
from ..side.recipe import CAFFE
from .as_caffe import CaffeFiles, caffe_files, files_for_caffe, last_versions, overwritten
from .base import NetRuntime

if TYPE_CHECKING:
    from .base import Array, Feeds, Model

RECURRENT = ("LSTM", "RNN")
STATEFUL = (*RECURRENT, "DummyData")
"""Layers that keep numbers between forwards, or draw new ones: Caffe then gets a new net for every forward."""

SIZED = ("LSTM", "RNN", "ContrastiveLoss")
"""Layers that take sizes when they are made and mind, or break, when they change: Caffe then gets a net that declares what is fed."""


class Caffe(NetRuntime):
    """A net in pycaffe, as far as this Caffe has its layers."""

    def __init__(self, net: Net, side: Side, about: Mapping[str, Any]) -> None:
        super().__init__(net)
        self.side = side
        versions = about["versions"]
        self.name = f"Caffe {versions['caffe']}"
        self._versions = {"caffe": versions["caffe"], "caffe's python": versions["python"]}
        self.lacking = lacking_layers(net, side, about)
        """Title of a layer -> why this Caffe cannot compute it."""
        self.theirs = _without(net, self.lacking)
        if self.lacking:
            shown = "; ".join(f"layer {layer}: {why}" for layer, why in self.lacking.items())
            self.note = f"it computes what stands before, netsurgery what stands behind: {shown}"
        if all(layer.kind.is_input for layer in self.theirs.layers):
            layer, why = next(iter(self.lacking.items()))
            raise UnsupportedError(f"{self.name} can compute none of the net's layers", layer=layer, expected=why)
        self._folder = TemporaryDirectory(prefix="netsurgery-")
        self._files = files_for_caffe(self.theirs, self._folder.name)

    @property
    def versions(self) -> Mapping[str, str]:
        return self._versions

    def voucher(self, blob: str) -> str:
        """Who computed a blob."""
        return self.name if blob in self.theirs.blobs else ""

    @cached_property
    def blobs(self) -> Collection[str]:
        return {*last_versions(self.theirs, self._files.names), *self._behind}

    @cached_property
    def _behind(self) -> set[str]:
        """Blobs that netsurgery computes."""
        return set(self.net.blobs) - set(self.theirs.blobs)

    def run(self, feeds: Feeds, blobs: Collection[str]) -> dict[str, Array]:
        if any(layer.type in SIZED for layer in self.theirs.layers):
            self._declare({name: np.shape(array) for name, array in feeds.items()})
        behind = [blob for blob in blobs if blob in self._behind]
        needed = cut(self.net, behind).layers if behind else ()
        borders = {b for layer in needed if self._behind.intersection(layer.tops) for b in layer.bottoms}
        values = self._forward(feeds, {*blobs, *borders} - self._behind)
        if behind:
            values |= self._rest({**feeds, **values}, behind)
        return {blob: values[blob] for blob in blobs if blob in values}

    def _declare(self, shapes: Mapping[str, tuple[int, ...]]) -> None:
        """Declares the shapes of what is fed."""
        inputs = self.theirs.inputs
        others = {
            name: shape
            for name, shape in shapes.items()
            if name in inputs and inputs[name] != shape and self.theirs.writer(name).type == "Input"
        }
        if others:
            self.theirs = set_input_shape(self.theirs, others)
            self._files = files_for_caffe(self.theirs, self._folder.name)

    def _rest(self, held: dict[str, Array], blobs: Collection[str]) -> dict[str, Array]:
        """What netsurgery makes of Caffe's blobs, `held`."""
        for layer in cut(self.net, blobs).layers:
            if self._behind.intersection(layer.tops):
                with np.errstate(all="ignore"):  # Caffe lets NaN and infinity pass
                    tops = run_layer(layer, [np.asarray(held[b], np.float64) for b in layer.bottoms], np.float64)
                held.update(zip(layer.tops, tops, strict=True))
        return {blob: held[blob] for blob in blobs}

    def _forward(self, feeds: Feeds, blobs: Collection[str]) -> dict[str, Array]:
        """Caffe's values of blobs. What a later layer changes without naming it is asked for again, of a net that ends there."""
        values = self._asked(self.theirs, self._files, feeds, blobs)
        net, changed = self.theirs, overwritten(self.theirs, self._files.names)
        while left := [blob for blob in self.theirs.blobs if blob in changed and blob in blobs and blob not in values]:
            shorter = cut(self.theirs, left)
            net = shorter if shorter.layers != net.layers else cut(self.theirs, left[:1])
            with caffe_files(net) as files:
                changed = overwritten(net, files.names)
                values |= self._asked(net, files, feeds, left)
        return values

    def _asked(self, net: Net, files: CaffeFiles, feeds: Feeds, blobs: Collection[str]) -> dict[str, Array]:
        """The values of those blobs that Caffe holds, as they were made, when it is done with this net."""
        last, changed = last_versions(net, files.names), overwritten(net, files.names)
        asked = {last[blob]: blob for blob in blobs if blob in last and blob not in changed}
        used = {name: np.asarray(array, np.float32) for name, array in feeds.items() if name in net.inputs}
        shapes = {name: array.shape for name, array in used.items()}
        if any(layer.type in RECURRENT for layer in net.layers) and any(
            net.writer(name).type == "Input" and net.inputs[name] != shape for name, shape in shapes.items()
        ):  # Caffe unrolls them when it makes the net, and takes no other number of steps then
            net = set_input_shape(net, shapes)
            with caffe_files(net) as files:
                return self._asked(net, files, feeds, blobs)
        with _scratch() as folder:
            inputs, values = os.path.join(folder, "feeds.npz"), os.path.join(folder, "values.npz")
            arrays = {str(i): array for i, array in enumerate(used.values())}
            np.savez(inputs, allow_pickle=False, **arrays)
            request = {
                "do": "run",
                "prototxt": os.path.abspath(files.prototxt),
                "weights": os.path.abspath(files.weights) if files.weights is not None else None,
                "feeds": inputs,
                "names": list(used),
                "values": values,
                "blobs": list(asked),
                "fresh": any(layer.type in STATEFUL for layer in net.layers),
            }
            told = self.side.ask(request, Source(self.path))
            with np.load(values) as members:
                return {asked[name]: members[str(i)] for i, name in enumerate(told["names"])}


@contextmanager
def _scratch() -> Iterator[str]:
    """A folder in memory where there is one: blobs of whole nets go through it."""
    base = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with TemporaryDirectory(prefix="netsurgery-", dir=base) as folder:
        yield folder


def lacking_layers(net: Net, side: Side, about: Mapping[str, Any]) -> dict[str, str]:
    """The layers that this Caffe does not have, or whose fields it does not know, by title; and why."""
    layers = [layer for layer in net.layers if not layer.kind.is_input]
    names = file_names(net)
    texts: dict[str, str] = {}
    problems: dict[str, str] = {}
    for layer in layers:
        try:
            texts[layer.title] = write_layer(layer_message(layer, names), layer.params.text)
        except NetsurgeryError as error:
            problems[layer.title] = error.problem
    answers = side.ask({"do": "judge", "layers": list(texts.values())})["problems"]
    problems |= {title: why for title, why in zip(texts, answers, strict=True) if why}
    for layer in layers:
        if about.get("batch_statistics") is False and _on_batch(layer):
            problems.setdefault(layer.title, "this build of Caffe does not compute batch statistics")
    return {layer.title: problems[layer.title] for layer in layers if layer.title in problems}


def _on_batch(layer: Layer) -> bool:
    params = layer.params.last("batch_norm_param")
    return layer.type == "BatchNorm" and params is not None and params.last("use_global_stats") is False


def _without(net: Net, lacking: Collection[str]) -> Net:
    """The layers that need none of these."""
    lost: set[str] = set()
    layers = []
    for layer in net.layers:
        if layer.title in lacking or lost.intersection(layer.bottoms):
            lost.update(layer.tops)
        else:
            layers.append(layer)
    return net.with_layers(layers)


def open_opinion(net: Net, model: Model) -> Caffe:
    """Raises: UnavailableError where there is no Caffe; UnsupportedError where it can compute none of the layers."""
    return Caffe(net, *open_side(CAFFE))


__all__ = ["Caffe", "lacking_layers", "open_opinion"]
