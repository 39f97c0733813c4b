"""caffe.Net: the face of a net for scripts.

Source: BVLC/caffe python/caffe/pycaffe.py and _caffe.cpp (names, arguments, what is returned and refused)
"""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .blob import Blob, BlobVec
from .engine import Engine
from .errors import CaffeError
from .structure import open_file, read_structure

if TYPE_CHECKING:
    from .blob import Array

Arrays = dict[str, "Array"]


class Net:
    """A net that runs: `caffe.Net(network_file, phase, level=0, stages=None, weights=None)`, or as in old scripts
    `caffe.Net(network_file, weights, phase)`.

    Raises: CaffeError (a RuntimeError) for files that are not there; NetsurgeryError for what cannot be read or is not supported.
    """

    def __init__(
        self,
        network_file: str | os.PathLike[str],
        *arguments: Any,
        phase: int | None = None,
        level: int = 0,
        stages: Sequence[str] | None = None,
        weights: str | os.PathLike[str] | None = None,
    ) -> None:
        if arguments and isinstance(arguments[0], (str, os.PathLike)):
            weights, arguments = arguments[0], arguments[1:]
        if arguments:
            phase, arguments = arguments[0], arguments[1:]
        level, stages, weights = (*arguments, *(level, stages, weights)[len(arguments) :])[:3]
        if phase is None or isinstance(phase, str):
            raise TypeError("Net(network_file, phase, level=0, stages=None, weights=None): no phase")
        path = open_file(network_file)
        weights_path = open_file(weights) if weights is not None else None
        self._structure = s = read_structure(path, int(phase), int(level), list(stages or ()))
        self._path, self._weights_path = path, weights_path
        names = list(zip(s.blobs, s.blob_names, strict=True))
        results = [s.blobs[i] for i in s.outputs] + [b for b, w in zip(s.blobs, s.losses, strict=True) if w]
        self._engine = Engine(s.slots, names, results)
        self._before_backward: list[Callable[[int], object]] = []
        self._after_backward: list[Callable[[int], object]] = []
        if weights_path is not None:
            self.copy_from(weights_path)

    # What the net consists of

    @property
    def name(self) -> str:
        return self._structure.name

    @cached_property
    def layers(self) -> list[Any]:
        return [slot.public for slot in self._structure.slots]

    @cached_property
    def _layer_names(self) -> list[str]:
        return [slot.name for slot in self._structure.slots]

    @property
    def _blob_names(self) -> list[str]:
        return self._structure.blob_names

    @property
    def _blobs(self) -> list[Blob]:
        return self._structure.blobs

    @property
    def _blob_loss_weights(self) -> list[float]:
        return self._structure.losses

    @property
    def _inputs(self) -> list[int]:
        return self._structure.inputs

    @property
    def _outputs(self) -> list[int]:
        return self._structure.outputs

    def _bottom_ids(self, layer: int) -> list[int]:
        return [self._blobs.index(blob) for blob in self._structure.slots[layer].bottoms]

    def _top_ids(self, layer: int) -> list[int]:
        return [self._blobs.index(blob) for blob in self._structure.slots[layer].tops]

    @cached_property
    def blobs(self) -> OrderedDict[str, Blob]:
        """The blobs by name, from inputs to outputs."""
        return OrderedDict(zip(self._blob_names, self._blobs, strict=True))

    @cached_property
    def blob_loss_weights(self) -> OrderedDict[str, float]:
        return OrderedDict(zip(self._blob_names, self._blob_loss_weights, strict=True))

    @cached_property
    def layer_dict(self) -> OrderedDict[str, Any]:
        return OrderedDict(zip(self._layer_names, self.layers, strict=True))

    @cached_property
    def params(self) -> OrderedDict[str, BlobVec]:
        """The parameters of each layer that has some: weights, bias ..."""
        return OrderedDict((slot.name, slot.blobs) for slot in self._structure.slots if slot.blobs)

    @cached_property
    def inputs(self) -> list[str]:
        return [self._blob_names[i] for i in self._inputs]

    @cached_property
    def outputs(self) -> list[str]:
        return [self._blob_names[i] for i in self._outputs]

    @cached_property
    def top_names(self) -> OrderedDict[str, list[str]]:
        return self._names_of(self._top_ids)

    @cached_property
    def bottom_names(self) -> OrderedDict[str, list[str]]:
        return self._names_of(self._bottom_ids)

    def _names_of(self, ids: Callable[[int], list[int]]) -> OrderedDict[str, list[str]]:
        return OrderedDict((name, [self._blob_names[k] for k in ids(i)]) for i, name in enumerate(self._layer_names))

    # Running

    def forward(
        self, blobs: Sequence[str] | None = None, start: str | None = None, end: str | None = None, **kwargs: Any
    ) -> Arrays:
        """Runs the net, or from layer `start` to layer `end`, both included. Keywords are values for all inputs.

        Gives the outputs (those of the last layer, if `end` names one) and `blobs`, as views of the net's memory.

        Raises: ValueError for a layer, KeyError for a blob that is not there; Exception for keywords that are not the inputs."""
        first = self._layer_names.index(start) if start is not None else 0
        last = self._layer_names.index(end) if end is not None else len(self.layers) - 1
        outputs = [*(self.top_names[end] if end is not None else self.outputs), *(blobs or [])]
        if kwargs:
            if set(kwargs) != set(self.inputs):
                raise Exception("Input blob arguments do not match net inputs.")
            for name, values in kwargs.items():
                self._fill(self.blobs[name], values, "data", "Input is not batch sized")
        self._forward(first, last, [self.blobs[name] for name in outputs if name in self.blobs])
        return {name: self.blobs[name].data for name in dict.fromkeys(outputs)}

    @staticmethod
    def _fill(blob: Blob, values: Any, part: str, complaint: str) -> None:
        if values.shape[0] != blob.shape[0]:
            raise Exception(complaint)
        getattr(blob, part)[...] = values

    def _forward(self, start: int, end: int, extra: Sequence[Blob] = ()) -> float:
        self._structure.require_files()
        return self._engine.forward(start, end, extra)

    def backward(
        self, diffs: Sequence[str] | None = None, start: str | None = None, end: str | None = None, **kwargs: Any
    ) -> Arrays:
        """Runs the net backwards, or from layer `start` down to layer `end`. Keywords are diffs for all outputs.

        Gives the diffs of the inputs (of the bottoms of the last layer, if `end` names one) and of `diffs`, as views.

        Raises: as `forward`; UnsupportedError where PyTorch is needed and not installed."""
        first = self._layer_names.index(start) if start is not None else len(self.layers) - 1
        last = self._layer_names.index(end) if end is not None else 0
        outputs = [*(self.bottom_names[end] if end is not None else self.inputs), *(diffs or [])]
        if kwargs:
            if set(kwargs) != set(self.outputs):
                raise Exception("Top diff arguments do not match net outputs.")
            for name, values in kwargs.items():
                self._fill(self.blobs[name], values, "diff", "Diff is not batch sized")
        self._backward(first, last)
        return {name: self.blobs[name].diff for name in dict.fromkeys(outputs)}

    def _backward(self, start: int, end: int) -> None:
        from .backward import backward

        backward(self._structure.slots, start, end, self._before_backward, self._after_backward)

    def forward_all(self, blobs: Sequence[str] | None = None, **kwargs: Any) -> dict[str, NDArray[Any]]:
        """`forward` over any number of items, batch after batch; the last one is padded. Gives copies."""
        outs: dict[str, list[Any]] = {name: [] for name in {*self.outputs, *(blobs or [])}}
        for batch in self._batch(kwargs):
            for name, values in self.forward(blobs=blobs, **batch).items():
                outs[name].extend(values.copy())
        return self._packed(outs, kwargs)

    def forward_backward_all(
        self, blobs: Sequence[str] | None = None, diffs: Sequence[str] | None = None, **kwargs: Any
    ) -> tuple[dict[str, NDArray[Any]], dict[str, NDArray[Any]]]:
        """`forward` and `backward` over any number of items. Keywords are values for inputs and diffs for outputs."""
        outs: dict[str, list[Any]] = {name: [] for name in {*self.outputs, *(blobs or [])}}
        grads: dict[str, list[Any]] = {name: [] for name in {*self.inputs, *(diffs or [])}}
        down = self._batch({name: kwargs[name] for name in self.inputs if name in kwargs})
        up = self._batch({name: kwargs[name] for name in self.outputs if name in kwargs})
        none: dict[str, Any] = {}
        for values, errors in zip_longest(down, up, fillvalue=none):
            batch_outs = self.forward(blobs=blobs, **values)
            batch_grads = self.backward(diffs=diffs, **errors)
            for name, array in batch_outs.items():
                outs[name].extend(array.copy())
            for name, array in batch_grads.items():
                grads[name].extend(array.copy())
        return self._packed(outs, kwargs), self._packed(grads, kwargs)

    @staticmethod
    def _packed(parts: Mapping[str, list[Any]], kwargs: Mapping[str, Any]) -> dict[str, NDArray[Any]]:
        """Batches as one array, without the padding of the last."""
        arrays = {name: np.asarray(items) for name, items in parts.items()}
        padding = len(next(iter(arrays.values()))) - len(next(iter(kwargs.values())))
        return {name: array[:-padding] if padding else array for name, array in arrays.items()}

    def _batch(self, blobs: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        """The arrays in batches of the net's size, the last one padded with zeros."""
        count = len(next(iter(blobs.values())))
        size = next(iter(self.blobs.values())).shape[0]
        for begin in range(0, count - count % size, size):
            yield {name: array[begin : begin + size] for name, array in blobs.items()}
        if rest := count % size:
            yield {
                name: np.concatenate([array[-rest:], np.zeros((size - rest, *array.shape[1:]))])
                for name, array in blobs.items()
            }

    def reshape(self) -> None:
        """Gives all blobs the shapes that follow from those of the inputs."""
        self._engine.reshape()

    def set_input_arrays(self, data: NDArray[Any], labels: NDArray[Any]) -> None:
        """The items that a MemoryData layer at the beginning of the net gives from now on.

        Raises: CaffeError if there is none, or the arrays do not fit."""
        if labels.ndim == 1:
            labels = np.ascontiguousarray(labels[:, np.newaxis, np.newaxis, np.newaxis])
        self._set_input_arrays(data, labels)

    def _set_input_arrays(self, data: NDArray[Any], labels: NDArray[Any]) -> None:
        from .data import MemoryDataOp

        op = self._structure.slots[0].op
        if not isinstance(op, MemoryDataOp):
            raise CaffeError("set_input_arrays may only be called if the first layer is a MemoryDataLayer")
        op.reset(data, labels)

    # Parameters

    def copy_from(self, filename: str | os.PathLike[str]) -> None:
        """Takes the parameters of a .caffemodel or .h5 file, matched by layer name. Layers that the file lacks keep theirs.

        Raises: CaffeError if there is no such file; WeightsError for another number or shape of blobs."""
        from .weights import copy_from

        path = open_file(filename)
        copy_from(self._structure, path)
        self._weights_path = path

    def load_hdf5(self, filename: str | os.PathLike[str]) -> None:
        """`copy_from` for a file that `save_hdf5` wrote."""
        self.copy_from(filename)

    def share_with(self, other: Net) -> None:
        """From here on the parameters of `other` are its own, layer by layer of the same name."""
        from .weights import share_with

        share_with(self._structure, other._structure)

    def save(self, filename: str | os.PathLike[str]) -> None:
        """Writes the net with its parameters as .caffemodel."""
        from .weights import save

        save(self._structure, filename)

    def save_hdf5(self, filename: str | os.PathLike[str]) -> None:
        """Writes the parameters as HDF5."""
        from .weights import save_hdf5

        save_hdf5(self._structure, filename)

    def clear_param_diffs(self) -> None:
        """Sets the diffs of all parameters to 0."""
        for slot in self._structure.slots:
            for blob in slot.blobs:
                blob.write_diff(0.0)

    # Functions of the script's own, called with the number of the layer

    def before_forward(self, hook: Callable[[int], object]) -> None:
        self._engine.before.append(hook)

    def after_forward(self, hook: Callable[[int], object]) -> None:
        self._engine.after.append(hook)

    def before_backward(self, hook: Callable[[int], object]) -> None:
        self._before_backward.append(hook)

    def after_backward(self, hook: Callable[[int], object]) -> None:
        self._after_backward.append(hook)
