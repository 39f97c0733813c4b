"""NetDefs in real Caffe2, in a process of its own: as the model that is checked, and as an opinion on another model."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np

from ...errors import ParseError, Source
from ...exporters.caffe2.export import Caffe2Net, as_caffe2
from ...exporters.form import ModelForm
from ...formats.netdef.groups import FREE, SHAPE
from ...formats.netdef.wire import filled_names, read_netdef
from ...net import Net
from ..side.opened import open_side
from ..side.process import Side
from ..side.recipe import CAFFE2
from .base import NetRuntime, Runtime, model_path

if TYPE_CHECKING:
    from .base import Array, Feeds, Model

INIT, PREDICT = "init_net.pb", "predict_net.pb"


class Caffe2(Runtime):
    """The two nets of a folder. Intermediate blobs are there after every run: Caffe2 keeps them."""

    def __init__(self, init: Path, predict: Path, side: Side, about: Mapping[str, Any]) -> None:
        self.init, self.predict, self.side = init, predict, side
        self.path = str(predict.parent)
        self.name = f"Caffe2 (PyTorch {about['versions']['torch']})"
        self._versions = {f"caffe2's {name}": str(value) for name, value in about["versions"].items() if value}
        self.proto = read_netdef(predict)

    @property
    def versions(self) -> Mapping[str, str]:
        return self._versions

    @cached_property
    def is_ours(self) -> bool:
        """Whether netsurgery wrote the net, so that its blobs mean what Caffe's of the same name do."""
        return any(argument.name.startswith(SHAPE) for argument in self.proto.arg)

    @cached_property
    def inputs(self) -> dict[str, tuple[int | None, ...] | None]:
        told = {argument.name: list(argument.ints) for argument in self.proto.arg}
        if not self.is_ours:
            filled = filled_names(self.init)
            return dict.fromkeys(name for name in self.proto.external_input if name not in filled)
        return {
            name.removeprefix(SHAPE): tuple(
                None if i in told.get(FREE + name.removeprefix(SHAPE), ()) else n for i, n in enumerate(sizes)
            )
            for name, sizes in told.items()
            if name.startswith(SHAPE)
        }

    @property
    def declared(self) -> dict[str, tuple[int, ...]]:
        """The shapes of inputs at which the net was written, of one that netsurgery wrote."""
        return declared_shapes(self.proto)

    @property
    def outputs(self) -> tuple[str, ...]:
        return tuple(self.proto.external_output)

    @cached_property
    def blobs(self) -> Collection[str]:
        return {name for op in self.proto.op for name in op.output}

    def run(self, feeds: Feeds, blobs: Collection[str]) -> dict[str, Array]:
        with TemporaryDirectory(prefix="netsurgery-") as folder:
            inputs, outputs = os.path.join(folder, "inputs.npz"), os.path.join(folder, "outputs.npz")
            arrays = {str(i): np.asarray(array, np.float32) for i, array in enumerate(feeds.values())}
            np.savez(inputs, allow_pickle=False, **arrays)
            request = {
                "do": "run",
                "init": os.path.abspath(self.init),
                "predict": os.path.abspath(self.predict),
                "inputs": inputs,
                "names": list(feeds),
                "outputs": outputs,
                "blobs": [blob for blob in blobs if blob in self.blobs],
            }
            told = self.side.ask(request, Source(self.path))
            with np.load(outputs) as members:
                return {name: members[str(i)] for i, name in enumerate(told["names"])}


class Opinion(NetRuntime):
    """A net, exported to Caffe2 without anything merged, so that as many blobs as can be are there; anew for inputs of sizes that an
    export has not left free."""

    def __init__(self, net: Net, side: Side, about: Mapping[str, Any]) -> None:
        super().__init__(net)
        self.side, self.about = side, about
        self._folder = TemporaryDirectory(prefix="netsurgery-")
        self._export = as_caffe2(net, ModelForm(fold=False))
        self._opened = self._written()
        self.name = self._opened.name

    @property
    def versions(self) -> Mapping[str, str]:
        return self._opened.versions

    @property
    def inputs(self) -> dict[str, tuple[int | None, ...] | None]:
        return self._opened.inputs

    @property
    def blobs(self) -> Collection[str]:
        return self._opened.blobs

    def run(self, feeds: Feeds, blobs: Collection[str]) -> dict[str, Array]:
        if not fits(self._export, {name: np.shape(array) for name, array in feeds.items()}):
            shapes = {name: np.shape(array) for name, array in feeds.items()}
            self._export = as_caffe2(self.net, ModelForm(None, False, shapes))
            self._opened = self._written()
        return self._opened.run({name: feeds[name] for name in self._export.inputs}, blobs)

    def _written(self) -> Caffe2:
        folder = Path(self._folder.name)
        self._export.save(folder)
        return Caffe2(folder / INIT, folder / PREDICT, self.side, self.about)


def fits(export: Caffe2Net, shapes: Mapping[str, tuple[int, ...]]) -> bool:
    """Whether an export takes inputs of these shapes."""
    return all(
        len(sizes) == len(shapes[name])
        and all(not isinstance(n, int) or n == m for n, m in zip(sizes, shapes[name], strict=True))
        for name, sizes in export.inputs.items()
    )


def nets_of(model: Model) -> tuple[Path, Path]:
    """The files of the init and the predict net: those of a folder, or those that stand beside one of them.

    Raises: ParseError."""
    path = Path(model_path(model) or "<model>")
    folder = path if path.is_dir() else path.parent
    predict = path if path.suffix == ".pb" and path.name != INIT else folder / PREDICT
    for needed in (folder / INIT, predict):
        if not needed.is_file():
            raise ParseError(
                f"there is no {needed.name}", source=Source(str(path)), expected=f"a folder of {INIT} and {PREDICT}"
            )
    return folder / INIT, predict


def open_model(model: Model) -> Caffe2 | Opinion:
    """Raises: ParseError, UnavailableError."""
    return open_opinion(model, None) if isinstance(model, Net) else open_nets(model)


def declared_shapes(proto: Any) -> dict[str, tuple[int, ...]]:
    """The shapes of inputs that netsurgery left in a predict net."""
    return {a.name.removeprefix(SHAPE): tuple(map(int, a.ints)) for a in proto.arg if a.name.startswith(SHAPE)}


def open_nets(model: Model) -> Caffe2:
    """The nets of a folder. Raises: ParseError, UnavailableError."""
    init, predict = nets_of(model)
    return Caffe2(init, predict, *open_side(CAFFE2))


def open_opinion(net: Net, model: Model) -> Opinion:
    """Raises: UnavailableError, and UnsupportedError for a net that Caffe2 cannot run."""
    return Opinion(net, *open_side(CAFFE2))


__all__ = ["Caffe2", "Opinion", "open_model", "open_nets", "open_opinion"]
