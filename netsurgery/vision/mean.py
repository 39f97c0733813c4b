"""The mean image of many, as Caffe's compute_image_mean makes it, and the forms in which means are held.

Source: BVLC Caffe, tools/compute_image_mean.cpp
"""

from __future__ import annotations

import io
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..errors import NetsurgeryError, ShapeError
from ..exporters.onnx.session import cores
from ..files.output import replacing
from ..files.wire import BYTES, VARINT, put_tag, put_varint
from ..formats.preprocessing import RAW, read_mean
from ..shown import size_text
from .figures import GRAYS, image_figure, inches, map_figure, show_picture
from .picture import as_color, to_bytes, unit
from .samples import Sample, samples

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Array = NDArray[np.float32]
FORMS = (".binaryproto", ".npy")


def means_of(
    source: str | os.PathLike[str],
    *,
    resize: tuple[int, int] | None = None,
    gray: bool = False,
    root: str | os.PathLike[str] = "",
    on_image: Callable[[], None] = lambda: None,
) -> tuple[Array, int]:
    """The mean image of what `samples` finds, and how many images it is of; a mean (.binaryproto, .npy, "104,117,123") is
    read, and is of 0 images.

    Shapes: -> (C, H, W), or (C) as it was read.
    Raises: NetsurgeryError, ShapeError.
    """
    name = os.fspath(source)
    if name.endswith(FORMS) or _is_values(name):
        values = np.asarray(read_mean(name), np.float32)
        values = values.reshape(values.shape[-3:]) if values.ndim == 4 and len(values) == 1 else values
        return np.atleast_1d(values), 0
    count = 0

    def counted() -> Iterator[Sample]:
        nonlocal count
        for sample in samples(name, root=root, resize=resize, gray=gray, labelled=False):
            count += 1
            on_image()
            yield sample

    return mean_image(counted()), count


def _is_values(text: str) -> bool:
    try:
        return bool([float(part) for part in text.split(",")])
    except ValueError:
        return False


def mean_image(images: Iterable[Sample], threads: int | None = None) -> Array:
    """sum_i image_i / count, added up one after another in float32, to the last bit as compute_image_mean does.

    Shapes: N of (C, H, W) -> (C, H, W).
    Raises: ShapeError if two differ in size; NetsurgeryError if there is none, or one cannot be read.
    """
    total: NDArray[Any] | None = None
    count = 0
    for sample, pixels in ahead(images, threads or cores()):
        if total is None:
            total = np.zeros(pixels.shape, np.float32)
        if pixels.shape != total.shape:
            raise ShapeError(
                f"{sample.name} is {size_text(pixels.shape)}, the images before it {size_text(total.shape)}",
                expected="images of one size",
                fix="warp them to one: --resize 256x256",
            )
        total += pixels
        count += 1
    if total is None:
        raise NetsurgeryError("there are no images", expected="at least one")
    return np.asarray(total / np.float32(count), np.float32)


def ahead(images: Iterable[Sample], threads: int, count: int = 0) -> Iterator[tuple[Sample, NDArray[Any]]]:
    """The samples in order with their pixels, `count` of which (0: 4 for each thread) are read in advance by threads."""
    rest = iter(images)
    with ThreadPoolExecutor(threads) as pool:
        waiting: deque[tuple[Sample, Future[NDArray[Any]]]] = deque()
        try:
            for sample in rest:
                waiting.append((sample, pool.submit(sample.read)))
                for more in islice(rest, (count or 4 * threads) - len(waiting)):
                    waiting.append((more, pool.submit(more.read)))
                first, pixels = waiting.popleft()
                yield first, pixels.result()
            while waiting:
                first, pixels = waiting.popleft()
                yield first, pixels.result()
        finally:
            for _, unread in waiting:
                unread.cancel()


def write_mean(path: str | os.PathLike[str], mean: NDArray[Any]) -> None:
    """Writes a mean image (C, H, W), or values (C), in the form that the ending says: .binaryproto, the BlobProto that
    compute_image_mean writes, or .npy.

    Raises: NetsurgeryError for another ending, or if it cannot be written.
    """
    name = os.fspath(path)
    values = np.asarray(mean, np.float32)
    if name.endswith(".npy"):
        file = io.BytesIO()
        np.save(file, values)
        data = file.getvalue()
    elif name.endswith(".binaryproto"):
        data = to_binaryproto(values)
    else:
        raise NetsurgeryError(f"a mean in {name}", expected=f"a file that ends in {' or '.join(FORMS)}")
    with replacing(path) as out:
        out.write(data)


def to_binaryproto(mean: NDArray[Any]) -> bytes:
    """A BlobProto of num 1, channels, height, width and data, as compute_image_mean writes it.

    Shapes: (C, H, W), (H, W) or (C).
    """
    values = np.asarray(mean, "<f4")
    shape = {1: (len(values) if values.ndim else 1, 1, 1), 2: (1, *values.shape)}.get(values.ndim, values.shape)
    head = b"".join(put_tag(k, VARINT) + put_varint(n) for k, n in enumerate((1, *shape[-3:]), 1))
    return head + put_tag(5, BYTES) + put_varint(values.nbytes) + values.tobytes()


def mean_figure(mean: NDArray[Any]) -> Figure:
    """A mean image (C, H, W), blue first, or of one channel with a bar; values (C) are an even one.

    Raises: NetsurgeryError without matplotlib (extra `vision`), ShapeError for other channels."""
    values = np.asarray(mean, np.float32)
    values = values.reshape(*values.shape, *(1,) * (3 - values.ndim)) if values.ndim < 3 else values
    if values.ndim != 3 or len(values) not in (1, 3):
        raise ShapeError(f"a mean of {size_text(values.shape)}", expected="1 or 3 channels, as a picture has")
    size, low, high = (values.shape[1], values.shape[2]), float(values.min()), float(values.max())
    title = f"mean: {', '.join(f'{value:.4g}' for value in channel_means(values))}"
    if len(values) == 1:
        shown = as_color(to_bytes(unit(values[0], low, high)))
        return map_figure(shown, size, low, high, GRAYS, title=title, unit="pixel")
    figure, axes = image_figure(*inches(*size))
    show_picture(axes, to_bytes(values[::-1].transpose(1, 2, 0) / np.float32(RAW)), size)
    axes.set_title(f"{title} (blue, green, red)", fontsize=10)
    return figure


def channel_means(mean: NDArray[Any]) -> list[float]:
    """The mean of each channel."""
    values = np.asarray(mean, np.float64)
    return [float(v) for v in values.reshape(len(values), -1).mean(axis=1)]
