"""A net as onnxruntime runs it."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import NetsurgeryError, ShapeError
from ..exporters.convert import input_axes
from ..exporters.onnx.save import save_onnx
from ..exporters.onnx.session import open_session, options
from ..net import Net
from . import cache

Array = NDArray[np.float32]


class Model:
    """Gives some blobs of a net, for images of any size that the net takes."""

    def __init__(self, path: str | os.PathLike[str], blobs: Sequence[str], threads: int | None = None) -> None:
        from onnxruntime.capi import onnxruntime_pybind11_state as state

        self.failures = (state.Fail, state.InvalidArgument, state.RuntimeException)
        chosen = options(threads=threads, spin=False)  # leaves the cores to whoever reads images
        self.session = open_session(os.fspath(path), chosen)
        self.path, self.blobs = Path(path), tuple(blobs)
        self.input = self.session.get_inputs()[0].name
        batch = self.session.get_inputs()[0].shape[0]
        self.batch = batch if isinstance(batch, int) else None  # a layer may tie it

    def run(self, batch: NDArray[Any]) -> list[Array]:
        """The blobs on a batch (N, C, H, W)."""
        if self.batch is None or self.batch == len(batch):
            return self._run(batch)
        parts = []
        for start in range(0, len(batch), self.batch):
            part = batch[start : start + self.batch]
            missing = self.batch - len(part)
            whole = np.concatenate([part, np.repeat(part[-1:], missing, axis=0)]) if missing else part
            parts.append([blob[: len(part)] for blob in self._run(whole)])
        return [np.concatenate(blobs) for blobs in zip(*parts, strict=True)]

    def _run(self, batch: NDArray[Any]) -> list[Array]:
        try:
            blobs: list[Array] = self.session.run(list(self.blobs), {self.input: batch})
        except self.failures as error:
            raise NetsurgeryError(
                f"onnxruntime cannot run the net on an input of {'x'.join(map(str, batch.shape))}: {error}",
                fix="smaller scales, or fewer images at once, if memory is short",
            ) from None
        return blobs


def open_model(
    net: Net,
    blobs: Sequence[str],
    *,
    free: bool = False,
    keep: bool = False,
    threads: int | None = None,
) -> Model:
    """The net's model, kept in the user's cache if `keep`. Raises: NetsurgeryError, ShapeError as `model_file`."""
    with model_file(net, blobs, free=free, keep=keep) as path:
        return Model(path, blobs, threads)


@contextmanager
def model_file(net: Net, blobs: Sequence[str], *, free: bool, keep: bool) -> Iterator[Path]:
    """The net's model as a file: in the user's cache if `keep`, else in a folder that is there for the block only.

    Raises: NetsurgeryError if the net has not exactly one input, an image; with `free`, ShapeError if a layer ties its height or width.
    """
    name = image_input(net)
    if free:
        for axis in input_axes(net):
            if axis.axis >= 2 and axis.input == name and axis.tied_by:
                raise ShapeError(
                    f"input '{name}' has one size only, {axis.size} along axis {axis.axis}: {axis.tied_by} ties it",
                    source=net.source,
                    expected="a net that takes images of any size",
                    fix="name a blob before that layer: --output",
                )

    def write(path: Path) -> None:
        save_onnx(net, path, outputs=blobs)

    path = cache.cached_model(cache.key(net, blobs), write) if keep else None
    if path is not None:
        yield path
        return
    with tempfile.TemporaryDirectory(prefix="netsurgery-") as folder:
        path = Path(folder) / "model.onnx"
        write(path)
        yield path


def require_map(net: Net, blob: str) -> None:
    """Raises: ShapeError for a blob that is no map."""
    shape = net.shapes()[blob]
    if len(shape) != 4:
        raise ShapeError(
            f"blob '{blob}' ({', '.join(map(str, shape))}) is no map",
            source=net.source,
            expected="a blob (N, channels, h, w)",
            fix="a blob before the InnerProduct layers",
        )


def image_input(net: Net) -> str:
    """The one input of the net, an image (N, C, H, W). Raises: NetsurgeryError."""
    inputs = net.inputs
    images = [name for name, shape in inputs.items() if shape is None or len(shape) == 4]
    if len(inputs) != 1 or len(images) != 1:
        raise NetsurgeryError(
            f"the net has {'no input' if not inputs else 'inputs ' + ', '.join(inputs)}",
            source=net.source,
            expected="one input: images (N, C, H, W)",
            fix="cut the net: netsurgery operate --cut",
        )
    return images[0]


def input_shape(net: Net) -> tuple[int, int, int]:
    """(C, H, W) of the net's input as declared. Raises: NetsurgeryError."""
    name = image_input(net)
    shape = net.shapes()[name]
    channels, height, width = (n if isinstance(n, int) else 0 for n in shape[1:])
    return channels, height, width
