"""The numbers that go in: seeded random images in the range that the net expects, labels and regions that make sense, images and
arrays from files."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..errors import NetsurgeryError, Source, UnsupportedError
from ..files.arrays import read_arrays
from ..files.images import read_image
from ..files.pillow import pillow
from ..net import Layer, Net

if TYPE_CHECKING:
    from ..formats.options import Reading
    from .options import Inputs
    from .sizes import Shapes

Array = NDArray[Any]
IMAGES = (".bmp", ".gif", ".jpeg", ".jpg", ".png", ".ppm", ".tif", ".tiff", ".webp")
PIXELS = 255


@dataclass(frozen=True)
class Range:
    """What the numbers of an image lie between, and how that is known."""

    low: float
    high: float
    why: str = ""

    def __str__(self) -> str:
        return f"{self.low:g} .. {self.high:g}" + (f" ({self.why})" if self.why else "")


def as_ranges(ranges: Mapping[str, Range | Sequence[float]]) -> dict[str, Range]:
    """Raises: NetsurgeryError for limits that are no numbers, or the wrong way round."""
    by_blob = {blob: r if isinstance(r, Range) else Range(r[0], r[1]) for blob, r in ranges.items()}
    for blob, limits in by_blob.items():
        if not -np.inf < limits.low <= limits.high < np.inf:
            raise NetsurgeryError(
                f"range {limits.low:g} .. {limits.high:g} of '{blob}'", expected="two numbers, the lower first"
            )
    return by_blob


UNKNOWN = (
    Range(-128.0, 127.0, "pixels less their mean: the net does not say"),
    Range(-1.0, 1.0, "pixels scaled to -1 .. 1: the net does not say"),
)
"""Ranges to take in turn where nothing tells which one it is: in the wrong one a net saturates, or its biases drown its input."""

SPREAD = 2.0
"""What layers that prepare pixels make of most of them: numbers between -2 and 2."""


@dataclass(frozen=True)
class Feed:
    """Arrays for every input, and in words what they are."""

    title: str
    arrays: dict[str, Array]
    notes: tuple[str, ...] = ()
    optional: bool = False
    """Whether it was our choice: a size that the net turns out not to take is then passed over."""


def expected_range(net: Net, blob: str) -> Range | None:
    """What the pixels of an input image lie between, as the layers around it say: a data layer's mean and scale, or a layer right behind
    the input that moves and scales them; None if nothing says it."""
    writer = net.writer(blob)
    transform = writer.params.last("transform_param")
    if transform is not None:
        scale = float(transform.last("scale", 1.0))
        means = [float(m) for m in transform.all("mean_value")]
        mean = sum(means) / len(means) if means else 128.0 if transform.has("mean_file") else 0.0
        return Range(-mean * scale, (PIXELS - mean) * scale, f"as layer {writer.title} prepares them")
    readers = net.readers(blob)
    if len(readers) == 1 and (line := _line(readers[0])) is not None:
        slope, shift = line
        centre = -shift / slope
        half = max(SPREAD / abs(slope), abs(centre))
        return Range(centre - half, centre + half, f"of which layer {readers[0].title} makes small numbers around 0")
    return None


def _line(layer: Layer) -> tuple[float, float] | None:
    """(slope, shift) of a layer that is y = slope x + shift, over all channels; None if it is none."""
    line = layer.kind.line
    if line is None and layer.weights and (channels := layer.kind.affine(layer.weights)) is not None:
        line = float(np.median(channels[0])), float(np.mean(channels[1]))
    return line if line is not None and 0 < abs(line[0]) < np.inf and abs(line[1]) < np.inf else None


def ranges(net: Net) -> dict[str, Range]:
    """The ranges of the inputs, as far as `expected_range` finds them; of a net as it was loaded, whose data layers say most."""
    return {blob: limits for blob in net.inputs if (limits := expected_range(net, blob)) is not None}


def with_defaults(inputs: Inputs, reading: Reading, loaded: Net) -> Inputs:
    """Inputs of the shapes that were said when the net was read, where these leave no axis free, and in the ranges that it tells."""
    if not (inputs.sizes or inputs.batches or inputs.shapes):
        shapes = {blob: [n for n in shape if isinstance(n, int)] for blob, shape in reading.input_shapes.items()}
        whole = {blob: shape for blob, shape in shapes.items() if len(shape) == len(reading.input_shapes[blob])}
        inputs = replace(inputs, shapes=[whole] if whole else [])
    return replace(inputs, ranges={**ranges(loaded), **inputs.ranges})


def _range(net: Net, blob: str, limits: Mapping[str, Range], number: int) -> Range:
    return limits.get(blob) or expected_range(net, blob) or UNKNOWN[number % len(UNKNOWN)]


def random_feed(
    net: Net, shapes: Shapes, seed: int, number: int, limits: Mapping[str, Range], optional: bool = False
) -> Feed:
    """Made-up arrays of these shapes, the same for the same seed and number."""
    arrays: dict[str, Array] = {}
    notes = []
    for i, (blob, shape) in enumerate(shapes.items()):
        rng = np.random.default_rng([seed, number, i])
        special = _special(net, blob, shapes, rng)
        if special is not None:
            arrays[blob] = special.astype(np.float32)
        elif len(shape) == 4 and shape[1] in (1, 3, 4):
            limit = _range(net, blob, limits, number)
            arrays[blob] = (limit.low + picture(shape, rng) * (limit.high - limit.low)).astype(np.float32)
            notes.append(f"{blob}: random images, {limit}")
        else:
            arrays[blob] = rng.normal(0, 1, shape).astype(np.float32)
    return Feed(f"{describe(shapes)}, random (seed {seed})", arrays, tuple(notes), optional)


def picture(shape: Sequence[int], rng: np.random.Generator) -> Array:
    """Images between 0 and 1 in 256 steps that look as natural ones do to a net: smooth shades, edges, a little noise."""
    n, c, h, w = shape
    total = np.zeros((n, c, h, w))
    for cells, weight in ((2, 1.0), (5, 0.6), (13, 0.35), (34, 0.2)):
        grid = rng.uniform(-1, 1, (n, c, min(cells, h) + 1, min(cells, w) + 1))
        total += weight * _stretched(_stretched(grid, h, 2), w, 3)
    for image in total:
        for _ in range(6):
            top, left = rng.integers(0, h), rng.integers(0, w)
            bottom, right = top + 1 + rng.integers(0, max(1, h // 3)), left + 1 + rng.integers(0, max(1, w // 3))
            image[:, top:bottom, left:right] += rng.uniform(-1, 1, (c, 1, 1))
    total += rng.normal(0, 0.05, total.shape)
    low, high = total.min(axis=(1, 2, 3), keepdims=True), total.max(axis=(1, 2, 3), keepdims=True)
    return np.asarray(np.round((total - low) / np.maximum(high - low, 1e-9) * PIXELS) / PIXELS)


def _stretched(x: Array, size: int, axis: int) -> Array:
    """Linear interpolation along an axis to `size` values."""
    at = np.linspace(0, x.shape[axis] - 1, size)
    low = np.minimum(at.astype(int), max(x.shape[axis] - 2, 0))
    shape = [1] * x.ndim
    shape[axis] = size
    part = (at - low).reshape(shape)
    return np.asarray(x.take(low, axis) * (1 - part) + x.take(low + 1, axis) * part)


def _special(net: Net, blob: str, shapes: Shapes, rng: np.random.Generator) -> Array | None:
    """Numbers as one of the layers that read the blob wants them, if one of them minds."""
    sizes: dict[str, tuple[int, ...]] = {}
    for layer, index in _readers(net, blob):
        if not sizes:
            sizes = {b: tuple(n if isinstance(n, int) else 1 for n in s) for b, s in net.shapes(shapes).items()}
        sample = layer.kind.sample(index, [sizes[b] for b in layer.bottoms], rng)
        if sample is not None:
            return np.broadcast_to(np.asarray(sample), shapes[blob])
    return None


def _readers(net: Net, blob: str) -> Iterable[tuple[Layer, int]]:
    for layer in net.readers(blob):
        if layer.kind.is_identity:
            for top in layer.tops:
                yield from _readers(net, top)
        else:
            yield from ((layer, i) for i, bottom in enumerate(layer.bottoms) if bottom == blob)


def image_files(paths: Iterable[str | os.PathLike[str]]) -> list[Path]:
    """The images among files and folders, sorted within a folder. Raises: NetsurgeryError if there are none."""
    files: list[Path] = []
    for item in map(Path, paths):
        if item.is_dir():
            inside = sorted(p for p in item.iterdir() if p.suffix.lower() in IMAGES and p.is_file())
            if not inside:
                raise NetsurgeryError(
                    "holds no images", source=Source(str(item)), expected=f"files named {', '.join(IMAGES)}"
                )
            files += inside
        else:
            files.append(item)
    return files


def image_feed(
    net: Net, shapes: Shapes, files: Sequence[Path], seed: int, number: int, limits: Mapping[str, Range]
) -> Feed:
    """Images in place of random ones: scaled to the size, channels in Caffe's order (BGR), one file for each item, over again where
    the batch is larger."""
    from .sizes import images

    feed = random_feed(net, shapes, seed, number, limits)
    names = [name for name in images(shapes) if shapes[name][1] in (1, 3)]
    if not names:
        raise UnsupportedError("the net has no input of 1 or 3 channels that an image could go into")
    for name in names:
        limit = _range(net, name, limits, number)
        n, c, h, w = shapes[name]
        pixels = np.stack([_pixels(files[i % len(files)], c, h, w) for i in range(n)])
        feed.arrays[name] = (limit.low + pixels / PIXELS * (limit.high - limit.low)).astype(np.float32)
    shown = ", ".join(path.name for path in files[:3]) + (", .." if len(files) > 3 else "")
    return Feed(f"{describe(shapes)}, {shown}", feed.arrays, feed.notes)


def _pixels(path: Path, channels: int, height: int, width: int) -> Array:
    """(C, H, W), 0 to 255. Raises: NetsurgeryError if it cannot be read."""
    image = pillow("reading images").Image
    picture = image.fromarray(read_image(path))
    scaled = (picture.convert("L") if channels == 1 else picture).resize((width, height), image.Resampling.BILINEAR)
    array = np.asarray(scaled, np.float64)
    return array[None] if channels == 1 else np.ascontiguousarray(array[:, :, ::-1].transpose(2, 0, 1))


def array_feed(net: Net, inputs: Mapping[str, Any], seed: int) -> Feed:
    """Arrays as they are: NumPy arrays, or files: `{"data": "x.npy"}`, `{"data": "x.npz"}`, `{"": "x.npz"}` for all that it names.
    What is not given is made up, in its declared shape or, where that must be, in one that fits.

    Raises: NetsurgeryError for what cannot be read or is not of the net."""
    arrays: dict[str, Array] = {}
    for blob, value in inputs.items():
        if isinstance(value, str | os.PathLike):
            arrays.update(_read(blob, os.fspath(value)))
        else:
            arrays[blob] = np.asarray(value)
    for blob in arrays:
        if blob not in net.inputs:
            raise NetsurgeryError(f"the net has no input '{blob}'", expected=f"one of: {', '.join(net.inputs)}")
        if arrays[blob].dtype.kind not in "biuf":
            raise NetsurgeryError(f"input '{blob}' holds {arrays[blob].dtype}", expected="numbers")
    shapes = {blob: arrays[blob].shape if blob in arrays else shape for blob, shape in net.inputs.items()}
    missing = {blob: shape for blob, shape in shapes.items() if shape is None}
    if missing:
        raise NetsurgeryError(f"no value for input '{next(iter(missing))}'", expected="one: its shape is not declared")
    whole: Shapes = {blob: tuple(shape) for blob, shape in shapes.items() if shape is not None}
    net.shapes(whole)
    noise = {} if len(arrays) == len(whole) else random_feed(net, whole, seed, 0, {}).arrays
    numbers = {blob: arrays[blob].astype(np.float32) if blob in arrays else noise[blob] for blob in whole}
    return Feed(f"{describe(whole)}, as given", numbers)


def _read(blob: str, path: str) -> dict[str, Array]:
    """The arrays of a .npy or .npz file by input."""
    source = Source(path)
    arrays = read_arrays(path, "a .npy or .npz file of numbers", NetsurgeryError)
    if isinstance(arrays, np.ndarray):
        if not blob:
            raise NetsurgeryError("holds one array of no name", source=source, fix=f"--input BLOB={path}")
        return {blob: arrays}
    if not blob:
        return arrays
    if blob in arrays:
        return {blob: arrays[blob]}
    if len(arrays) == 1:
        return {blob: next(iter(arrays.values()))}
    raise NetsurgeryError(f"holds no array '{blob}'", source=source, expected=f"one of: {', '.join(arrays) or 'none'}")


def describe(shapes: Mapping[str, Sequence[int]]) -> str:
    """`data 1x3x227x227`"""
    return ", ".join(f"{name} {'x'.join(map(str, shape)) or 'scalar'}" for name, shape in shapes.items())
